use std::sync::OnceLock;

use super::GatewayConfig;
use super::outline::{self, FileOf, MountOf, Outline};
use crate::converge::{Fingerprint, NodeRole, NodeSpec, Part};
use crate::id::SiteId;
use crate::secret::{SecretName, SecretRef};

/// Every node's peers are all three, so that growing replaces none.
const DATABASE_CONF: &str = "peers=database-0,database-1,database-2\nbuffer_pool=64M\n";

/// Database node *n* of a site: the same whatever the number of nodes.
#[must_use]
pub fn database(site: SiteId, n: u8) -> NodeSpec {
    database_outline(site, n, outline::spec)
}

/// Of every database node of a site, without making its spec.
#[must_use]
pub fn database_fingerprint(site: SiteId) -> Fingerprint {
    database_outline(site, 0, outline::fingerprint)
}

fn database_outline<T>(site: SiteId, n: u8, tell: impl FnOnce(&Outline<'_>) -> T) -> T {
    let password = SecretRef { site, name: SecretName::DatabasePassword, version: 1 };
    tell(&Outline {
        role: NodeRole::Database,
        files: &[
            FileOf::text("database.conf", &DATABASE_CONF),
            FileOf::secret("secrets/database-password", "root", password),
        ],
        live: &[],
        mounts: &[MountOf { part: Part::DatabaseVolume(n), path: "/var/lib/mysql", read_only: false }],
        also: &[],
        memory_mib: 512,
        restart: false,
    })
}

/// The gateway: its routes and names change while it runs and are not part of what it is.
#[must_use]
pub fn gateway(_n: u8, config: &GatewayConfig<'_>) -> NodeSpec {
    NodeSpec { files: config.files(), ..outline::spec(&GATEWAY) }
}

/// Of every gateway, without making its spec.
#[must_use]
pub fn gateway_fingerprint() -> Fingerprint {
    static GATEWAYS: OnceLock<Fingerprint> = OnceLock::new();
    *GATEWAYS.get_or_init(|| outline::fingerprint(&GATEWAY))
}

const GATEWAY: Outline<'static> = Outline {
    role: NodeRole::Gateway,
    files: &[],
    live: &[],
    mounts: &[],
    also: &[],
    memory_mib: 128,
    restart: true,
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::converge::FileContent;

    #[test]
    fn database_nodes_of_a_site_are_alike_and_know_each_other() {
        let site = SiteId::new();
        for n in 0..3 {
            let spec = database(site, n);
            assert_eq!(spec.fingerprint, database_fingerprint(site));
            assert_ne!(spec.fingerprint, database_fingerprint(SiteId::new()));
            assert_eq!(spec.mounts[0].part, Part::DatabaseVolume(n));
            let FileContent::Text(conf) = &spec.files[0].content else { panic!("{spec:?}") };
            assert!(conf.contains(&Part::Database(n).to_string()), "{conf}");
        }
    }
}
