use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

/// A range of IPv4 addresses, as `10.0.0.0/8`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cidr {
    address: Ipv4Addr,
    bits: u8,
}

impl Cidr {
    /// Everybody.
    pub const ALL: Self = Self { address: Ipv4Addr::UNSPECIFIED, bits: 0 };
}

/// A text that is no range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a range of IPv4 addresses, such as 10.0.0.0/8")]
pub struct InvalidCidr;

impl FromStr for Cidr {
    type Err = InvalidCidr;

    fn from_str(text: &str) -> Result<Self, InvalidCidr> {
        let (address, bits) = text.split_once('/').ok_or(InvalidCidr)?;
        let address: Ipv4Addr = address.parse().map_err(|_| InvalidCidr)?;
        let bits: u8 = bits.parse().map_err(|_| InvalidCidr)?;
        let host = u32::MAX.checked_shr(u32::from(bits)).unwrap_or(0);
        (bits <= 32 && address.to_bits() & host == 0).then_some(Self { address, bits }).ok_or(InvalidCidr)
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_has_one_spelling() {
        for good in ["0.0.0.0/0", "10.0.0.0/8", "10.1.2.3/32"] {
            assert_eq!(good.parse::<Cidr>().unwrap().to_string(), good);
        }
        for bad in ["", "10.0.0.0", "10.0.0.1/8", "10.0.0.0/33", "fd00::/8"] {
            assert_eq!(bad.parse::<Cidr>(), Err(InvalidCidr), "{bad}");
        }
    }
}
