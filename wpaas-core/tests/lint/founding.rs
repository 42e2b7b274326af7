//! Rule 1: a component is founded on complete coverage, when every node waits, on the furthest, by a new number.

use uuid::Uuid;
use wpaas_core::converge::{
    Action, Coverage, DatabaseOrder, DatabasePhase, NodeSpec, Part, Position, Step, Wanted,
};
use wpaas_core::site::DatabaseSize::{One, Three};

use crate::Scene;

const D0: Part = Part::Database(0);

/// Three nodes wait, each with the same data of the first founding.
fn waiting() -> Scene {
    let mut scene = Scene::of(1, Three);
    for n in 0..3 {
        let node = scene.database(n);
        (node.phase, node.state, node.primary) = (DatabasePhase::Waiting, None, false);
        (node.empty, node.founding, node.position) = (false, 1, Some(at(1, 5)));
    }
    scene
}

/// So far in this history; 0 is none.
fn at(history: u128, seqno: i64) -> Position {
    Position { uuid: Uuid::from_u128(history), seqno }
}

/// What is wrong with this step alone, by rule 1.
fn by_rule_1(scene: &Scene, step: Step) -> Option<&'static str> {
    scene.wrong([step]).map(|(rule, why)| {
        assert_eq!(rule, 1);
        why
    })
}

/// What is wrong with founding on the first.
fn wrong(scene: &Scene) -> Option<&'static str> {
    by_rule_1(scene, scene.found(0, 2))
}

#[test]
fn a_component_is_founded_when_all_is_seen_and_waits() {
    assert_eq!(wrong(&waiting()), None);
    let mut scene = waiting();
    scene.facts.coverage = Coverage::Partial;
    assert_eq!(wrong(&scene), Some("founds without a complete listing"));
    let mut scene = waiting();
    scene.says_nothing(Part::Database(2));
    assert_eq!(wrong(&scene), Some("founds though a node has not reported"));
    let mut scene = waiting();
    scene.is_gone(Part::Database(2));
    assert_eq!(wrong(&scene), Some("founds though a volume has no node to tell its position"));
    for phase in [DatabasePhase::Recovering, DatabasePhase::Starting, DatabasePhase::Running] {
        let mut scene = waiting();
        scene.database(1).phase = phase;
        assert_eq!(wrong(&scene), Some("founds though a node does not wait"));
    }
}

#[test]
fn it_is_founded_by_a_new_number_and_once() {
    for used in [2, 3] {
        let mut scene = waiting();
        scene.database(1).founding = used;
        assert_eq!(wrong(&scene), Some("uses a founding's number again"));
    }
    let scene = waiting();
    let two = [scene.found(0, 2), scene.found(1, 2)];
    assert_eq!(scene.wrong(two), Some((1, "founds twice")));
    let elsewhere = scene.order(Part::Wordpress(0), DatabaseOrder::Found { number: 2 });
    assert_eq!(scene.wrong([elsewhere]), Some((1, "founds on a node that has not reported")));
}

#[test]
fn it_is_founded_on_the_furthest_of_one_history() {
    let mut scene = waiting();
    scene.database(1).position = Some(at(2, 5));
    assert_eq!(wrong(&scene), Some("founds though nodes hold different histories"));
    scene.database(1).position = Some(at(1, 6));
    assert_eq!(wrong(&scene), Some("founds on a node that is behind"));
    scene.database(1).position = Some(at(1, 4));
    assert_eq!(wrong(&scene), None);
    scene.database(1).position = Some(at(0, 100));
    assert_eq!(wrong(&scene), None, "what has no history is behind what has one");
    scene.database(0).position = Some(at(0, -1));
    assert_eq!(wrong(&scene), Some("founds on a node that is behind"));
    scene.database(0).position = None;
    assert_eq!(wrong(&scene), Some("founds on a node that is behind"));
}

#[test]
fn it_is_founded_on_what_is_whole() {
    let mut scene = waiting();
    for n in 0..3 {
        scene.database(n).position = None;
    }
    assert_eq!(wrong(&scene), Some("founds on a copy that was cut off"));
    scene.database(0).empty = true;
    assert_eq!(wrong(&scene), Some("founds on an empty volume while another holds data"));
    for n in 1..3 {
        scene.database(n).empty = true;
    }
    assert_eq!(wrong(&scene), None, "all are empty");
}

/// A new site whose one database node is not made yet, and whose volume is there.
fn new() -> Scene {
    let mut scene = Scene::of(1, One);
    scene.is_gone(D0);
    scene
}

/// Makes the node, to found on the volume that is there.
fn begins(scene: &Scene, part: Part) -> Step {
    let step = scene.create(part, Vec::new());
    let Action::CreateNode(spec) = step.action else { panic!("it makes a node") };
    let founds = Some(scene.id(Part::DatabaseVolume(0)));
    Step { action: Action::CreateNode(NodeSpec { founds, ..spec }), ..step }
}

/// What is wrong with that.
fn wrong_to_begin(scene: &Scene) -> Option<&'static str> {
    by_rule_1(scene, begins(scene, D0))
}

#[test]
fn a_new_database_is_founded_by_its_first_node() {
    assert_eq!(wrong_to_begin(&new()), None);
    let mut scene = new();
    scene.facts.coverage = Coverage::Partial;
    assert_eq!(wrong_to_begin(&scene), Some("founds a new database without a complete listing"));
    let second = new();
    let step = begins(&second, Part::Database(1));
    assert_eq!(second.wrong([step]), Some((1, "founds a new database on what is not its first node")));
}

#[test]
fn it_is_new_and_of_one_node() {
    let several = Some("founds a new database where there was one, or is to be one of several nodes");
    let mut scene = new();
    scene.wants(|run| run.was_founded = true);
    assert_eq!(wrong_to_begin(&scene), several);
    let mut scene = new();
    scene.wants(|run| run.database = Three);
    assert_eq!(wrong_to_begin(&scene), several);
    let mut scene = new();
    scene.intent.wanted = Wanted::Rest;
    assert_eq!(wrong_to_begin(&scene), several);
}

#[test]
fn all_there_is_of_it_is_the_volume_that_it_is_founded_on() {
    let more = Some("founds a new database though there is more of it than one volume");
    let mut scene = new();
    scene.is_there_too(Part::DatabaseVolume(1), Part::DatabaseVolume(0));
    assert_eq!(wrong_to_begin(&scene), more);
    let mut scene = new();
    scene.is_there_too(Part::Database(1), Part::Wordpress(0));
    assert_eq!(wrong_to_begin(&scene), more);
    let scene = new();
    let mut step = begins(&scene, D0);
    let Action::CreateNode(spec) = &mut step.action else { panic!("it makes a node") };
    spec.founds = Some(scene.id(Part::UploadsVolume));
    assert_eq!(scene.wrong([step]), more.map(|why| (1, why)), "another volume than is there");
}
