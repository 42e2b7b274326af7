//! Measures how many changes a second the store makes durable: in a `SQLite` file in a folder, or in the empty
//! `PostgreSQL` database of an address.
//!
//! `cargo run --release -p wpaas-examples --bin store_rates -- FOLDER|URL status|post CALLERS SECONDS`
//!
//! `status`: a site's status, as the converger records it. `post`: what a `POST` of a site writes: the site with three
//! secrets and its event, and the answer under the idempotency key.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::json;
use wpaas_core::account::{Customer, CustomerPlan, Lifecycle, Payment};
use wpaas_core::defaults;
use wpaas_core::id::SiteId;
use wpaas_core::name::Cid;
use wpaas_core::quota::Usage;
use wpaas_core::secret::SecretName;
use wpaas_core::site::{
    AddressKind, Admin, Certificates, CodeState, Condition, ConditionKind, DatabaseSize, DomainClaims,
    Features, PartStatus, Site, SiteLifecycle, SiteSpec, SiteStatus, Truth,
};
use wpaas_core::store::{
    Change, Commit, EventKind, Expect, Idempotent, NewEvent, SealedSecret, SqlStore, StoreError,
    StoredResponse, StoredStatus, Subject, Who, Write,
};

type Failure = Box<dyn Error + Send + Sync>;

#[tokio::main(worker_threads = 2)]
async fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, what, callers, seconds] = arguments.as_slice() else {
        return Err("usage: store_rates FOLDER|URL status|post CALLERS SECONDS".into());
    };
    let store = if folder.starts_with("postgres://") {
        SqlStore::connect(&folder.parse()?).await?
    } else {
        SqlStore::open(&Path::new(folder).join(format!("rates-{}.db", std::process::id()))).await?
    };
    let store = Arc::new(store);
    place(&store).await?;
    let end = Instant::now() + Duration::from_secs(seconds.parse()?);
    let began = Instant::now();
    let mut tasks = Vec::new();
    for _ in 0..callers.parse()? {
        let store = Arc::clone(&store);
        tasks.push(match what.as_str() {
            "status" => tokio::spawn(statuses(store, end)),
            "post" => tokio::spawn(posts(store, end)),
            other => return Err(format!("{other}: neither status nor post").into()),
        });
    }
    let mut done = 0;
    for task in tasks {
        done += task.await??;
    }
    println!("{:.0}", f64::from(done) / began.elapsed().as_secs_f64());
    Ok(())
}

/// A customer with its default org and space.
async fn place(store: &SqlStore) -> Result<(), Failure> {
    let now = Timestamp::now();
    let (org, customer) = (defaults::org(&cid(), now), customer(now)?);
    let space = defaults::space(&cid(), org.id, now);
    let change = Change::at(now).write(Write::InsertCustomer(customer));
    store.commit(change.write(Write::InsertOrg(org)).write(Write::InsertSpace(space))).await?;
    Ok(())
}

/// Records the status of one site again and again; each time something is new in it.
async fn statuses(store: Arc<SqlStore>, end: Instant) -> Result<u32, StoreError> {
    let site = site();
    store.commit(Change::at(Timestamp::now()).write(Write::InsertSite(site.clone(), USAGE))).await?;
    let mut done = 0;
    while Instant::now() < end {
        let now = Timestamp::now();
        store.commit(Change::at(now).write(Write::RecordStatus(site.id, Box::new(status(now))))).await?;
        done += 1;
    }
    Ok(done)
}

async fn posts(store: Arc<SqlStore>, end: Instant) -> Result<u32, StoreError> {
    let mut done = 0;
    while Instant::now() < end {
        let (now, site) = (Timestamp::now(), site());
        let key = Idempotent {
            principal: "user_00000000000000000000000000000000".to_owned(),
            key: site.id.to_string(),
            request: [7; 32],
            begun_at: now,
            response: StoredResponse { status: 202, sealed: vec![7; 1200] },
        };
        let unused = Expect::IdempotencyUnused(key.principal.clone(), key.key.clone(), now);
        let change = creation(&site, now).expect(unused).write(Write::PutIdempotent(key));
        store.commit(change.write(Write::ExpireIdempotent(Timestamp::UNIX_EPOCH))).await?;
        done += 1;
    }
    Ok(done)
}

/// As the service makes it.
fn creation(site: &Site, now: Timestamp) -> Change {
    let secret = |name| SealedSecret { site: site.id, name, version: 1, sealed: vec![7; 96] };
    let names = [SecretName::DatabasePassword, SecretName::Salt, SecretName::AdminHash];
    let mut change = Change::at(now)
        .expect(Expect::CustomerActive(cid()))
        .expect(Expect::QuotaAllows { org: site.org, space: site.space, site: None, usage: USAGE })
        .write(Write::InsertSite(site.clone(), USAGE));
    change.writes.extend(names.map(|name| Write::InsertSecret(secret(name))));
    change.event(NewEvent {
        cid: Some(cid()),
        org: Some(site.org),
        space: Some(site.space),
        who: Who::System,
        kind: EventKind::SiteCreated,
        subject: Subject::Site(site.id),
        detail: json!({ "generation": 1, "name": site.name }),
    })
}

const USAGE: Usage = Usage { sites: 1, wordpress_instances: 2, database_instances: 1, storage_gib: 20 };

#[expect(clippy::expect_used, reason = "three letters are a customer's id")]
fn cid() -> Cid {
    "acm".parse().expect("is an id")
}

fn customer(now: Timestamp) -> Result<Customer, Failure> {
    Ok(Customer {
        cid: cid(),
        name: "Acme".to_owned(),
        email: "owner@acme.example".parse()?,
        username: "owner@acme.example".parse()?,
        plan: CustomerPlan::Free,
        lifecycle: Lifecycle::Active,
        payment: Payment { identifier: None, status_id: None },
        payment_accounts: BTreeMap::new(),
        created_at: now,
        version: 1,
    })
}

#[expect(clippy::expect_used, reason = "the names are well-formed")]
fn site() -> Site {
    let (id, org) = (SiteId::new(), defaults::org_id(&cid()));
    Site {
        id,
        cid: cid(),
        org,
        space: defaults::space_id(org),
        name: id.to_string().replace('_', "-").parse().expect("is a name"),
        generation: 1,
        spec: SiteSpec {
            title: "A site".to_owned(),
            admin: Admin {
                username: wpaas_core::name::Username::admin(),
                email: "owner@acme.example".parse().expect("is an address"),
                password_version: 1,
            },
            code: None,
            num_instances: 2,
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
        releases: wpaas_core::site::Releases::default(),
        code: CodeState::default(),
        domains: DomainClaims::default(),
        scaled: None,
        certificates: Certificates::default(),
        created_at: Timestamp::now(),
        version: 1,
    }
}

/// As long as a real one.
fn status(now: Timestamp) -> StoredStatus {
    let condition = |kind| Condition {
        kind,
        status: Truth::True,
        reason: "Serving".into(),
        message: "2 of 2 instances serve".into(),
        since: now,
    };
    let part = |part: &'static str| PartStatus { part: part.into(), state: "serving".into() };
    let parts = ["network", "volume-database-0", "volume-uploads", "database-0", "wordpress-0", "gateway-0"];
    let status = SiteStatus {
        observed_generation: 1,
        num_instances: 2,
        database_instances: 1,
        address: None,
        conditions: ConditionKind::ALL.map(condition).to_vec(),
        parts: parts.map(part).to_vec(),
        waiting: Vec::new(),
        last_error: None,
        next_try: None,
        wordpress_version: Some("6.9".to_owned()),
        challenge: None,
    };
    StoredStatus { status, founded: true, recorded_at: now }
}
