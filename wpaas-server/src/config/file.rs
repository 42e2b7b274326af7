//! The configuration file: TOML, every key optional, unknown ones refused by name.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use serde::Deserialize;
use wpaas_core::name::{Hostname, Slug};

use super::{AwsSubnet, BackendKind, LogFormat, Period, Publish, Registration, SsoKind};

/// What a configuration file may say; the names are those of [`super::Settings`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "as in the settings")]
pub struct File {
    pub listen: Option<SocketAddr>,
    pub report_listen: Option<SocketAddr>,
    pub data: Option<PathBuf>,
    pub advertise: Option<String>,
    pub public_url: Option<String>,
    pub backend: Option<BackendKind>,
    pub domain: Option<Hostname>,
    pub registration: Option<Registration>,
    pub spares: Option<usize>,
    pub grace: Grace,
    pub log: Log,
    pub limits: Limits,
    pub database: Database,
    pub code: Code,
    pub webhooks: Webhooks,
    pub dns: Dns,
    pub edge: Edge,
    pub domains: Domains,
    pub autoscale: Autoscale,
    pub acme: Acme,
    pub docker: Docker,
    pub simulated: Simulated,
    pub sso: BTreeMap<Slug, Sso>,
    pub aws: Option<Aws>,
}

/// `[grace]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Grace {
    pub site: Option<Period>,
    pub customer: Option<Period>,
}

/// `[log]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    pub format: Option<LogFormat>,
    pub filter: Option<String>,
}

/// `[limits]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    pub body_bytes: Option<usize>,
    pub report_bytes: Option<usize>,
    pub timeout: Option<Period>,
    pub concurrency: Option<usize>,
    pub shutdown: Option<Period>,
    pub principal_rate: Option<u32>,
    pub attempts_per_minute: Option<u32>,
    pub lockout_after: Option<u32>,
    pub trusted_proxies: Option<Vec<IpAddr>>,
}

/// `[database]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Database {
    pub url: Option<String>,
    pub password_file: Option<PathBuf>,
}

/// `[code]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Code {
    pub allowed_prefixes: Option<Vec<String>>,
    pub endpoints: Option<Vec<String>>,
    pub buckets: Option<Vec<String>>,
    pub known_hosts: Option<PathBuf>,
    pub max_bytes: Option<u64>,
    pub max_entries: Option<u64>,
    pub max_time: Option<Period>,
}

/// `[webhooks]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Webhooks {
    pub allowed_prefixes: Option<Vec<String>>,
}

/// `[dns]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Dns {
    pub enabled: Option<bool>,
    pub listen: Option<SocketAddr>,
    pub address: Option<IpAddr>,
    pub zone: Option<PathBuf>,
}

/// `[edge]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Edge {
    pub enabled: Option<bool>,
    pub listen: Option<SocketAddr>,
    pub listen_tls: Option<SocketAddr>,
    pub address: Option<IpAddr>,
}

/// `[autoscale]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Autoscale {
    pub up_after: Option<Period>,
    pub down_after: Option<Period>,
}

/// `[domains]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Domains {
    pub verify: Option<bool>,
    pub resolvers: Option<Vec<SocketAddr>>,
    pub reserved: Option<Vec<Hostname>>,
}

/// `[aws]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Aws {
    pub installation: Option<String>,
    pub region: Option<String>,
    pub vpc: Option<String>,
    pub subnets: Vec<AwsSubnet>,
    pub bucket: Option<String>,
    pub profile: Option<String>,
    pub role_id: Option<String>,
    pub image: Option<String>,
    pub zone: Option<String>,
    pub database_gib: Option<u32>,
    pub reports: Option<String>,
    pub listing_lag: Option<Period>,
    pub boot_patience: Option<Period>,
    pub types: AwsTypes,
    pub endpoint: Option<String>,
}

/// `[aws.types]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AwsTypes {
    pub database: Option<Vec<String>>,
    pub wordpress: Option<Vec<String>>,
    pub gateway: Option<Vec<String>>,
}

/// `[acme]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Acme {
    pub directory: Option<String>,
    pub contact: Option<Vec<String>>,
    pub root: Option<PathBuf>,
    pub external_account: Option<ExternalAccount>,
    pub wildcards: Option<bool>,
    pub per_domain: Option<usize>,
}

/// `[acme.external_account]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ExternalAccount {
    pub kid: Option<String>,
    pub hmac_key_file: Option<PathBuf>,
}

/// `[simulated]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Simulated {
    pub latency: Option<Period>,
}

/// `[docker]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Docker {
    pub installation: Option<String>,
    pub host: Option<String>,
    pub report_port: Option<u16>,
    pub subnets: Option<String>,
    pub base_image: Option<String>,
    pub publish: Option<Publish>,
}

/// `[sso.NAME]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sso {
    pub kind: Option<SsoKind>,
    pub title: Option<String>,
    pub issuer: Option<String>,
    pub client_id: String,
    pub client_secret_file: PathBuf,
    pub trust_email: Option<bool>,
}
