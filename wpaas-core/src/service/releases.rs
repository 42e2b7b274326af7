use jiff::Timestamp;
use serde_json::json;

use super::commit::{Rounds, of_site, who};
use super::sites::{changeable, next, rewrite};
use super::{ConflictCode, Page, Service, ServiceError, SitePath, SiteView};
use crate::access::{Action, Actor};
use crate::code::{Code, Digest};
use crate::converge::{Proved, Verdict};
use crate::id::{ReleaseId, SiteId};
use crate::secret::{SecretName, SecretRef};
use crate::site::{CodeFailure, Generation, Proof, Release, ReleaseState, Site};
use crate::store::{Change, EventKind, Mode, StoredSite, Who, Write};

/// A release as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleaseView {
    /// What it is.
    pub release: Release,
    /// Where it stands.
    pub state: ReleaseState,
}

/// What to go back to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rollback {
    /// Which release; without one, the one before the one that serves.
    pub to: Option<ReleaseId>,
    /// Whether the database goes back, too, to the dump taken before its schema was changed. What was written since
    /// is then in another dump only.
    pub with_database: bool,
}

/// Code that is to become a release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WantedCode {
    /// Of which site.
    pub site: SiteId,
    /// What to record the result for.
    pub generation: Generation,
    /// Where it comes from.
    pub code: Code,
    /// What the source asks for.
    pub credential: Option<SecretRef>,
}

impl Service {
    /// The live sites after `after` whose code is to be fetched at this time.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn wanted_code(
        &self,
        after: Option<SiteId>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Vec<WantedCode>, ServiceError> {
        let sites = self.store().sites_wanting_code(now, &Page { after, limit }).await?;
        Ok(sites.into_iter().filter_map(wanted).collect())
    }

    /// A site's releases, the newest first.
    ///
    /// # Errors
    ///
    /// `NotFound`, `Forbidden`.
    pub async fn releases(&self, actor: &Actor, path: &SitePath) -> Result<Vec<ReleaseView>, ServiceError> {
        let (_, StoredSite { site, .. }) = self.find(actor, Action::SiteRead, path).await?;
        let view =
            |release: &Release| ReleaseView { release: release.clone(), state: site.releases.state(release) };
        Ok(site.releases.iter().map(view).collect())
    }

    /// Serves a release again that has proved itself before; without a name the one before the one that serves. What
    /// is being tried is given up.
    ///
    /// The code goes back at once, and the database stays. Where it changes, by a dump that is restored or by a
    /// schema that only the release knows, the release is tried first, as a new one is.
    ///
    /// # Errors
    ///
    /// `NotFound`, `Forbidden`, `CustomerSuspended`, `site_in_deletion`, `release_not_kept`, `no_dump`, `Invalid`.
    pub async fn roll_back(
        &self,
        actor: &Actor,
        path: &SitePath,
        rollback: Rollback,
        mode: Mode,
        now: Timestamp,
    ) -> Result<SiteView, ServiceError> {
        let mut rounds = Rounds::default();
        loop {
            let (at, stored) = self.find(actor, Action::SiteUpdate, path).await?;
            changeable(&at, &stored.site)?;
            let site = decide_rollback(&stored.site, rollback, now)?;
            let release = site.releases.candidate().or_else(|| site.releases.serving());
            let restores = release.and_then(|release| release.restores);
            let detail = json!({ "generation": site.generation, "release": release.map(|it| it.id), "with_database": restores.is_some() });
            let event = of_site(&site, who(actor), EventKind::ReleaseRolledBack, detail);
            let mut change = rewrite(&site, self.settings(), now).event(event);
            change.mode = mode;
            if self.commit(change, &mut rounds).await? {
                return self.view(&at, StoredSite { site, status: stored.status });
            }
        }
    }

    /// Keeps what a node found of the release that it tried.
    pub(super) async fn judge_release(
        &self,
        site: SiteId,
        verdict: &Verdict,
        now: Timestamp,
    ) -> Result<(), ServiceError> {
        let mut rounds = Rounds::default();
        loop {
            let Some(StoredSite { site: before, .. }) = self.store().site(site).await? else { return Ok(()) };
            let Some(after) = decide_judge(&before, verdict, now) else { return Ok(()) };
            let (kind, detail) = match &verdict.found {
                Ok(_) => (EventKind::ReleaseServed, json!({ "release": verdict.release })),
                Err(why) => {
                    (EventKind::ReleaseRefused, json!({ "release": verdict.release, "message": why }))
                }
            };
            let usage = super::sites::usage(&after, self.settings());
            let event = of_site(&after, Who::System, kind, detail);
            let change = Change::at(now).write(Write::UpdateSite(after, usage)).event(event);
            if self.commit(change, &mut rounds).await? {
                return Ok(());
            }
        }
    }

    /// Keeps what became of a site's code: the release, or for the customer why there is none. Nothing
    /// happens when other code is wanted meanwhile, or the site is gone.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn record_release(
        &self,
        site: SiteId,
        generation: Generation,
        result: Result<Release, CodeFailure>,
        now: Timestamp,
    ) -> Result<(), ServiceError> {
        let mut rounds = Rounds::default();
        loop {
            let Some(StoredSite { site: before, .. }) = self.store().site(site).await? else { return Ok(()) };
            let Some(after) = decide_record(&before, generation, &result) else { return Ok(()) };
            let (kind, detail) = match &result {
                Ok(release) => (
                    EventKind::ReleaseReady,
                    json!({ "release": release.id, "digest": release.digest, "revision": release.revision }),
                ),
                Err(failure) => (EventKind::ReleaseFailed, json!({ "message": failure.message })),
            };
            let usage = super::sites::usage(&after, self.settings());
            let event = of_site(&after, Who::System, kind, detail);
            let change = Change::at(now).write(Write::UpdateSite(after, usage)).event(event);
            if self.commit(change, &mut rounds).await? {
                return Ok(());
            }
        }
    }

    /// The digests of all releases that sites have: every other archive can go.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn digests_in_use(&self) -> Result<std::collections::BTreeSet<Digest>, ServiceError> {
        let mut page = Page::first(500);
        let mut digests = std::collections::BTreeSet::new();
        loop {
            let facts = self.store().site_facts(&page).await?;
            page.after = facts.last().map(|facts| facts.site.id);
            digests.extend(facts.iter().flat_map(|facts| facts.site.releases.iter().map(|used| used.digest)));
            if facts.len() < page.limit {
                return Ok(digests);
            }
        }
    }
}

fn wanted(site: Site) -> Option<WantedCode> {
    let credential = site.code.has_credential.then_some(SecretRef {
        site: site.id,
        name: SecretName::CodeCredential,
        version: site.code.credential_version,
    });
    Some(WantedCode { site: site.id, generation: site.code.wanted, code: site.spec.code?, credential })
}

/// The site as it serves that release, or tries it first; one generation on.
fn decide_rollback(site: &Site, rollback: Rollback, now: Timestamp) -> Result<Site, ServiceError> {
    let refused = |why: String| Err(ServiceError::conflict(ConflictCode::ReleaseNotKept, why));
    let mut after = next(site);
    let Some(to) = rollback.to.or_else(|| site.releases.previous().map(|release| release.id)) else {
        return refused("no release that served before is kept: see the site's releases".to_owned());
    };
    match site.releases.get(to).map(|release| &release.proof) {
        None => Err(ServiceError::invalid("release", "no release of the site that is kept has this id")),
        Some(Proof::Failed { reason, .. }) => {
            refused(format!("{to} failed when it was tried, and is never served: {reason}"))
        }
        Some(Proof::Untried) => refused(format!("{to} is being tried, and is served once it proves itself")),
        Some(Proof::Proved { .. }) => {
            let restores = rollback.with_database.then(|| dump_for(site, to)).transpose()?;
            if restores.is_some() || needs_schema(site, to) {
                after.releases.try_again(to, ReleaseId::new(), restores, &site.pinned(), now);
            } else {
                after.releases.go_back(to, now);
            }
            Ok(after)
        }
    }
}

/// Before which release the dump was taken that this one can be served with.
fn dump_for(site: &Site, to: ReleaseId) -> Result<ReleaseId, ServiceError> {
    site.releases.changed_since(to).map(|release| release.id).ok_or_else(|| {
        let why = format!(
            "no release that is kept has changed the database's schema since {to}, so no dump was taken: go back without the database"
        );
        ServiceError::conflict(ConflictCode::NoDump, why)
    })
}

/// Whether the release is of a newer schema than the one that serves, so that the database may lack it.
fn needs_schema(site: &Site, to: ReleaseId) -> bool {
    let serving = site.releases.serving().and_then(Release::schema);
    site.releases.get(to).and_then(Release::schema) > serving
}

/// The site with the verdict; `None` when it is of no use any more.
fn decide_judge(site: &Site, verdict: &Verdict, now: Timestamp) -> Option<Site> {
    let Verdict { release, found } = verdict;
    let mut after = site.clone();
    after.version += 1;
    let proof = match found {
        Ok(Proved { wordpress, schema }) => Proof::Proved { wordpress: wordpress.clone(), schema: *schema },
        Err(reason) => Proof::Failed { reason: reason.clone(), at: now },
    };
    if !after.releases.judge(*release, proof) {
        return None;
    }
    after.code.keeps_stock &= after.releases.serving().is_none();
    Some(after)
}

/// The site with the result; `None` when it is of no use any more.
fn decide_record(site: &Site, generation: Generation, result: &Result<Release, CodeFailure>) -> Option<Site> {
    if site.spec.code.is_none() || site.code.wanted != generation {
        return None;
    }
    let mut site = site.clone();
    site.version += 1;
    match result {
        Ok(release) => {
            let pinned = site.pinned();
            site.releases.add(Release { generation, ..release.clone() }, &pinned);
            site.code.failure = None;
        }
        Err(failure) => site.code.failure = Some(failure.clone()),
    }
    Some(site)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code::{GitCode, Layout};
    use crate::service::test::{NOW, site};

    fn git(url: &str) -> Code {
        Code::Git(GitCode { url: url.to_owned(), reference: None, path: None })
    }

    fn wanting() -> Site {
        let mut site = site();
        site.spec.code = Some(git("https://example.com/a"));
        site.code.wanted = 3;
        site
    }

    fn ready() -> Release {
        Release {
            id: ReleaseId::from_uuid(uuid::Uuid::from_u128(7)),
            proof: Proof::Untried,
            digest: Digest::from_sha256([7; 32]),
            layout: Layout::Content,
            revision: "abc".to_owned(),
            generation: 0,
            created_at: Timestamp::UNIX_EPOCH,
            restores: None,
        }
    }

    #[test]
    fn a_release_is_kept_for_the_generation_that_wanted_it_only() {
        let after = decide_record(&wanting(), 3, &Ok(ready())).unwrap();
        assert_eq!(after.releases.candidate(), Some(&Release { generation: 3, ..ready() }));
        assert!(after.has_wanted_release());
        assert_eq!(after.version, wanting().version + 1);
        assert_eq!(after.generation, wanting().generation);
        assert_eq!(decide_record(&wanting(), 2, &Ok(ready())), None);
        let mut stock = wanting();
        stock.spec.code = None;
        assert_eq!(decide_record(&stock, 3, &Ok(ready())), None);
    }

    #[test]
    fn a_failure_keeps_what_serves_and_says_when_it_is_tried_again() {
        let at = Timestamp::UNIX_EPOCH;
        let mut site = wanting();
        site.releases.add(Release { generation: 1, ..ready() }, &site.pinned());
        let refused = CodeFailure { message: "no wp-content".to_owned(), at, retry_at: None };
        let after = decide_record(&site, 3, &Err(refused.clone())).unwrap();
        assert_eq!(after.releases, site.releases);
        assert_eq!(after.code.failure, Some(refused.clone()));
        assert_eq!(after.fetch_at(), None);
        let later = Timestamp::from_second(60).unwrap();
        let retried = CodeFailure { retry_at: Some(later), ..refused };
        assert_eq!(decide_record(&site, 3, &Err(retried)).unwrap().fetch_at(), Some(later));
    }

    #[test]
    fn a_release_serves_once_it_is_found_good_and_never_if_it_is_bad() {
        let before = decide_record(&wanting(), 3, &Ok(ready())).unwrap();
        let proved = Proved { wordpress: Some("6.8".to_owned()), schema: Some(60421) };
        let good = Verdict { release: ready().id, found: Ok(proved) };
        let after = decide_judge(&before, &good, NOW).unwrap();
        assert_eq!(after.releases.serving().map(|it| it.id), Some(ready().id));
        assert_eq!((after.version, after.generation), (before.version + 1, before.generation));
        assert_eq!(decide_judge(&after, &good, NOW), None, "once");
        let bad = Verdict { release: ready().id, found: Err("the front page answers 500".to_owned()) };
        let mut before = before;
        before.code.keeps_stock = true;
        let after = decide_judge(&before, &bad, NOW).unwrap();
        assert_eq!((after.releases.serving(), after.code.keeps_stock), (None, true));
        assert!(after.has_wanted_release(), "it is not fetched again by itself");
    }

    #[test]
    fn a_rollback_names_a_release_that_proved_itself() {
        let mut site = wanting();
        assert_eq!(decide_rollback(&site, Rollback::default(), NOW).unwrap_err().code(), "release_not_kept");
        let unknown = decide_rollback(&site, to(ready().id), NOW).unwrap_err();
        assert_eq!(unknown.code(), "invalid");
        site.releases.add(ready(), &site.pinned());
        let tried = decide_rollback(&site, to(ready().id), NOW).unwrap_err();
        assert_eq!(tried.code(), "release_not_kept");
        assert!(site.releases.judge(ready().id, Proof::Proved { wordpress: None, schema: None }));
        let after = decide_rollback(&site, to(ready().id), NOW).unwrap();
        assert_eq!(after.generation, site.generation + 1);
    }

    fn to(release: ReleaseId) -> Rollback {
        Rollback { to: Some(release), ..Rollback::default() }
    }

    /// A site that serves the last of releases of these schemas.
    fn with_schemas(schemas: &[u64]) -> (Site, Vec<ReleaseId>) {
        let mut site = wanting();
        let mut ids = Vec::new();
        for (n, schema) in (1..).zip(schemas) {
            let release = Release { id: ReleaseId::new(), digest: Digest::from_sha256([n; 32]), ..ready() };
            ids.push(release.id);
            site.releases.add(release, &site.pinned());
            let proof = Proof::Proved { wordpress: None, schema: Some(*schema) };
            assert!(site.releases.judge(ids[ids.len() - 1], proof));
        }
        (site, ids)
    }

    #[test]
    fn a_rollback_with_the_database_is_tried_with_the_dump_of_that_time() {
        let (site, ids) = with_schemas(&[1, 1, 2]);
        let whole = Rollback { to: None, with_database: true };
        let after = decide_rollback(&site, whole, NOW).unwrap();
        let candidate = after.releases.candidate().unwrap();
        assert_eq!((candidate.restores, candidate.digest), (Some(ids[2]), Digest::from_sha256([2; 32])));
        assert_eq!(after.releases.serving().map(|it| it.id), Some(ids[2]), "meanwhile");
        let code = decide_rollback(&site, Rollback::default(), NOW).unwrap();
        assert_eq!(
            (code.releases.serving().map(|it| it.id), code.releases.candidate()),
            (Some(ids[1]), None)
        );
        let within = Rollback { to: Some(ids[2]), with_database: true };
        assert_eq!(decide_rollback(&site, within, NOW).unwrap_err().code(), "no_dump");
    }

    #[test]
    fn a_release_of_a_newer_schema_is_tried_again() {
        let (site, ids) = with_schemas(&[1, 2]);
        let back = decide_rollback(&site, Rollback::default(), NOW).unwrap();
        let forth = decide_rollback(&back, to(ids[1]), NOW).unwrap();
        assert_eq!(forth.releases.serving().map(|it| it.id), Some(ids[0]));
        let candidate = forth.releases.candidate().unwrap();
        assert_eq!((candidate.restores, candidate.digest), (None, Digest::from_sha256([2; 32])));
    }
}
