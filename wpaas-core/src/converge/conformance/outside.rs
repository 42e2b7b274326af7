//! What others do behind the backend's back.

use std::time::Duration;

use futures::StreamExt as _;
use tokio::time::timeout;

use super::site::Site;
use super::{Fixture, Outside};
use crate::converge::{Action, Applied, Coverage, ErrorClass, ObjectState, Part, Scope};

pub(super) async fn what_vanished_is_not_seen_and_comes_again_as_another(fixture: &dyn Fixture) {
    let site = Site::new(fixture);
    let part = Part::Gateway(0);
    let node = site.up_to(part).await;
    if !site.outside(&node, Outside::Vanish).await {
        return;
    }
    site.until("that it is gone", async || site.object(part).await.is_none()).await;
    site.conflicts(part, Action::StartNode { object: node.id.clone() }).await;
    assert_eq!(site.remove(&node).await.ok(), Some(Applied::Absent), "it is gone already");
    assert_ne!(site.make_part(part).await.id, node.id, "an id came again");
}

pub(super) async fn what_was_changed_has_no_fingerprint(fixture: &dyn Fixture) {
    let site = Site::new(fixture);
    let part = Part::Gateway(0);
    let node = site.up_to(part).await;
    if !site.outside(&node, Outside::Edit).await {
        return;
    }
    // Drift may be found by looking at a few objects in turn, which looks at the fleet do.
    let drifted = async || {
        let seen = site.listed(Scope::Fleet).await;
        seen.iter().any(|object| object.id == node.id && object.fingerprint.is_none())
    };
    site.until("that it was changed", drifted).await;
}

pub(super) async fn what_is_not_ours_is_neither_seen_nor_touched(fixture: &dyn Fixture) {
    let site = Site::new(fixture);
    let decoys = fixture.decoys(site.id).await;
    assert_eq!(site.objects().await, [], "another's");
    for (part, object) in &decoys {
        let answer = site.apply(*part, Action::Remove { object: object.clone() }).await;
        let refused = match &answer {
            Ok(Applied::Absent) => true,
            Err(error) => matches!(error.class, ErrorClass::Conflict | ErrorClass::Permanent),
            Ok(_) => false,
        };
        assert!(refused, "removing another's {part}: {answer:?}");
    }
    let node = site.up_to(Part::Gateway(0)).await;
    assert_eq!(node.state, ObjectState::Ready, "beside another's");
    for (part, object) in &decoys {
        assert!(fixture.is_untouched(*part, object).await, "another's {part} was touched");
    }
}

/// The stream may listen only once it was polled, and a hint may be lost: so things happen until one is heard.
pub(super) async fn a_hint_names_a_site_of_ours(fixture: &dyn Fixture) {
    let site = Site::new(fixture);
    let mut changes = site.backend.changes();
    let part = Part::UploadsVolume;
    let happen = async {
        loop {
            let made = site.make_part(part).await;
            let removed = site.remove(&made).await;
            assert!(removed.is_ok(), "{removed:?}");
            tokio::task::yield_now().await;
        }
    };
    let wait = if fixture.hints() { 60 } else { 1 };
    let heard = tokio::select! {
        () = happen => unreachable!("it goes on for ever"),
        heard = timeout(Duration::from_secs(wait), changes.next()) => heard,
    };
    match heard {
        Ok(Some(heard)) => assert_eq!(heard, site.id, "nothing else happens"),
        Ok(None) => panic!("the stream of hints ended while the backend was there"),
        Err(_) => assert!(!fixture.hints(), "no hint was heard in {wait} s"),
    }
}

pub(super) async fn a_listing_that_can_not_see_all_says_so(fixture: &dyn Fixture) {
    let site = Site::new(fixture);
    site.make_part(Part::UploadsVolume).await;
    if !fixture.blind().await {
        return;
    }
    match site.backend.observe(&Scope::Fleet).await {
        Ok(seen) => assert_eq!(seen.coverage, Coverage::Partial, "what can't be read proves no absence"),
        Err(error) => assert_ne!(error.class, ErrorClass::Permanent, "looking is tried again: {error}"),
    }
}
