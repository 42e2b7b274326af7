//! Where this system may connect to when a customer or a configuration names the place: the public internet, looked up
//! once and kept to, and what the operator allows beyond that by the beginning of its URL.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use async_trait::async_trait;

mod prefix;

pub use prefix::{is_below, is_prefix};

/// Networks of version 4 that are not the public internet: base, prefix length.
const NOT_PUBLIC_V4: [([u8; 4], u32); 15] = [
    ([0, 0, 0, 0], 8),       // this network
    ([10, 0, 0, 0], 8),      // private
    ([100, 64, 0, 0], 10),   // carrier-grade NAT
    ([127, 0, 0, 0], 8),     // loopback
    ([169, 254, 0, 0], 16),  // link-local, the cloud's metadata
    ([172, 16, 0, 0], 12),   // private
    ([192, 0, 0, 0], 24),    // protocol assignments
    ([192, 0, 2, 0], 24),    // documentation
    ([192, 88, 99, 0], 24),  // 6to4 relays
    ([192, 168, 0, 0], 16),  // private
    ([198, 18, 0, 0], 15),   // benchmarks
    ([198, 51, 100, 0], 24), // documentation
    ([203, 0, 113, 0], 24),  // documentation
    ([224, 0, 0, 0], 4),     // multicast
    ([240, 0, 0, 0], 4),     // reserved, broadcast
];

/// Networks inside `2000::/3`, outside of which nothing is public, that are not public either.
const NOT_PUBLIC_V6: [(Ipv6Addr, u32); 4] = [
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23), // Teredo, ORCHID, benchmarks
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32), // documentation
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16), // 6to4: an IPv4 address inside
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20), // documentation
];

/// Whether the address belongs to the public internet, and leads to no other one in disguise.
#[must_use]
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let bits = address.to_bits();
    let within = |(base, length): &([u8; 4], u32)| (bits ^ u32::from_be_bytes(*base)) >> (32 - length) == 0;
    !NOT_PUBLIC_V4.iter().any(within)
}

/// Version 4 inside version 6 (mapped, compatible, NAT64), unique local, link-local and multicast lie outside `2000::/3`.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let bits = address.to_bits();
    let within = |(base, length): &(Ipv6Addr, u32)| (bits ^ base.to_bits()) >> (128 - length) == 0;
    bits >> 125 == 1 && !NOT_PUBLIC_V6.iter().any(within)
}

/// Looks names up.
#[async_trait]
pub trait Resolve: fmt::Debug + Send + Sync + 'static {
    /// All addresses of the name.
    ///
    /// # Errors
    ///
    /// Of the look-up; an unknown name too.
    async fn resolve(&self, host: &str) -> std::io::Result<Vec<IpAddr>>;
}

/// The resolver of this machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemResolver;

#[async_trait]
impl Resolve for SystemResolver {
    async fn resolve(&self, host: &str) -> std::io::Result<Vec<IpAddr>> {
        Ok(tokio::net::lookup_host((host, 0)).await?.map(|address| address.ip()).collect())
    }
}

/// Where a connection may lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// To public addresses.
    Public,
    /// Anywhere: the operator allowed this very place.
    Anywhere,
}

/// A host whose addresses were looked up once and checked: whoever connects uses these and no others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pinned {
    /// The name or address that was asked for.
    pub host: String,
    /// At least one; IPv4 first.
    pub addresses: Vec<IpAddr>,
}

/// Why a host is not connected to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PinError {
    /// One of its addresses is out of reach.
    #[error("the host {0} is not on the public internet")]
    NotPublic(String),
    /// It has no address, or nobody could be asked for it.
    #[error("the host {0} can't be found")]
    Unknown(String),
}

/// Looks `host` up and refuses it when any of its addresses is out of reach: a name that has public and
/// private addresses is up to something.
///
/// # Errors
///
/// See [`PinError`].
pub async fn pin(resolver: &dyn Resolve, host: &str, reach: Reach) -> Result<Pinned, PinError> {
    let found = match host.parse() {
        Ok(address) => Ok(vec![address]),
        Err(_) => resolver.resolve(host).await,
    };
    let unknown = || PinError::Unknown(host.to_owned());
    let mut addresses = found.map_err(|_| unknown())?;
    if addresses.is_empty() {
        return Err(unknown());
    }
    if reach == Reach::Public && !addresses.iter().copied().all(is_public) {
        return Err(PinError::NotPublic(host.to_owned()));
    }
    addresses.sort();
    addresses.dedup();
    Ok(Pinned { host: host.to_owned(), addresses })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_public() {
        for public in
            ["1.1.1.1", "140.82.121.3", "100.128.0.1", "172.32.0.1", "223.255.255.255", "2606:4700::1"]
        {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
        for private in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.9",
            "224.0.0.1",
            "239.1.1.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:8.8.8.8",
            "::ffff:127.0.0.1",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:2::1",
            "2001:10::1",
            "2001:20::1",
            "2001:db8::1",
            "2002:7f00:1::1",
            "3fff::1",
            "5f00::1",
            "fc00::1",
            "fd12:3456::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!is_public(private.parse().unwrap()), "{private}");
        }
    }

    proptest! {
        #[test]
        fn what_std_calls_special_is_never_public(bits in any::<u32>()) {
            let address = Ipv4Addr::from_bits(bits);
            let special = address.is_private() || address.is_loopback() || address.is_link_local()
                || address.is_multicast() || address.is_documentation() || address.is_broadcast()
                || address.is_unspecified();
            prop_assert!(!(special && is_public(address.into())));
            prop_assert!(!is_public(address.to_ipv6_mapped().into()));
            prop_assert!(!is_public(address.to_ipv6_compatible().into()));
        }
    }

    #[derive(Debug)]
    struct Names(Vec<IpAddr>);

    #[async_trait]
    impl Resolve for Names {
        async fn resolve(&self, _: &str) -> std::io::Result<Vec<IpAddr>> {
            Ok(self.0.clone())
        }
    }

    async fn pinned(addresses: &[&str], reach: Reach) -> Result<Vec<IpAddr>, String> {
        let names = Names(addresses.iter().map(|text| text.parse().unwrap()).collect());
        let pinned = pin(&names, "example.com", reach).await;
        pinned.map(|pinned| pinned.addresses).map_err(|error| error.to_string())
    }

    #[tokio::test]
    async fn a_host_with_any_private_address_is_refused_unless_allowed() {
        let both = ["2606:4700::1", "1.1.1.1"];
        assert_eq!(pinned(&both, Reach::Public).await.unwrap()[0].to_string(), "1.1.1.1");
        let mixed = ["1.1.1.1", "10.0.0.1"];
        let refused = pinned(&mixed, Reach::Public).await.unwrap_err();
        assert_eq!(refused, "the host example.com is not on the public internet");
        assert_eq!(pinned(&mixed, Reach::Anywhere).await.unwrap().len(), 2);
        assert_eq!(pinned(&[], Reach::Anywhere).await.unwrap_err(), "the host example.com can't be found");
    }

    #[tokio::test]
    async fn an_address_in_place_of_a_name_is_checked_too() {
        let error = pin(&Names(vec![]), "169.254.169.254", Reach::Public).await.unwrap_err();
        assert!(error.to_string().contains("not on the public internet"), "{error}");
    }
}
