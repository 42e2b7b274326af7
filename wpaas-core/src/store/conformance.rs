//! What every store must do: each function takes an empty store and panics where it does otherwise.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::json;

use super::{
    Change, EventFilter, EventKind, EventScope, Expect, Mode, NewEvent, Page, Record, Store, StoreError,
    Subject, Violation, Who, Write,
};
use crate::account::{Customer, CustomerPlan, Lifecycle, Org, Payment, Space};
use crate::defaults;
use crate::id::{SiteId, SpaceId};
use crate::name::{Cid, Username};
use crate::quota::{Quota, Usage};
use crate::site::{
    AddressKind, Admin, Certificates, CodeState, DatabaseSize, DomainClaims, Features, Site, SiteLifecycle,
    SiteSpec,
};

mod acme;
mod claims;
mod domains;
mod identities;
mod metering;
mod races;
mod records;
mod sites;
mod spares;
mod webhooks;

/// All of it. `empty` makes a store that holds nothing.
pub async fn all<F: Future<Output = Arc<dyn Store>>>(empty: impl Fn() -> F) {
    records::a_change_is_done_whole_or_not_at_all(&*empty().await).await;
    records::a_dry_run_checks_everything_and_leaves_nothing(&*empty().await).await;
    records::names_are_unique_in_their_parent(&*empty().await).await;
    records::an_update_needs_the_version_before(&*empty().await).await;
    records::a_cid_is_never_given_again(&*empty().await).await;
    records::what_holds_something_is_not_empty(&*empty().await).await;
    records::lists_go_on_where_they_stopped(&*empty().await).await;
    records::events_are_numbered_filtered_and_fed(&*empty().await).await;
    records::events_are_found_by_kind_person_and_time(&*empty().await).await;
    identities::passwords_and_keys_belong_to_one_identity(&*empty().await).await;
    identities::wrong_passwords_are_counted_by_name(&*empty().await).await;
    identities::sessions_are_keys_apart(&*empty().await).await;
    identities::an_account_elsewhere_signs_one_identity_in(&*empty().await).await;
    identities::a_login_that_has_begun_is_taken_once(&*empty().await).await;
    identities::people_are_found_by_their_address(&*empty().await).await;
    identities::an_idempotency_key_is_used_once(&*empty().await).await;
    sites::a_site_comes_back_as_it_was_written(&*empty().await).await;
    sites::a_status_is_kept_beside_its_site(&*empty().await).await;
    sites::secrets_are_never_replaced(&*empty().await).await;
    sites::a_hash_takes_the_place_of_its_password(&*empty().await).await;
    sites::a_purged_site_leaves_a_tombstone_and_its_name(&*empty().await).await;
    sites::the_converger_sees_where_the_customer_stands(&*empty().await).await;
    sites::code_is_wanted_until_it_is_a_release_or_failed(&*empty().await).await;
    sites::sites_that_are_scaled_are_found(&*empty().await).await;
    sites::quotas_refuse_growth_only(&*empty().await).await;
    spares::a_spare_becomes_one_site(&*empty().await).await;
    spares::a_spare_that_is_gone_stays_known(&*empty().await).await;
    spares::nobody_pays_for_a_spare(&*empty().await).await;
    domains::a_domain_is_one_sites_at_a_time(&*empty().await).await;
    domains::claims_are_looked_at_when_they_are_due(&*empty().await).await;
    acme::there_is_one_account_at_an_authority(&*empty().await).await;
    acme::what_was_issued_is_counted_for_a_week(&*empty().await).await;
    acme::a_certificate_is_kept_with_its_site(&*empty().await).await;
    metering::what_ran_is_recorded_once(&*empty().await).await;
    metering::records_are_filtered_summed_and_paged(&*empty().await).await;
    metering::what_was_used_outlives_its_site(&*empty().await).await;
    webhooks::a_webhook_and_its_delivery_have_versions_of_their_own(&*empty().await).await;
    races::a_raced_quota_is_never_passed(empty().await).await;
    races::a_raced_default_is_one_row_and_one_event(empty().await).await;
    races::a_raced_name_has_one_owner(empty().await).await;
    spares::a_raced_spare_has_one_owner(empty().await).await;
    claims::a_share_is_one_servers_until_it_is_dead_or_gives_it_up(&*empty().await).await;
    claims::a_raced_share_has_one_owner(empty().await).await;
}

const NOW: Timestamp = Timestamp::constant(1_800_000_000, 0);

fn at(seconds: i64) -> Timestamp {
    Timestamp::constant(NOW.as_second() + seconds, 0)
}

fn parse<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().expect("a well-formed name")
}

fn cid() -> Cid {
    parse("acm")
}

fn customer(cid: &Cid, username: &str) -> Customer {
    Customer {
        cid: cid.clone(),
        name: "Acme".to_owned(),
        email: parse("owner@acme.example"),
        username: parse(username),
        plan: CustomerPlan::Paid,
        lifecycle: Lifecycle::Active,
        payment: Payment { identifier: Some("p1".to_owned()), status_id: None },
        payment_accounts: BTreeMap::new(),
        created_at: NOW,
        version: 1,
    }
}

fn org() -> Org {
    defaults::org(&cid(), NOW)
}

fn space() -> Space {
    defaults::space(&cid(), org().id, NOW)
}

fn other_space(name: &str) -> Space {
    Space { id: SpaceId::new(), name: parse(name), ..space() }
}

fn site(name: &str) -> Site {
    Site {
        id: SiteId::new(),
        cid: cid(),
        org: org().id,
        space: space().id,
        name: parse(name),
        generation: 1,
        spec: SiteSpec {
            routes: std::collections::BTreeMap::new(),
            title: "A title".to_owned(),
            admin: Admin {
                username: Username::admin(),
                email: parse("owner@acme.example"),
                password_version: 1,
            },
            code: None,
            num_instances: 2,
            database: DatabaseSize::Three,
            features: Features::default(),
            domains: vec![parse("www.example.com")],
            primary_domain: Some(parse("www.example.com")),
            address: AddressKind::Shared,
            labels: BTreeMap::from([("tier".to_owned(), "gold".to_owned())]),
            deletion_protection: true,
        },
        lifecycle: SiteLifecycle::Live,
        releases: crate::site::Releases::default(),
        code: CodeState::default(),
        domains: DomainClaims::default(),
        scaled: None,
        certificates: Certificates::default(),
        created_at: NOW,
        version: 1,
    }
}

const USAGE: Usage = Usage { sites: 1, wordpress_instances: 2, database_instances: 3, storage_gib: 40 };

fn event(subject: Subject, kind: EventKind) -> NewEvent {
    NewEvent {
        cid: Some(cid()),
        org: Some(org().id),
        space: Some(space().id),
        who: Who::System,
        kind,
        subject,
        detail: json!({ "a": 1 }),
    }
}

fn write(write: Write) -> Change {
    Change::at(NOW).write(write)
}

async fn done(store: &dyn Store, change: Change) {
    store.commit(change).await.expect("the change is done");
}

async fn violation(store: &dyn Store, change: Change) -> Violation {
    match store.commit(change).await {
        Err(StoreError::Violated(violation)) => violation,
        other => panic!("expected a violation, got {other:?}"),
    }
}

/// A customer with its default org and space.
async fn with_place(store: &dyn Store, quota: Quota) {
    let org = Org { quota, ..org() };
    let change = write(Write::InsertCustomer(customer(&cid(), "acme")))
        .write(Write::InsertOrg(org))
        .write(Write::InsertSpace(space()));
    done(store, change).await;
}

/// Something of everything that a store keeps.
pub async fn fill(store: &dyn Store) {
    with_place(store, Quota::default()).await;
    let filled =
        [identities::filling(), sites::filling(), spares::filling(), webhooks::filling(), acme::filling()]
            .concat();
    let change = Change { writes: filled, ..Change::at(NOW) };
    done(store, change.event(event(Subject::Customer(cid()), EventKind::CustomerUpdated))).await;
    sites::leave_a_tombstone(store).await;
    metering::fill(store).await;
}
