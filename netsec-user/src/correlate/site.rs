//! Which addresses are the operator's own.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use serde::Deserialize;

/// The networks that are the operator's own, and those that are trusted.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Site {
    /// Own networks, beside loopback and link-local addresses: private ones, unless told otherwise.
    pub local: Vec<IpNet>,
    /// Networks that are never called attackers, wherever they are.
    pub allow: Vec<IpNet>,
}

impl Default for Site {
    /// RFC 1918, RFC 6598 and RFC 4193 networks are local; nobody is trusted beyond that.
    fn default() -> Self {
        let v4 = |a, b, length| IpNet::new(Ipv4Addr::new(a, b, 0, 0).into(), length);
        let v6 = IpNet::new(Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0).into(), 7);
        let networks = [
            v4(10, 0, 8),
            v4(172, 16, 12),
            v4(192, 168, 16),
            v4(100, 64, 10),
            v6,
        ];
        Self {
            local: networks.into_iter().filter_map(Result::ok).collect(),
            allow: Vec::new(),
        }
    }
}

/// Which way something goes, seen from the site.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Course {
    /// From a local address to one outside.
    Outbound,
    /// From outside to a local address.
    Inbound,
    /// Between two local addresses.
    Lateral,
    /// Between two addresses outside.
    External,
}

impl Site {
    /// Whether an address is the operator's own.
    #[must_use]
    pub fn is_local(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        let near = match address {
            IpAddr::V4(v4) => v4.is_loopback() || v4.is_link_local() || v4.is_unspecified(),
            IpAddr::V6(v6) => v6.is_loopback() || v6.is_unicast_link_local() || v6.is_unspecified(),
        };
        near || within(&self.local, address)
    }

    /// Whether an address may be called an attacker: it is one host's, not local, not trusted.
    #[must_use]
    pub fn may_be_attacker(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        let is_group = match address {
            IpAddr::V4(v4) => v4.is_multicast() || v4.is_broadcast(),
            IpAddr::V6(v6) => v6.is_multicast(),
        };
        !is_group && !self.is_local(address) && !within(&self.allow, address)
    }

    /// Which way a connection goes.
    #[must_use]
    pub fn course(&self, originator: IpAddr, responder: IpAddr) -> Course {
        match (self.is_local(originator), self.is_local(responder)) {
            (true, false) => Course::Outbound,
            (false, true) => Course::Inbound,
            (true, true) => Course::Lateral,
            (false, false) => Course::External,
        }
    }
}

impl Course {
    /// In a word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Outbound => "outbound",
            Self::Inbound => "inbound",
            Self::Lateral => "lateral",
            Self::External => "external",
        }
    }
}

fn within(networks: &[IpNet], address: IpAddr) -> bool {
    networks.iter().any(|network| network.contains(&address))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_local_allowed_or_many_is_an_attacker() {
        let site = Site {
            allow: vec!["198.51.100.0/24".parse().unwrap()],
            ..Site::default()
        };
        let may = |address: &str| site.may_be_attacker(address.parse().unwrap());
        for address in [
            "10.1.2.3",
            "127.0.0.1",
            "0.0.0.0",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.1.1",
            "198.51.100.7",
            "224.0.0.1",
            "255.255.255.255",
            "::1",
            "fe80::1",
            "fd00::1",
            "ff02::1",
            "::ffff:10.0.0.1",
            "::ffff:198.51.100.7",
        ] {
            assert!(!may(address), "{address}");
        }
        for address in ["8.8.8.8", "172.32.0.1", "2001:db8::1"] {
            assert!(may(address), "{address}");
        }
    }

    #[test]
    fn courses() {
        let site = Site::default();
        let course = |a: &str, b: &str| site.course(a.parse().unwrap(), b.parse().unwrap());
        assert_eq!(course("10.0.0.1", "8.8.8.8"), Course::Outbound);
        assert_eq!(course("8.8.8.8", "10.0.0.1"), Course::Inbound);
        assert_eq!(course("10.0.0.1", "fd00::1"), Course::Lateral);
        assert_eq!(course("1.1.1.1", "8.8.8.8"), Course::External);
    }
}
