//! Rule 2: database nodes leave one at a time, while enough others are Synced, and join one at a time.

use wpaas_core::converge::{DatabasePhase, ObjectState, Part, Wanted};
use wpaas_core::site::DatabaseSize::{One, Three};

use crate::Scene;

const D0: Part = Part::Database(0);
const D1: Part = Part::Database(1);

const NO_QUORUM: Option<(u8, &str)> = Some((2, "stops a Synced database node without a quorum of others"));
const ANOTHER: Option<(u8, &str)> = Some((2, "stops a database node while another leaves"));

/// What is wrong with removing the first database node.
fn wrong(scene: &Scene) -> Option<(u8, &'static str)> {
    scene.wrong([scene.remove(D0)])
}

/// Of three nodes the second gives its state to a joiner.
fn donating() -> Scene {
    let mut scene = Scene::of(1, Three);
    scene.database(1).state = Some(2);
    scene
}

#[test]
fn a_synced_node_leaves_where_more_than_half_of_all_are_synced_besides() {
    assert_eq!(wrong(&Scene::of(1, Three)), None);
    let mut scene = donating();
    assert_eq!(wrong(&scene), NO_QUORUM);
    scene.intent.wanted = Wanted::Rest;
    assert_eq!(wrong(&scene), None, "a site that rests needs none");
}

#[test]
fn one_leaves_at_a_time() {
    let scene = Scene::of(1, Three);
    assert_eq!(scene.wrong([scene.remove(D0), scene.remove(D1)]), ANOTHER);
    assert_eq!(scene.wrong([scene.remove(D0), scene.remove(Part::Gateway(0))]), None, "which is no database");
    let mut scene = Scene::of(1, Three);
    scene.object(D1).state = ObjectState::Removing;
    assert_eq!(wrong(&scene), ANOTHER);
    let mut scene = Scene::of(1, Three);
    scene.is_busy(D1);
    assert_eq!(wrong(&scene), ANOTHER);
    scene.object(D1).state = ObjectState::Stopped;
    assert_eq!(wrong(&scene), NO_QUORUM, "it has left already");
    let mut scene = Scene::of(1, Three);
    scene.is_busy(Part::Gateway(0));
    assert_eq!(wrong(&scene), None);
}

#[test]
fn a_node_that_gives_no_answer_may_be_synced() {
    let mut scene = donating();
    scene.database(0).state = None;
    assert_eq!(wrong(&scene), NO_QUORUM);
    scene.database(0).phase = DatabasePhase::Starting;
    assert_eq!(wrong(&scene), None, "it is in no component yet");
    scene.database(0).phase = DatabasePhase::Running;
    scene.is_gone(Part::DatabaseVolume(0));
    assert_eq!(wrong(&scene), None, "it holds nothing");
    let mut scene = donating();
    scene.database(0).state = Some(1);
    assert_eq!(wrong(&scene), None, "it says that it is joining");
}

#[test]
fn a_node_that_says_nothing_may_be_synced_if_it_was_ever_heard() {
    let mut scene = donating();
    scene.says_nothing(D0);
    assert_eq!(wrong(&scene), NO_QUORUM);
    scene.is_silent(D0, true);
    assert_eq!(wrong(&scene), NO_QUORUM);
    scene.facts.silent[0].was_heard = false;
    assert_eq!(wrong(&scene), None, "it never got an order");
    let mut scene = donating();
    scene.object(D0).state = ObjectState::Stopped;
    assert_eq!(wrong(&scene), None, "it does not run");
}

#[test]
fn the_only_node_of_a_small_database_may_go() {
    assert_eq!(wrong(&Scene::of(1, One)), None);
    let mut scene = Scene::of(1, Three);
    scene.is_gone(D1);
    assert_eq!(wrong(&scene), NO_QUORUM, "of three it may not");
}

#[test]
fn of_a_database_that_shrinks_the_last_synced_node_stays() {
    let mut scene = Scene::of(1, Three);
    scene.is_gone(Part::Database(2));
    scene.wants(|run| run.database = One);
    assert_eq!(wrong(&scene), None, "another is Synced");
    scene.database(1).state = Some(2);
    assert_eq!(wrong(&scene), NO_QUORUM);
}

/// The second and third nodes wait.
fn joining() -> Scene {
    let mut scene = Scene::of(1, Three);
    for n in [1, 2] {
        let node = scene.database(n);
        (node.phase, node.state, node.primary) = (DatabasePhase::Waiting, None, false);
    }
    scene
}

#[test]
fn one_joins_at_a_time() {
    let mut scene = joining();
    assert_eq!(scene.wrong([scene.join(1)]), None);
    assert_eq!(scene.wrong([scene.join(1), scene.join(2)]), Some((2, "orders two database nodes at once")));
    scene.database(2).phase = DatabasePhase::Starting;
    assert_eq!(scene.wrong([scene.join(1)]), Some((2, "orders a node to join while another is starting")));
    scene.database(2).phase = DatabasePhase::Running;
    assert_eq!(scene.wrong([scene.join(1)]), None);
}

#[test]
fn none_joins_while_a_step_for_another_is_under_way() {
    let under_way = Some((2, "orders a node to join while a step for another is under way"));
    let mut scene = joining();
    scene.was_told(Part::Wordpress(0));
    scene.was_told(D1);
    scene.is_busy(Part::Wordpress(0));
    assert_eq!(scene.wrong([scene.join(1)]), None, "that is none for another database node");
    scene.was_told(Part::Database(2));
    assert_eq!(scene.wrong([scene.join(1)]), under_way);
    let mut scene = joining();
    scene.is_busy(Part::Database(2));
    assert_eq!(scene.wrong([scene.join(1)]), under_way);
    scene.object(Part::Database(2)).state = ObjectState::Stopped;
    assert_eq!(scene.wrong([scene.join(1)]), None, "it does not run");
}
