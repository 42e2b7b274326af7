use jiff::Timestamp;
use serde_json::json;

use crate::access::{Action, Actor, Scope};
use crate::account::Space;
use crate::id::OrgId;
use crate::name::Slug;
use crate::service::commit::{Rounds, may, of_space, who, writable};
use crate::service::orgs::Contents;
use crate::service::{ConflictCode, IfMatch, Noun, Recursion, Service, ServiceError, Settings};
use crate::store::{Change, EventKind, Expect, Who, Write};

impl Service {
    /// Deletes a space. `Recursive` takes its sites along without a grace; of the default space it leaves the
    /// space itself.
    ///
    /// # Errors
    ///
    /// `NotFound`, `Forbidden`, `default_space`, `not_empty`, `site_protected`, `VersionMismatch`.
    pub async fn delete_space(
        &self,
        actor: &Actor,
        org: OrgId,
        name: &Slug,
        recursion: Recursion,
        if_match: IfMatch,
        now: Timestamp,
    ) -> Result<(), ServiceError> {
        let mut rounds = Rounds::default();
        loop {
            let (customer, org) = self.customer_and_org(actor, org, now).await?;
            let found = self.visible_space(actor, &customer, &org, name, now).await?;
            let space = found.get();
            may(actor, Action::SpaceDelete, Scope::Space(&org.cid, org.id, space.id), Noun::Space)?;
            if_match.check(space.version)?;
            writable(customer.lifecycle)?;
            let inside = self.contents(&org, Some(space)).await?;
            let change = decide(space, &inside, recursion, &who(actor), self.settings(), now)?;
            if self.commit(change, &mut rounds).await? {
                return Ok(());
            }
        }
    }
}

fn decide(
    space: &Space,
    inside: &Contents,
    recursion: Recursion,
    who: &Who,
    settings: &Settings,
    now: Timestamp,
) -> Result<Change, ServiceError> {
    let is_default = space.name == Slug::default_name();
    let change = Change::at(now).expect(Expect::CustomerActive(space.cid.clone()));
    let change = match recursion {
        Recursion::OnlyEmpty if is_default => {
            let message = "the default space stays as long as its org: recursive=true empties it";
            return Err(ServiceError::conflict(ConflictCode::DefaultSpace, message));
        }
        Recursion::OnlyEmpty => {
            inside.must_be_empty(Noun::Space, now)?;
            change
        }
        Recursion::Recursive => inside.without_sites(change, who, settings)?,
    };
    if is_default {
        return Ok(change);
    }
    let event = of_space(space, who.clone(), EventKind::SpaceDeleted, json!({ "name": space.name }));
    Ok(change.write(Write::DeleteSpace(space.id, space.version)).event(event))
}
