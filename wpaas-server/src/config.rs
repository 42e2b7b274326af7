//! Configuration. A flag wins over the environment, the environment over the file, the file over the default.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use serde::Serialize;
use wpaas_core::name::{Hostname, Slug};
use wpaas_core::site::Pace;

mod aws;
mod choices;
mod file;
mod flags;
mod period;
mod resolve;
mod sso;

pub use aws::{AwsSettings, AwsSubnet, AwsTypes};
pub use choices::{BackendKind, LogFormat, Publish, Registration};
pub use file::File;
pub use flags::{Flags, unknown_variables};
pub use period::{InvalidPeriod, Period};
pub(crate) use sso::is_confidential;
pub use sso::{SsoKind, SsoProvider};

/// What the server runs with, every default filled in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Settings {
    /// Where the API answers.
    pub listen: SocketAddr,
    /// Where nodes report; nothing else is served there.
    pub report_listen: SocketAddr,
    /// The folder of everything that the server keeps.
    pub data: PathBuf,
    /// Where other servers that share the state reach this one's listener for reports, as `http://HOST:PORT`;
    /// 127.0.0.1 without, which will do where all are on one machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advertise: Option<String>,
    /// Where the world reaches the API, as `https://HOST`; what identity providers send browsers back to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub public_url: Option<String>,
    /// What sites run on.
    pub backend: BackendKind,
    /// The domain that sites have their platform names below.
    pub domain: Hostname,
    /// Who may register customers.
    pub registration: Registration,
    /// How many sites are kept ready before anybody asks for one: a new site takes one over, and is there sooner. Each
    /// has a gateway and a database that run.
    pub spares: usize,
    /// How long deleted things can be brought back, unless a request says otherwise.
    pub grace: GraceSettings,
    /// What is logged.
    pub log: LogSettings,
    /// What a request may cost.
    pub limits: LimitSettings,
    /// Where the state is kept.
    pub database: DatabaseSettings,
    /// Where code may come from, and how much of it.
    pub code: CodeSettings,
    /// Where events may be told.
    pub webhooks: WebhookSettings,
    /// Of what answers for the platform's names.
    pub dns: DnsSettings,
    /// Of the edge that sites can share.
    pub edge: EdgeSettings,
    /// How fast sites that are scaled on their load follow it.
    pub autoscale: AutoscaleSettings,
    /// Of the domains that sites ask for.
    pub domains: DomainSettings,
    /// Of the authority that certificates are asked for at; there are none without.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acme: Option<AcmeSettings>,
    /// Of the Docker backend.
    pub docker: DockerSettings,
    /// Of the backend on which nothing real runs.
    pub simulated: SimulatedSettings,
    /// Identity providers that people can sign in with, by the name that the API has for each.
    pub sso: BTreeMap<Slug, SsoProvider>,
    /// Of the AWS backend, where that is the one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aws: Option<AwsSettings>,
}

/// How long deleted things can be brought back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct GraceSettings {
    /// Sites.
    pub site: Period,
    /// Customers.
    pub customer: Period,
}

/// What is logged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LogSettings {
    /// For people or for programs.
    pub format: LogFormat,
    /// As `tracing_subscriber::EnvFilter` takes it.
    pub filter: String,
}

/// What a request may cost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LimitSettings {
    /// Of a request's body.
    pub body_bytes: usize,
    /// Of a report's body.
    pub report_bytes: usize,
    /// From a request's head to its answer's.
    pub timeout: Period,
    /// Requests at a time.
    pub concurrency: usize,
    /// How long open requests are waited for when the server is told to stop.
    pub shutdown: Period,
    /// Requests a second of one customer or user; 0 is no limit.
    pub principal_rate: u32,
    /// Passwords, and other things presented in vain, a minute from one address; 0 is no limit.
    pub attempts_per_minute: u32,
    /// Wrong passwords in a row after which a name is locked out; 0 is never.
    pub lockout_after: u32,
    /// Whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpAddr>,
}

/// Where the state is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct DatabaseSettings {
    /// A `PostgreSQL`, as `postgres://USER@HOST:PORT/DATABASE`; it holds no password. Without, a `SQLite` file in the
    /// data folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// What holds the password of its user, in one line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_file: Option<PathBuf>,
}

/// Where code may come from, and how much of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CodeSettings {
    /// Besides public https and ssh addresses: whatever begins with one of these.
    pub allowed_prefixes: Vec<String>,
    /// S3 endpoints other than AWS's that may be named.
    pub endpoints: Vec<String>,
    /// Buckets that the server's own S3 identity serves.
    pub buckets: Vec<String>,
    /// Keys of ssh servers, as OpenSSH keeps them: any other server is refused. Without, the key of a server that
    /// was never seen is trusted, and kept in the data folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub known_hosts: Option<PathBuf>,
    /// Of all files together, unpacked.
    pub max_bytes: u64,
    /// Files and folders.
    pub max_entries: u64,
    /// For a whole fetch.
    pub max_time: Period,
}

/// Where events may be told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WebhookSettings {
    /// Besides public https addresses: whatever begins with one of these.
    pub allowed_prefixes: Vec<String>,
}

/// Of what answers for the platform's names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DnsSettings {
    /// Whether the platform answers for its names itself.
    pub enabled: bool,
    /// Where, over UDP and TCP.
    pub listen: SocketAddr,
    /// The address of the name server as the world sees it; the one that is listened at without.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
    /// The zone's file; `dns/zone` in the data folder without.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone: Option<PathBuf>,
}

/// Of the edge that sites can share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EdgeSettings {
    /// Whether sites can be reached at it.
    pub enabled: bool,
    /// Where it listens, on the Engine's host.
    pub listen: SocketAddr,
    /// Where it listens for HTTPS, once there is an authority that certificates are asked for at.
    pub listen_tls: SocketAddr,
    /// Its address as the world sees it; the one that is listened at without.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
}

/// How fast sites that are scaled on their load follow it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct AutoscaleSettings {
    /// A rise counts once it has lasted so long.
    pub up_after: Period,
    /// A fall counts once it has lasted so long.
    pub down_after: Period,
}

impl AutoscaleSettings {
    /// As the core takes it.
    #[must_use]
    pub fn pace(&self) -> Pace {
        Pace { up: self.up_after.as_signed(), down: self.down_after.as_signed() }
    }
}

/// Of the domains that sites ask for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DomainSettings {
    /// Whether a site has to prove that a domain is its. Without, the first that asks has it.
    pub verify: bool,
    /// Who is asked what DNS says, as `IP:PORT`; the machine's own resolvers without.
    pub resolvers: Vec<SocketAddr>,
    /// Names of the platform besides its domain, such as that of its API: no site has them.
    pub reserved: Vec<Hostname>,
}

/// Of the authority that certificates are asked for at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AcmeSettings {
    /// The URL of its ACME directory.
    pub directory: String,
    /// E-mail addresses that it may write to.
    pub contact: Vec<String>,
    /// What vouches for its own HTTPS, as PEM; what the machine trusts without.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub root: Option<PathBuf>,
    /// What our account is bound to, where the authority wants that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_account: Option<ExternalAccountSettings>,
    /// Whether the platform's names have wildcard certificates: its zone has to be one that all the world asks.
    pub wildcards: bool,
    /// First certificates in seven days of names below one registered domain.
    pub per_domain: usize,
}

/// An account that an authority knows by other means than ACME (RFC 8555, 7.3.4).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ExternalAccountSettings {
    /// What the authority calls it.
    pub kid: String,
    /// A file with its key, in base64url, as the authority shows it.
    pub hmac_key_file: PathBuf,
}

impl DnsSettings {
    /// Where the zone's file is, for a server with this data folder.
    #[must_use]
    pub fn zone_file(&self, data: &Path) -> PathBuf {
        self.zone.clone().unwrap_or_else(|| data.join("dns/zone"))
    }

    /// The name server, as the world sees it.
    #[must_use]
    pub fn address(&self) -> IpAddr {
        reached_at(self.listen, self.address)
    }
}

impl EdgeSettings {
    /// Where it speaks HTTPS, if it does: only with certificates.
    #[must_use]
    pub fn tls(&self, acme: Option<&AcmeSettings>) -> Option<SocketAddr> {
        acme.map(|_| self.listen_tls)
    }

    /// The edge, as the world sees it.
    #[must_use]
    pub fn address(&self) -> IpAddr {
        reached_at(self.listen, self.address)
    }
}

fn reached_at(listen: SocketAddr, given: Option<IpAddr>) -> IpAddr {
    let everywhere = listen.ip().is_unspecified();
    given.unwrap_or(if everywhere { Ipv4Addr::LOCALHOST.into() } else { listen.ip() })
}

/// Of the Docker backend.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DockerSettings {
    /// Tells the objects of two installations on one Engine apart.
    pub installation: String,
    /// The Engine, as `DOCKER_HOST` names it; that variable, or the usual local one, without.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Where nodes find the listener for reports on this machine, when that is not its own port: a load balancer's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub report_port: Option<u16>,
    /// The range that sites' networks are taken from.
    pub subnets: String,
    /// The image that the nodes' images are built on.
    pub base_image: String,
    /// Whether sites get a port on 127.0.0.1.
    pub publish: Publish,
}

/// Of the backend on which nothing real runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct SimulatedSettings {
    /// A call of it, or a stage of a node's start, takes up to this long.
    pub latency: Period,
}

/// Why the server has no configuration. The text is for the operator.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file can't be read.
    #[error("the configuration file {} can't be read", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file is not what it should be.
    #[error("the configuration file {} is refused", path.display())]
    Refused {
        /// Which.
        path: PathBuf,
        /// Where and why.
        #[source]
        source: Box<toml::de::Error>,
    },
    /// A value that no syntax shows to be wrong.
    #[error("{name}: {reason}")]
    Value {
        /// Of the setting.
        name: &'static str,
        /// What is wrong with it.
        reason: String,
    },
}

impl Settings {
    /// Reads the file that the flags name, if any, and fills in the rest.
    ///
    /// # Errors
    ///
    /// See [`ConfigError`].
    pub fn load(flags: Flags) -> Result<Self, ConfigError> {
        let file = match &flags.config {
            Some(path) => read(path)?,
            None => File::default(),
        };
        resolve::settings(flags, file)
    }
}

fn read(path: &Path) -> Result<File, ConfigError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
    toml::from_str(&text)
        .map_err(|source| ConfigError::Refused { path: path.to_owned(), source: Box::new(source) })
}
