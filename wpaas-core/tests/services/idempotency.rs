use wpaas_core::access::Actor;
use wpaas_core::service::{Answer, Idempotency, Keyed, Mode, Performed, ServiceError, SiteView};

use crate::{NOW, World, at, code, customer, parse, place, site};

on_each_store! {
    an_idempotent_request_is_done_once
    what_was_done_is_not_done_again_though_its_answer_is_lost
    of_two_with_one_key_one_changes_something
    what_changes_nothing_leaves_its_key_as_it_was
    an_answer_is_kept_for_a_day
    an_answer_that_is_known_before_is_kept_with_what_was_done
}

async fn begun(world: &World, seconds: i64) -> Keyed {
    let op = Some(&Actor::Operator);
    match world.begin_idempotent(op, "k", [1; 32], at(seconds)).await {
        Ok(Idempotency::Fresh(keyed)) => keyed,
        other => panic!("is fresh: {other:?}"),
    }
}

/// Registers a customer under the key.
async fn registered(world: &World, keyed: Keyed) -> Performed {
    keyed.perform(world.acme()).await.1.expect("it has changed something")
}

async fn an_idempotent_request_is_done_once(world: World) {
    let op = Some(&Actor::Operator);
    let begin = async |request, seconds| world.begin_idempotent(op, "k", [request; 32], at(seconds)).await;
    let first = registered(&world, begun(&world, 0).await).await;
    assert_eq!(code(begin(1, 1).await), "idempotency_key_in_use");
    assert_eq!(code(begin(2, 1).await), "idempotency_key_reused");
    world.finish_idempotent(first, 201, b"body", at(2)).await.expect("is kept");
    let replay = Idempotency::Replay { status: 201, body: b"body".to_vec() };
    assert_eq!(begin(1, 3).await.expect("replays"), replay);
    let other = world.begin_idempotent(None, "k", [1; 32], NOW).await;
    assert!(matches!(other, Ok(Idempotency::Fresh(_))), "another's key is another's");
}

async fn an_answer_is_kept_for_a_day(world: World) {
    let first = registered(&world, begun(&world, 0).await).await;
    world.finish_idempotent(first, 201, b"body", at(2)).await.expect("is kept");
    let day = 24 * 3600;
    let op = Some(&Actor::Operator);
    let replay = world.begin_idempotent(op, "k", [1; 32], at(day)).await;
    assert!(matches!(replay, Ok(Idempotency::Replay { .. })), "{replay:?}");
    let again = begun(&world, day + 1).await;
    let registered = world.register_customer(op, customer("Other", "other"), at(day + 1));
    let (other, performed) = again.perform(registered).await;
    other.expect("the key is as new");
    performed.expect("and is used again");
}

async fn what_was_done_is_not_done_again_though_its_answer_is_lost(world: World) {
    let op = Some(&Actor::Operator);
    let first = registered(&world, begun(&world, 0).await).await;
    // The server dies here. It might as well be about to answer; then, however late, whoever asks again is told.
    assert_eq!(code(world.begin_idempotent(op, "k", [1; 32], at(1)).await), "idempotency_key_in_use");
    for seconds in [31, 3600] {
        let again = world.begin_idempotent(op, "k", [1; 32], at(seconds)).await;
        assert!(matches!(&again, Err(ServiceError::AnswerLost { subject }) if subject == "acm"), "{again:?}");
    }
    world.finish_idempotent(first, 201, b"body", at(4)).await.expect("is kept");
    let replay = Idempotency::Replay { status: 201, body: b"body".to_vec() };
    assert_eq!(world.begin_idempotent(op, "k", [1; 32], at(5)).await.expect("replays"), replay);
}

async fn of_two_with_one_key_one_changes_something(world: World) {
    let (slow, quick) = (begun(&world, 0).await, begun(&world, 1).await);
    let quick = registered(&world, quick).await;
    let op = Some(&Actor::Operator);
    let late = world.register_customer(op, customer("Other", "other"), at(2));
    let (late, performed) = slow.clone().perform(late).await;
    assert_eq!((code(late), performed), ("idempotency_key_in_use", None));
    // It is the other's answer that counts.
    assert_eq!(code(world.done_under(&slow, at(2)).await), "idempotency_key_in_use");
    world.finish_idempotent(quick, 200, b"quick", at(3)).await.expect("is kept");
    let replay = Idempotency::Replay { status: 200, body: b"quick".to_vec() };
    assert_eq!(world.done_under(&slow, at(4)).await.expect("is known"), Some(replay));
    assert_eq!(world.kinds().await, ["customer_registered"]);
}

async fn what_changes_nothing_leaves_its_key_as_it_was(world: World) {
    let (cid, _) = world.acme().await;
    let first = begun(&world, 0).await;
    let name = parse("default");
    let org = world.org_by_name(&Actor::Operator, &cid, &name, NOW);
    let (org, performed) = first.clone().perform(org).await;
    org.expect("the default org is made as it is asked for");
    assert_eq!(performed, None);
    assert_eq!(world.done_under(&first, at(1)).await.expect("is known"), None);
    begun(&world, 1).await;
}

async fn an_answer_that_is_known_before_is_kept_with_what_was_done(world: World) {
    let (cid, _) = world.acme().await;
    let (op, answer) = (&Actor::Operator, |view: &SiteView| {
        Some(Answer { status: 202, body: view.site.id.to_string().into_bytes() })
    });
    let post = async |mode, keyed: Keyed| {
        let new = site("blog");
        keyed.perform(world.create_site_answered(op, &place(&cid), new, mode, NOW, answer)).await
    };
    let (tried, performed) = post(Mode::DryRun, begun(&world, 0).await).await;
    tried.expect("would be made");
    assert_eq!(performed, None, "nothing was done");
    let (made, performed) = post(Mode::Commit, begun(&world, 1).await).await;
    let id = made.expect("is made").site.id.to_string();
    assert!(performed.expect("was done").is_answered());
    // The server may end here: nothing more is kept.
    let replay = Idempotency::Replay { status: 202, body: id.into_bytes() };
    let again = world.begin_idempotent(Some(op), "k", [1; 32], at(2)).await;
    assert_eq!(again.expect("replays"), replay);
}
