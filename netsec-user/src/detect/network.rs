//! The smallest network that holds some hosts.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::finding::{Party, mix};

/// Shortest prefixes that still say something: a site's.
const V4_PREFIX_MIN: u8 = 16;
const V6_PREFIX_MIN: u8 = 48;

/// Lowest and highest of some addresses.
#[derive(Clone, Copy, Debug)]
pub(super) struct Range {
    low: IpAddr,
    high: IpAddr,
}

impl Range {
    pub(super) const fn new(address: IpAddr) -> Self {
        Self {
            low: address,
            high: address,
        }
    }

    pub(super) fn add(&mut self, address: IpAddr) {
        self.low = self.low.min(address);
        self.high = self.high.max(address);
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.add(other.low);
        self.add(other.high);
    }

    /// Bits that all of them have in common.
    pub(super) fn prefix_bits(&self) -> u8 {
        let bits = match (self.low, self.high) {
            (IpAddr::V4(low), IpAddr::V4(high)) => (low.to_bits() ^ high.to_bits()).leading_zeros(),
            (IpAddr::V6(low), IpAddr::V6(high)) => (low.to_bits() ^ high.to_bits()).leading_zeros(),
            _ => 0,
        };
        u8::try_from(bits).unwrap_or(u8::MAX)
    }

    /// The host, the network when it is no larger than a site's, else many.
    pub(super) fn party(&self) -> Party {
        let bits = self.prefix_bits();
        let network = match self.low {
            _ if self.low == self.high => return Party::Host(self.low),
            IpAddr::V4(low) if bits >= V4_PREFIX_MIN => Ipv4Net::new(low, bits)
                .ok()
                .map(|net| IpNet::V4(net.trunc())),
            IpAddr::V6(low) if bits >= V6_PREFIX_MIN => Ipv6Net::new(low, bits)
                .ok()
                .map(|net| IpNet::V6(net.trunc())),
            IpAddr::V4(_) | IpAddr::V6(_) => None,
        };
        network.map_or(Party::Many, Party::Network)
    }
}

/// The network that an address shares with its neighbours, by its first address: /24 or /64.
pub(super) fn neighbourhood(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(v4) => IpAddr::V4((v4.to_bits() & 0xffff_ff00).into()),
        IpAddr::V6(v6) => IpAddr::V6((v6.to_bits() >> 64 << 64).into()),
    }
}

/// An address as a word, for counting different ones.
pub(crate) fn word(address: IpAddr) -> u64 {
    match address {
        IpAddr::V4(v4) => u64::from(v4.to_bits()),
        IpAddr::V6(v6) => {
            let [high, low] = [v6.to_bits() >> 64, v6.to_bits() & u128::from(u64::MAX)];
            let half = |bits| u64::try_from(bits).unwrap_or_default();
            mix(half(high), half(low))
        }
    }
}

/// Whether an address stands for several hosts: multicast, or by its last byte a broadcast.
pub(super) fn is_group(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_multicast() || v4.octets().last() == Some(&255),
        IpAddr::V6(v6) => v6.is_multicast(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn party(addresses: &[&str]) -> String {
        let mut addresses = addresses.iter().map(|text| text.parse().unwrap());
        let mut range = Range::new(addresses.next().unwrap());
        addresses.for_each(|address| range.add(address));
        range.party().to_string()
    }

    #[test]
    fn the_smallest_network_that_holds_all() {
        assert_eq!(party(&["10.0.0.1"]), "10.0.0.1");
        assert_eq!(
            party(&["10.0.0.1", "10.0.0.200", "10.0.0.7"]),
            "10.0.0.0/24"
        );
        assert_eq!(party(&["10.0.0.1", "11.0.0.1"]), "many");
        assert_eq!(party(&["2001:db8::1", "2001:db8::ff"]), "2001:db8::/120");
        assert_eq!(party(&["10.0.0.1", "2001:db8::1"]), "many");
    }
}
