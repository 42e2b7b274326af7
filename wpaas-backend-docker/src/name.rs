//! Names of what is made on the Engine: fixed, so that two servers can't make a part twice.

use wpaas_core::converge::Part;
use wpaas_core::id::SiteId;
use wpaas_core::site::Generation;

/// Of the container or network that is this part, or of the keeper of a whole release.
pub(crate) fn of(site: SiteId, part: Part) -> String {
    format!("wpaas-{}-{part}", site.uuid().as_simple())
}

/// Of the keeper of a release that is being filled.
pub(crate) fn filling(site: SiteId, part: Part) -> String {
    format!("{}-filling", of(site, part))
}

/// Of the volume of this part. Volumes have no id, so the name says which of them it is.
pub(crate) fn volume(site: SiteId, part: Part, generation: Generation) -> String {
    format!("{}-g{generation}", of(site, part))
}

/// The site that a name belongs to; `None` for a name that is not ours.
pub(crate) fn site_of(name: &str) -> Option<SiteId> {
    let (site, _part) = name.strip_prefix("wpaas-")?.split_once('-')?;
    format!("{}_{site}", SiteId::PREFIX).parse().ok()
}

/// Spreads sites over the pool of subnets (FNV-1a).
pub(crate) fn seed(site: SiteId) -> u64 {
    site.uuid().as_bytes().iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_leads_back_to_its_site() {
        let site = SiteId::new();
        let release = Part::Release([1, 2, 3, 4, 5, 6]);
        assert_eq!(of(site, release), format!("wpaas-{}-release-010203040506", site.uuid().as_simple()));
        for name in
            [of(site, Part::Network), filling(site, release), volume(site, Part::DatabaseVolume(0), 7)]
        {
            assert_eq!(site_of(&name), Some(site), "{name}");
        }
        for foreign in ["bridge", "wpaas-nodelab", "wpaas-0-network", ""] {
            assert_eq!(site_of(foreign), None, "{foreign}");
        }
    }

    #[test]
    fn sites_made_one_after_the_other_are_spread() {
        let places: std::collections::HashSet<_> = (0..1000).map(|_| seed(SiteId::new()) % 16_384).collect();
        assert!(places.len() > 950, "{}", places.len());
    }
}
