//! Address prefixes.

use core::error::Error;
use core::fmt;
use core::net::{AddrParseError, IpAddr, Ipv4Addr, Ipv6Addr};
use core::num::ParseIntError;
use core::str::FromStr;

/// Bits before the address in an IPv4-mapped address (RFC 4291, 2.5.5.2).
const MAPPED_BITS: u8 = 96;
/// `::ffff:0.0.0.0`.
const MAPPED: u128 = 0xffff_0000_0000;

/// A network of IPv4 or IPv6 addresses: those that agree in the first bits.
///
/// Held IPv4-mapped. `::ffff:192.0.2.0/120` *is* `192.0.2.0/24`; a shorter IPv6 prefix, `::/0` among
/// them, holds no IPv4 address.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Prefix {
    /// Bits after the first `length` are zero.
    bits: u128,
    /// 0 to 128; 96 more than people write for IPv4.
    length: u8,
}

/// Why a text is no prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PrefixError {
    /// The part before the slash is no address.
    Address(AddrParseError),
    /// The part after the slash is no number.
    Length(ParseIntError),
    /// More bits than the address has.
    TooLong {
        /// 32 for IPv4, 128 for IPv6.
        max: u8,
    },
}

impl fmt::Display for PrefixError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(_) => f.write_str("not an IPv4 or IPv6 address"),
            Self::Length(_) => f.write_str("the prefix length is not a number"),
            Self::TooLong { max } => write!(f, "the prefix length is over {max}"),
        }
    }
}

impl Error for PrefixError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Address(source) => Some(source),
            Self::Length(source) => Some(source),
            Self::TooLong { .. } => None,
        }
    }
}

impl Prefix {
    /// The network of `length` bits that holds an address; `None` when the address has fewer bits.
    ///
    /// Bits after the first `length` are cleared.
    #[must_use]
    pub fn new(address: IpAddr, length: u8) -> Option<Self> {
        match address {
            IpAddr::V4(v4) => {
                let length = length.checked_add(MAPPED_BITS).filter(|n| *n <= 128)?;
                Some(Self::masked(MAPPED | u128::from(v4.to_bits()), length))
            }
            IpAddr::V6(v6) => (length <= 128).then(|| Self::masked(v6.to_bits(), length)),
        }
    }

    /// The network of one address.
    #[must_use]
    pub fn host(address: IpAddr) -> Self {
        Self::masked(to_bits(address), 128)
    }

    const fn masked(bits: u128, length: u8) -> Self {
        Self {
            bits: bits & mask(length),
            length,
        }
    }

    /// From the address as a number, IPv4-mapped, and the length out of 128.
    pub(super) const fn from_parts(bits: u128, length: u8) -> Self {
        Self::masked(bits, length)
    }

    /// The two halves of the first address as a number, IPv4-mapped.
    #[expect(clippy::cast_possible_truncation, reason = "halves of 64 bits")]
    pub(super) const fn halves(self) -> [u64; 2] {
        [(self.bits >> 64) as u64, self.bits as u64]
    }

    /// Length out of 128.
    pub(super) const fn bits_length(self) -> u8 {
        self.length
    }

    /// Whether it holds IPv4 addresses.
    #[must_use]
    pub const fn is_v4(self) -> bool {
        self.length >= MAPPED_BITS && self.bits >> 32 == MAPPED >> 32
    }

    /// The first address.
    #[must_use]
    pub fn address(self) -> IpAddr {
        if self.is_v4() {
            IpAddr::V4(Ipv4Addr::from_bits((self.bits & 0xffff_ffff) as u32))
        } else {
            IpAddr::V6(Ipv6Addr::from_bits(self.bits))
        }
    }

    /// Its length as people write it: 0 to 32 for IPv4, 0 to 128 for IPv6.
    #[must_use]
    pub const fn length(self) -> u8 {
        if self.is_v4() {
            self.length - MAPPED_BITS
        } else {
            self.length
        }
    }

    /// Whether it is a single address.
    #[must_use]
    pub const fn is_host(self) -> bool {
        self.length == 128
    }

    /// Whether it holds the address.
    #[must_use]
    pub fn contains(self, address: IpAddr) -> bool {
        self.covers(Self::host(address))
    }

    /// Whether it holds every address of `other`.
    #[must_use]
    pub const fn covers(self, other: Self) -> bool {
        self.is_v4() == other.is_v4()
            && self.length <= other.length
            && (self.bits ^ other.bits) & mask(self.length) == 0
    }

    /// Whether some address is in both.
    #[must_use]
    pub const fn overlaps(self, other: Self) -> bool {
        self.covers(other) || other.covers(self)
    }
}

const fn mask(length: u8) -> u128 {
    match length {
        0 => 0,
        128.. => u128::MAX,
        _ => u128::MAX << (128 - length),
    }
}

fn to_bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => MAPPED | u128::from(v4.to_bits()),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

impl From<IpAddr> for Prefix {
    fn from(address: IpAddr) -> Self {
        Self::host(address)
    }
}

impl FromStr for Prefix {
    type Err = PrefixError;

    /// Reads an address, alone or with a slash and a length.
    fn from_str(text: &str) -> Result<Self, PrefixError> {
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(PrefixError::Address)?;
        let max = if address.is_ipv4() { 32 } else { 128 };
        let length = match length {
            Some(length) => length.parse().map_err(PrefixError::Length)?,
            None => max,
        };
        Self::new(address, length).ok_or(PrefixError::TooLong { max })
    }
}

impl fmt::Display for Prefix {
    /// `192.0.2.1` for one address, else `192.0.2.0/24`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_host() {
            write!(f, "{}", self.address())
        } else {
            write!(f, "{}/{}", self.address(), self.length())
        }
    }
}

impl fmt::Debug for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::string::ToString as _;

    use super::*;

    fn prefix(text: &str) -> Prefix {
        text.parse().unwrap()
    }

    #[test]
    fn a_prefix_is_written_as_people_write_it() {
        for (text, written) in [
            ("192.0.2.1", "192.0.2.1"),
            ("192.0.2.1/32", "192.0.2.1"),
            ("192.0.2.1/24", "192.0.2.0/24"),
            ("10.0.0.1/0", "0.0.0.0/0"),
            ("::ffff:192.0.2.77", "192.0.2.77"),
            ("::ffff:192.0.2.77/120", "192.0.2.0/24"),
            ("::ffff:192.0.2.77/96", "0.0.0.0/0"),
            ("::ffff:192.0.2.77/95", "::fffe:0:0/95"),
            ("2001:db8::1", "2001:db8::1"),
            ("2001:DB8::1/32", "2001:db8::/32"),
            ("::/0", "::/0"),
            ("::1", "::1"),
        ] {
            assert_eq!(prefix(text).to_string(), written, "{text}");
            assert_eq!(format!("{:?}", prefix(text)), written);
            assert_eq!(prefix(written), prefix(text));
        }
    }

    #[test]
    fn what_is_no_prefix_is_refused() {
        assert!(matches!(
            "example.org".parse::<Prefix>(),
            Err(PrefixError::Address(_))
        ));
        for text in ["192.0.2.1/", "192.0.2.1/x", "192.0.2.1/-1", "::/300"] {
            assert!(matches!(
                text.parse::<Prefix>(),
                Err(PrefixError::Length(_))
            ));
        }
        for (text, max) in [("192.0.2.1/33", 32), ("::/129", 128), ("0.0.0.0/255", 32)] {
            assert_eq!(text.parse::<Prefix>(), Err(PrefixError::TooLong { max }));
        }
        assert!("".parse::<Prefix>().is_err());
    }

    #[test]
    fn families_do_not_mix() {
        let any_v4 = prefix("0.0.0.0/0");
        let any_v6 = prefix("::/0");
        assert!(any_v4.is_v4() && !any_v6.is_v4());
        assert!(any_v4.contains("255.0.0.1".parse().unwrap()));
        assert!(!any_v6.contains("255.0.0.1".parse().unwrap()));
        assert!(any_v6.contains("::2".parse().unwrap()));
        assert!(!any_v4.contains("::2".parse().unwrap()));
        assert!(!any_v4.overlaps(any_v6) && !any_v6.overlaps(any_v4));
        assert_eq!((any_v4.length(), any_v6.length()), (0, 0));
    }

    #[test]
    fn wider_covers_narrower() {
        let wide = prefix("198.51.100.0/22");
        for inside in ["198.51.100.0/22", "198.51.103.0/24", "198.51.101.7"] {
            assert!(wide.covers(prefix(inside)), "{inside}");
            assert!(wide.overlaps(prefix(inside)) && prefix(inside).overlaps(wide));
        }
        for outside in ["198.51.96.0/22", "198.51.104.0", "::ffff:0:0/95"] {
            assert!(!wide.overlaps(prefix(outside)), "{outside}");
        }
        assert!(!wide.covers(prefix("198.51.0.0/16")));
        assert!(wide.overlaps(prefix("198.51.0.0/16")));
    }
}
