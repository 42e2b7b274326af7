use super::{Facts, Intent, NodeReport, Part, RunIntent, Wanted, WordpressPhase, WordpressReport};
use crate::id::ReleaseId;
use crate::node::{self, Purpose, WordpressSite};
use crate::site::SchemaChange;

/// What a node found of the release that it tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Of which.
    pub release: ReleaseId,
    /// What runs, or why it is not to be served.
    pub found: Result<Proved, String>,
}

/// A release that does what a WordPress does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proved {
    /// Of its WordPress.
    pub wordpress: Option<String>,
    /// The `db_version` of its WordPress.
    pub schema: Option<u64>,
    /// It did so with the database's schema as it is, and has yet to change it and do so again.
    pub changes: Option<SchemaChange>,
}

/// What is known now of the release that is tried; `None` as long as nothing is. Pure.
#[must_use]
pub fn verdict(intent: &Intent, facts: &Facts) -> Option<Verdict> {
    let Wanted::Run(run) = &intent.wanted else { return None };
    let candidate = run.candidate.as_deref()?;
    let (_, report) = trial(intent, run, facts)?;
    let changes = report.upgrade().map(|(from, to)| SchemaChange { from, to });
    let found = match report.phase {
        // That is kept before it is told to.
        WordpressPhase::Serving if changes.is_none() || candidate.changes.is_none() => {
            Ok(Proved { wordpress: report.version.clone(), schema: report.schema, changes })
        }
        WordpressPhase::Refused => {
            Err(report.error.clone().unwrap_or_else(|| "it gave no reason".to_owned()))
        }
        _ => return None,
    };
    Some(Verdict { release: candidate.id, found })
}

/// The node that tries the candidate, once it says something.
pub(super) fn trial<'a>(
    intent: &Intent,
    run: &RunIntent,
    facts: &'a Facts,
) -> Option<(Part, &'a WordpressReport)> {
    let candidate = run.candidate.as_deref()?;
    let url = node::canonical_url(run, facts.address())?;
    let spec = WordpressSite::new(intent.site, run, Purpose::Trial(*candidate), candidate.release, url);
    let tries =
        |part: &Part| facts.ready(*part).is_some_and(|object| object.fingerprint == Some(spec.fingerprint));
    let part = (Part::APART_SLOTS..Part::WORDPRESS_SLOTS).map(Part::Wordpress).find(tries)?;
    match &facts.report(part)?.node {
        NodeReport::Wordpress(report) => Some((part, report)),
        NodeReport::Database(_) | NodeReport::Gateway(_) => None,
    }
}
