//! What a detector has to say: who does what to whom, since when, and the figures that show it.
//!
//! A campaign is one finding: a `start`, `update`s while it grows, an `end`, all with one
//! [`id`](Finding::id).

mod evidence;
mod kind;
mod party;

use crate::time::WallTime;

pub use evidence::{Evidence, Figure};
pub use kind::{Kind, Severity, State, UnknownName};
pub use party::Party;

/// One step of a campaign.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// The same for every step of a campaign, and in every replay of it; see [`campaign_id`].
    pub id: u64,
    /// What it is.
    pub kind: Kind,
    /// How much it matters.
    pub severity: Severity,
    /// Which step this is.
    pub state: State,
    /// Who acts: the one that sends the scan, that guesses, that calls home. Never a victim of
    /// forged packets: see [`Party`].
    pub attacker: Party,
    /// Whether packets went both ways between attacker and victim, so that the attacker's address
    /// cannot be forged. A block needs that.
    pub attacker_proven: bool,
    /// On whom it acts, or with whom it talks.
    pub victim: Party,
    /// IP protocol number and the victim's port, when it is about one.
    pub service: Option<(u8, Option<u16>)>,
    /// First packet that counts.
    pub start: WallTime,
    /// Last packet that counts, so far.
    pub end: WallTime,
    /// The figures, in the order in which they are read.
    pub evidence: Evidence,
    /// One sentence for people, with the figures that decided.
    pub message: String,
}

impl Finding {
    /// The MITRE ATT&CK technique.
    #[must_use]
    pub const fn technique(&self) -> Option<&'static str> {
        self.kind.technique()
    }
}

/// A number for a campaign that began to be told at `time`: the same in every run over the same
/// traffic.
///
/// 51 bits, so that it survives programs whose numbers are doubles. Not secret.
#[must_use]
pub fn campaign_id(
    kind: Kind,
    attacker: &Party,
    victim: &Party,
    service: Option<(u8, Option<u16>)>,
    time: WallTime,
) -> u64 {
    let words = kind.name().bytes().map(u64::from);
    let service = service.map_or(0, |(protocol, port)| {
        1 << 32 | u64::from(protocol) << 16 | u64::from(port.unwrap_or_default())
    });
    words
        .chain([attacker.word(), victim.word(), service])
        .chain([time.as_ns().cast_unsigned()])
        .fold(0, mix)
        & ((1 << 51) - 1)
}

/// Adds a word to a hash: the finalizer of MurmurHash3 over each word. Anybody can aim at it.
#[must_use]
pub const fn mix(hash: u64, word: u64) -> u64 {
    let mut hash = (hash ^ word).wrapping_add(0x9e37_79b9_7f4a_7c15);
    hash = (hash ^ hash >> 33).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash = (hash ^ hash >> 33).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ hash >> 33
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_tells_campaigns_apart() {
        let host = |last| Party::Host([10, 0, 0, last].into());
        let id = |kind, from: u8, to: u8, at| {
            campaign_id(kind, &host(from), &host(to), None, WallTime::from_ns(at))
        };
        let one = id(Kind::ScanVertical, 1, 2, 5);
        assert_eq!(one, id(Kind::ScanVertical, 1, 2, 5));
        assert!(one < 1 << 51);
        for other in [
            id(Kind::ScanHorizontal, 1, 2, 5),
            id(Kind::ScanVertical, 2, 1, 5),
            id(Kind::ScanVertical, 1, 3, 5),
            id(Kind::ScanVertical, 1, 2, 6),
        ] {
            assert_ne!(one, other);
        }
    }
}
