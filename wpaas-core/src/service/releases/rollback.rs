use jiff::Timestamp;
use serde_json::json;

use crate::access::{Action, Actor};
use crate::id::ReleaseId;
use crate::service::commit::{Rounds, of_site, who};
use crate::service::sites::{changeable, next, rewrite};
use crate::service::{ConflictCode, Service, ServiceError, SitePath, SiteView};
use crate::site::{Proof, Release, Site};
use crate::store::{EventKind, Mode, StoredSite};

/// What to go back to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rollback {
    /// Which release; without one, the one before the one that serves.
    pub to: Option<ReleaseId>,
    /// Whether the database goes back, too, to the dump taken before its schema was changed. What was written since
    /// is then in another dump only.
    pub with_database: bool,
}

impl Service {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code::Digest;
    use crate::service::releases::tests::{ready, wanting};
    use crate::service::test::NOW;
    use crate::site::SchemaChange;

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
        let mut database = schemas[0];
        for (n, schema) in (1..).zip(schemas) {
            let release = Release { id: ReleaseId::new(), digest: Digest::from_sha256([n; 32]), ..ready() };
            ids.push(release.id);
            site.releases.add(release, &site.pinned());
            if *schema > database {
                let change = SchemaChange { from: database, to: *schema };
                assert!(site.releases.change_schema(ids[ids.len() - 1], change));
                database = *schema;
            }
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
