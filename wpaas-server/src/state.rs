//! What every handler may reach.

use std::ops::Deref;
use std::sync::Arc;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;
use wpaas_core::code::reference::CodePolicy;
use wpaas_core::converge::ConvergerHandle;
use wpaas_core::converge::simulated::Simulated;
use wpaas_core::service::{Registration, Service, SiteView};

use crate::autoscale::Loads;
use crate::cluster::Relay;
use crate::config::Settings;
use crate::domains::Domains;
use crate::dto::site::SiteDto;
use crate::metrics::Metrics;
use crate::operator::OperatorToken;
use crate::rates::Rates;
use crate::spares::Spares;
use crate::sso::Sso;
use crate::watch::Watch;

/// Shared by all requests; cheap to clone, as every layer of a request does.
#[derive(Debug, Clone)]
pub struct AppState(Arc<Shared>);

impl From<Shared> for AppState {
    fn from(shared: Shared) -> Self {
        Self(Arc::new(shared))
    }
}

impl Deref for AppState {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

/// What is shared.
#[derive(Debug, Clone)]
pub struct Shared {
    pub settings: Arc<Settings>,
    pub service: Service,
    pub converger: ConvergerHandle,
    pub domains: Domains,
    /// What the sites' gateways count.
    pub loads: Loads,
    pub code_policy: Arc<CodePolicy>,
    pub operator: OperatorToken,
    pub relay: Relay,
    pub metrics: Metrics,
    /// Counts the sites that nobody has asked for yet.
    pub spares: Spares,
    pub watch: Watch,
    /// Who asks how often.
    pub rates: Arc<Rates>,
    /// Whom people can sign in with.
    pub sso: Arc<Sso>,
    /// The server is to stop: streams end.
    pub stopping: CancellationToken,
    /// Where nothing real runs, and every answer says so.
    pub simulated: Option<Arc<Simulated>>,
}

impl Shared {
    /// A site as it is answered.
    pub fn shown(&self, view: SiteView) -> SiteDto {
        let scaling = self.loads.decide(&view.site, Timestamp::now());
        SiteDto::new(view, self.simulated.is_some(), scaling)
    }

    /// Whether anyone may register customers.
    pub fn registration_is_open(&self) -> bool {
        self.service.settings().registration == Registration::Open
    }
}
