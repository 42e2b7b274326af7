//! Which range of addresses a site's network gets: a pure choice from what is taken.

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

/// Addresses of one site's network.
const SUBNET_BITS: u8 = 26;
const SUBNET_SIZE: u32 = 1 << (32 - SUBNET_BITS);

/// The range that sites' networks are cut from, between a /12 and a /26.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pool {
    first: u32,
    bits: u8,
}

/// A text that is not a pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a pool: an IPv4 network of 12 to 26 bits, such as 10.208.0.0/12")]
pub struct InvalidPool;

impl Default for Pool {
    /// 10.208.0.0/12: 16,384 sites.
    fn default() -> Self {
        Self { first: Ipv4Addr::new(10, 208, 0, 0).to_bits(), bits: 12 }
    }
}

impl FromStr for Pool {
    type Err = InvalidPool;

    fn from_str(text: &str) -> Result<Self, InvalidPool> {
        let range = Range::parse(text).ok_or(InvalidPool)?;
        let bits = text.rsplit_once('/').and_then(|(_, bits)| bits.parse().ok()).ok_or(InvalidPool)?;
        let pool = Self { first: range.first, bits };
        // 12 bits at least, so that each site's port on 127.0.0.1 fits too.
        if (12..=SUBNET_BITS).contains(&bits) && pool.to_string() == text {
            Ok(pool)
        } else {
            Err(InvalidPool)
        }
    }
}

impl fmt::Display for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", Ipv4Addr::from_bits(self.first), self.bits)
    }
}

impl Pool {
    /// How many sites fit.
    const fn len(self) -> u32 {
        1 << (SUBNET_BITS - self.bits)
    }

    /// The place of a subnet in the pool, `None` outside.
    pub(crate) fn index(self, subnet: Subnet) -> Option<u16> {
        let index = subnet.first.checked_sub(self.first)? / SUBNET_SIZE;
        if index < self.len() { u16::try_from(index).ok() } else { None }
    }

    /// A subnet that overlaps nothing taken: the one that the seed points to, or the next free one after it.
    pub(crate) fn allocate(self, taken: &[Range], seed: u64) -> Option<Subnet> {
        let len = u64::from(self.len());
        let start = u32::try_from(seed % len).unwrap_or(0);
        (0..self.len())
            .map(|step| Subnet { first: self.first + (start + step) % self.len() * SUBNET_SIZE })
            .find(|subnet| taken.iter().all(|range| !range.overlaps(subnet.range())))
    }
}

/// The range of one site's network: a /26.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Subnet {
    first: u32,
}

impl Subnet {
    /// As the Engine writes it; `None` unless a /26.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let subnet = Self { first: Range::parse(text)?.first };
        (subnet.to_string() == text).then_some(subnet)
    }

    pub(crate) fn range(self) -> Range {
        Range { first: self.first, last: self.first + (SUBNET_SIZE - 1) }
    }

    /// Its n-th address; `None` outside.
    pub(crate) fn host(self, n: u8) -> Option<Ipv4Addr> {
        let inside = u32::from(n) < SUBNET_SIZE - 1;
        inside.then(|| Ipv4Addr::from_bits(self.first + u32::from(n)))
    }
}

impl fmt::Display for Subnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{SUBNET_BITS}", Ipv4Addr::from_bits(self.first))
    }
}

/// Addresses that are in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Range {
    first: u32,
    last: u32,
}

impl Range {
    /// `10.0.0.0/8`; host bits are ignored.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (address, bits) = text.split_once('/')?;
        let bits: u32 = bits.parse().ok().filter(|bits| *bits <= 32)?;
        let address: Ipv4Addr = address.parse().ok()?;
        Some(Self::masked(address.to_bits(), u32::MAX.checked_shl(32 - bits).unwrap_or(0)))
    }

    fn masked(address: u32, mask: u32) -> Self {
        Self { first: address & mask, last: address | !mask }
    }

    const fn overlaps(self, other: Self) -> bool {
        self.first <= other.last && other.first <= self.last
    }
}

/// What the host's routing table (the text of `/proc/net/route`) leads to, default routes left out.
pub(crate) fn routes(table: &str) -> Vec<Range> {
    let little_endian = |hex: &str| u32::from_str_radix(hex, 16).ok().map(u32::swap_bytes);
    let route = |line: &str| {
        let mut fields = line.split_whitespace();
        let destination = little_endian(fields.nth(1)?)?;
        let mask = little_endian(fields.nth(5)?)?;
        (mask != 0).then(|| Range::masked(destination, mask))
    };
    table.lines().skip(1).filter_map(route).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn five_thousand_sites_get_ranges_that_do_not_overlap() {
        let pool = Pool::default();
        let mut taken = vec![Range::parse("10.210.0.0/16").unwrap()];
        let mut seen = HashSet::new();
        let mut random = 1_u64;
        for _ in 0..5_000 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let subnet = pool.allocate(&taken, random >> 20).unwrap();
            assert!(seen.insert(subnet), "{subnet} twice");
            assert!(!taken[0].overlaps(subnet.range()));
            assert!(pool.index(subnet).is_some());
            taken.push(subnet.range());
        }
    }

    #[test]
    fn a_full_pool_has_none() {
        let pool: Pool = "192.168.4.0/24".parse().unwrap();
        let mut taken = Vec::new();
        for _ in 0..4 {
            taken.push(pool.allocate(&taken, 3).unwrap().range());
        }
        assert_eq!(pool.allocate(&taken, 3), None);
    }

    #[test]
    fn pools_and_subnets_have_one_spelling() {
        assert_eq!("10.208.0.0/12".parse(), Ok(Pool::default()));
        for bad in
            ["10.208.0.0/11", "10.208.0.1/12", "10.208.0.0/27", "10.208.0.0", "fd00::/12", "10.0.0.0/012"]
        {
            assert_eq!(bad.parse::<Pool>(), Err(InvalidPool), "{bad}");
        }
        assert_eq!(Subnet::parse("10.208.0.64/26").unwrap().to_string(), "10.208.0.64/26");
        for bad in ["10.208.0.65/26", "10.208.0.64/25", "10.208.0.64", "fd00::/26"] {
            assert_eq!(Subnet::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_hosts_routes_are_read() {
        let table = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n\
            eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n\
            br-1\t0001C70A\t00000000\t0001\t0\t0\t0\tC0FFFFFF\t0\t0\t0\n\
            broken\n";
        assert_eq!(routes(table), [Range::parse("10.199.1.0/26").unwrap()]);
    }

    proptest! {
        #[test]
        fn what_is_given_was_free_and_in_the_pool(
            seed: u64,
            bits in 12_u8..=26,
            taken in prop::collection::vec((any::<u32>(), 4_u32..=32), 0..20),
        ) {
            let mask = u32::MAX << (32 - u32::from(bits));
            let pool = Pool { first: Ipv4Addr::new(10, 208, 0, 0).to_bits() & mask, bits };
            // Near the pool, so that they do overlap.
            let taken: Vec<_> = taken
                .into_iter()
                .map(|(offset, bits)| Range::masked(pool.first + offset % (1 << 20), u32::MAX << (32 - bits)))
                .collect();
            let again = pool.allocate(&taken, seed);
            prop_assert_eq!(pool.allocate(&taken, seed), again, "pure");
            match again {
                Some(subnet) => {
                    prop_assert!(taken.iter().all(|range| !range.overlaps(subnet.range())));
                    prop_assert!(pool.index(subnet).is_some());
                    prop_assert_eq!(Subnet::parse(&subnet.to_string()), Some(subnet));
                }
                None => for index in 0..pool.len() {
                    let subnet = Subnet { first: pool.first + index * SUBNET_SIZE };
                    prop_assert!(taken.iter().any(|range| range.overlaps(subnet.range())), "{} is free", subnet);
                }
            }
        }
    }
}
