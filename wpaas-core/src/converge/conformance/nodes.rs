//! Nodes end, freeze, are started and told.

use super::site::Site;
use super::{Fixture, Outside};
use crate::converge::{Action, Applied, BootId, DatabaseOrder, Lead, ObjectId, ObjectState, Part};

pub(super) async fn a_node_that_ended_or_froze_is_seen_so_and_started(fixture: &dyn Fixture) {
    let site = Site::new(fixture);
    // A backend may restart the others by itself.
    let part = Part::Database(0);
    let node = site.up_to(part).await;
    let start = |object: &ObjectId| Action::StartNode { object: object.clone() };
    assert_eq!(site.make(part, start(&node.id)).await, node, "it runs already");
    for (what, state) in [(Outside::Kill, ObjectState::Stopped), (Outside::Freeze, ObjectState::Frozen)] {
        if !site.outside(&node, what).await {
            continue;
        }
        site.until("that it does not run", async || site.state(part).await == Some(state)).await;
        assert_eq!(site.make(part, start(&node.id)).await, node, "after {what:?}");
        assert_eq!(site.make(part, start(&node.id)).await, node, "again after {what:?}");
        site.until("that it runs", async || site.object(part).await.as_ref() == Some(&node)).await;
    }
    site.conflicts(part, start(&ObjectId::new("0123456789ab"))).await;
}

pub(super) async fn only_a_running_node_is_told(fixture: &dyn Fixture) {
    let site = Site::new(fixture);
    let part = Part::Database(0);
    let node = site.up_to(part).await;
    let boot = BootId::new("0123456789abcdef").expect("letters and digits");
    let order = DatabaseOrder::Found { number: 1 };
    let files = site.spec(part).files;
    let messages = |object: &ObjectId| {
        let (object, boot) = (object.clone(), boot.clone());
        [
            Action::Order { object: object.clone(), boot, order },
            Action::Configure { object, files: files.clone() },
        ]
    };
    for message in messages(&node.id) {
        for again in ["", "again "] {
            let told = site.apply(part, message.clone()).await;
            assert_eq!(told.ok(), Some(Applied::Told), "{again}{message:?}");
        }
    }
    assert_eq!(site.object(part).await.as_ref(), Some(&node), "a node that was told is the same node");
    for message in messages(&ObjectId::new("0123456789ab")) {
        site.conflicts(part, message).await;
    }
    if site.outside(&node, Outside::Kill).await {
        for message in messages(&node.id) {
            site.conflicts(part, message).await;
        }
    }
}

pub(super) async fn every_start_of_a_node_reports_as_another(fixture: &dyn Fixture) {
    let site = Site::new(fixture);
    let part = Part::Database(0);
    let node = site.up_to(part).await;
    let Some(first) = fixture.said(site.id, part).await else { return };
    assert_eq!((first.site, first.part), (site.id, part));
    if site.outside(&node, Outside::Kill).await {
        site.make(part, Action::StartNode { object: node.id.clone() }).await;
        let second = fixture.said(site.id, part).await.expect("it spoke before");
        assert_ne!(first.boot, second.boot, "an order for one start would be obeyed by another");
    }
}

/// Where the address can be moved it leads where it was told; elsewhere nobody can tell it.
pub(super) async fn the_address_leads_where_it_was_told(fixture: &dyn Fixture) {
    let site = Site::new(fixture);
    let part = Part::Gateway(0);
    let gateway = site.up_to(part).await;
    let lead = || Action::Lead { object: gateway.id.clone() };
    let moves = site.objects().await.iter().any(|object| object.lead().is_some());
    if !moves {
        return site.conflicts(part, lead()).await;
    }
    for again in ["", "again"] {
        let answer = site.apply(part, lead()).await;
        assert!(answer.is_ok(), "{again} {answer:?}");
        let there = Some(Lead::To(gateway.id.clone()));
        let leads = async || site.objects().await.iter().any(|object| object.lead() == there.as_ref());
        site.until("where the address leads", leads).await;
    }
    assert_eq!(site.object(part).await, Some(gateway), "the gateway is the same");
}
