//! Rule 3: visitors are served all the time. Rule 8: by a release that has proved itself.

use std::sync::Arc;

use wpaas_core::code::{Digest, Layout};
use wpaas_core::converge::{
    FileContent, Lead, NodeFile, NodeReport, ObjectId, ObjectState, Part, ReleaseRef, ServerState, Wanted,
    WordpressPhase,
};
use wpaas_core::secret::{SecretName, SecretRef};
use wpaas_core::site::DatabaseSize::{One, Three};

use crate::{Scene, file};

const W0: Part = Part::Wordpress(0);
const W1: Part = Part::Wordpress(1);
const W2: Part = Part::Wordpress(2);
const TRIES: Part = Part::Wordpress(Part::APART_SLOTS);
const G0: Part = Part::Gateway(0);
const G1: Part = Part::Gateway(1);

/// Three nodes serve, of which two are wanted.
fn three() -> Scene {
    let mut scene = Scene::of(3, One);
    scene.wants(|run| run.wordpress = 2);
    scene
}

fn does_not_serve(scene: &mut Scene, part: Part) {
    let NodeReport::Wordpress(report) = scene.said(part) else { panic!("a WordPress node") };
    Arc::make_mut(report).phase = WordpressPhase::Waiting;
}

#[test]
fn as_many_serve_as_are_wanted() {
    let too_few = Some((3, "takes a serving WordPress node below the wanted number"));
    let mut scene = three();
    assert_eq!(scene.wrong([scene.remove(W0), scene.configure(W1, "")]), None);
    assert_eq!(scene.wrong([scene.remove(W0), scene.remove(W1)]), too_few);
    does_not_serve(&mut scene, W2);
    assert_eq!(scene.wrong([scene.remove(W2)]), None, "it does not serve");
    assert_eq!(scene.wrong([scene.remove(W0)]), too_few);
    scene.is_there_too(TRIES, W0);
    assert_eq!(scene.wrong([scene.remove(W0)]), too_few, "what tries a release is not for visitors");
    assert_eq!(scene.wrong([scene.remove(TRIES)]), None);
    scene.intent.wanted = Wanted::Rest;
    assert_eq!(scene.wrong([scene.remove(W0)]), None);
}

#[test]
fn fewer_may_serve_where_none_is_taken_or_one_is_wanted() {
    let mut scene = three();
    scene.wants(|run| run.wordpress = 4);
    assert_eq!(scene.wrong([scene.configure(W0, "")]), None);
    does_not_serve(&mut scene, W2);
    assert_eq!(scene.wrong([scene.remove(W2)]), None);
    let scene = Scene::of(1, One);
    assert_eq!(scene.wrong([scene.remove(W0)]), None);
}

#[test]
fn what_serves_is_left_to_end_its_requests() {
    let taken = Some((3, "takes a node from requests that are under way"));
    let mut scene = three();
    scene.has_visitors(W0);
    assert_eq!(scene.wrong([scene.remove(W0)]), taken);
    assert_eq!(scene.wrong([scene.remove(W1)]), None);
    assert_eq!(scene.wrong([scene.configure(W0, "")]), None);
    scene.intent.wanted = Wanted::Rest;
    assert_eq!(scene.wrong([scene.remove(W0)]), None);
    let mut scene = three();
    scene.has_visitors(W0);
    does_not_serve(&mut scene, W0);
    assert_eq!(scene.wrong([scene.remove(W0)]), None, "it serves none");
    scene.is_there_too(TRIES, W1);
    scene.has_visitors(TRIES);
    assert_eq!(scene.wrong([scene.remove(TRIES)]), None, "whose requests are ours");
}

#[test]
fn a_database_node_is_left_to_end_its_connections() {
    let mut scene = Scene::of(1, Three);
    scene.has_visitors(Part::Database(0));
    let step = scene.remove(Part::Database(0));
    assert_eq!(scene.wrong([step.clone()]), Some((3, "takes a node from requests that are under way")));
    scene.database(0).state = Some(1);
    assert_eq!(scene.wrong([step]), None, "it takes no writes");
}

/// With a second gateway as good as the first, and an address that leads to the first.
fn two_gateways() -> Scene {
    let mut scene = Scene::of(1, One);
    scene.is_there_too(G1, G0);
    scene.leads(Lead::To(scene.id(G0)));
    scene
}

#[test]
fn an_address_leads_to_a_gateway_that_has_reported() {
    let mut scene = two_gateways();
    assert_eq!(scene.wrong([scene.lead(G1)]), None);
    assert_eq!(scene.wrong([scene.lead(W0)]), Some((3, "leads the address to what is no gateway")));
    scene.says_nothing(G1);
    let silent = Some((3, "leads the address to a gateway that has not reported"));
    assert_eq!(scene.wrong([scene.lead(G1)]), silent);
}

#[test]
fn the_gateway_that_the_address_leads_to_stays() {
    let leads = Some((3, "removes the gateway that the address leads to"));
    let mut scene = two_gateways();
    assert_eq!(scene.wrong([scene.remove(G0)]), leads);
    assert_eq!(scene.wrong([scene.remove(G1)]), None);
    assert_eq!(scene.wrong([scene.configure(G0, "")]), None);
    scene.says_nothing(G0);
    assert_eq!(scene.wrong([scene.remove(G0)]), None, "it says nothing");
    let mut scene = two_gateways();
    scene.intent.wanted = Wanted::Rest;
    assert_eq!(scene.wrong([scene.remove(G0)]), None);
    let scene = Scene::of(1, One);
    assert_eq!(scene.wrong([scene.remove(G0)]), None, "it is the only one, whose address can't be moved");
}

const NOT_LONG: Option<(u8, &str)> = Some((3, "takes a node for lost that has not been silent for long"));
const IN_USE: Option<(u8, &str)> = Some((3, "takes a silent node that may be in use"));

#[test]
fn a_node_is_taken_for_lost_after_a_long_silence() {
    let mut scene = Scene::of(1, One);
    assert_eq!(scene.wrong([scene.remove_silent(W0)]), NOT_LONG);
    assert_eq!(scene.wrong([scene.remove(W0)]), None, "for another reason");
    scene.says_nothing(W0);
    assert_eq!(scene.wrong([scene.remove_silent(W0)]), NOT_LONG);
    scene.is_silent(W0, false);
    assert_eq!(scene.wrong([scene.remove_silent(W0)]), None);
}

#[test]
fn a_node_that_was_heard_goes_once_no_gateway_finds_it() {
    let mut scene = Scene::of(1, One);
    scene.is_silent(W0, true);
    for state in [ServerState::Up, ServerState::Drain] {
        scene.gateway().servers.insert(W0, state);
        assert_eq!(scene.wrong([scene.remove_silent(W0)]), IN_USE);
    }
    scene.gateway().servers.insert(W0, ServerState::Down);
    assert_eq!(scene.wrong([scene.remove_silent(W0)]), None);
    scene.says_nothing(G0);
    assert_eq!(scene.wrong([scene.remove_silent(W0)]), IN_USE, "no gateway says anything");
    scene.facts.silent[0].was_heard = false;
    assert_eq!(scene.wrong([scene.remove_silent(W0)]), None);
}

#[test]
fn a_gateway_that_was_heard_goes_once_the_address_leads_elsewhere() {
    let mut scene = two_gateways();
    scene.is_silent(G0, true);
    assert_eq!(scene.wrong([scene.remove_silent(G0)]), IN_USE);
    scene.leads(Lead::To(ObjectId::new("another")));
    assert_eq!(scene.wrong([scene.remove_silent(G0)]), None);
}

const UNPROVED: Option<(u8, &str)> = Some((8, "gives visitors a release that has not proved itself"));

#[test]
fn visitors_get_the_release_that_has_proved_itself() {
    let mut scene = Scene::of(1, One);
    assert_eq!(scene.wrong([scene.configure(W0, "title=A blog\nrelease=stock")]), None);
    assert_eq!(scene.wrong([scene.configure(W0, "release=another")]), UNPROVED);
    assert_eq!(scene.wrong([scene.configure(W0, "title=another")]), None);
    scene.is_there_too(TRIES, W0);
    assert_eq!(scene.wrong([scene.configure(TRIES, "release=another")]), None, "it tries that one");
    scene.wants(|run| run.release = None);
    assert_eq!(scene.wrong([scene.configure(W0, "release=stock")]), UNPROVED);
    scene.intent.wanted = Wanted::Rest;
    assert_eq!(scene.wrong([scene.configure(W0, "release=another")]), None);
}

#[test]
fn what_a_new_node_is_made_of_counts_and_no_secret_does() {
    let mut scene = Scene::of(1, One);
    scene.object(W0).state = ObjectState::Incomplete;
    let secret =
        FileContent::Secret(SecretRef { site: scene.intent.site, name: SecretName::Salt, version: 1 });
    let quiet = NodeFile { content: secret, ..file("") };
    assert_eq!(scene.wrong([scene.create(W0, vec![quiet, file("release=stock")])]), None);
    assert_eq!(scene.wrong([scene.create(W0, vec![file("release=another")])]), UNPROVED);
    let stored = ReleaseRef::Stored { digest: Digest::from_sha256([7; 32]), layout: Layout::Tree };
    scene.wants(|run| run.release = Some(stored));
    assert_eq!(scene.wrong([scene.create(W0, vec![file("release=stock")])]), UNPROVED);
}

#[test]
fn a_node_apart_gets_none_of_the_sites_visitors() {
    let scene = Scene::of(1, One);
    let wrong = |line: &str| scene.wrong([scene.configure(G0, line)]);
    let apart = Some((8, "sends visitors to a node that is not for them"));
    assert_eq!(wrong("wordpress-0=up 10.0.0.1"), None);
    assert_eq!(wrong("wordpress-40=preview a.example 10.0.0.1"), None);
    assert_eq!(wrong("wordpress-40=up 10.0.0.1"), apart);
}
