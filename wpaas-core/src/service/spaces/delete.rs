use jiff::Timestamp;
use serde_json::json;

use crate::access::{Action, Actor, Scope};
use crate::account::Space;
use crate::id::OrgId;
use crate::name::Slug;
use crate::service::commit::{Rounds, may, of_space, who, writable};
use crate::service::orgs::{Contents, Deletion};
use crate::service::{IfMatch, Noun, Recursion, Service, ServiceError};
use crate::store::{Change, EventKind, Write};

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
            let deletion = Deletion { recursion, who: who(actor), settings: self.settings(), now };
            let change = decide(space, &inside, &deletion)?;
            if self.commit(change, &mut rounds).await? {
                return Ok(());
            }
        }
    }
}

fn decide(space: &Space, inside: &Contents, deletion: &Deletion<'_>) -> Result<Change, ServiceError> {
    let change = inside.cleared(Noun::Space, &space.cid, &space.name, deletion)?;
    if space.name == Slug::default_name() {
        return Ok(change);
    }
    let event = of_space(space, deletion.who.clone(), EventKind::SpaceDeleted, json!({ "name": space.name }));
    Ok(change.write(Write::DeleteSpace(space.id, space.version)).event(event))
}
