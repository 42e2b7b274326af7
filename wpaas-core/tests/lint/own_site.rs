//! Rule 6: a step names a part of the one site that it was planned for, and what was seen of it.

use wpaas_core::converge::{Action, Coverage, ObjectId, ObjectState, Part, SitePlan, Step, lint};
use wpaas_core::id::SiteId;
use wpaas_core::site::DatabaseSize::One;

use crate::Scene;

const D0: Part = Part::Database(0);
const W0: Part = Part::Wordpress(0);

#[test]
fn a_step_is_for_the_site_that_is_planned() {
    let scene = Scene::of(1, One);
    let own = scene.remove(W0);
    let another = Step { site: SiteId::new(), ..own.clone() };
    assert_eq!(scene.wrong([own.clone()]), None);
    assert_eq!(scene.wrong([another]), Some((6, "names another site")));
    let plan = SitePlan { site: SiteId::new(), generation: 1, steps: vec![own], holds: Vec::new() };
    assert_eq!(lint(&scene.intent, &scene.facts, &plan).unwrap_err().why, "names another site");
}

#[test]
fn a_part_is_changed_by_one_step_at_a_time() {
    let mut scene = Scene::of(1, One);
    scene.is_busy(W0);
    assert_eq!(scene.wrong([scene.remove(W0)]), Some((6, "changes a part that is being changed")));
    assert_eq!(scene.wrong([scene.configure(Part::Gateway(0), "")]), None);
}

#[test]
fn a_part_is_made_where_it_is_surely_not() {
    let mut scene = Scene::of(1, One);
    let makes = |scene: &Scene| scene.wrong([scene.step(Part::UploadsVolume, Action::CreateVolume)]);
    assert_eq!(makes(&scene), Some((6, "makes what is there")));
    scene.object(Part::UploadsVolume).state = ObjectState::Incomplete;
    assert_eq!(makes(&scene), None, "it is made to its end");
    scene.facts.coverage = Coverage::Partial;
    assert_eq!(makes(&scene), None, "that it is there is known");
    scene.is_gone(Part::UploadsVolume);
    assert_eq!(makes(&scene), Some((6, "makes what may be there")));
    scene.facts.coverage = Coverage::Complete;
    assert_eq!(makes(&scene), None);
}

#[test]
fn what_is_changed_was_seen() {
    let scene = Scene::of(1, One);
    let unseen = Some((6, "names an object that was not seen"));
    for (part, object) in
        [(W0, ObjectId::new("unseen")), (W0, scene.id(D0)), (Part::Wordpress(1), scene.id(W0))]
    {
        assert_eq!(scene.wrong([scene.step(part, Action::Remove { object })]), unseen);
    }
    let start = |object| scene.wrong([scene.step(W0, Action::StartNode { object })]);
    assert_eq!(start(scene.id(W0)), None);
    assert_eq!(start(ObjectId::new("unseen")), unseen);
}

#[test]
fn nothing_is_removed_by_a_look_that_did_not_show_all() {
    let mut scene = Scene::of(1, One);
    assert_eq!(scene.wrong([scene.remove(W0)]), None);
    scene.facts.coverage = Coverage::Partial;
    assert_eq!(scene.wrong([scene.remove(W0)]), Some((6, "removes without a complete listing")));
    let start = Action::StartNode { object: scene.id(W0) };
    assert_eq!(scene.wrong([scene.step(W0, start)]), None);
}
