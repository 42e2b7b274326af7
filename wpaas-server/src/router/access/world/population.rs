//! Who is there, and what each has.

use std::collections::BTreeMap;

use jiff::Timestamp;
use wpaas_core::access::Actor;
use wpaas_core::account::{Identity, OrgRole, RoleGrant, SpaceRole};
use wpaas_core::id::{KeyId, OrgId, SiteId, SpaceId, UserId};
use wpaas_core::name::{Cid, Username};
use wpaas_core::quota::{Quota, Usage};
use wpaas_core::service::{NewCustomer, NewKey, NewOrg, NewUser, NewWebhook, Service};
use wpaas_core::site::{
    AddressKind, Admin, Certificates, CodeState, DatabaseSize, DomainClaims, Features, Releases, Site,
    SiteLifecycle, SiteSpec,
};
use wpaas_core::store::recording::RecordingStore;
use wpaas_core::store::{Change, Commit, Write};

use super::{Principal, Target, parse};
use crate::router::access::matrix::Level;

pub(super) async fn made(
    service: &Service,
    store: &RecordingStore,
    operator: &str,
) -> (Vec<Principal>, Vec<Target>) {
    let (mut own, mut space, mut org) = customer(service, store, "acme").await;
    let (mut foreign, ..) = customer(service, store, "blum").await;
    let now = Timestamp::now();
    let at_org = |role| vec![RoleGrant::Org { org: own.org_id, role }];
    let at_space = |role| vec![RoleGrant::Space { org: own.org_id, space: own.space_id, role }];
    let as_customer = Identity::Customer(own.cid.clone());
    let new = NewKey { label: String::new(), lifetime: None };
    let key = service.create_key(&Actor::Operator, &as_customer, new, now).await.unwrap().text;
    let mut principals = vec![
        Principal { name: "operator", actor: Some(Actor::Operator), key: operator.to_owned() },
        Principal { name: "nobody", actor: None, key: String::new() },
        Principal {
            name: "customer",
            actor: Some(Actor::Customer(own.cid.clone())),
            key: key.expose().to_owned(),
        },
    ];
    for (name, roles) in [
        ("roleless", Vec::new()),
        ("org-manager", at_org(OrgRole::Manager)),
        ("org-billing", at_org(OrgRole::Billing)),
        ("org-auditor", at_org(OrgRole::Auditor)),
        ("space-manager", at_space(SpaceRole::Manager)),
        ("developer", at_space(SpaceRole::Developer)),
        ("viewer", at_space(SpaceRole::Viewer)),
    ] {
        let (principal, id, key) = user(service, &own.cid, name, roles).await;
        principals.push(principal);
        let name: Username = parse(name);
        let at = if name == own.username { &mut own } else { &mut space };
        (at.username, at.user_id, at.user_key) = (name, id, key);
    }
    (org.username, org.user_id, org.user_key) = (space.username.clone(), space.user_id, space.user_key);
    (_, foreign.user_id, foreign.user_key) = user(service, &foreign.cid, "developer", Vec::new()).await;
    foreign.name = "other customer";
    let absent = [
        Level::Customer,
        Level::CustomerKey,
        Level::User,
        Level::UserKey,
        Level::Org,
        Level::Space,
        Level::Site,
        Level::Webhook,
    ];
    let absent = absent.map(|level| own.without(level));
    let mut targets = vec![own, space, org, foreign];
    targets.extend(absent);
    (principals, targets)
}

/// A customer with two orgs, the first with two spaces, and a site in each space.
async fn customer(service: &Service, store: &dyn Commit, name: &str) -> (Target, Target, Target) {
    let (operator, now) = (&Actor::Operator, Timestamp::now());
    let email = parse(&format!("{name}@example.com"));
    let new =
        NewCustomer { name: name.to_owned(), email, username: parse(name), password: None, account: None };
    let cid = service.register_customer(Some(operator), new, now).await.unwrap().cid;
    let owner = Identity::Customer(cid.clone());
    let key = || NewKey { label: String::new(), lifetime: None };
    let customer_key = service.create_key(operator, &owner, key(), now).await.unwrap().key.id;
    let url = "https://ops.example.com/hook".to_owned();
    let new = NewWebhook { url, description: String::new(), kinds: Vec::new(), enabled: true };
    let webhook = service.create_webhook(operator, new, now).await.unwrap().stored.webhook.id;
    let mut at = Vec::new();
    for (org, space, title) in
        [("one", "s1", "own"), ("one", "s2", "other space"), ("two", "s3", "other org")]
    {
        if space != "s2" {
            let spaces = if org == "one" { vec![parse("s1"), parse("s2")] } else { vec![parse("s3")] };
            let (description, quota) = (String::new(), Quota::default());
            let new = NewOrg { cid: cid.clone(), name: parse(org), description, quota, spaces };
            service.create_org(operator, new, now).await.unwrap();
        }
        let org = service.org_by_name(operator, &cid, &parse(org), now).await.unwrap();
        let space = service.space_by_name(operator, org.id, &parse(space), now).await.unwrap();
        let site = site(&cid, org.id, space.id, &format!("site-{}", space.name));
        let (site_id, site_name) = (site.id, site.name.clone());
        let usage = Usage { sites: 1, wordpress_instances: 1, database_instances: 1, storage_gib: 20 };
        store.commit(Change::at(now).write(Write::InsertSite(site, usage))).await.unwrap();
        at.push(Target {
            name: title,
            cid: cid.clone(),
            org: org.name,
            org_id: org.id,
            space: space.name,
            space_id: space.id,
            site: site_name,
            site_id,
            username: parse("developer"),
            user_id: UserId::new(),
            user_key: KeyId::new(),
            customer_key,
            webhook,
            missing: None,
        });
    }
    let [own, space, org] = at.try_into().unwrap();
    (own, space, org)
}

fn site(cid: &Cid, org: OrgId, space: SpaceId, name: &str) -> Site {
    let email = parse("owner@example.com");
    Site {
        id: SiteId::new(),
        cid: cid.clone(),
        org,
        space,
        name: parse(name),
        generation: 1,
        spec: SiteSpec {
            title: "A title".to_owned(),
            admin: Admin { username: Username::admin(), email, password_version: 1 },
            code: None,
            num_instances: 1,
            database: DatabaseSize::One,
            features: Features::default(),
            domains: Vec::new(),
            primary_domain: None,
            address: AddressKind::Own,
            routes: BTreeMap::new(),
            labels: BTreeMap::new(),
            deletion_protection: false,
        },
        lifecycle: SiteLifecycle::Live,
        releases: Releases::default(),
        code: CodeState::default(),
        domains: DomainClaims::default(),
        scaled: None,
        certificates: Certificates::default(),
        created_at: Timestamp::now(),
        version: 1,
    }
}

async fn user(
    service: &Service,
    cid: &Cid,
    name: &'static str,
    roles: Vec<RoleGrant>,
) -> (Principal, UserId, KeyId) {
    let new = NewUser {
        cid: cid.clone(),
        username: parse(name),
        name: name.to_owned(),
        email: parse("user@example.com"),
        password: None,
        enabled: true,
        spaces: Vec::new(),
        roles: roles.clone(),
    };
    let (user, issued) = service.create_user(&Actor::Operator, new, Timestamp::now()).await.unwrap();
    let actor = Some(Actor::User { cid: cid.clone(), id: user.id, roles });
    (Principal { name, actor, key: issued.text.expose().to_owned() }, user.id, issued.key.id)
}
