//! What every backend must do. Whoever writes a [`Backend`] runs [`all`] over it: it panics where the backend does
//! otherwise, and says what was expected.
//!
//! The suite needs a world that holds nothing of the backend's yet, and what only the world's owner can do in it: a
//! [`Fixture`]. Every check has a site of its own, so that one world serves them all. It runs in a tokio runtime,
//! under a real clock or a paused one, and leaves its objects behind.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use super::{Backend, Object, ObjectId, Part, Report};
use crate::code::{Digest, Layout};
use crate::id::SiteId;

mod canary;
mod deeds;
mod fence;
mod making;
mod nodes;
mod outside;
mod site;

pub use super::trial::Outside;
pub use canary::Canaries;
pub use deeds::{Deed, any};

/// A world to try a backend in.
#[async_trait]
pub trait Fixture: fmt::Debug + Send + Sync {
    /// The backend of one more server over this world. Servers share nothing but the world: each remembers only
    /// what it did itself. Built with [`Canaries`] where it asks for secrets.
    fn server(&self) -> Arc<dyn Backend>;

    /// A release that the backend finds where it looks for releases; `None` when it knows none.
    fn release(&self) -> Option<(Digest, Layout)>;

    /// Whether the backend promises hints. A stream of them may be silent for ever all the same.
    fn hints(&self) -> bool;

    /// Does this to an object, as a person or a power cut would. Returns whether that is possible here.
    async fn outside(&self, site: SiteId, object: &Object, what: Outside) -> bool;

    /// Makes objects that look like parts of this site and belong to somebody else. Empty where nobody else can be.
    async fn decoys(&self, site: SiteId) -> Vec<(Part, ObjectId)>;

    /// Whether a decoy is still there, as it was made.
    async fn is_untouched(&self, part: Part, decoy: &ObjectId) -> bool;

    /// Sees to it that listings can't read something from now on. Returns whether that is possible here.
    async fn blind(&self) -> bool;

    /// All that somebody who may list an object, but not enter it, can read of it: labels, environment, commands.
    async fn shown(&self, site: SiteId, object: &Object) -> String;

    /// What the node of this part said last; `None` where the world's nodes are stand-ins that say nothing.
    async fn said(&self, site: SiteId, part: Part) -> Option<Report>;
}

/// All of it.
///
/// # Panics
///
/// Where the backend does other than it must.
pub async fn all(fixture: &dyn Fixture) {
    making::nothing_is_seen_completely(fixture).await;
    making::a_site_is_made_seen_and_removed(fixture).await;
    making::what_a_node_needs_comes_first(fixture).await;
    making::servers_that_race_make_one_object(fixture).await;
    fence::an_older_plan_is_refused(fixture).await;
    fence::a_newer_plan_takes_over_what_is_there(fixture).await;
    fence::removal_goes_by_id(fixture).await;
    fence::a_node_in_the_way_is_a_conflict(fixture).await;
    nodes::a_node_that_ended_or_froze_is_seen_so_and_started(fixture).await;
    nodes::only_a_running_node_is_told(fixture).await;
    nodes::every_start_of_a_node_reports_as_another(fixture).await;
    nodes::the_address_leads_where_it_was_told(fixture).await;
    outside::what_vanished_is_not_seen_and_comes_again_as_another(fixture).await;
    outside::what_was_changed_has_no_fingerprint(fixture).await;
    outside::what_is_not_ours_is_neither_seen_nor_touched(fixture).await;
    outside::a_hint_names_a_site_of_ours(fixture).await;
    canary::no_secret_is_shown(fixture).await;
    // The world is not whole after this one.
    outside::a_listing_that_can_not_see_all_says_so(fixture).await;
}
