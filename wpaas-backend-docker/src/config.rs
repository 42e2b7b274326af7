use crate::subnet::Pool;

/// How the backend uses its Engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DockerConfig {
    /// Separates installations on one Engine: the value of the label `wpaas.installation` on everything made.
    /// Never change it while anything runs: what carries another value is not seen.
    pub installation: String,
    /// The Engine: `unix:///var/run/docker.sock`, `tcp://host:port`. [`DockerConfig::host_from_environment`]
    /// is what other Docker clients use.
    pub host: String,
    /// Where sites' networks get their ranges from. Must not be used by anything the host talks to.
    pub subnets: Pool,
    /// The port, on the Engine's host, at which the control plane takes reports from nodes.
    pub report_port: u16,
    /// Whether gateways get a port on the Engine's 127.0.0.1.
    pub publish: Publish,
    /// What nodes run.
    pub images: Images,
}

/// Whether a gateway gets a port on 127.0.0.1 of the Engine's host. It is decided when a gateway is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Publish {
    /// Where container addresses can't be reached: on Docker Desktop, and for an Engine on another machine
    /// (there the port has to be forwarded, through SSH for example).
    Auto,
    /// Never.
    Never,
    /// Always.
    Always,
}

/// What nodes run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Images {
    /// Built from the set-up embedded in `wpaas-core`, as `<prefix>/database:<digest of the set-up>` and so on.
    Built {
        /// Comes before the role.
        prefix: String,
        /// Pulled as their base; where that fails, a base is made by `mmdebstrap`.
        base: String,
    },
    /// Images that are there already, of the node set-up as `node/README.md` has it, with its `receive.sh` and tar.
    Given {
        /// Of database nodes.
        database: String,
        /// Of WordPress nodes.
        wordpress: String,
        /// Of gateways.
        gateway: String,
    },
}

impl DockerConfig {
    /// The local Engine (or that of `DOCKER_HOST`), 10.208.0.0/12, images built here.
    #[must_use]
    pub fn new(installation: &str, report_port: u16) -> Self {
        Self {
            installation: installation.to_owned(),
            host: Self::host_from_environment(),
            subnets: Pool::default(),
            report_port,
            publish: Publish::Auto,
            images: Images::Built { prefix: "wpaas".to_owned(), base: "debian:trixie-slim".to_owned() },
        }
    }

    /// `DOCKER_HOST`, or the usual local one.
    #[must_use]
    pub fn host_from_environment() -> String {
        let given = std::env::var("DOCKER_HOST").ok().filter(|host| !host.is_empty());
        let usual =
            if cfg!(windows) { "npipe:////./pipe/docker_engine" } else { "unix:///var/run/docker.sock" };
        given.unwrap_or_else(|| usual.to_owned())
    }
}
