use std::sync::Arc;

use jiff::Timestamp;
use wpaas_core::access::Actor;
use wpaas_core::converge::Intents as _;
use wpaas_core::keyring::Keyring;
use wpaas_core::secret::{Secret, SecretError, SecretName, SecretRef, Secrets as _};
use wpaas_core::service::{
    ClaimsToLookAt, DomainEvidence, IfMatch, Mode, NewCustomer, NewSite, Service, Settings, SitePath,
    SitePlace, SiteUpdate, SiteView,
};
use wpaas_core::site::{
    CertificateRules, CertificateState, Condition, ConditionKind, IssuedCertificate, SiteStatus, Truth,
};
use wpaas_core::store::Store;
use wpaas_core::store::memory::MemoryStore;
use wpaas_server::certificates::{Certificates, NoTexts};
use wpaas_server::config::AcmeSettings;

use super::gateway::Gateway;
use crate::domains::Dns;
use crate::pebble::{Pebble, Temper};

/// A control plane whose sites have certificates, each for its own platform name, below wpaas.example.com.
pub struct World {
    pub service: Service,
    pub settings: AcmeSettings,
    pub gateway: Gateway,
    pub dns: Dns,
    pub sites: Vec<String>,
}

impl World {
    /// With so many sites, whose names all lead to the gateway.
    pub async fn of(sites: usize) -> Self {
        Self::over(Arc::new(MemoryStore::default()), sites).await
    }

    /// The same over this store.
    pub async fn over(store: Arc<dyn Store>, sites: usize) -> Self {
        let mut settings = Settings::new("wpaas.example.com".parse().unwrap());
        settings.certificates = Some(CertificateRules { wildcards: false });
        let service = Service::new(store, Arc::new(Keyring::ephemeral()), settings);
        let sites: Vec<String> = (0..sites).map(|n| format!("s{n}")).collect();
        let dns = Dns::start();
        let record = |site: &String| format!("{site}.acm.www.wpaas IN A 127.0.0.1\n");
        dns.says(&format!(
            "{}www IN A 127.0.0.1\nwhole IN TXT \"yes\"\n",
            sites.iter().map(record).collect::<String>()
        ));
        served(&dns).await;
        let new = NewCustomer {
            name: "Acme".to_owned(),
            email: "owner@acme.example".parse().unwrap(),
            username: "acme".parse().unwrap(),
            password: None,
            account: None,
        };
        service.register_customer(Some(&Actor::Operator), new, Timestamp::now()).await.unwrap();
        for name in &sites {
            let now = Timestamp::now();
            let made = service.create_site(&Actor::Operator, &place(), blog(name), Mode::Commit, now).await;
            made.unwrap();
        }
        let settings = AcmeSettings {
            directory: String::new(),
            contact: vec!["ops@example.com".to_owned()],
            root: None,
            external_account: None,
            wildcards: false,
            per_domain: 1000,
        };
        Self { service, settings, gateway: Gateway::start().await, dns, sites }
    }

    /// An authority that sees this world.
    pub fn pebble(&mut self, temper: Temper) -> Pebble {
        let pebble = Pebble::start(self.dns.at, self.gateway.port, temper);
        self.settings.directory = pebble.directory();
        self.settings.root = Some(pebble.root());
        pebble
    }

    /// With gateways that answer as they are told to.
    pub async fn certificates(&self) -> Certificates {
        let mut certificates = self.untold().await;
        self.tell_gateways(&mut certificates).await;
        certificates
    }

    /// With gateways that were told nothing.
    pub async fn untold(&self) -> Certificates {
        Certificates::new(&self.settings, self.service.clone(), Arc::new(NoTexts)).await.unwrap()
    }

    /// The gateways of all sites answer as they are told to now, and say so.
    pub async fn tell_gateways(&self, certificates: &mut Certificates) {
        let thumbprint = certificates.thumbprint().unwrap();
        self.gateway.answers_with(&thumbprint);
        for name in &self.sites {
            let site = self.site(name).await.site.id;
            self.service.intents().record(site, &up(Timestamp::now(), &thumbprint)).await.unwrap();
        }
        certificates.sweep().await.unwrap();
    }

    pub async fn site(&self, name: &str) -> SiteView {
        let path = SitePath { place: place(), name: name.parse().unwrap() };
        self.service.site(&Actor::Operator, &path).await.unwrap()
    }

    /// What the site has, and what was said when it was last refused.
    pub async fn standing(&self, name: &str) -> (CertificateState, Option<IssuedCertificate>, String) {
        let [view] = &self.site(name).await.certificates[..] else { panic!("one certificate") };
        let failure = view.certificate.failure.as_ref().map_or("", |failure| &failure.error);
        (view.state, view.certificate.issued, failure.to_owned())
    }

    /// Whether the certificate is there, and why not or not anew, as the site's status says it.
    pub async fn condition(&self, name: &str) -> (Truth, String) {
        let status = self.site(name).await.status.unwrap().status;
        let found = status.conditions.into_iter().find(|it| it.kind == ConditionKind::CertificateReady);
        let Condition { status, message, .. } = found.unwrap();
        (status, message.into_owned())
    }

    /// The site asks for these domains, which are believed to be its.
    pub async fn has_domains(&self, name: &str, domains: &[&str]) {
        let path = SitePath { place: place(), name: name.parse().unwrap() };
        let (operator, now) = (Actor::Operator, Timestamp::now());
        let domains = Some(domains.iter().map(|domain| domain.parse().unwrap()).collect());
        let update = SiteUpdate { domains, ..SiteUpdate::default() };
        self.service.update_site(&operator, &path, update, IfMatch::Any, Mode::Commit, now).await.unwrap();
        let ClaimsToLookAt { site, wants } = self.service.claims_to_check(&operator, &path).await.unwrap();
        let found: Vec<_> = wants.into_iter().map(|wants| (wants, DomainEvidence::Trusted)).collect();
        self.service.record_evidence(site, &found, false, now).await.unwrap();
    }

    /// The PEM that a gateway gets.
    pub async fn pem(&self, name: &str, version: u64) -> Result<String, SecretError> {
        let site = self.site(name).await.site.id;
        let secret = SecretRef { site, name: SecretName::Certificate, version };
        self.service.secrets().get(&secret).await.map(|pem| pem.expose().to_owned())
    }
}

/// Waits until the zone is answered: what is written to its file is served a moment later.
async fn served(dns: &Dns) {
    let began = std::time::Instant::now();
    while wpaas_server::dns::texts_at(dns.at, "whole.example.com").await.is_empty() {
        assert!(began.elapsed().as_secs() < 60, "the zone is not served");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

/// What is found of a site that is up, whose gateway answers authorities with this.
pub fn up(now: Timestamp, thumbprint: &str) -> SiteStatus {
    let ready = |kind| Condition {
        kind,
        status: Truth::True,
        reason: "Synced".into(),
        message: "".into(),
        since: now,
    };
    SiteStatus {
        observed_generation: 1,
        num_instances: 1,
        database_instances: 1,
        address: None,
        conditions: vec![ready(ConditionKind::DatabaseReady), ready(ConditionKind::CertificateReady)],
        parts: Vec::new(),
        waiting: Vec::new(),
        last_error: None,
        next_try: None,
        wordpress_version: None,
        challenge: Some(thumbprint.to_owned()),
    }
}

pub fn place() -> SitePlace {
    SitePlace { cid: "acm".parse().unwrap(), org: None, space: None }
}

pub fn blog(name: &str) -> NewSite {
    NewSite::named(name.parse().unwrap(), Secret::new("a fine password".to_owned()))
}
