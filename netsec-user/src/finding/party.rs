//! Who acts, and on whom.

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Serialize, Serializer};

use super::mix;

/// One side of a finding.
///
/// Only a [`Host`](Self::Host) may ever be acted upon: the others are many, or not who they seem.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Party {
    /// One host.
    Host(IpAddr),
    /// Hosts of one network.
    Network(IpNet),
    /// Source addresses that are forged by all signs: many, each with a packet or two.
    Spoofed,
    /// Servers that answer forged questions: victims themselves.
    Reflectors,
    /// Many hosts.
    Many,
}

impl Party {
    /// The one host that it is.
    #[must_use]
    pub const fn host(&self) -> Option<IpAddr> {
        match self {
            Self::Host(address) => Some(*address),
            Self::Network(_) | Self::Spoofed | Self::Reflectors | Self::Many => None,
        }
    }

    /// A word to hash it by.
    pub(super) fn word(&self) -> u64 {
        let address = |seed, address: IpAddr| match address {
            IpAddr::V4(v4) => mix(seed, u64::from(v4.to_bits())),
            IpAddr::V6(v6) => v6.segments().map(u64::from).into_iter().fold(seed, mix),
        };
        match self {
            Self::Host(host) => address(1, *host),
            Self::Network(net) => mix(address(2, net.network()), net.prefix_len().into()),
            Self::Spoofed => 3,
            Self::Reflectors => 4,
            Self::Many => 5,
        }
    }
}

impl From<IpAddr> for Party {
    fn from(address: IpAddr) -> Self {
        Self::Host(address)
    }
}

impl fmt::Display for Party {
    /// `10.0.0.1`, `10.0.0.0/24`, `spoofed/many`, `reflectors/many`, `many`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(address) => write!(f, "{address}"),
            Self::Network(network) => write!(f, "{network}"),
            Self::Spoofed => f.write_str("spoofed/many"),
            Self::Reflectors => f.write_str("reflectors/many"),
            Self::Many => f.write_str("many"),
        }
    }
}

impl Serialize for Party {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_host_can_be_acted_upon() {
        let host: IpAddr = [10, 0, 0, 1].into();
        assert_eq!(Party::from(host).host(), Some(host));
        let network = Party::Network("10.0.0.0/24".parse().unwrap());
        for party in [network, Party::Spoofed, Party::Reflectors, Party::Many] {
            assert_eq!(party.host(), None, "{party}");
        }
        assert_eq!(network.to_string(), "10.0.0.0/24");
    }

    #[test]
    fn words_differ() {
        let v6 = |text: &str| Party::Host(text.parse().unwrap()).word();
        assert_ne!(v6("2001:db8::1"), v6("2001:db8::2"));
        assert_ne!(v6("2001:db8:1::1"), v6("2001:db8:2::1"));
        let host = Party::Host([10, 0, 0, 0].into());
        let network = Party::Network("10.0.0.0/32".parse().unwrap());
        assert_ne!(host.word(), network.word());
    }
}
