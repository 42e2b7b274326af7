//! Flags, each with its variable in the environment.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use clap::{Args, CommandFactory};
use wpaas_core::name::Hostname;

use super::{BackendKind, LogFormat, Period, Publish, Registration};

/// What the command line and the environment say. Lists are separated by commas.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct Flags {
    /// A TOML file; flags and environment win over it
    #[arg(long, env = "WPAAS_CONFIG", global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Where the API answers [default: 127.0.0.1:8080]
    #[arg(long, env = "WPAAS_LISTEN", global = true, value_name = "ADDRESS")]
    pub listen: Option<SocketAddr>,
    /// Where the sites' nodes report; nothing else is served there [default: 0.0.0.0:8010]
    #[arg(long, env = "WPAAS_REPORT_LISTEN", global = true, value_name = "ADDRESS")]
    pub report_listen: Option<SocketAddr>,
    /// The folder of all that the server keeps [default: ./.wpaas/data]
    #[arg(long, env = "WPAAS_DATA", global = true, value_name = "FOLDER")]
    pub data: Option<PathBuf>,
    /// A `PostgreSQL` that several servers can share, as <postgres://USER@HOST:PORT/DATABASE>; without a password
    /// [default: a `SQLite` file in the data folder]
    #[arg(long = "database", env = "WPAAS_DATABASE_URL", global = true, value_name = "URL")]
    pub database_url: Option<String>,
    /// The file with the password of the database's user [default: libpq's ~/.pgpass]
    #[arg(long, env = "WPAAS_DATABASE_PASSWORD_FILE", global = true, value_name = "FILE")]
    pub database_password_file: Option<PathBuf>,
    /// Where other servers on the same database reach this one's listener for reports [default: 127.0.0.1]
    #[arg(long, env = "WPAAS_ADVERTISE", global = true, value_name = "URL")]
    pub advertise: Option<String>,
    /// Where the world reaches the API, as <https://HOST>; needed for single sign-on
    #[arg(long, env = "WPAAS_PUBLIC_URL", global = true, value_name = "URL")]
    pub public_url: Option<String>,
    /// What sites run on [default: docker]
    #[arg(long, env = "WPAAS_BACKEND", global = true)]
    pub backend: Option<BackendKind>,
    /// The domain that sites have their platform names below [default: wpaas.localhost]
    #[arg(long, env = "WPAAS_DOMAIN", global = true)]
    pub domain: Option<Hostname>,
    /// Who may register customers [default: closed]
    #[arg(long, env = "WPAAS_REGISTRATION", global = true)]
    pub registration: Option<Registration>,
    /// Sites kept ready before anybody asks for one, for new sites to take over [default: 0]
    #[arg(long, env = "WPAAS_SPARES", global = true, value_name = "NUMBER")]
    pub spares: Option<usize>,
    /// How long a deleted site can be restored [default: 24h]
    #[arg(long, env = "WPAAS_GRACE_SITE", global = true, value_name = "PERIOD")]
    pub grace_site: Option<Period>,
    /// How long a customer's deletion can be cancelled [default: 7d]
    #[arg(long, env = "WPAAS_GRACE_CUSTOMER", global = true, value_name = "PERIOD")]
    pub grace_customer: Option<Period>,
    /// For people or for programs [default: text]
    #[arg(long, env = "WPAAS_LOG_FORMAT", global = true)]
    pub log_format: Option<LogFormat>,
    /// What is logged, such as `info,wpaas_server=debug` [default: info]
    #[arg(long, env = "WPAAS_LOG_FILTER", global = true, value_name = "FILTER")]
    pub log_filter: Option<String>,
    /// The largest body of a request [default: 262144]
    #[arg(long, env = "WPAAS_LIMITS_BODY_BYTES", global = true, value_name = "BYTES")]
    pub limits_body_bytes: Option<usize>,
    /// The largest body of a node's report [default: 16384]
    #[arg(long, env = "WPAAS_LIMITS_REPORT_BYTES", global = true, value_name = "BYTES")]
    pub limits_report_bytes: Option<usize>,
    /// The longest time that a request may take [default: 30s]
    #[arg(long, env = "WPAAS_LIMITS_TIMEOUT", global = true, value_name = "PERIOD")]
    pub limits_timeout: Option<Period>,
    /// Requests at a time [default: 256]
    #[arg(long, env = "WPAAS_LIMITS_CONCURRENCY", global = true, value_name = "NUMBER")]
    pub limits_concurrency: Option<usize>,
    /// How long a stop waits for open requests [default: 10s]
    #[arg(long, env = "WPAAS_LIMITS_SHUTDOWN", global = true, value_name = "PERIOD")]
    pub limits_shutdown: Option<Period>,
    /// Requests a second of one customer or user; 0 is no limit [default: 300]
    #[arg(long, env = "WPAAS_LIMITS_PRINCIPAL_RATE", global = true, value_name = "NUMBER")]
    pub limits_principal_rate: Option<u32>,
    /// Passwords, and other things presented in vain, a minute from one address; 0 is no limit [default: 60]
    #[arg(long, env = "WPAAS_LIMITS_ATTEMPTS_PER_MINUTE", global = true, value_name = "NUMBER")]
    pub limits_attempts_per_minute: Option<u32>,
    /// Wrong passwords in a row after which a name is locked out for a while; 0 is never [default: 10]
    #[arg(long, env = "WPAAS_LIMITS_LOCKOUT_AFTER", global = true, value_name = "NUMBER")]
    pub limits_lockout_after: Option<u32>,
    /// Proxies in front of this server, whose X-Forwarded-For is believed
    #[arg(
        long,
        env = "WPAAS_LIMITS_TRUSTED_PROXIES",
        global = true,
        value_delimiter = ',',
        value_name = "ADDRESS"
    )]
    pub limits_trusted_proxies: Option<Vec<IpAddr>>,
    /// Allows code from addresses that begin like this, private ones too
    #[arg(
        long,
        env = "WPAAS_CODE_ALLOWED_PREFIXES",
        global = true,
        value_delimiter = ',',
        value_name = "URL"
    )]
    pub code_allowed_prefixes: Option<Vec<String>>,
    /// Allows S3 endpoints other than AWS's
    #[arg(long, env = "WPAAS_CODE_ENDPOINTS", global = true, value_delimiter = ',', value_name = "URL")]
    pub code_endpoints: Option<Vec<String>>,
    /// Buckets that the server's own S3 identity serves
    #[arg(long, env = "WPAAS_CODE_BUCKETS", global = true, value_delimiter = ',', value_name = "BUCKET")]
    pub code_buckets: Option<Vec<String>>,
    /// Keys of ssh servers; without, that of a server never seen before is trusted and kept
    #[arg(long, env = "WPAAS_CODE_KNOWN_HOSTS", global = true, value_name = "FILE")]
    pub code_known_hosts: Option<PathBuf>,
    /// The most bytes of a site's code, unpacked [default: 1073741824]
    #[arg(long, env = "WPAAS_CODE_MAX_BYTES", global = true, value_name = "BYTES")]
    pub code_max_bytes: Option<u64>,
    /// The most files and folders of a site's code [default: 100000]
    #[arg(long, env = "WPAAS_CODE_MAX_ENTRIES", global = true, value_name = "NUMBER")]
    pub code_max_entries: Option<u64>,
    /// The longest time that fetching a site's code may take [default: 5m]
    #[arg(long, env = "WPAAS_CODE_MAX_TIME", global = true, value_name = "PERIOD")]
    pub code_max_time: Option<Period>,
    /// Allows webhooks at addresses that begin like this, private ones and plain http too
    #[arg(
        long,
        env = "WPAAS_WEBHOOKS_ALLOWED_PREFIXES",
        global = true,
        value_delimiter = ',',
        value_name = "URL"
    )]
    pub webhooks_allowed_prefixes: Option<Vec<String>>,
    /// Whether the platform answers for its sites' names itself [default: true]
    #[arg(long, env = "WPAAS_DNS_ENABLED", global = true, value_name = "BOOL")]
    pub dns_enabled: Option<bool>,
    /// Where DNS is answered, over UDP and TCP [default: 127.0.0.1:5300]
    #[arg(long, env = "WPAAS_DNS_LISTEN", global = true, value_name = "ADDRESS")]
    pub dns_listen: Option<SocketAddr>,
    /// The address of the name server as the world sees it [default: the one that is listened at]
    #[arg(long, env = "WPAAS_DNS_ADDRESS", global = true, value_name = "IP")]
    pub dns_address: Option<IpAddr>,
    /// The file of the zone [default: `dns/zone` in the data folder]
    #[arg(long, env = "WPAAS_DNS_ZONE", global = true, value_name = "FILE")]
    pub dns_zone: Option<PathBuf>,
    /// Whether sites can share an edge [default: true]
    #[arg(long, env = "WPAAS_EDGE_ENABLED", global = true, value_name = "BOOL")]
    pub edge_enabled: Option<bool>,
    /// Where the edge listens [default: 127.0.0.1:8000]
    #[arg(long, env = "WPAAS_EDGE_LISTEN", global = true, value_name = "ADDRESS")]
    pub edge_listen: Option<SocketAddr>,
    /// Where the edge listens for HTTPS, with an authority that certificates are asked for at [default: port 8443, or 443
    /// beside port 80, of the same address]
    #[arg(long, env = "WPAAS_EDGE_LISTEN_TLS", global = true, value_name = "ADDRESS")]
    pub edge_listen_tls: Option<SocketAddr>,
    /// The edge's address as the world sees it [default: the one that is listened at]
    #[arg(long, env = "WPAAS_EDGE_ADDRESS", global = true, value_name = "IP")]
    pub edge_address: Option<IpAddr>,
    /// How long a rise of a site's load lasts before it gets more instances [default: 15s]
    #[arg(long, env = "WPAAS_AUTOSCALE_UP_AFTER", global = true, value_name = "PERIOD")]
    pub autoscale_up_after: Option<Period>,
    /// How long a fall of a site's load lasts before it gets fewer instances [default: 5m]
    #[arg(long, env = "WPAAS_AUTOSCALE_DOWN_AFTER", global = true, value_name = "PERIOD")]
    pub autoscale_down_after: Option<Period>,
    /// Whether a site has to prove in DNS that a domain is its [default: true]
    #[arg(long, env = "WPAAS_DOMAINS_VERIFY", global = true, value_name = "BOOL")]
    pub domains_verify: Option<bool>,
    /// Resolvers that are asked for the proof [default: the machine's own]
    #[arg(
        long,
        env = "WPAAS_DOMAINS_RESOLVERS",
        global = true,
        value_delimiter = ',',
        value_name = "ADDRESS"
    )]
    pub domains_resolvers: Option<Vec<SocketAddr>>,
    /// Names of the platform besides its domain, such as that of its API, which no site can have
    #[arg(long, env = "WPAAS_DOMAINS_RESERVED", global = true, value_delimiter = ',', value_name = "NAME")]
    pub domains_reserved: Option<Vec<Hostname>>,
    /// The ACME directory of the authority that certificates are asked for at [default: no certificates]
    #[arg(long, env = "WPAAS_ACME_DIRECTORY", global = true, value_name = "URL")]
    pub acme_directory: Option<String>,
    /// E-mail addresses that the authority may write to
    #[arg(long, env = "WPAAS_ACME_CONTACT", global = true, value_delimiter = ',', value_name = "ADDRESS")]
    pub acme_contact: Option<Vec<String>>,
    /// What vouches for the authority's own HTTPS, as PEM [default: what the machine trusts]
    #[arg(long, env = "WPAAS_ACME_ROOT", global = true, value_name = "FILE")]
    pub acme_root: Option<PathBuf>,
    /// The account that the authority knows by other means, which ours is bound to [default: none is wanted]
    #[arg(long, env = "WPAAS_ACME_EXTERNAL_ACCOUNT_KID", global = true, value_name = "KID")]
    pub acme_external_account_kid: Option<String>,
    /// A file with that account's key, in base64url
    #[arg(long, env = "WPAAS_ACME_EXTERNAL_ACCOUNT_HMAC_KEY_FILE", global = true, value_name = "FILE")]
    pub acme_external_account_hmac_key_file: Option<PathBuf>,
    /// Whether the platform's names have wildcard certificates, which takes a zone that all the world asks [default:
    /// true]
    #[arg(long, env = "WPAAS_ACME_WILDCARDS", global = true, value_name = "BOOL")]
    pub acme_wildcards: Option<bool>,
    /// First certificates in seven days of names below one registered domain [default: 40]
    #[arg(long, env = "WPAAS_ACME_PER_DOMAIN", global = true, value_name = "NUMBER")]
    pub acme_per_domain: Option<usize>,
    /// Tells two installations on one Docker Engine apart [default: wpaas]
    #[arg(long, env = "WPAAS_DOCKER_INSTALLATION", global = true, value_name = "NAME")]
    pub docker_installation: Option<String>,
    /// The Docker Engine [default: `DOCKER_HOST`, or the local one]
    #[arg(long, env = "WPAAS_DOCKER_HOST", global = true, value_name = "URL")]
    pub docker_host: Option<String>,
    /// Where nodes find the listener for reports, when not at its own port: a load balancer's
    #[arg(long, env = "WPAAS_DOCKER_REPORT_PORT", global = true, value_name = "PORT")]
    pub docker_report_port: Option<u16>,
    /// The range that the sites' networks are taken from [default: 10.208.0.0/12]
    #[arg(long, env = "WPAAS_DOCKER_SUBNETS", global = true, value_name = "CIDR")]
    pub docker_subnets: Option<String>,
    /// The image that the nodes' images are built on [default: debian:trixie-slim]
    #[arg(long, env = "WPAAS_DOCKER_BASE_IMAGE", global = true, value_name = "IMAGE")]
    pub docker_base_image: Option<String>,
    /// Whether sites get a port on 127.0.0.1 [default: auto]
    #[arg(long, env = "WPAAS_DOCKER_PUBLISH", global = true)]
    pub docker_publish: Option<Publish>,
    /// How long a call of the simulated backend, or a stage of a node's start, takes at most [default: 0s]
    #[arg(long, env = "WPAAS_SIMULATED_LATENCY", global = true, value_name = "PERIOD")]
    pub simulated_latency: Option<Period>,
}

/// Variables of the environment that begin like ours and that nothing reads: most likely mistyped.
#[must_use]
pub fn unknown_variables<C: CommandFactory>() -> Vec<String> {
    let command = C::command();
    let known: Vec<_> = command.get_arguments().filter_map(clap::Arg::get_env).collect();
    std::env::vars_os()
        .map(|(name, _)| name)
        .filter(|name| !known.contains(&name.as_os_str()))
        .filter_map(|name| name.into_string().ok())
        .filter(|name| name.starts_with("WPAAS_"))
        .collect()
}
