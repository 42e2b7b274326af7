use wpaas_core::access::Actor;
use wpaas_core::service::{Idempotency, Reservation, ServiceError};

use crate::{NOW, World, at, code, customer, parse};

on_each_store! {
    an_idempotent_request_is_done_once
    what_was_done_is_not_done_again_though_its_answer_is_lost
    a_request_whose_key_was_taken_over_changes_nothing
    defaults_that_are_made_on_the_way_make_no_request_done
}

async fn an_idempotent_request_is_done_once(world: World) {
    let op = Some(&Actor::Operator);
    let begin = async |request, seconds| world.begin_idempotent(op, "k", [request; 32], at(seconds)).await;
    let Idempotency::Fresh(first) = begin(1, 0).await.expect("is fresh") else { panic!("is fresh") };
    assert_eq!(code(begin(1, 1).await), "idempotency_key_in_use");
    assert_eq!(code(begin(2, 1).await), "idempotency_key_reused");
    world.finish_idempotent(first, 201, b"body", at(2)).await.expect("is kept");
    let replay = Idempotency::Replay { status: 201, body: b"body".to_vec() };
    assert_eq!(begin(1, 3).await.expect("replays"), replay);
    assert!(matches!(begin(1, 24 * 3600 + 1).await, Ok(Idempotency::Fresh(_))));
    let other = world.begin_idempotent(None, "k", [1; 32], NOW).await;
    let Ok(Idempotency::Fresh(other)) = other else { panic!("another's key is another's") };
    world.abandon_idempotent(other, NOW).await.expect("is free");
    assert!(matches!(world.begin_idempotent(None, "k", [1; 32], NOW).await, Ok(Idempotency::Fresh(_))));
    assert!(matches!(world.begin_idempotent(None, "k", [1; 32], at(31)).await, Ok(Idempotency::Fresh(_))));
}

async fn begun(world: &World, seconds: i64) -> Reservation {
    let op = Some(&Actor::Operator);
    match world.begin_idempotent(op, "k", [1; 32], at(seconds)).await {
        Ok(Idempotency::Fresh(reservation)) => reservation,
        other => panic!("is fresh: {other:?}"),
    }
}

async fn what_was_done_is_not_done_again_though_its_answer_is_lost(world: World) {
    let op = Some(&Actor::Operator);
    let first = begun(&world, 0).await;
    first.scope(world.acme()).await;
    // The server dies here. It might as well be about to answer; then, however late, whoever asks again is told.
    assert_eq!(code(world.begin_idempotent(op, "k", [1; 32], at(1)).await), "idempotency_key_in_use");
    for seconds in [31, 3600] {
        let again = world.begin_idempotent(op, "k", [1; 32], at(seconds)).await;
        assert!(matches!(&again, Err(ServiceError::AnswerLost { subject }) if subject == "acm"), "{again:?}");
    }
    world.abandon_idempotent(first.clone(), at(2)).await.expect("changes nothing");
    assert_eq!(code(world.begin_idempotent(op, "k", [1; 32], at(33)).await), "idempotency_answer_lost");
    world.finish_idempotent(first, 201, b"body", at(4)).await.expect("is kept");
    let replay = Idempotency::Replay { status: 201, body: b"body".to_vec() };
    assert_eq!(world.begin_idempotent(op, "k", [1; 32], at(5)).await.expect("replays"), replay);
}

async fn a_request_whose_key_was_taken_over_changes_nothing(world: World) {
    let slow = begun(&world, 0).await;
    let quick = begun(&world, 31).await;
    quick.scope(world.acme()).await;
    let op = Some(&Actor::Operator);
    let late = slow.scope(world.register_customer(op, customer("Other", "other"), at(32))).await;
    assert_eq!(code(late), "idempotency_key_in_use");
    world.abandon_idempotent(slow.clone(), at(33)).await.expect("gives up what is not its own any more");
    world.finish_idempotent(slow, 200, b"late", at(34)).await.expect("keeps nothing");
    assert_eq!(code(world.begin_idempotent(op, "k", [1; 32], at(62)).await), "idempotency_answer_lost");
    assert_eq!(world.kinds().await, ["customer_registered"]);
}

async fn defaults_that_are_made_on_the_way_make_no_request_done(world: World) {
    let op = Some(&Actor::Operator);
    let (cid, _) = world.acme().await;
    let first = begun(&world, 0).await;
    let org = first.scope(world.org_by_name(&Actor::Operator, &cid, &parse("default"), NOW)).await;
    org.expect("the default org is made as it is asked for");
    assert_eq!(code(world.begin_idempotent(op, "k", [1; 32], at(1)).await), "idempotency_key_in_use");
    assert!(matches!(world.begin_idempotent(op, "k", [1; 32], at(31)).await, Ok(Idempotency::Fresh(_))));
}
