//! Parts are made once, seen as they were made, and removed.

use futures::future::join_all;

use super::Fixture;
use super::site::Site;
use crate::converge::{Action, Applied, ErrorClass, Fingerprint, Object, ObjectState, Part, Scope};

pub(super) async fn nothing_is_seen_completely(fixture: &dyn Fixture) {
    let site = Site::new(fixture);
    for scope in [Scope::Fleet, Scope::Site(site.id)] {
        assert_eq!(site.listed(scope).await, [], "a site of which nothing was made");
    }
}

/// Twice each: the second time changes nothing.
pub(super) async fn a_site_is_made_seen_and_removed(fixture: &dyn Fixture) {
    let site = Site::new(fixture).at(3, 2);
    let mut made = Vec::new();
    for (part, action) in site.parts() {
        let fingerprint = fingerprint(&action);
        let object = site.make(part, action.clone()).await;
        let Object { part: _, id: _, fingerprint: seen, generation, epoch, state, .. } = &object;
        assert_eq!((*state, *seen), (ObjectState::Ready, fingerprint), "{part}");
        assert_eq!((*generation, *epoch), (3, 2), "{part} carries what it was made for");
        assert_eq!(site.make(part, action).await, object, "made again: {part}");
        made.push(object);
    }
    assert!(made.iter().any(|object| object.address().is_some()), "no part holds the site's address");
    made.sort_by_key(|object| object.part);
    let elsewhere = site.elsewhere();
    site.until("all that was made", async || site.objects().await == made).await;
    for scope in [Scope::Site(site.id), Scope::Fleet] {
        assert_eq!(elsewhere.listed(scope).await, made, "a server that has just started, {scope:?}");
    }
    remove_all(&site, &made).await;
}

fn fingerprint(action: &Action) -> Option<Fingerprint> {
    match action {
        Action::CreateNode(spec) => Some(spec.fingerprint),
        _ => None,
    }
}

async fn remove_all(site: &Site<'_>, made: &[Object]) {
    for object in made.iter().rev() {
        let part = object.part;
        match site.remove(object).await {
            Ok(Applied::Absent) => {}
            Ok(Applied::Present(leaving)) if leaving.state == ObjectState::Removing => {}
            other => panic!("removing {part}: expected Absent or Removing, got {other:?}"),
        }
        site.until("its end", async || site.object(part).await.is_none()).await;
        assert_eq!(site.remove(object).await.ok(), Some(Applied::Absent), "removed again: {part}");
    }
    site.is_still(&[]).await;
}

pub(super) async fn what_a_node_needs_comes_first(fixture: &dyn Fixture) {
    let site = Site::new(fixture);
    let part = Part::Wordpress(0);
    let create = || Action::CreateNode(site.spec(part));
    site.conflicts(part, create()).await;
    let mut made = vec![site.make_part(Part::Network).await];
    site.conflicts(part, create()).await;
    site.is_still(&made).await;
    let node = site.up_to(part).await;
    let uploads = site.object(Part::UploadsVolume).await.expect("it was made");
    site.conflicts(uploads.part, Action::Remove { object: uploads.id.clone() }).await;
    made = site.objects().await;
    assert!(made.contains(&node) && made.contains(&uploads), "what is in use is kept: {made:?}");
}

/// A lost answer, two servers: the same step may come from many sides at once.
pub(super) async fn servers_that_race_make_one_object(fixture: &dyn Fixture) {
    let site = Site::new(fixture);
    site.up_to(Part::Database(0)).await;
    for part in [Part::UploadsVolume, Part::Gateway(0)] {
        let (_, action) =
            site.parts().into_iter().find(|(is, _)| *is == part).expect("a part of the suite's");
        let servers = [site.clone(), site.elsewhere(), site.elsewhere(), site.elsewhere()];
        let tries = servers.iter().map(|server| server.apply(part, action.clone()));
        for answer in join_all(tries).await {
            match answer {
                Ok(Applied::Present(object)) => assert_eq!(object.part, part),
                Err(error) if matches!(error.class, ErrorClass::Conflict | ErrorClass::Transient) => {}
                other => panic!("a race for {part}: {other:?}"),
            }
        }
        let made = site.make(part, action).await;
        site.until("the one that won", async || site.object(part).await.as_ref() == Some(&made)).await;
        let count = site.objects().await.iter().filter(|object| object.part == part).count();
        assert_eq!(count, 1, "objects of {part}");
    }
}
