//! What is in tunnels, in words: the ledger's second identity.

use std::fmt;

use netsec_common::ledger::{Class, Counter, Snapshot};
use netsec_common::packet::Tunnel;

use super::coverage::{Count, kinds};
use crate::summary::Summary;

/// `120 packets = 100 in flows (12345 bytes) + 3 not IP (3 inner_arp) + 0 malformed + 17 not read (17
/// tunnel_fragments) + 0 unaccounted`, and what was lost of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tunnels {
    pub(super) ledger: Snapshot,
    /// Packets accounted in flows that no delta brought, of a finished run.
    pub(super) unread_packets: u64,
    grouped: bool,
}

impl Tunnels {
    /// Of a summary whose ledger this is; `None` when nobody looked into tunnels.
    pub(super) fn of(summary: &Summary, ledger: Snapshot, grouped: bool) -> Option<Self> {
        let read = summary.read_inner?;
        let delivered = ledger
            .get(Counter::InnerFlowPackets)
            .saturating_sub(ledger.get(Counter::InnerRecordsLostPackets));
        Some(Self {
            ledger,
            unread_packets: if summary.is_final {
                delivered.saturating_sub(read.packets)
            } else {
                0
            },
            grouped,
        })
    }

    /// Whether every packet is accounted for and was read.
    pub(super) fn is_complete(&self) -> bool {
        self.ledger.inner_imbalance() == 0
            && self.unread_packets == 0
            && self.ledger.sum(Class::InnerUnaccounted) == 0
            && self.ledger.get(Counter::InnerRecordsLost) == 0
    }
}

impl fmt::Display for Tunnels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            ledger, grouped, ..
        } = self;
        let count = |n| Count(n, *grouped);
        write!(
            f,
            "{} packets = {} in flows ({} bytes)",
            count(ledger.get(Counter::Tunnelled)),
            count(ledger.get(Counter::InnerFlowPackets)),
            count(ledger.get(Counter::InnerFlowBytes)),
        )?;
        for (class, name) in [
            (Class::InnerNotIp, "not IP"),
            (Class::InnerMalformed, "malformed"),
            (Class::InnerUnread, "not read"),
            (Class::InnerUnaccounted, "unaccounted"),
        ] {
            write!(f, " + {} {name}", count(ledger.sum(class)))?;
            kinds(f, ledger, class, *grouped)?;
        }
        match ledger.inner_imbalance() {
            0 => {}
            imbalance => write!(f, " + {imbalance} UNEXPLAINED")?,
        }
        match ledger.get(Counter::InnerRecordsLostPackets) {
            0 => {}
            lost => write!(f, "; {} lost with records", count(lost))?,
        }
        match self.unread_packets {
            0 => Ok(()),
            unread => write!(f, "; {} never read", count(unread)),
        }
    }
}

/// `vxlan vni 42`, `gre key 7 depth 2`.
#[derive(Clone, Copy, Debug)]
pub(super) struct TunnelName(pub(super) Tunnel);

impl fmt::Display for TunnelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Tunnel { kind, level, id } = self.0;
        f.write_str(kind.name())?;
        if let Some(name) = kind.id_name() {
            write!(f, " {name} {id}")?;
        }
        if level > 1 {
            write!(f, " depth {level}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use netsec_common::packet::TunnelKind;

    use super::super::fixtures::{ledger, summary};
    use super::*;
    use crate::summary::Volume;

    fn told(packets: u64, counts: &[(Counter, u64)]) -> Tunnels {
        let mut summary = summary();
        summary.is_final = true;
        summary.read_inner = Some(Volume {
            packets,
            bytes: 100,
        });
        Tunnels::of(&summary, ledger(counts), true).unwrap()
    }

    #[test]
    fn the_second_identity_is_written_out() {
        let all = told(
            1_100,
            &[
                (Counter::Tunnelled, 1_204),
                (Counter::InnerFlowPackets, 1_100),
                (Counter::InnerFlowBytes, 123_456),
                (Counter::InnerArp, 3),
                (Counter::InnerUdpLength, 1),
                (Counter::TunnelFragments, 90),
                (Counter::TunnelDepth, 10),
            ],
        );
        assert!(all.is_complete());
        assert_eq!(
            all.to_string(),
            "1,204 packets = 1,100 in flows (123,456 bytes) + 3 not IP (3 inner_arp) + 1 malformed \
             (1 inner_udp_length) + 100 not read (90 tunnel_fragments, 10 tunnel_depth) + 0 \
             unaccounted"
        );
    }

    #[test]
    fn what_is_missing_is_said() {
        let counts = [
            (Counter::Tunnelled, 9),
            (Counter::InnerFlowPackets, 8),
            (Counter::InnerRecordsLost, 1),
            (Counter::InnerRecordsLostPackets, 2),
        ];
        let all = told(5, &counts);
        assert!(!all.is_complete());
        let text = all.to_string();
        let end = "+ 0 unaccounted + 1 UNEXPLAINED; 2 lost with records; 1 never read";
        assert!(text.ends_with(end), "{text}");
        assert!(Tunnels::of(&summary(), ledger(&counts), true).is_none());
    }

    #[test]
    fn a_tunnel_has_a_name() {
        let name = |kind, level, id| TunnelName(Tunnel { kind, level, id }).to_string();
        assert_eq!(name(TunnelKind::Vxlan, 1, 42), "vxlan vni 42");
        assert_eq!(name(TunnelKind::KeyedGre, 2, 0), "gre key 0 depth 2");
        assert_eq!(name(TunnelKind::IpInIp, 1, 0), "ipip");
    }
}
