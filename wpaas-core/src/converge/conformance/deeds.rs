//! Any sequence of steps and accidents.

use std::collections::BTreeMap;

use tokio::time::sleep;

use super::site::Site;
use super::{Fixture, Outside};
use crate::converge::{Action, ErrorClass, Object, ObjectId, ObjectState, Part};

/// One thing that happens to a site. Numbers name its parts, and wrap around, so that every deed is possible everywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    /// A server makes this part.
    Make(u8),
    /// A server removes an object of this part, by its number among those that were ever seen, be it long gone.
    Remove(u8, u8),
    /// Somebody does this to the object of this part.
    Outside(u8, Outside),
    /// Another server goes on, which has just started.
    Elsewhere,
}

/// A property of every backend: whatever happens in whatever order to a site, of each part there is one object at most; a
/// step makes at most the one that it is for, taken twice as well as once, and takes none away but the one that it
/// names; what it finds otherwise than it was planned is a `Conflict`.
///
/// [`book::properties`](crate::book::properties) shows it over a backend of one's own, with proptest.
///
/// # Panics
///
/// Where a backend does other than it must.
pub async fn any(fixture: &dyn Fixture, deeds: &[Deed]) {
    let (mut site, mut ever) = (Site::new(fixture), BTreeMap::<Part, Vec<ObjectId>>::new());
    for deed in deeds {
        for object in site.objects().await {
            let seen = ever.entry(object.part).or_default();
            if !seen.contains(&object.id) {
                seen.push(object.id);
            }
        }
        match *deed {
            Deed::Make(part) => {
                let (part, action) = pick(&site, part);
                takes(&site, part, action, None).await;
            }
            Deed::Remove(part, which) => {
                let (part, _) = pick(&site, part);
                let Some(seen) = ever.get(&part) else { continue };
                let id = &seen[usize::from(which) % seen.len()];
                takes(&site, part, Action::Remove { object: id.clone() }, Some(id)).await;
            }
            Deed::Outside(part, what) => {
                let (part, _) = pick(&site, part);
                if let Some(object) = site.object(part).await {
                    site.outside(&object, what).await;
                }
            }
            Deed::Elsewhere => site = site.elsewhere(),
        }
    }
}

fn pick(site: &Site<'_>, part: u8) -> (Part, Action) {
    let mut parts = site.parts();
    let at = usize::from(part) % parts.len();
    parts.swap_remove(at)
}

/// The step is taken, twice.
async fn takes(site: &Site<'_>, part: Part, action: Action, named: Option<&ObjectId>) {
    let before = site.objects().await;
    for _ in 0..2 {
        match site.apply(part, action.clone()).await {
            Err(error) if error.class != ErrorClass::Conflict => {
                panic!("{part}, {action:?}: expected an effect or a Conflict, got {error:?}")
            }
            _ => {}
        }
    }
    sleep(site.backend.capabilities().listing_lag).await;
    let after = site.objects().await;
    for pair in after.windows(2) {
        assert_ne!(pair[0].part, pair[1].part, "two objects of one part");
    }
    let is_in = |objects: &[Object], object: &Object| objects.iter().any(|other| other.id == object.id);
    for new in after.iter().filter(|object| !is_in(&before, object)) {
        assert!(new.part == part && named.is_none(), "{part}, {action:?} made {new:?}");
    }
    // What was on its way out may have come to its end meanwhile.
    let stays = |object: &&Object| object.state != ObjectState::Removing && Some(&object.id) != named;
    for gone in before.iter().filter(stays).filter(|object| !is_in(&after, object)) {
        // A node that was never made to its end gives way to a whole one.
        let gives_way = named.is_none() && gone.part == part && gone.state == ObjectState::Incomplete;
        assert!(gives_way, "{part}, {action:?} took {gone:?} away");
    }
}
