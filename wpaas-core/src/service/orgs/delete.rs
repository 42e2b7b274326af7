use jiff::Timestamp;
use serde_json::json;

use crate::access::{Action, Actor, Scope};
use crate::account::{Org, Space};
use crate::id::{OrgId, SpaceId};
use crate::name::{Cid, Slug};
use crate::service::commit::{Rounds, may, of_org, of_site, of_space, who, writable};
use crate::service::sites::{decide_delete, usage};
use crate::service::{ConflictCode, IfMatch, Noun, Page, Recursion, Service, ServiceError, Settings};
use crate::site::{Site, SiteLifecycle};
use crate::store::{Change, EventKind, Expect, StoreError, Who, Write};

const PIECE: usize = 500;
/// Names that an answer shows at most.
const SHOWN: usize = 10;

impl Service {
    /// Deletes an org. `Recursive` takes its spaces and sites along without a grace; of the default org it
    /// leaves the org itself and its default space.
    ///
    /// # Errors
    ///
    /// `NotFound`, `Forbidden`, `default_org`, `not_empty`, `site_protected`, `VersionMismatch`.
    pub async fn delete_org(
        &self,
        actor: &Actor,
        cid: &Cid,
        name: &Slug,
        recursion: Recursion,
        if_match: IfMatch,
        now: Timestamp,
    ) -> Result<(), ServiceError> {
        let mut rounds = Rounds::default();
        loop {
            let customer = self.visible_customer(actor, cid).await?;
            let found = self.visible_org(actor, &customer, name, now).await?;
            let org = found.get();
            may(actor, Action::OrgDelete, Scope::Org(cid, org.id), Noun::Org)?;
            if_match.check(org.version)?;
            writable(customer.lifecycle)?;
            let inside = self.contents(org, None).await?;
            let deletion = Deletion { recursion, who: who(actor), settings: self.settings(), now };
            let change = decide(org, &inside, &deletion)?;
            if self.commit(change, &mut rounds).await? {
                return Ok(());
            }
        }
    }

    /// What is in an org, or in one of its spaces.
    pub(in crate::service) async fn contents(
        &self,
        org: &Org,
        space: Option<&Space>,
    ) -> Result<Contents, StoreError> {
        let spaces = if space.is_some() { Vec::new() } else { self.all_spaces(org).await? };
        let mut sites = self.all_sites(&org.cid, org.id).await?;
        sites.retain(|site| space.is_none_or(|space| site.space == space.id));
        Ok(Contents { spaces, sites })
    }

    async fn all_spaces(&self, org: &Org) -> Result<Vec<Space>, StoreError> {
        let mut page: Page<SpaceId> = Page::first(PIECE);
        let mut all = Vec::new();
        loop {
            let spaces = self.store().spaces(&org.cid, Some(org.id), &page).await?;
            let is_last = spaces.len() < PIECE;
            all.extend(spaces);
            page.after = all.last().map(|space| space.id);
            if is_last {
                return Ok(all);
            }
        }
    }

    async fn all_sites(&self, cid: &Cid, org: OrgId) -> Result<Vec<Site>, StoreError> {
        let mut page = Page::first(PIECE);
        let mut all = Vec::new();
        loop {
            let sites = self.store().sites_of(cid, Some(org), &page).await?;
            let is_last = sites.len() < PIECE;
            all.extend(sites);
            page.after = all.last().map(|site| site.id);
            if is_last {
                return Ok(all);
            }
        }
    }
}

/// How an org or a space is deleted.
pub(in crate::service) struct Deletion<'a> {
    pub(in crate::service) recursion: Recursion,
    pub(in crate::service) who: Who,
    pub(in crate::service) settings: &'a Settings,
    pub(in crate::service) now: Timestamp,
}

/// What is in an org or a space.
#[derive(Debug, Clone, Default)]
pub(in crate::service) struct Contents {
    spaces: Vec<Space>,
    sites: Vec<Site>,
}

impl Contents {
    /// What a deletion of `what` begins with: its sites go too, or it must be empty, and a default one stays.
    pub(in crate::service) fn cleared(
        &self,
        what: Noun,
        cid: &Cid,
        name: &Slug,
        deletion: &Deletion<'_>,
    ) -> Result<Change, ServiceError> {
        let change = Change::at(deletion.now).expect(Expect::CustomerActive(cid.clone()));
        match deletion.recursion {
            Recursion::Recursive => self.without_sites(change, &deletion.who, deletion.settings),
            Recursion::OnlyEmpty if *name == Slug::default_name() => Err(default_stays(what)),
            Recursion::OnlyEmpty => self.must_be_empty(what, deletion.now).map(|()| change),
        }
    }

    /// Refuses while something is inside. An empty default space counts for nothing: it would be made anew by
    /// whoever looks.
    fn must_be_empty(&self, what: Noun, now: Timestamp) -> Result<(), ServiceError> {
        let spaces = self.spaces.iter().filter(|space| space.name != Slug::default_name());
        let mut inside: Vec<String> = spaces.map(|space| format!("space {}", space.name)).collect();
        let sites = self.sites.iter().filter(|site| is_kept(site, now));
        inside.extend(sites.map(|site| format!("site {}", site.name)));
        if inside.is_empty() {
            return Ok(());
        }
        let more = inside.len().saturating_sub(SHOWN);
        inside.truncate(SHOWN);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let message = format!(
            "the {what} holds {}{more}: delete these first, or use recursive=true",
            inside.join(", ")
        );
        Err(ServiceError::conflict(ConflictCode::NotEmpty, message))
    }

    /// All sites go at once, their data too.
    fn without_sites(
        &self,
        mut change: Change,
        who: &Who,
        settings: &Settings,
    ) -> Result<Change, ServiceError> {
        for site in &self.sites {
            if let Some(gone) = decide_delete(site, change.at, change.at)? {
                let detail = json!({ "purge_after": change.at });
                let event = of_site(&gone, who.clone(), EventKind::SiteDeleted, detail);
                let usage = usage(&gone, settings);
                change = change.write(Write::UpdateSite(gone, usage)).event(event);
            }
        }
        Ok(change)
    }

    fn without_spaces(&self, mut change: Change, who: &Who, keep: Option<&Slug>) -> Change {
        for space in self.spaces.iter().filter(|space| keep != Some(&space.name)) {
            let event = of_space(space, who.clone(), EventKind::SpaceDeleted, json!({ "name": space.name }));
            change = change.write(Write::DeleteSpace(space.id, space.version)).event(event);
        }
        change
    }
}

/// Whether a site is in the way.
fn is_kept(site: &Site, now: Timestamp) -> bool {
    !matches!(site.lifecycle, SiteLifecycle::Deleting { purge_after, .. } if purge_after <= now)
}

fn default_stays(what: Noun) -> ServiceError {
    let (code, parent) = match what {
        Noun::Org => (ConflictCode::DefaultOrg, Noun::Customer),
        _ => (ConflictCode::DefaultSpace, Noun::Org),
    };
    let message = format!("the default {what} stays as long as its {parent}: recursive=true empties it");
    ServiceError::conflict(code, message)
}

fn decide(org: &Org, inside: &Contents, deletion: &Deletion<'_>) -> Result<Change, ServiceError> {
    let change = inside.cleared(Noun::Org, &org.cid, &org.name, deletion)?;
    if org.name == Slug::default_name() {
        return Ok(inside.without_spaces(change, &deletion.who, Some(&org.name)));
    }
    let event = of_org(org, deletion.who.clone(), EventKind::OrgDeleted, json!({ "name": org.name }));
    let change = inside.without_spaces(change, &deletion.who, None);
    Ok(change.write(Write::DeleteOrg(org.id, org.version)).event(event))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::defaults;
    use crate::service::test::{NOW, cid, parse, settings, site};

    fn org(name: &str) -> Org {
        Org { name: parse(name), ..defaults::org(&cid(), NOW) }
    }

    fn space(org: &Org, name: &str) -> Space {
        Space { id: SpaceId::new(), name: parse(name), ..defaults::space(&cid(), org.id, NOW) }
    }

    fn told(org: &Org, inside: &Contents, recursion: Recursion) -> Result<Vec<&'static str>, String> {
        let settings = settings();
        let deletion = Deletion { recursion, who: Who::Operator, settings: &settings, now: NOW };
        let change = decide(org, inside, &deletion).map_err(|error| format!("{}: {error}", error.code()))?;
        Ok(change.events.iter().map(|event| event.kind.as_str()).collect())
    }

    #[test]
    fn an_org_that_holds_something_stays_unless_told_otherwise() {
        let org = org("team-a");
        let inside = Contents { spaces: vec![space(&org, "default"), space(&org, "b")], sites: vec![site()] };
        let refused =
            "not_empty: the org holds space b, site blog: delete these first, or use recursive=true";
        assert_eq!(told(&org, &inside, Recursion::OnlyEmpty), Err(refused.to_owned()));
        assert_eq!(
            told(&org, &inside, Recursion::Recursive).unwrap(),
            ["site_deleted", "space_deleted", "space_deleted", "org_deleted"]
        );
        let empty = Contents { spaces: vec![space(&org, "default")], sites: Vec::new() };
        assert_eq!(told(&org, &empty, Recursion::OnlyEmpty).unwrap(), ["space_deleted", "org_deleted"]);
    }

    #[test]
    fn the_default_org_stays_and_can_be_emptied() {
        let org = org("default");
        let inside = Contents { spaces: vec![space(&org, "default"), space(&org, "b")], sites: vec![site()] };
        assert!(
            told(&org, &Contents::default(), Recursion::OnlyEmpty).unwrap_err().starts_with("default_org")
        );
        assert_eq!(told(&org, &inside, Recursion::Recursive).unwrap(), ["site_deleted", "space_deleted"]);
    }

    #[test]
    fn a_protected_site_keeps_its_org() {
        let org = org("team-a");
        let mut protected = site();
        protected.spec.deletion_protection = true;
        let inside = Contents { spaces: Vec::new(), sites: vec![protected] };
        assert!(told(&org, &inside, Recursion::Recursive).unwrap_err().starts_with("site_protected"));
    }
}
