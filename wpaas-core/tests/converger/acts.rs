//! What is done to a site that was up is told.

use std::time::Duration;

use wpaas_core::converge::{Act, Part, Wanted};

use crate::world::{World, intent, ready, start, until};

/// What was told since the last time: the step, what was found, and why.
fn told(world: &World) -> Vec<[String; 3]> {
    let acts = std::mem::take(&mut *world.book.acted.lock().unwrap());
    let told = |Act { step, found, why }: Act| [step.split(" (").next().unwrap().to_owned(), found, why];
    acts.into_iter().map(told).collect()
}

#[tokio::test(start_paused = true)]
async fn what_is_done_to_a_site_that_was_up_is_told_once_a_generation_and_hour() {
    let world = start();
    let mut intent = intent(2);
    let site = intent.site;
    world.book.want(intent.clone());
    let objects = || world.backend.inner.objects().len();
    until("ready", || ready(&world, site) && objects() == 7).await;
    assert!(told(&world).is_empty(), "that it comes up is what a person asked for");

    let Wanted::Run(run) = &mut intent.wanted else { panic!("is to run") };
    run.was_founded = true;
    (intent.generation, intent.version) = (2, 2);
    world.book.want(intent.clone());
    let vanish = async || {
        assert!(world.backend.inner.vanish(site, Part::Wordpress(0)));
        until("back", || objects() == 7).await;
        tokio::time::sleep(Duration::from_secs(60)).await;
    };
    tokio::time::sleep(Duration::from_secs(60)).await;
    vanish().await;
    let expected = [["create wordpress-0", "is not there", "is wanted and not there"].map(str::to_owned)];
    assert_eq!(told(&world), expected);
    vanish().await;
    assert!(told(&world).is_empty(), "the same again in the same generation");
    tokio::time::sleep(Duration::from_secs(3600)).await;
    vanish().await;
    assert_eq!(told(&world), expected, "and an hour later");

    assert!(world.backend.inner.kill(site, Part::Wordpress(1)));
    until("said", || !world.book.acted.lock().unwrap().is_empty()).await;
    let found = "does not run, made for generation 1";
    assert_eq!(told(&world), [["start wordpress-1", found, "does not run"].map(str::to_owned)]);

    (intent.generation, intent.version) = (3, 3);
    world.book.want(intent);
    tokio::time::sleep(Duration::from_secs(60)).await;
    vanish().await;
    assert_eq!(told(&world), expected);
}
