use jiff::SignedDuration;
use wpaas_core::access::Actor;
use wpaas_core::account::Identity;
use wpaas_core::name::{Cid, Username};
use wpaas_core::secret::Secret;
use wpaas_core::service::{CustomerUpdate, IfMatch, NewKey, UserUpdate};

use crate::{NOW, World, at, code, customer, parse, secret, user};

on_each_store! {
    keys_open_are_renewed_and_taken_back
    passwords_open_for_whom_they_are
}

async fn keys_open_are_renewed_and_taken_back(world: World) {
    let (cid, actor) = world.acme().await;
    let (ada, first) = world.create_user(&actor, user(&cid, "ada", Vec::new()), NOW).await.expect("is made");
    let opened = world.authenticate_key(first.text.expose(), NOW).await.expect("opens");
    assert_eq!(opened, Actor::User { cid: cid.clone(), id: ada.id, roles: Vec::new() });
    let identity = Identity::User(cid.clone(), ada.id);
    assert_eq!(world.keys(&opened, &identity).await.expect("its own")[0].last_used_at, Some(NOW));
    let (text, last) = first.text.expose().split_at(first.text.expose().len() - 1);
    let wrong = format!("{text}{}", if last == "x" { "y" } else { "x" });
    for bad in ["", "wpk_x", wrong.as_str()] {
        assert_eq!(code(world.authenticate_key(bad, NOW).await), "unauthenticated", "{bad}");
    }
    let renewed = world.renew_key(&opened, first.key.id, NOW).await.expect("is renewed");
    let overlap = world.settings().key_overlap.as_secs();
    let opens = async |text: &Secret, seconds| code(world.authenticate_key(text.expose(), at(seconds)).await);
    assert_eq!(opens(&first.text, overlap - 1).await, "ok");
    assert_eq!(opens(&first.text, overlap).await, "unauthenticated");
    assert_eq!(opens(&renewed.text, overlap).await, "ok");
    assert_eq!(code(world.renew_key(&opened, first.key.id, at(overlap)).await), "wrong_lifecycle");

    let foreign = world.register_customer(Some(&Actor::Operator), customer("B", "b"), NOW).await.expect("ok");
    let foreign = Actor::Customer(foreign.cid);
    assert_eq!(code(world.revoke_key(&foreign, renewed.key.id, NOW).await), "not_found");
    assert_eq!(code(world.keys(&opened, &Identity::Customer(cid.clone())).await), "forbidden");
    let long = NewKey { label: String::new(), lifetime: Some(SignedDuration::from_hours(24 * 365)) };
    assert_eq!(code(world.create_key(&actor, &identity, long, NOW).await), "invalid");

    let off = UserUpdate { enabled: Some(false), ..UserUpdate::default() };
    let name: Username = parse("ada");
    world.update_user(&actor, &cid, &name, off, IfMatch::Any, NOW).await.expect("is disabled");
    assert_eq!(opens(&renewed.text, 1).await, "unauthenticated");
    world.revoke_key(&actor, renewed.key.id, NOW).await.expect("is revoked");
    world.delete_user(&actor, &cid, &name, IfMatch::Any, NOW).await.expect("is deleted");
    assert_eq!(code(world.revoke_key(&actor, renewed.key.id, NOW).await), "not_found");
}

async fn passwords_open_for_whom_they_are(world: World) {
    let (cid, actor) = world.acme().await;
    world.create_user(&actor, user(&cid, "ada", Vec::new()), NOW).await.expect("is made");
    let update = CustomerUpdate { password: Some(secret("open sesame")), ..CustomerUpdate::default() };
    world.update_customer(&actor, &cid, update, IfMatch::Any, NOW).await.expect("is set");
    let sign_in = async |cid: Option<&Cid>, name: &str, password: &str| {
        world.authenticate_password(cid, &parse(name), &secret(password)).await
    };
    assert_eq!(sign_in(None, "ACME", "open sesame").await.expect("opens"), actor);
    assert!(matches!(sign_in(Some(&cid), "ada", "correct horse").await, Ok(Actor::User { .. })));
    for (cid, name, password) in [
        (None, "acme", "correct horse"),
        (None, "nobody", "open sesame"),
        (None, "ada", "correct horse"),
        (Some(&cid), "ada", "open sesame"),
        (Some(&cid), "acme", "open sesame"),
    ] {
        assert_eq!(code(sign_in(cid, name, password).await), "unauthenticated", "{name}");
    }
}
