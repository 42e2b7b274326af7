use std::sync::Arc;

use jiff::SignedDuration;
use wpaas_core::access::Actor;
use wpaas_core::account::Identity;
use wpaas_core::credential::Passwords;
use wpaas_core::name::{Cid, Username};
use wpaas_core::secret::Secret;
use wpaas_core::service::{CustomerUpdate, IfMatch, NewKey, NewUser, Page, Session, UserUpdate};
use wpaas_core::store::memory::MemoryStore;

use crate::{NOW, World, at, code, customer, hashing, parse, secret, user};

on_each_store! {
    keys_open_are_renewed_and_taken_back
    passwords_open_for_whom_they_are
    a_session_ends_by_itself_by_hand_and_with_the_password
    wrong_passwords_lock_a_name_out_until_the_right_one_is_looked_at
}

async fn wrong_passwords_lock_a_name_out_until_the_right_one_is_looked_at(world: World) {
    let (cid, actor) = world.acme().await;
    world.create_user(&actor, user(&cid, "ada", Vec::new()), NOW).await.expect("is made");
    let present = async |name: &str, password: &str, seconds| {
        code(world.sign_in(Some(&cid), &parse(name), &secret(password), at(seconds)).await)
    };
    for name in ["ada", "nobody"] {
        for _ in 0..world.settings().lockout_after {
            assert_eq!(present(name, "wrong", 0).await, "unauthenticated");
        }
        assert_eq!(present(name, "wrong", 29).await, "locked_out");
    }
    assert_eq!(present("ada", "correct horse", 29).await, "locked_out");
    assert_eq!(present("ada", "correct horse", 30).await, "ok");
    assert_eq!(present("ada", "wrong", 31).await, "unauthenticated", "it is as new");
}

async fn a_session_ends_by_itself_by_hand_and_with_the_password(world: World) {
    let (cid, actor) = world.acme().await;
    let new = NewUser { password: Some(secret("correct horse")), ..user(&cid, "ada", Vec::new()) };
    let (ada, key) = world.create_user(&actor, new, NOW).await.expect("is made");
    let name: Username = parse("ada");
    let sign_in = async |password: &str| world.sign_in(Some(&cid), &name, &secret(password), NOW).await;
    let opens =
        async |session: &Session, now| code(world.authenticate_key(session.issued.text.expose(), now).await);
    assert_eq!(code(sign_in("correct horsf").await), "unauthenticated");
    let (one, two, three) =
        (sign_in("correct horse").await, sign_in("correct horse").await, sign_in("correct horse").await);
    let (one, two, three) = (one.expect("opens"), two.expect("opens"), three.expect("opens"));
    assert_eq!(one.actor, Actor::User { cid: cid.clone(), id: ada.id, roles: Vec::new() });
    let lifetime = world.settings().session_lifetime.as_secs();
    assert_eq!(opens(&one, at(lifetime - 1)).await, "ok");
    assert_eq!(opens(&one, at(lifetime)).await, "unauthenticated");

    // One is ended by hand; not by another, nor as if it were an API key.
    let own = one.actor.clone();
    world.sign_out(&actor, Some(one.issued.key.id), NOW).await.expect("changes nothing");
    assert_eq!(code(world.revoke_key(&own, one.issued.key.id, NOW).await), "not_found");
    assert_eq!(opens(&one, NOW).await, "ok");
    world.sign_out(&own, Some(one.issued.key.id), NOW).await.expect("is ended");
    world.sign_out(&own, Some(key.key.id), NOW).await.expect("no session");
    assert_eq!(opens(&one, NOW).await, "unauthenticated");
    assert_eq!(opens(&two, NOW).await, "ok");
    let listed = world.sessions(&own, Page::first(1)).await.expect("its own");
    assert_eq!((listed.items[0].id, listed.next), (two.issued.key.id, Some(two.issued.key.id)));
    assert_eq!(
        world.keys(&own, &Identity::from(&own), Page::first(9)).await.expect("its own").items.len(),
        1
    );

    // A new password ends all, and leaves the API keys.
    let password = Some(secret("another horse"));
    let update = UserUpdate { password, ..UserUpdate::default() };
    world.update_user(&own, &cid, &name, update, IfMatch::Any, NOW).await.expect("its own");
    assert_eq!(opens(&three, NOW).await, "unauthenticated");
    assert_eq!(code(world.authenticate_key(key.text.expose(), NOW).await), "ok");
}

async fn keys_open_are_renewed_and_taken_back(world: World) {
    let (cid, actor) = world.acme().await;
    let (ada, first) = world.create_user(&actor, user(&cid, "ada", Vec::new()), NOW).await.expect("is made");
    let opened = world.authenticate_key(first.text.expose(), NOW).await.expect("opens").actor;
    assert_eq!(opened, Actor::User { cid: cid.clone(), id: ada.id, roles: Vec::new() });
    let identity = Identity::User(cid.clone(), ada.id);
    assert_eq!(
        world.keys(&opened, &identity, Page::first(9)).await.expect("its own").items[0].last_used_at,
        Some(NOW)
    );
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
    assert_eq!(
        code(world.keys(&opened, &Identity::Customer(cid.clone()), Page::first(9)).await),
        "forbidden"
    );
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
        world.authenticate_password(cid, &parse(name), &secret(password), NOW).await
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

/// No core hashes: every password that is checked waits for ever.
#[tokio::test]
async fn a_flood_of_logins_stops_nothing_but_logins() {
    let service = hashing(Arc::new(MemoryStore::default()), Passwords::new(0, 8));
    let op = &Actor::Operator;
    let cid =
        service.register_customer(Some(op), customer("Acme", "acme"), NOW).await.expect("registers").cid;
    let owner = Identity::Customer(cid.clone());
    let new = NewKey { label: String::new(), lifetime: None };
    let key = service.create_key(op, &owner, new, NOW).await.expect("is made");
    let (name, password) = (parse("acme"), secret("correct horse"));
    let mut flood: Vec<_> = (0..8).map(|_| Box::pin(service.sign_in(None, &name, &password, NOW))).collect();
    for login in &mut flood {
        assert!(futures::poll!(login.as_mut()).is_pending());
    }
    assert_eq!(code(service.sign_in(None, &name, &password, NOW).await), "overloaded");
    let opened = service.authenticate_key(key.text.expose(), NOW).await.expect("opens").actor;
    assert_eq!(opened, Actor::Customer(cid.clone()));
    assert_eq!(service.customer(&opened, &cid).await.expect("is read").cid, cid);
    let update = CustomerUpdate { name: Some("Acme Ltd".to_owned()), ..CustomerUpdate::default() };
    service.update_customer(&opened, &cid, update, IfMatch::Any, NOW).await.expect("is changed");
    for login in &mut flood {
        assert!(futures::poll!(login.as_mut()).is_pending());
    }
}
