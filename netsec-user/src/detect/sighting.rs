//! What a detector sees at one moment; campaigns are made of these.

use std::net::IpAddr;
use std::time::Duration;

use crate::finding::{Evidence, Kind, Party, Severity};
use crate::time::WallTime;

/// One look at something that a detector is about.
#[derive(Clone, Debug)]
pub(super) struct Sighting {
    pub(super) kind: Kind,
    pub(super) severity: Severity,
    pub(super) attacker: Party,
    pub(super) proven: bool,
    pub(super) victim: Party,
    pub(super) service: Option<(u8, Option<u16>)>,
    pub(super) start: WallTime,
    pub(super) last: WallTime,
    /// Time in which its figures were counted: so long the campaign is not over, as one more packet
    /// would be seen as more of it.
    pub(super) window: Duration,
    pub(super) evidence: Evidence,
    pub(super) message: String,
}

/// What makes two sightings one campaign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Subject {
    kind: Kind,
    attacker: Option<IpAddr>,
    victim: Option<IpAddr>,
    service: Option<(u8, Option<u16>)>,
}

impl Sighting {
    /// Whom it is about. Who floods a victim may change while the flood is the same.
    pub(super) fn subject(&self) -> Subject {
        let victim = self.victim.host();
        let by_victim = is_flood(self.kind) && victim.is_some();
        let by_service = self.kind != Kind::Anomaly;
        Subject {
            kind: self.kind,
            attacker: self.attacker.host().filter(|_| !by_victim),
            victim,
            // One strange thing after the other between two hosts is one campaign.
            service: self.service.filter(|_| by_service),
        }
    }
}

impl Subject {
    pub(super) const fn kind(&self) -> Kind {
        self.kind
    }

    pub(super) const fn attacker(&self) -> Option<IpAddr> {
        self.attacker
    }
}

/// Whether a kind is about the number of packets in a second.
pub(super) const fn is_flood(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::FloodSyn
            | Kind::FloodTcp
            | Kind::FloodUdp
            | Kind::FloodIcmp
            | Kind::FloodFragment
            | Kind::FloodReflection
            | Kind::FloodAmplification
    )
}
