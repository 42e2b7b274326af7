//! Sites as they are asked for: what the service takes has a plan that breaks no rule, and files whose lines are what
//! was meant.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use jiff::Timestamp;
use tokio::runtime::Runtime;
use wpaas_core::access::Actor;
use wpaas_core::code::reference::{CodePolicy, parse_plain};
use wpaas_core::converge::{Facts, Routes, RunIntent, Wanted, lint, plan};
use wpaas_core::converge::{FileContent, Intent, NodeFile, ReleaseRef};
use wpaas_core::keyring::Keyring;
use wpaas_core::name::Cid;
use wpaas_core::node::{CanonicalUrl, GatewayConfig, Purpose, WordpressSite};
use wpaas_core::secret::Secret;
use wpaas_core::service::{Mode, NewCustomer, NewSite, Service, ServiceError, Settings, SitePlace};
use wpaas_core::site::{AddressKind, DatabaseSize, Features};
use wpaas_core::store::memory::MemoryStore;

struct World {
    runtime: Runtime,
    service: Service,
    cid: Cid,
}

fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let settings = Settings::new("wpaas.example.com".parse().unwrap());
        let service =
            Service::new(Arc::new(MemoryStore::default()), Arc::new(Keyring::ephemeral()), settings);
        let acme = NewCustomer {
            name: "Acme".into(),
            email: "owner@acme.example".parse().unwrap(),
            username: "acme".parse().unwrap(),
            password: None,
            account: None,
        };
        let made = service.register_customer(Some(&Actor::Operator), acme, Timestamp::UNIX_EPOCH);
        let cid = runtime.block_on(made).unwrap().cid;
        World { runtime, service, cid }
    })
}

/// One field a line.
fn asked(text: &str) -> Option<NewSite> {
    let mut lines = text.split('\n');
    let mut line = || lines.next().unwrap_or_default();
    Some(NewSite {
        name: line().parse().ok()?,
        title: Some(line().to_owned()).filter(|title| !title.is_empty()),
        admin_username: line().parse().ok(),
        admin_email: line().parse().ok(),
        admin_password: Some(Secret::new(line().to_owned())),
        code: parse_plain(line(), &CodePolicy::default()).ok(),
        code_credential: None,
        num_instances: line().parse().ok(),
        database: [None, Some(DatabaseSize::One), Some(DatabaseSize::Three)][line().len() % 3],
        features: Features::default(),
        primary_domain: line().parse().ok(),
        labels: line()
            .split(' ')
            .filter_map(|label| label.split_once('='))
            .map(|(k, v)| (k.into(), v.into()))
            .collect(),
        domains: line().split(' ').filter_map(|name| name.parse().ok()).collect(),
        address: if line().is_empty() { AddressKind::Own } else { AddressKind::Shared },
        routes: BTreeMap::default(),
        deletion_protection: false,
    })
}

fn lines(files: &[NodeFile]) -> usize {
    let texts = files.iter().filter_map(|file| match &file.content {
        FileContent::Text(text) => Some(text.lines().count()),
        FileContent::Secret(_) => None,
    });
    texts.sum()
}

/// No value of the site's makes another line of its own.
fn smuggles_nothing(intent: &Intent, run: &RunIntent) {
    let routes = Routes::default();
    let names = run.authorities.len() + run.redirects.len();
    assert_eq!(lines(&GatewayConfig::new(run, None, &routes).files()), names + 4, "{run:?}");
    let url = CanonicalUrl::Home("www.example.com");
    let node = WordpressSite::new(intent.site, run, Purpose::Visitors, ReleaseRef::Stock, url);
    assert_eq!(lines(&node.live_files()), 10, "{run:?}");
}

/// Panics where the target does not keep it.
pub fn keeps(text: &str) {
    let Some(new) = asked(text) else { return };
    let World { runtime, service, cid } = world();
    let place = SitePlace { cid: cid.clone(), org: None, space: None };
    let now = Timestamp::UNIX_EPOCH;
    match runtime.block_on(service.create_site(&Actor::Operator, &place, new, Mode::DryRun, now)) {
        Ok(view) => {
            let intent = service.intent_of(&view, now);
            let (facts, Wanted::Run(run)) = (Facts::nothing(), &intent.wanted) else { panic!("{intent:?}") };
            let plan = plan(&intent, &facts);
            lint(&intent, &facts, &plan).unwrap_or_else(|broken| panic!("{broken}\n{plan}"));
            smuggles_nothing(&intent, run);
        }
        Err(
            ServiceError::Invalid { .. } | ServiceError::Conflict { .. } | ServiceError::QuotaExceeded { .. },
        ) => {}
        Err(error) => panic!("{text:?}: {error}"),
    }
}
