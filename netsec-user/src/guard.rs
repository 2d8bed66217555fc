//! What is never blocked, and what a block would cut.
//!
//! The same rules hold twice: here, when a block is asked for, and in the kernel, where all that
//! [`Guard::protected`] gives is on the allowlist, which is asked before any block.
//!
//! | a prefix that | is refused | with `--force` |
//! |---|---|---|
//! | lies in something protected | yes | yes: it would have no effect |
//! | covers an address of this host, loopback, link-local, multicast, broadcast or the unspecified address | yes | yes |
//! | covers a gateway, a DNS server, an SSH client or something on the allowlist | yes | no: they pass all the same |
//! | is wider than /8 (IPv4) or /32 (IPv6) | yes | no |

pub mod blast;
mod facts;
mod gather;
mod refusal;
mod set;
mod sockets;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use netsec_common::block::Prefix;

pub use self::facts::{Facts, dns_servers, ssh_client};
pub use self::gather::{Gathered, gather};
pub use self::refusal::{Covered, Refusal};
use self::set::Set;

/// Shortest prefix that is blocked without `--force`: (IPv4, IPv6).
pub const WIDE: (u8, u8) = (8, 32);

/// Why something is never blocked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Protected {
    /// The other end of an SSH session.
    SshPeer,
    /// An address of this host.
    Own,
    /// Next hop of a default route.
    Gateway,
    /// A configured DNS server.
    Dns,
    /// On the operator's allowlist.
    Allowed,
    /// Loopback (RFC 1122, 3.2.1.3; RFC 4291, 2.5.3).
    Loopback,
    /// Link-local (RFC 3927; RFC 4291, 2.5.6), by which neighbours find each other.
    LinkLocal,
    /// Multicast (RFC 5771; RFC 4291, 2.7).
    Multicast,
    /// Broadcast, limited or of a network of this host.
    Broadcast,
    /// The unspecified address, from which hosts ask for theirs.
    Unspecified,
}

impl Protected {
    /// Whether a prefix that covers it may be blocked by force.
    #[must_use]
    pub const fn yields_to_force(self) -> bool {
        match self {
            Self::SshPeer | Self::Gateway | Self::Dns | Self::Allowed => true,
            Self::Own
            | Self::Loopback
            | Self::LinkLocal
            | Self::Multicast
            | Self::Broadcast
            | Self::Unspecified => false,
        }
    }
}

/// Knows what must not be blocked.
#[derive(Clone, Debug)]
pub struct Guard {
    set: Set,
}

impl Guard {
    /// A guard with these facts and this allowlist.
    #[must_use]
    pub fn new(facts: &Facts, allowed: impl IntoIterator<Item = Prefix>) -> Self {
        let of = |kind, addresses: &[IpAddr]| -> Vec<(Prefix, Protected)> {
            let protect = |address: &IpAddr| (Prefix::host(*address), kind);
            addresses.iter().map(protect).collect()
        };
        let mut entries: Vec<(Prefix, Protected)> = always().collect();
        entries.extend(of(Protected::Own, &facts.own));
        entries.extend(of(Protected::Broadcast, &facts.broadcast));
        entries.extend(of(Protected::Gateway, &facts.gateways));
        entries.extend(of(Protected::Dns, &facts.dns));
        entries.extend(of(Protected::SshPeer, &facts.ssh_peers));
        entries.extend(allowed.into_iter().map(|net| (net, Protected::Allowed)));
        Self {
            set: Set::new(entries),
        }
    }

    /// Whether a prefix may be blocked.
    ///
    /// # Errors
    ///
    /// Why not. See the table of this module for what `force` does.
    pub fn check(&self, prefix: Prefix, force: bool) -> Result<(), Refusal> {
        let is_wide = prefix.length() < if prefix.is_v4() { WIDE.0 } else { WIDE.1 };
        if !is_wide && !self.set.may_overlap(prefix) {
            return Ok(());
        }
        let covered = self.set.overlapping(prefix);
        let is_final = covered
            .iter()
            .any(|c| c.prefix.covers(prefix) || !c.why.yields_to_force());
        if covered.is_empty() && !is_wide || force && !is_final {
            return Ok(());
        }
        Err(Refusal {
            prefix,
            covered,
            is_wide,
            is_final,
        })
    }

    /// What is to pass before any block is looked at.
    pub fn protected(&self) -> impl Iterator<Item = (Prefix, Protected)> {
        self.set.entries()
    }

    /// Whether a packet from this address passes whatever is blocked.
    #[must_use]
    pub fn passes(&self, address: IpAddr) -> bool {
        let prefix = Prefix::host(address);
        self.set.may_overlap(prefix)
    }
}

/// What no host can do without.
fn always() -> impl Iterator<Item = (Prefix, Protected)> {
    let v4 = |a, b, c, d, length| (IpAddr::V4(Ipv4Addr::new(a, b, c, d)), length);
    let v6 = |first, last, length| {
        let address = Ipv6Addr::new(first, 0, 0, 0, 0, 0, 0, last);
        (IpAddr::V6(address), length)
    };
    [
        (v4(0, 0, 0, 0, 32), Protected::Unspecified),
        (v4(127, 0, 0, 0, 8), Protected::Loopback),
        (v4(169, 254, 0, 0, 16), Protected::LinkLocal),
        (v4(224, 0, 0, 0, 4), Protected::Multicast),
        (v4(255, 255, 255, 255, 32), Protected::Broadcast),
        (v6(0, 0, 128), Protected::Unspecified),
        (v6(0, 1, 128), Protected::Loopback),
        (v6(0xfe80, 0, 10), Protected::LinkLocal),
        (v6(0xff00, 0, 8), Protected::Multicast),
    ]
    .into_iter()
    .filter_map(|((address, length), why)| Some((Prefix::new(address, length)?, why)))
}

#[cfg(test)]
mod tests;
