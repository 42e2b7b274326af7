use wpaas_core::access::Actor;
use wpaas_core::account::Identity;
use wpaas_core::name::{Cid, Email};
use wpaas_core::secret::Secret;
use wpaas_core::service::{
    ByEmail, CustomerUpdate, ExternalAccount, ExternalSignIn, IfMatch, NewCustomer, NewKey, NewUser,
    ServiceError, Session, Ticket, UserUpdate,
};

use crate::{NOW, World, at, code, customer, parse, secret, user};

on_each_store! {
    a_login_that_has_begun_is_taken_once
    a_ticket_links_an_account_until_it_is_unlinked
    a_ticket_registers_a_customer
    an_address_finds_only_who_has_never_come
    an_address_of_two_or_without_proof_finds_nobody
}

const MINUTE: i64 = 60;

async fn a_login_that_has_begun_is_taken_once(world: World) {
    let state = secret("a state");
    world.begin_login(&state, b"remembered", NOW).await.expect("is kept");
    world.begin_login(&secret("another"), b"other", NOW).await.expect("is kept");
    let tries = (0..16).map(|_| {
        let (service, state) = (world.service.clone(), state.clone());
        tokio::spawn(async move { service.take_login(&state, NOW).await })
    });
    let mut taken = Vec::new();
    for take in tries.collect::<Vec<_>>() {
        taken.extend(take.await.expect("ends").expect("is read"));
    }
    assert_eq!(taken.iter().map(|taken| taken.as_slice()).collect::<Vec<_>>(), [b"remembered"]);
    assert!(world.take_login(&state, NOW).await.expect("is read").is_none());
    assert!(world.take_login(&secret("never"), NOW).await.expect("is read").is_none());
    assert!(world.take_login(&secret("another"), at(10 * MINUTE)).await.expect("is read").is_none());
}

fn account(subject: &str, email: Option<&str>) -> ExternalAccount {
    ExternalAccount {
        issuer: "https://issuer.example".to_owned(),
        subject: subject.to_owned(),
        label: format!("{subject}@issuer.example"),
        verified_email: email.map(parse::<Email>),
    }
}

impl World {
    async fn come(
        &self,
        account: &ExternalAccount,
        by_email: &ByEmail,
    ) -> Result<ExternalSignIn, ServiceError> {
        self.sign_in_externally(account, by_email, "issuer", NOW).await
    }

    async fn ticket_of(&self, account: &ExternalAccount) -> Ticket {
        match self.come(account, &ByEmail::Nobody).await.expect("is told") {
            ExternalSignIn::Unknown(ticket) => ticket,
            ExternalSignIn::Session(session) => panic!("{:?} has it", session.actor),
        }
    }

    async fn session_of(&self, account: &ExternalAccount, by_email: &ByEmail) -> Session {
        match self.come(account, by_email).await.expect("is told") {
            ExternalSignIn::Session(session) => *session,
            ExternalSignIn::Unknown(_) => panic!("nobody has {account:?}"),
        }
    }

    /// Whether the account signs somebody in.
    async fn finds(&self, account: &ExternalAccount, by_email: &ByEmail) -> bool {
        matches!(self.come(account, by_email).await, Ok(ExternalSignIn::Session(_)))
    }

    async fn invited(&self, cid: &Cid, name: &str, email: &str) -> (Identity, Secret) {
        let new = NewUser { password: None, email: parse(email), ..user(cid, name, Vec::new()) };
        let (user, key) = self.create_user(&Actor::Operator, new, NOW).await.expect("is made");
        (Identity::User(cid.clone(), user.id), key.text)
    }
}

async fn a_ticket_links_an_account_until_it_is_unlinked(world: World) {
    let (cid, owner) = world.acme().await;
    let (ada, _) = world.create_user(&owner, user(&cid, "ada", Vec::new()), NOW).await.expect("is made");
    let ada = Actor::User { cid: cid.clone(), id: ada.id, roles: Vec::new() };
    let account = account("ada", Some("user@acme.example"));
    let ticket = world.ticket_of(&account).await.text;
    let (text, last) = ticket.expose().split_at(ticket.expose().len() - 1);
    let changed = format!("{text}{}", if last == "0" { "1" } else { "0" });
    for bad in ["", "wpt_", "wpt_00", &changed, text] {
        assert_eq!(code(world.link_login(&ada, &secret(bad), NOW).await), "invalid", "{bad}");
    }
    assert_eq!(code(world.link_login(&ada, &ticket, at(15 * MINUTE)).await), "invalid");
    assert_eq!(code(world.link_login(&Actor::Operator, &ticket, NOW).await), "forbidden");

    let linked = world.link_login(&ada, &ticket, at(15 * MINUTE - 1)).await.expect("is linked");
    assert_eq!(code(world.link_login(&ada, &ticket, NOW).await), "ok", "it is linked already");
    assert_eq!(code(world.link_login(&owner, &ticket, NOW).await), "login_taken");
    let session = world.session_of(&account, &ByEmail::Nobody).await;
    assert_eq!(session.actor, ada);
    let logins = world.logins(&ada).await.expect("its own");
    assert_eq!(
        logins.iter().map(|login| (login.id(), login.label.as_str())).collect::<Vec<_>>(),
        [(linked.id(), "ada@issuer.example")]
    );

    // Not by another.
    world.unlink_login(&owner, linked.id(), NOW).await.expect("changes nothing");
    assert!(world.finds(&account, &ByEmail::Nobody).await);
    world.unlink_login(&ada, linked.id(), NOW).await.expect("is unlinked");
    assert!(!world.finds(&account, &ByEmail::Nobody).await);
    let opened = world.authenticate_key(session.issued.text.expose(), NOW).await;
    assert_eq!(code(opened), "unauthenticated", "what it began has ended");
    world.unlink_login(&ada, linked.id(), NOW).await.expect("changes nothing");
    let kinds = world.kinds().await;
    let told = |kind: &str| kinds.iter().filter(|told| **told == kind).count();
    assert_eq!((told("login_linked"), told("login_unlinked"), told("session_started")), (1, 1, 2));
}

async fn a_ticket_registers_a_customer(world: World) {
    let account = account("owner", None);
    let ticket = world.ticket_of(&account).await.text;
    let opened = world.open_ticket(&ticket, NOW).expect("opens");
    assert_eq!(opened, account);
    let new = |name: &str| NewCustomer { account: Some(opened.clone()), ..customer(name, name) };
    assert_eq!(code(world.register_customer(None, new("Blum"), NOW).await), "forbidden");
    let blum = world.register_customer(Some(&Actor::Operator), new("Blum"), NOW).await.expect("registers");
    let session = world.session_of(&account, &ByEmail::Nobody).await;
    assert_eq!(session.actor, Actor::Customer(blum.cid));
    let again = world.register_customer(Some(&Actor::Operator), new("Other"), NOW).await;
    assert_eq!(code(again), "login_taken");
    assert_eq!(world.kinds().await, ["customer_registered", "login_linked", "session_started"]);
}

async fn an_address_finds_only_who_has_never_come(world: World) {
    let (cid, owner) = world.acme().await;
    let of_acme = ByEmail::UsersOf(cid.clone());
    let proven = |name: &str| account(name, Some(&format!("{name}@mail.example")));
    let invite = async |name: &str| world.invited(&cid, name, &format!("{name}@mail.example")).await;
    let as_user = |identity: &Identity| match identity {
        Identity::User(cid, id) => Actor::User { cid: cid.clone(), id: *id, roles: Vec::new() },
        other => panic!("{other:?} is no user"),
    };
    let update = async |name: &str, update| {
        world.update_user(&owner, &cid, &parse(name), update, IfMatch::Any, NOW).await.expect("is changed");
    };

    let (ada, _) = invite("ada").await;
    assert!(!world.finds(&proven("ada"), &ByEmail::Nobody).await, "its provider is not trusted");
    assert!(!world.finds(&proven("ada"), &ByEmail::Customers).await, "it is a user");
    let session = world.session_of(&proven("ada"), &of_acme).await;
    assert_eq!(session.actor, as_user(&ada));
    assert!(!world.finds(&account("other", Some("ada@mail.example")), &of_acme).await, "it has come");

    let (_, key) = invite("bob").await;
    world.authenticate_key(key.expose(), NOW).await.expect("opens");
    assert!(!world.finds(&proven("bob"), &of_acme).await, "its key was used");

    invite("cyd").await;
    update("cyd", UserUpdate { password: Some(secret("correct horse")), ..UserUpdate::default() }).await;
    assert!(!world.finds(&proven("cyd"), &of_acme).await, "it has a password");

    invite("dan").await;
    update("dan", UserUpdate { enabled: Some(false), ..UserUpdate::default() }).await;
    assert!(!world.finds(&proven("dan"), &of_acme).await, "it is disabled");
    update("dan", UserUpdate { enabled: Some(true), ..UserUpdate::default() }).await;
    assert!(world.finds(&proven("dan"), &of_acme).await);

    // Who came by an account that is unlinked since may have left others behind.
    let (eve, _) = invite("eve").await;
    let ticket = world.ticket_of(&account("eve", None)).await.text;
    let login = world.link_login(&as_user(&eve), &ticket, NOW).await.expect("is linked");
    world.unlink_login(&as_user(&eve), login.id(), NOW).await.expect("is unlinked");
    assert!(!world.finds(&proven("eve"), &of_acme).await, "it has come before");

    // A customer, whose address is the account's.
    let email: Email = parse("acme@mail.example");
    let update = CustomerUpdate { email: Some(email), ..CustomerUpdate::default() };
    world.update_customer(&Actor::Operator, &cid, update, IfMatch::Any, NOW).await.expect("is changed");
    let new = NewKey { label: String::new(), lifetime: None };
    let key = world.create_key(&Actor::Operator, &Identity::Customer(cid.clone()), new, NOW).await;
    assert!(!world.finds(&proven("acme"), &ByEmail::Customers).await, "it has a key: {key:?}");
    let new = NewCustomer { email: parse("blum@mail.example"), ..customer("Blum", "blum") };
    let blum = world.register_customer(Some(&Actor::Operator), new, NOW).await.expect("registers");
    let session = world.session_of(&proven("blum"), &ByEmail::Customers).await;
    assert_eq!(session.actor, Actor::Customer(blum.cid));
}

async fn an_address_of_two_or_without_proof_finds_nobody(world: World) {
    let (cid, _) = world.acme().await;
    let of_acme = ByEmail::UsersOf(cid.clone());
    world.invited(&cid, "ada", "both@mail.example").await;
    world.invited(&cid, "bob", "both@mail.example").await;
    world.invited(&cid, "cyd", "cyd@mail.example").await;
    assert!(!world.finds(&account("1", Some("both@mail.example")), &of_acme).await);
    assert!(!world.finds(&account("2", None), &of_acme).await);
    assert!(!world.finds(&account("3", Some("cyd@mail.example")), &ByEmail::UsersOf(parse("zzz"))).await);
    assert!(world.finds(&account("3", Some("CYD@mail.example")), &of_acme).await);
}
