//! Puts the parts together, and takes them apart in order.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use wpaas_core::code::reference::InvalidPolicy;
use wpaas_core::converge::simulated::{Simulated, World};
use wpaas_core::keyring::{Keyring, KeyringError};
use wpaas_core::service::Service;
use wpaas_core::store::{InvalidUrl, StoreError};

use crate::autoscale::Loads;
use crate::backends::{self, BackendStart};
use crate::certificates::{AuthorityError, Certificates, NoTexts, Texts, ZoneTexts};
use crate::cluster::{Cluster, Relay};
use crate::config::Settings;
use crate::domains::{Domains, ResolverError};
use crate::fleet::Fleet;
use crate::listener::{Listening, bind, listen};
use crate::metrics::Metrics;
use crate::operator::{OperatorToken, TokenError};
use crate::rates::Rates;
use crate::router;
use crate::spares::Spares;
use crate::sso::{Sso, SsoError};
use crate::state::{AppState, Shared};
use crate::tasks::Tasks;
use crate::watch::Watch;
use crate::{cluster, code, domain, passwords, purges, spares, storage, webhooks};

/// A server that runs.
#[derive(Debug)]
pub struct Server {
    api: Listening,
    reports: Listening,
    /// Ends the listeners.
    stop_listening: CancellationToken,
    /// What works beside the listeners: stopped after them.
    tasks: Tasks,
    patience: Duration,
    simulated: Option<Arc<Simulated>>,
}

/// Why the server can't start. The text is for the operator.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The data folder can't be used.
    #[error("the data folder {} can't be made", path.display())]
    Data {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// No operator could sign in.
    #[error("there is no operator's token")]
    Token(#[source] TokenError),
    /// Secrets could not be sealed.
    #[error("there is no key file")]
    Keyring(#[source] KeyringError),
    /// The database is not named as it should be.
    #[error("the address of the database is refused")]
    Database(#[source] InvalidUrl),
    /// Nobody can sign in to the database.
    #[error("the file of the database's password, {}, can't be read", path.display())]
    PasswordFile {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The state can't be read.
    #[error("the store can't be opened")]
    Store(#[source] StoreError),
    /// A file that only we may read can't be made.
    #[error("{} can't be made", path.display())]
    File {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Nobody could sign in by a provider that is configured.
    #[error("single sign-on can't be set up")]
    Sso(#[source] SsoError),
    /// What is allowed as code is not what its author thinks.
    #[error("the policy for code is refused")]
    Policy(#[source] InvalidPolicy),
    /// Nobody could be told of events.
    #[error("messages to webhooks can't be sent")]
    Webhooks(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Nobody can tell whose a domain is.
    #[error("claims on domains can't be looked at")]
    Resolver(#[source] ResolverError),
    /// No certificates can be asked for as it is configured.
    #[error("certificates can't be asked for")]
    Certificates(#[source] Box<AuthorityError>),
    /// Nothing to run sites on.
    #[error("the backend can't be started")]
    Backend(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Somebody else may be listening there.
    #[error("can't listen at {address}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

impl Server {
    /// Opens what is in the data folder, binds, and begins to answer and to converge.
    ///
    /// # Errors
    ///
    /// See [`StartError`].
    pub async fn start(settings: Settings) -> Result<Self, StartError> {
        Self::start_in(settings, World::default()).await
    }

    /// As [`Server::start`] does; where nothing real runs, in a world that is there already.
    ///
    /// # Errors
    ///
    /// See [`StartError`].
    pub async fn start_in(settings: Settings, world: World) -> Result<Self, StartError> {
        // Nodes and other servers are told where it is.
        let reports = bind(settings.report_listen).await?;
        let settings = Arc::new(Settings { report_listen: reports.address, ..settings });
        let (state, tasks) = open(&settings, world).await?;
        let simulated = state.simulated.clone();
        let stop_listening = state.stopping.clone();
        let api = listen(bind(settings.listen).await?, router::api(state.clone()), &stop_listening);
        let reports = listen(reports, router::reports(state), &stop_listening);
        tracing::info!(api = %api.address(), reports = %reports.address(), "ready for requests");
        Ok(Self {
            api,
            reports,
            stop_listening,
            tasks,
            patience: settings.limits.shutdown.as_std(),
            simulated,
        })
    }

    /// Where the API answers.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.api.address()
    }

    /// Where nodes report.
    #[must_use]
    pub const fn report_address(&self) -> SocketAddr {
        self.reports.address()
    }

    /// What runs, where nothing real does.
    #[must_use]
    pub fn simulated(&self) -> Option<&Simulated> {
        self.simulated.as_deref()
    }

    /// Completes when a part that should run for ever has ended: only stopping is left then.
    pub async fn broken(&self) {
        tokio::select! {
            () = self.tasks.broken() => {}
            () = self.api.broken() => {}
            () = self.reports.broken() => {}
        }
    }

    /// Takes no more requests, waits a bounded time for those that run, then ends the converger between two
    /// steps.
    pub async fn stop(self) {
        self.stop_listening.cancel();
        tokio::join!(self.api.ended(self.patience), self.reports.ended(self.patience));
        self.tasks.stop(self.patience).await;
    }
}

/// Everything but the listeners.
pub async fn open(settings: &Arc<Settings>, world: World) -> Result<(AppState, Tasks), StartError> {
    let data = &settings.data;
    storage::private_folder(data).map_err(|source| StartError::Data { path: data.clone(), source })?;
    let operator = OperatorToken::load_or_create(data).map_err(StartError::Token)?;
    let keyring = Keyring::open_or_create(&data.join("keys")).map_err(StartError::Keyring)?;
    let sso = Sso::new(settings).map_err(StartError::Sso)?;
    let code_policy = code::policy(&settings.code)?;
    let store = storage::open(settings).await?;
    let service = Service::new(store, Arc::new(keyring), domain::settings(settings));
    let releases = code::releases(data)?;
    let watch = Watch::default();
    let mut tasks = Tasks::default();
    let Cluster { tenure, peers } = cluster::start(settings, &service, &mut tasks)?;
    service.tends_spares_by(tenure.clone());
    let loads = Loads::new(settings.autoscale.pace());
    let start = BackendStart {
        settings,
        service: &service,
        releases: &releases,
        watch: &watch,
        tenure: &tenure,
        peers: &peers,
        loads: &loads,
        tasks: &mut tasks,
        world,
    };
    let backends::Started { converger, simulated, fleet, names, texts: hosted } =
        backends::start(start).await?;
    let stopping = tasks.stopping();
    let findings = watch.findings();
    let (its_settings, its_service, its_converger) = (settings.clone(), service.clone(), converger.clone());
    let its_tenure = tenure.clone();
    let texts = Arc::new(ZoneTexts::new(settings.dns.listen));
    let records = texts.records();
    tasks.spawn("fleet", {
        let stopping = stopping.clone();
        async move {
            stopping
                .run_until_cancelled(async {
                    let fleet = Fleet::new(
                        &its_settings,
                        its_service,
                        its_converger,
                        its_tenure,
                        fleet,
                        names,
                        records,
                    )
                    .await;
                    fleet.run(findings).await;
                })
                .await;
        }
    });
    let domains = Domains::new(&settings.domains, service.clone()).map_err(StartError::Resolver)?;
    tasks.spawn("domains", domains.clone().run(tenure.clone(), stopping.clone().cancelled_owned()));
    tasks.spawn(
        "autoscaling",
        loads.clone().run(service.clone(), tenure.clone(), stopping.clone().cancelled_owned()),
    );
    if let Some(acme) = &settings.acme {
        let own: Arc<dyn Texts> = if settings.dns.enabled { texts } else { Arc::new(NoTexts) };
        let texts = hosted.unwrap_or(own);
        let certificates = Certificates::new(acme, service.clone(), texts).await;
        let certificates = certificates.map_err(|error| StartError::Certificates(Box::new(error)))?;
        tasks.spawn("certificates", certificates.run(tenure.clone(), stopping.clone().cancelled_owned()));
    }
    tasks.spawn("customer removal", purges::run(service.clone(), tenure.clone(), stopping.cancelled_owned()));
    tasks.spawn("spares", spares::run(service.clone(), tenure.clone(), tasks.stopping().cancelled_owned()));
    tasks.spawn("admin password hashing", passwords::run(service.clone(), tasks.stopping()));
    webhooks::start(&service, &tenure, &mut tasks)?;
    code::start_worker(settings, &code_policy, &service, releases, &tenure, &mut tasks)?;
    let spares = Spares::default();
    let metrics = Metrics::new(|registry| {
        watch.register(registry);
        spares.register(registry);
    });
    let state = Shared {
        settings: settings.clone(),
        service,
        converger,
        domains,
        loads,
        code_policy: Arc::new(code_policy),
        operator,
        relay: Relay::new(peers.clone(), settings.limits.report_bytes),
        metrics,
        spares,
        watch,
        rates: Arc::new(Rates::new(&settings.limits, peers)),
        sso: Arc::new(sso),
        stopping: CancellationToken::new(),
        simulated,
    };
    Ok((state.into(), tasks))
}
