use wpaas_core::access::Actor;
use wpaas_core::service::Idempotency;

use crate::{NOW, World, at, code};

on_each_store! {
    an_idempotent_request_is_done_once
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
    assert!(matches!(world.begin_idempotent(None, "k", [1; 32], at(301)).await, Ok(Idempotency::Fresh(_))));
}
