//! The services over each store: what an embedder and the server see.

use std::sync::Arc;

use jiff::Timestamp;
use wpaas_core::access::Actor;
use wpaas_core::account::RoleGrant;
use wpaas_core::credential::Passwords;
use wpaas_core::keyring::Keyring;
use wpaas_core::name::Cid;
use wpaas_core::secret::Secret;
use wpaas_core::service::{
    EventScope, NewCustomer, NewSite, NewUser, Registration, Service, ServiceError, Settings, SitePath,
    SitePlace,
};
use wpaas_core::store::memory::MemoryStore;
use wpaas_core::store::{PostgresUrl, SqlStore, Store, scratch};

const NOW: Timestamp = Timestamp::constant(1_800_000_000, 0);

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(NOW.as_second() + seconds).expect("a time")
}

fn parse<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().expect("well formed")
}

fn secret(text: &str) -> Secret {
    Secret::new(text.to_owned())
}

struct World {
    service: Service,
    store: Arc<dyn Store>,
    _folder: tempfile::TempDir,
}

impl std::ops::Deref for World {
    type Target = Service;

    fn deref(&self) -> &Service {
        &self.service
    }
}

async fn world(of: &str) -> World {
    let folder = tempfile::tempdir().expect("a folder");
    let store: Arc<dyn Store> = match of {
        "memory" => Arc::new(MemoryStore::default()),
        _ => Arc::new(SqlStore::open(&folder.path().join("wpaas.db")).await.expect("opens")),
    };
    World { service: over(store.clone()), store, _folder: folder }
}

/// On a PostgreSQL, where one is named.
async fn world_on_postgres() -> Option<World> {
    let url = scratch::database().await?;
    let store: Arc<dyn Store> = Arc::new(SqlStore::connect(&url).await.expect("connects"));
    let folder = tempfile::tempdir().expect("a folder");
    Some(World { service: over(store.clone()), store, _folder: folder })
}

/// A database that several servers share.
enum Place {
    File(tempfile::TempDir),
    Postgres(Box<PostgresUrl>),
}

impl Place {
    fn file() -> Self {
        Self::File(tempfile::tempdir().expect("a folder"))
    }

    /// Where a PostgreSQL is named.
    async fn postgres() -> Option<Self> {
        scratch::database().await.map(|url| Self::Postgres(Box::new(url)))
    }

    /// A server over it, as another process would open it.
    async fn server(&self) -> Service {
        let store = match self {
            Self::File(folder) => SqlStore::open(&folder.path().join("wpaas.db")).await,
            Self::Postgres(url) => SqlStore::connect(url).await,
        };
        over(Arc::new(store.expect("opens")))
    }
}

fn over(store: Arc<dyn Store>) -> Service {
    hashing(store, Passwords::default())
}

fn hashing(store: Arc<dyn Store>, passwords: Passwords) -> Service {
    Service::hashing(store, Arc::new(Keyring::ephemeral()), settings(), passwords)
}

fn settings() -> Settings {
    let mut settings = Settings::new(parse("wpaas.localhost"));
    settings.registration = Registration::Closed;
    settings
}

/// A server with these settings.
fn set(store: Arc<dyn Store>, settings: Settings) -> Service {
    Service::new(store, Arc::new(Keyring::ephemeral()), settings)
}

impl World {
    /// The same store in the hands of a server that is set otherwise.
    fn set(self, change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = self.settings().clone();
        change(&mut settings);
        Self { service: set(self.store.clone(), settings), ..self }
    }

    /// A customer named Acme, and its id.
    async fn acme(&self) -> (Cid, Actor) {
        let new = customer("Acme", "acme");
        let customer = self.register_customer(Some(&Actor::Operator), new, NOW).await.expect("registers");
        (customer.cid.clone(), Actor::Customer(customer.cid))
    }

    async fn kinds(&self) -> Vec<&'static str> {
        kinds(&self.service).await
    }
}

/// What was told, in order.
async fn kinds(service: &Service) -> Vec<&'static str> {
    let events =
        service.events(&Actor::Operator, &EventScope::All.into(), 0, 1000).await.expect("read").items;
    events.iter().map(|event| event.event.kind.as_str()).collect()
}

fn customer(name: &str, username: &str) -> NewCustomer {
    NewCustomer {
        name: name.to_owned(),
        email: parse("owner@acme.example"),
        username: parse(username),
        password: None,
        account: None,
    }
}

fn place(cid: &Cid) -> SitePlace {
    SitePlace { cid: cid.clone(), org: None, space: None }
}

fn path(cid: &Cid, name: &str) -> SitePath {
    SitePath { place: place(cid), name: parse(name) }
}

fn site(name: &str) -> NewSite {
    NewSite::named(parse(name), secret("pass"))
}

fn user(cid: &Cid, name: &str, roles: Vec<RoleGrant>) -> NewUser {
    NewUser {
        cid: cid.clone(),
        username: parse(name),
        name: name.to_owned(),
        email: parse("user@acme.example"),
        password: Some(secret("correct horse")),
        enabled: true,
        spaces: Vec::new(),
        roles,
    }
}

fn code<T>(result: Result<T, ServiceError>) -> &'static str {
    result.map_or_else(|error| error.code(), |_| "ok")
}

macro_rules! on_each_store {
    ($($name:ident)*) => {
        mod memory {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$name(crate::world("memory").await).await;
            })*
        }
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$name(crate::world("sqlite").await).await;
            })*
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                if let Some(world) = crate::world_on_postgres().await {
                    super::$name(world).await;
                }
            })*
        }
    };
}

mod customers;
mod domains;
mod idempotency;
mod logins;
mod orgs;
mod purge;
mod races;
mod scaling;
mod sites;
mod spares;
mod users;
mod webhooks;
