use jiff::Timestamp;
use serde_json::json;

use super::commit::{Rounds, of_site};
use super::{Page, Service, ServiceError, SitePath};
use crate::access::{Action, Actor};
use crate::code::{Code, Digest};
use crate::converge::{Proved, Verdict};
use crate::id::SiteId;
use crate::secret::{SecretName, SecretRef};
use crate::site::{CodeFailure, Generation, Proof, Release, ReleaseState, SchemaChange, Site};
use crate::store::{Change, EventKind, StoredSite, Who, Write};

mod rollback;

pub use rollback::Rollback;

/// A release as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleaseView {
    /// What it is.
    pub release: Release,
    /// Where it stands.
    pub state: ReleaseState,
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
                Ok(Proved { changes: Some(SchemaChange { from, to }), .. }) => (
                    EventKind::ReleaseChangesSchema,
                    json!({ "release": verdict.release, "from": from, "to": to }),
                ),
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

    /// Whether what runs of any site was made for a newer generation than the store has.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn any_behind(&self) -> Result<bool, ServiceError> {
        let mut page = Page::first(500);
        loop {
            let facts = self.store().site_facts(&page).await?;
            page.after = facts.last().map(|facts| facts.site.id);
            for facts in &facts {
                if self.store().site(facts.site.id).await?.is_some_and(|stored| stored.is_behind()) {
                    return Ok(true);
                }
            }
            if facts.len() < page.limit {
                return Ok(false);
            }
        }
    }

    /// The digests of all releases that sites have.
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

/// The site with the verdict; `None` when it is of no use any more.
fn decide_judge(site: &Site, verdict: &Verdict, now: Timestamp) -> Option<Site> {
    let Verdict { release, found } = verdict;
    let mut after = site.clone();
    after.version += 1;
    let news = match found {
        Ok(Proved { changes: Some(change), .. }) => after.releases.change_schema(*release, *change),
        Ok(Proved { wordpress, schema, changes: None }) => {
            let proof = Proof::Proved { wordpress: wordpress.clone(), schema: *schema };
            after.releases.judge(*release, proof)
        }
        Err(reason) => after.releases.judge(*release, Proof::Failed { reason: reason.clone(), at: now }),
    };
    if !news {
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
    use crate::id::ReleaseId;
    use crate::service::test::{NOW, site};

    fn git(url: &str) -> Code {
        Code::Git(GitCode { url: url.to_owned(), reference: None, path: None })
    }

    pub(super) fn wanting() -> Site {
        let mut site = site();
        site.spec.code = Some(git("https://example.com/a"));
        site.code.wanted = 3;
        site
    }

    pub(super) fn ready() -> Release {
        Release {
            id: ReleaseId::from_uuid(uuid::Uuid::from_u128(7)),
            proof: Proof::Untried,
            digest: Digest::from_sha256([7; 32]),
            layout: Layout::Content,
            revision: "abc".to_owned(),
            generation: 0,
            created_at: Timestamp::UNIX_EPOCH,
            restores: None,
            changes: None,
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
        let proved = Proved { wordpress: Some("6.8".to_owned()), schema: Some(60421), changes: None };
        let change = SchemaChange { from: 60420, to: 60421 };
        let found = Ok(Proved { changes: Some(change), ..proved.clone() });
        let changes = Verdict { release: ready().id, found };
        let before = decide_judge(&before, &changes, NOW).unwrap();
        assert_eq!(
            before.releases.candidate().and_then(|it| it.changes),
            Some(change),
            "known before it is done"
        );
        assert_eq!(decide_judge(&before, &changes, NOW), None, "once");
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
}
