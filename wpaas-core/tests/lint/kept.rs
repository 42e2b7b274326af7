//! Rules 4 and 5: data goes with its site, or as a leaver's; the network with its site.

use wpaas_core::converge::{Action, ObjectState, Part, Wanted};
use wpaas_core::site::DatabaseSize::{One, Three};

use crate::Scene;

const UPLOADS: Part = Part::UploadsVolume;
const NOT_GONE: Option<(u8, &str)> = Some((4, "removes data of a site that is not gone"));

#[test]
fn data_goes_with_its_site() {
    let mut scene = Scene::of(1, One);
    for part in [UPLOADS, Part::DatabaseVolume(0)] {
        assert_eq!(scene.wrong([scene.remove(part)]), NOT_GONE);
    }
    let start = scene.step(UPLOADS, Action::StartNode { object: scene.id(UPLOADS) });
    assert_eq!(scene.wrong([start]), None, "which removes nothing");
    scene.intent.wanted = Wanted::Rest;
    assert_eq!(scene.wrong([scene.remove(UPLOADS)]), NOT_GONE);
    assert_eq!(scene.wrong([scene.remove(Part::Gateway(0))]), None, "which is no data");
    scene.intent.wanted = Wanted::Gone;
    assert_eq!(scene.wrong([scene.remove(UPLOADS)]), None);
}

#[test]
fn a_leavers_data_goes_once_the_rest_is_synced() {
    let mut scene = Scene::of(1, Three);
    scene.is_gone(Part::Database(1));
    assert_eq!(scene.wrong([scene.remove(Part::DatabaseVolume(1))]), NOT_GONE, "it is no leaver");
    scene.wants(|run| run.database = One);
    assert_eq!(scene.wrong([scene.remove(Part::DatabaseVolume(1))]), None);
    assert_eq!(scene.wrong([scene.remove(Part::DatabaseVolume(0))]), NOT_GONE);
    scene.database(0).state = Some(2);
    let too_early = Some((4, "removes a leaver's data before the rest is Synced"));
    assert_eq!(scene.wrong([scene.remove(Part::DatabaseVolume(1))]), too_early);
}

#[test]
fn the_network_goes_with_its_site_or_broken() {
    let not_gone = Some((5, "removes the network of a site that is not gone"));
    let mut scene = Scene::of(1, One);
    assert_eq!(scene.wrong([scene.remove(Part::Network)]), not_gone);
    scene.intent.wanted = Wanted::Rest;
    assert_eq!(scene.wrong([scene.remove(Part::Network)]), not_gone);
    scene.object(Part::Network).state = ObjectState::Broken;
    assert_eq!(scene.wrong([scene.remove(Part::Network)]), None);
    let mut scene = Scene::of(1, One);
    scene.intent.wanted = Wanted::Gone;
    assert_eq!(scene.wrong([scene.remove(Part::Network)]), None);
}
