use jiff::Timestamp;

use super::{SiteFilter, SitePath, SitePlace, SiteView};
use crate::access::{Action, Actor};
use crate::id::SiteId;
use crate::service::place::Place;
use crate::service::visible::visible;
use crate::service::{Listed, Noun, Page, Service, ServiceError};
use crate::store::StoredSite;

impl Service {
    /// One site.
    ///
    /// # Errors
    ///
    /// `NotFound`, `Forbidden`.
    pub async fn site(&self, actor: &Actor, path: &SitePath) -> Result<SiteView, ServiceError> {
        let (at, stored) = self.find(actor, Action::SiteRead, path).await?;
        self.view(&at, stored)
    }

    /// The sites of a space that pass the filter, in the order of their ids.
    ///
    /// # Errors
    ///
    /// `NotFound`, `Forbidden`.
    pub async fn sites(
        &self,
        actor: &Actor,
        place: &SitePlace,
        filter: &SiteFilter,
        page: Page<SiteId>,
    ) -> Result<Listed<SiteView, SiteId>, ServiceError> {
        let at = &self.place(actor, Action::SiteRead, place, Timestamp::UNIX_EPOCH).await?;
        let read = |piece| async move {
            let sites = self.store().sites_in_space(at.space.get().id, &piece).await?;
            sites.into_iter().map(|stored| self.view(at, stored)).collect()
        };
        visible(page, |view| view.site.id, |view| filter.matches(view), read).await
    }

    /// The site that the path names, if the actor may do this to it.
    pub(in crate::service) async fn find(
        &self,
        actor: &Actor,
        action: Action,
        path: &SitePath,
    ) -> Result<(Place, StoredSite), ServiceError> {
        let (place, name, no_time) = (&path.place, Some(&path.name), Timestamp::UNIX_EPOCH);
        let (at, found) = self.place_and_site(actor, action, place, name, no_time).await?;
        let found = found.filter(|stored| stored.site.space == at.space.get().id);
        Ok((at, found.ok_or(ServiceError::not_found(Noun::Site))?))
    }
}
