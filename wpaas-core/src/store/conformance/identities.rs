use super::{
    Expect, NOW, Quota, Store, Violation, Write, at, cid, customer, done, org, parse, violation, with_place,
    write,
};
use crate::account::{ApiKey, ExternalLogin, Identity, KeyKind, User};
use crate::id::{KeyId, UserId};
use crate::lockout::{FORGOTTEN, Failures};
use crate::store::{Bearer, Idempotent, Page, PendingLogin, Record, StoredResponse};

fn user() -> User {
    User {
        id: UserId::new(),
        cid: cid(),
        username: parse("Ada"),
        name: "Ada".to_owned(),
        email: parse("ada@acme.example"),
        enabled: true,
        roles: vec![crate::account::RoleGrant::Org { org: org().id, role: crate::account::OrgRole::Manager }],
        created_at: NOW,
        version: 1,
    }
}

fn key(identity: Identity) -> ApiKey {
    ApiKey {
        id: KeyId::new(),
        kind: KeyKind::Api,
        identity,
        label: "laptop".to_owned(),
        hash: [7; 32],
        created_at: NOW,
        expires_at: at(60),
        last_used_at: None,
        revoked: false,
        version: 1,
    }
}

pub(super) async fn passwords_and_keys_belong_to_one_identity(store: &dyn Store) {
    with_place(store, Quota::default()).await;
    let user = user();
    let identity = Identity::User(cid(), user.id);
    let own = key(identity.clone());
    let of_customer = key(Identity::Customer(cid()));
    done(
        store,
        write(Write::InsertUser(user.clone()))
            .write(Write::SetPassword(identity.clone(), "first".to_owned()))
            .write(Write::SetPassword(identity.clone(), "second".to_owned()))
            .write(Write::InsertKey(own.clone()))
            .write(Write::InsertKey(of_customer.clone()))
            .write(Write::TouchKey(own.id, at(5)))
            .write(Write::TouchKey(own.id, at(3))),
    )
    .await;
    assert_eq!(store.user_by_name(&cid(), &parse("aDA")).await.expect("read"), Some(user.clone()));
    let again = User { id: UserId::new(), username: parse("ADA"), ..user.clone() };
    let taken = Violation::Taken(Box::new(Expect::UsernameFree(cid(), parse("ADA"))));
    assert_eq!(violation(store, write(Write::InsertUser(again))).await, taken);
    assert_eq!(store.password_hash(&identity).await.expect("read").as_deref(), Some("second"));
    let touched = ApiKey { last_used_at: Some(at(5)), ..own.clone() };
    let keys = store.keys(&identity, KeyKind::Api, &Page::first(9)).await.expect("read");
    assert_eq!(keys, vec![touched.clone()]);
    let owner = Some(customer(&cid(), "acme"));
    let bearer = Bearer { key: touched, customer: owner.clone(), user: Some(user.clone()) };
    assert_eq!(store.bearer(own.id).await.expect("read"), Some(bearer));
    let bearer = Bearer { key: of_customer.clone(), customer: owner, user: None };
    assert_eq!(store.bearer(of_customer.id).await.expect("read"), Some(bearer));
    assert_eq!(store.bearer(KeyId::new()).await.expect("read"), None);

    let revoked = ApiKey { revoked: true, version: 2, ..own.clone() };
    done(store, write(Write::UpdateKey(revoked.clone()))).await;
    let kept = ApiKey { last_used_at: Some(at(5)), ..revoked };
    assert_eq!(store.key(own.id).await.expect("read"), Some(kept));
    let late = ApiKey { version: 2, ..own.clone() };
    let found = Violation::Version { record: Record::Key(own.id), found: Some(2) };
    assert_eq!(violation(store, write(Write::UpdateKey(late))).await, found);

    done(store, write(Write::DeleteUser(user.id, 1))).await;
    assert_eq!(store.user(user.id).await.expect("read"), None);
    assert_eq!(store.password_hash(&identity).await.expect("read"), None);
    assert_eq!(store.key(own.id).await.expect("read"), None);
    assert_eq!(store.key(of_customer.id).await.expect("read"), Some(of_customer));
}

pub(super) async fn sessions_are_keys_apart(store: &dyn Store) {
    with_place(store, Quota::default()).await;
    let owner = Identity::Customer(cid());
    let made: Vec<_> = (0..3).map(|_| key(owner.clone())).collect();
    let session = ApiKey { kind: KeyKind::Session, ..key(owner.clone()) };
    let other = ApiKey { kind: KeyKind::Session, ..key(Identity::Operator) };
    let all = made.iter().chain([&session, &other]).cloned().map(Write::InsertKey);
    done(store, all.fold(crate::store::Change::at(NOW), crate::store::Change::write)).await;
    let page = async |kind, page: Page<KeyId>| store.keys(&owner, kind, &page).await.expect("read");
    assert_eq!(page(KeyKind::Session, Page::first(9)).await, vec![session.clone()]);
    assert_eq!(page(KeyKind::Api, Page::first(2)).await, made[..2]);
    assert_eq!(page(KeyKind::Api, Page::after(made[1].id, 2)).await, made[2..]);

    done(store, write(Write::DeleteKey(made[0].id)).write(Write::DeleteSessions(owner.clone()))).await;
    assert_eq!(page(KeyKind::Session, Page::first(9)).await, vec![]);
    assert_eq!(page(KeyKind::Api, Page::first(9)).await, made[1..]);
    assert_eq!(store.key(other.id).await.expect("read"), Some(other));
}

pub(super) async fn an_account_elsewhere_signs_one_identity_in(store: &dyn Store) {
    with_place(store, Quota::default()).await;
    let user = user();
    let (of_user, of_customer) = (Identity::User(cid(), user.id), Identity::Customer(cid()));
    let login = |subject: &str, identity: &Identity| ExternalLogin {
        issuer: "https://issuer.example".to_owned(),
        subject: subject.to_owned(),
        identity: identity.clone(),
        label: "ada@acme.example".to_owned(),
        created_at: NOW,
    };
    let (one, two, third) = (login("1", &of_user), login("2", &of_customer), login("3", &of_user));
    let insert = |login: &ExternalLogin| Write::InsertExternalLogin(login.clone());
    done(store, write(Write::InsertUser(user.clone())).write(insert(&one)).write(insert(&two))).await;
    let again = write(insert(&login("1", &of_customer)));
    let free = Expect::ExternalLoginFree(one.issuer.clone(), "1".to_owned());
    assert_eq!(violation(store, again).await, Violation::Taken(Box::new(free)));
    done(store, write(insert(&third))).await;
    let found = async |subject: &str| store.external_login(&one.issuer, subject).await.expect("read");
    assert_eq!(found("1").await, Some(one.clone()));
    assert_eq!(found("9").await, None);
    let of = async |identity: &Identity| store.external_logins(identity).await.expect("read");
    assert_eq!(of(&of_user).await, vec![one.clone(), third.clone()]);

    // Not another's.
    let remove = |identity: &Identity, subject: &str| {
        write(Write::DeleteExternalLogin(identity.clone(), one.issuer.clone(), subject.to_owned()))
    };
    done(store, remove(&of_customer, "1")).await;
    done(store, remove(&of_user, "3")).await;
    assert_eq!(of(&of_user).await, vec![one.clone()]);
    done(store, write(Write::DeleteUser(user.id, 1))).await;
    assert_eq!((found("1").await, found("2").await), (None, Some(two)));
    done(store, write(Write::DeleteCredentials(of_customer.clone()))).await;
    assert_eq!(of(&of_customer).await, vec![]);
}

fn pending(state: u8) -> PendingLogin {
    PendingLogin { state: [state; 32], expires_at: at(i64::from(state)), sealed: vec![0, state, 255] }
}

pub(super) async fn a_login_that_has_begun_is_taken_once(store: &dyn Store) {
    let begun = write(Write::InsertPendingLogin(pending(1))).write(Write::InsertPendingLogin(pending(2)));
    done(store, begun).await;
    let found = async |state: u8| store.pending_login(&[state; 32]).await.expect("read");
    assert_eq!((found(1).await, found(3).await), (Some(pending(1)), None));
    let take = |state: u8| write(Write::TakePendingLogin([state; 32]));
    done(store, take(1)).await;
    assert_eq!((found(1).await, found(2).await), (None, Some(pending(2))));
    assert_eq!(violation(store, take(1)).await, Violation::LoginNotPending);
    assert_eq!(violation(store, take(3)).await, Violation::LoginNotPending);

    done(store, write(Write::ExpirePendingLogins(at(2)))).await;
    assert_eq!(found(2).await, Some(pending(2)));
    done(store, write(Write::ExpirePendingLogins(at(3)))).await;
    assert_eq!(found(2).await, None);
}

pub(super) async fn wrong_passwords_are_counted_by_name(store: &dyn Store) {
    let (ada, bob) = ([1; 32], [2; 32]);
    let found = async |name| store.wrong_passwords(&name).await.expect("read");
    let wrong = |name, seconds| write(Write::CountWrongPassword(name, at(seconds)));
    assert_eq!(found(ada).await, None);
    for seconds in [0, 1] {
        done(store, wrong(ada, seconds)).await;
    }
    done(store, wrong(bob, 2)).await;
    assert_eq!(found(ada).await, Some(Failures { count: 2, last: at(1) }));
    assert_eq!(found(bob).await, Some(Failures { count: 1, last: at(2) }));
    done(store, write(Write::ForgetWrongPasswords(ada))).await;
    assert_eq!((found(ada).await, found(bob).await.is_some()), (None, true));
    // What counts no more costs nothing.
    done(store, wrong(ada, FORGOTTEN.as_secs() + 2)).await;
    assert_eq!(found(bob).await, None);
    assert_eq!(found(ada).await.map(|failures| failures.count), Some(1));
}

pub(super) async fn people_are_found_by_their_address(store: &dyn Store) {
    with_place(store, Quota::default()).await;
    let owner = customer(&cid(), "acme");
    let of_customers = async |email| store.customers_by_email(&parse(email), 9).await.expect("read");
    assert_eq!(of_customers("OWNER@acme.example").await, vec![owner.clone()]);
    let other = crate::account::Customer { cid: parse("blu"), ..customer(&cid(), "blum") };
    done(store, write(Write::InsertCustomer(other.clone()))).await;
    assert_eq!(of_customers("owner@acme.example").await, vec![owner.clone(), other]);
    assert_eq!(store.customers_by_email(&owner.email, 1).await.expect("read").len(), 1);
    let purged =
        crate::account::Customer { lifecycle: crate::account::Lifecycle::Purged, version: 2, ..owner };
    done(store, write(Write::UpdateCustomer(purged))).await;
    assert_eq!(of_customers("owner@acme.example").await.len(), 1);

    let (ada, bob) = (user(), User { id: UserId::new(), username: parse("bob"), ..user() });
    done(store, write(Write::InsertUser(ada.clone())).write(Write::InsertUser(bob.clone()))).await;
    let of_users = async |cid: &str, email: &str| {
        store.users_by_email(&parse(cid), &parse(email), 9).await.expect("read")
    };
    assert_eq!(of_users("acm", "ADA@acme.example").await, vec![ada.clone(), bob]);
    let moved = User { email: parse("lovelace@acme.example"), version: 2, ..ada };
    done(store, write(Write::UpdateUser(moved.clone()))).await;
    assert_eq!(of_users("acm", "lovelace@acme.example").await, vec![moved]);
    assert_eq!(of_users("acm", "ada@acme.example").await.len(), 1);
    assert_eq!(of_users("blu", "ada@acme.example").await, vec![]);
}

pub(super) async fn an_idempotency_key_is_used_once(store: &dyn Store) {
    let begun = Idempotent {
        principal: "operator".to_owned(),
        key: "k".to_owned(),
        request: [1; 32],
        begun_at: NOW,
        response: StoredResponse { status: 0, sealed: vec![] },
    };
    let put = |kept: &Idempotent| write(Write::PutIdempotent(kept.clone()));
    let unused = |since| Expect::IdempotencyUnused("operator".to_owned(), "k".to_owned(), since);
    let held = |begun_at| Expect::IdempotencyHeld("operator".to_owned(), "k".to_owned(), begun_at);
    assert_eq!(violation(store, put(&begun).expect(held(NOW))).await, Violation::IdempotencyLost);
    done(store, put(&begun).expect(unused(NOW))).await;
    assert_eq!(violation(store, put(&begun).expect(unused(NOW))).await, Violation::IdempotencyUsed);
    assert_eq!(violation(store, put(&begun).expect(held(at(1)))).await, Violation::IdempotencyLost);
    assert_eq!(store.idempotent("operator", "k").await.expect("read"), Some(begun.clone()));
    let response = StoredResponse { status: 201, sealed: vec![1, 2, 3] };
    let answered = Idempotent { response, ..begun.clone() };
    // Of what is so old that it counts no more, nothing is in the way.
    done(store, put(&begun).expect(unused(at(1)))).await;
    done(store, put(&answered).expect(held(NOW))).await;
    assert_eq!(store.idempotent("operator", "k").await.expect("read"), Some(answered));
    assert_eq!(store.idempotent("somebody", "k").await.expect("read"), None);

    done(store, write(Write::ExpireIdempotent(NOW))).await;
    assert!(store.idempotent("operator", "k").await.expect("read").is_some());
    done(store, write(Write::ExpireIdempotent(at(1)))).await;
    assert_eq!(store.idempotent("operator", "k").await.expect("read"), None);
}

/// A user with its password and a key, and what is kept for an idempotency key.
pub(super) fn filling() -> Vec<Write> {
    let user = user();
    let identity = Identity::User(cid(), user.id);
    let response = StoredResponse { status: 201, sealed: vec![0, 1, 255] };
    let (principal, key_of_client) = (user.id.to_string(), "k \u{e4}".to_owned());
    let login = ExternalLogin {
        issuer: "https://issuer.example".to_owned(),
        subject: "1".to_owned(),
        identity: identity.clone(),
        label: "ada@acme.example".to_owned(),
        created_at: NOW,
    };
    vec![
        Write::InsertUser(user),
        Write::InsertExternalLogin(login),
        Write::InsertPendingLogin(pending(1)),
        Write::SetPassword(identity.clone(), "hash".to_owned()),
        Write::CountWrongPassword([0, 255].repeat(16).try_into().expect("is a digest"), NOW),
        Write::InsertKey(key(identity)),
        Write::PutIdempotent(Idempotent {
            principal,
            key: key_of_client,
            request: [1; 32],
            begun_at: NOW,
            response,
        }),
    ]
}
