//! How many instances sites are given for their load.

use jiff::Timestamp;
use serde_json::json;

use super::commit::{Rounds, of_site};
use super::sites::rewrite;
use super::{Page, Service, ServiceError};
use crate::id::SiteId;
use crate::site::{Scaled, Scaling, Site};
use crate::store::{Change, EventKind, Who};

impl Service {
    /// The live sites after `after` that are scaled on their load.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn sites_scaling(
        &self,
        after: Option<SiteId>,
        limit: usize,
    ) -> Result<Vec<Site>, ServiceError> {
        Ok(self.store().sites_scaling(&Page { after, limit }).await?)
    }

    /// Gives a site so many instances; as many as its quotas allow, where that is fewer. Nothing happens when the site
    /// is no longer as it was when that was decided, or its customer may change nothing.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn scale(&self, site: &Site, to: &Scaling, now: Timestamp) -> Result<(), ServiceError> {
        let Err(refused) = self.scale_to(site, to, None, now).await else { return Ok(()) };
        let ServiceError::QuotaExceeded { of, limit } = refused else { return ignored(refused) };
        let above = u16::try_from(limit.wanted.saturating_sub(limit.limit)).unwrap_or(u16::MAX);
        let instances = to.instances.saturating_sub(above).max(site.instances());
        let limited = format!("the {of}'s quota of {} {} allows no more", limit.limit, limit.what);
        let to = Scaling { instances, ..to.clone() };
        self.scale_to(site, &to, Some(limited), now).await.or_else(ignored)
    }

    async fn scale_to(
        &self,
        site: &Site,
        to: &Scaling,
        limited: Option<String>,
        now: Timestamp,
    ) -> Result<(), ServiceError> {
        let Some(after) = decide_scale(site, to, limited, now) else { return Ok(()) };
        let change = self.scaling(site, &after, to, now);
        // Whoever changed it meanwhile is not overruled: the next look decides anew.
        self.commit(change, &mut Rounds::default()).await.map(drop)
    }

    fn scaling(&self, before: &Site, after: &Site, to: &Scaling, now: Timestamp) -> Change {
        let change = rewrite(after, self.settings(), now);
        let (from, instances) = (before.instances(), after.instances());
        if from == instances {
            return change;
        }
        let detail = json!({ "from": from, "to": instances, "message": to.why });
        change.event(of_site(after, Who::System, EventKind::SiteScaled, detail))
    }
}

/// What keeps a site as it is and is nobody's fault.
fn ignored(refused: ServiceError) -> Result<(), ServiceError> {
    match refused {
        ServiceError::QuotaExceeded { .. }
        | ServiceError::CustomerSuspended
        | ServiceError::CustomerToBeRemoved
        | ServiceError::NotFound { .. } => Ok(()),
        error => Err(error),
    }
}

/// The site with so many instances; `None` when that is no news.
fn decide_scale(site: &Site, to: &Scaling, limited: Option<String>, now: Timestamp) -> Option<Site> {
    let bounds = site.spec.features.autoscale.filter(|_| site.is_scaling())?;
    let instances = to.instances.clamp(bounds.min, bounds.max);
    let current = site.instances();
    let before = site.scaled.as_ref();
    if instances == current && limited.as_ref() == before.and_then(|scaled| scaled.limited.as_ref()) {
        return None;
    }
    let since = before.filter(|_| instances == current).map_or(now, |scaled| scaled.since);
    let mut after = site.clone();
    after.version += 1;
    after.scaled = Some(Scaled { instances, since, limited });
    Some(after)
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::service::test::{NOW, site};
    use crate::site::{Autoscale, Load};

    #[test]
    fn a_site_is_scaled_within_its_bounds_and_written_only_when_that_is_news() {
        let to = |instances| Scaling { instances, measured: Load(900), why: "because".to_owned() };
        assert_eq!(decide_scale(&site(), &to(3), None, NOW), None, "it is not scaled on its load");
        let mut before = site();
        before.spec.features.autoscale = Some(Autoscale { min: 2, max: 5, target: 4 });
        let after = decide_scale(&before, &to(9), None, NOW).unwrap();
        assert_eq!(
            (after.instances(), after.version, after.generation),
            (5, before.version + 1, before.generation)
        );
        assert_eq!(decide_scale(&after, &to(5), None, NOW), None, "it is so already");
        let later = NOW + SignedDuration::from_secs(60);
        let limited = decide_scale(&after, &to(5), Some("a quota".to_owned()), later).unwrap();
        assert_eq!(limited.scaled.as_ref().map(|scaled| scaled.since), Some(NOW), "as many as before");
        assert_eq!(decide_scale(&limited, &to(5), Some("a quota".to_owned()), later), None);
        assert!(decide_scale(&limited, &to(5), None, later).is_some());
        let mut rests = after;
        rests.spec.num_instances = 0;
        assert_eq!(decide_scale(&rests, &to(2), None, later), None, "it rests");
    }
}
