//! What is older does not overrule what is newer; what is removed is what was meant.

use super::Fixture;
use super::site::Site;
use crate::converge::{Action, Applied, Fingerprint, NodeSpec, Object, Part};

pub(super) async fn an_older_plan_is_refused(fixture: &dyn Fixture) {
    let site = Site::new(fixture).at(3, 2);
    let node = site.up_to(Part::Wordpress(0)).await;
    site.until("all that was made", async || site.object(node.part).await.is_some()).await;
    let made = site.objects().await;
    for server in [site.clone(), site.elsewhere()] {
        for (generation, epoch) in [(2, 2), (2, 9), (3, 1)] {
            let old = server.at(generation, epoch);
            old.conflicts(Part::DatabaseVolume(0), Action::CreateVolume).await;
            let object = || node.id.clone();
            old.conflicts(node.part, Action::StartNode { object: object() }).await;
            old.conflicts(node.part, Action::Configure { object: object(), files: Vec::new() }).await;
            old.conflicts(node.part, Action::Remove { object: object() }).await;
        }
    }
    site.is_still(&made).await;
}

/// What a newer plan finds as it wants it, it keeps: with the mark of who made it.
pub(super) async fn a_newer_plan_takes_over_what_is_there(fixture: &dyn Fixture) {
    let site = Site::new(fixture);
    let node = site.up_to(Part::Wordpress(0)).await;
    for (generation, epoch) in [(1, 2), (2, 1)] {
        let newer = site.elsewhere().at(generation, epoch);
        assert_eq!(newer.make_part(node.part).await, node, "by generation {generation}, epoch {epoch}");
    }
}

/// The name of a part comes again; the id of an object never does.
pub(super) async fn removal_goes_by_id(fixture: &dyn Fixture) {
    let old = Site::new(fixture);
    let new = old.at(2, 1);
    for part in [Part::Network, Part::UploadsVolume, Part::Gateway(0)] {
        let first = old.make_part(part).await;
        gone(&old, &first).await;
        let second = new.make_part(part).await;
        assert_ne!(first.id, second.id, "{part}: an id came again");
        assert_eq!(new.remove(&first).await.ok(), Some(Applied::Absent), "{part}: the first one is gone");
        new.until("the second", async || new.object(part).await.as_ref() == Some(&second)).await;
        // What comes next needs the network, and is first made by the older plan.
        gone(&new, &second).await;
        if part == Part::Network {
            old.make_part(part).await;
        }
    }
}

async fn gone(site: &Site<'_>, object: &Object) {
    let removed = site.remove(object).await;
    assert!(removed.is_ok(), "removing {}: {removed:?}", object.part);
    site.until("its end", async || site.object(object.part).await.is_none()).await;
}

pub(super) async fn a_node_in_the_way_is_a_conflict(fixture: &dyn Fixture) {
    let site = Site::new(fixture);
    let part = Part::Gateway(0);
    let node = site.up_to(part).await;
    let another = NodeSpec { fingerprint: Fingerprint::of(["another"]), ..site.spec(part) };
    site.conflicts(part, Action::CreateNode(another)).await;
    assert_eq!(site.object(part).await, Some(node));
}
