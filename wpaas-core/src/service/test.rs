//! What the services' unit tests share.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::account::{Customer, CustomerPlan, Lifecycle, Payment};
use crate::defaults;
use crate::id::SiteId;
use crate::name::{Cid, Username};
use crate::service::Settings;
use crate::site::{
    AddressKind, Admin, Certificates, CodeState, DatabaseSize, DomainClaims, Features, Releases, Site,
    SiteLifecycle, SiteSpec,
};

pub(crate) const NOW: Timestamp = Timestamp::constant(1_800_000_000, 0);

pub(crate) fn parse<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().unwrap()
}

pub(crate) fn cid() -> Cid {
    parse("acm")
}

pub(crate) fn settings() -> Settings {
    Settings::new(parse("wpaas.localhost"))
}

pub(crate) fn customer(lifecycle: Lifecycle) -> Customer {
    Customer {
        cid: cid(),
        name: "Acme".to_owned(),
        email: parse("owner@acme.example"),
        username: parse("acme"),
        plan: CustomerPlan::Free,
        lifecycle,
        payment: Payment::default(),
        payment_accounts: BTreeMap::new(),
        created_at: NOW,
        version: 1,
    }
}

pub(crate) fn site() -> Site {
    let org = defaults::org_id(&cid());
    Site {
        id: SiteId::new(),
        cid: cid(),
        org,
        space: defaults::space_id(org),
        name: parse("blog"),
        generation: 1,
        spec: SiteSpec {
            title: "Blog".to_owned(),
            admin: Admin {
                username: Username::admin(),
                email: parse("owner@acme.example"),
                password_version: 1,
            },
            code: None,
            num_instances: 2,
            database: DatabaseSize::Three,
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
        created_at: NOW,
        version: 1,
    }
}
