use jiff::Timestamp;
use serde_json::json;

use super::commit::{Rounds, of_site};
use super::{Page, Service, ServiceError};
use crate::code::{Code, Digest};
use crate::id::SiteId;
use crate::secret::{SecretName, SecretRef};
use crate::site::{CodeFailure, Generation, Release, Site};
use crate::store::{Change, EventKind, StoredSite, Who, Write};

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
                    json!({ "digest": release.digest, "revision": release.revision }),
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

    /// The digests that sites serve or will serve: every other archive can go.
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
            digests
                .extend(facts.iter().filter_map(|facts| facts.site.release.as_ref().map(|used| used.digest)));
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

/// The site with the result; `None` when it is of no use any more.
fn decide_record(site: &Site, generation: Generation, result: &Result<Release, CodeFailure>) -> Option<Site> {
    if site.spec.code.is_none() || site.code.wanted != generation {
        return None;
    }
    let mut site = site.clone();
    site.version += 1;
    match result {
        Ok(release) => {
            site.release = Some(Release { generation, ..release.clone() });
            site.code.failure = None;
            site.code.keeps_stock = false;
        }
        Err(failure) => site.code.failure = Some(failure.clone()),
    }
    Some(site)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code::{GitCode, Layout};
    use crate::service::test::site;

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
            digest: Digest::from_sha256([7; 32]),
            layout: Layout::Content,
            revision: "abc".to_owned(),
            generation: 0,
            created_at: Timestamp::UNIX_EPOCH,
        }
    }

    #[test]
    fn a_release_is_kept_for_the_generation_that_wanted_it_only() {
        let after = decide_record(&wanting(), 3, &Ok(ready())).unwrap();
        assert_eq!(after.release, Some(Release { generation: 3, ..ready() }));
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
        site.release = Some(Release { generation: 1, ..ready() });
        let refused = CodeFailure { message: "no wp-content".to_owned(), at, retry_at: None };
        let after = decide_record(&site, 3, &Err(refused.clone())).unwrap();
        assert_eq!(after.release, site.release);
        assert_eq!(after.code.failure, Some(refused.clone()));
        assert_eq!(after.fetch_at(), None);
        let later = Timestamp::from_second(60).unwrap();
        let retried = CodeFailure { retry_at: Some(later), ..refused };
        assert_eq!(decide_record(&site, 3, &Err(retried)).unwrap().fetch_at(), Some(later));
    }
}
