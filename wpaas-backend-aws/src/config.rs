use std::time::Duration;

use wpaas_core::converge::NodeRole;

/// Where sites run, and as what. Everything that it names is the operator's: the backend makes none of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AwsConfig {
    /// Tells the objects of two installations in one account apart; lower-case letters, digits and hyphens.
    pub installation: String,
    /// Such as `eu-central-1`.
    pub region: String,
    /// The VPC.
    pub vpc: String,
    /// Subnets of it with a way to the internet, at most one a zone, in the order in which database nodes get them.
    pub subnets: Vec<Subnet>,
    /// The bucket of uploads, releases, reports and the nodes' files.
    pub bucket: String,
    /// The name of the nodes' instance profile.
    pub profile: String,
    /// The unique id of its role, `AROA…`: the bucket's policy goes by it.
    pub role_id: String,
    /// The AMI: Debian 13. Packages that it lacks are installed at each first boot.
    pub image: String,
    /// Another S3 than AWS's; for tests.
    pub endpoint: Option<String>,
    /// What nodes of each kind run on.
    pub types: InstanceTypes,
    /// Of a database node's volume, in GiB.
    pub database_gib: u32,
    /// How nodes report.
    pub reports: Reports,
    /// For how long after a change EC2's listings may not show it yet.
    pub listing_lag: Duration,
    /// How long a node may take to its first word. One that takes longer is replaced: its boot has failed.
    pub boot_patience: Duration,
}

/// A subnet and its zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subnet {
    /// `subnet-…`.
    pub id: String,
    /// Such as `eu-central-1a`.
    pub zone: String,
}

/// Types of instances, the preferred one first: where AWS has none left, the next is tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceTypes {
    /// Of database nodes.
    pub database: Vec<String>,
    /// Of WordPress nodes.
    pub wordpress: Vec<String>,
    /// Of gateways.
    pub gateway: Vec<String>,
}

impl InstanceTypes {
    pub(crate) fn of(&self, role: NodeRole) -> &[String] {
        match role {
            NodeRole::Database => &self.database,
            NodeRole::Wordpress => &self.wordpress,
            NodeRole::Gateway => &self.gateway,
        }
    }
}

/// How nodes report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reports {
    /// Each into an object of its own, which the control plane reads: it need not be reachable.
    Bucket,
    /// To the control plane at this address, such as `http://10.0.0.5:8010`.
    Direct(String),
}

/// A node that was heard, and then is not for so long, is replaced: it takes less to boot again.
pub(crate) const SILENT: Duration = Duration::from_secs(180);

/// Of the root volume, in GiB: Debian, the packages and a release.
pub(crate) const ROOT_GIB: u32 = 8;
