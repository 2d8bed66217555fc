//! One thing that speaks against somebody.

use std::net::IpAddr;

use super::contact::Outcome;
use super::row::{Row, Says};
use crate::time::WallTime;

/// One thing that speaks against somebody.
#[derive(Clone, Debug, PartialEq)]
pub struct Evidence {
    /// When it happened.
    pub time: WallTime,
    /// Whom it speaks against.
    pub offender: IpAddr,
    /// Whether the offender may be called an attacker; a local or trusted one is a suspect at most.
    pub is_attacker: bool,
    /// Whom it was done to.
    pub victim: Option<IpAddr>,
    /// What it is.
    pub kind: EvidenceKind,
}

/// What speaks against somebody.
#[derive(Clone, Debug, PartialEq)]
pub enum EvidenceKind {
    /// A signature matched.
    Alert {
        /// The rule's number.
        sid: u64,
        /// Its message.
        signature: String,
        /// From 1, the most severe.
        severity: u8,
        /// It speaks of the capture, of nobody's deeds.
        noise: bool,
    },
    /// Zeek noticed something.
    Notice {
        /// Its kind.
        note: String,
        /// In words.
        message: String,
    },
    /// A connection, or a try at one.
    Contact(Outcome),
    /// A detector of netsec's found something.
    Finding {
        /// Which.
        name: String,
        /// From 0, normal, to 1.
        score: f64,
        /// In words.
        message: String,
    },
}

/// What can speak against somebody: rows of logs, and findings of detectors.
pub trait Witness {
    /// What it says, if it says anything.
    fn evidence(&self) -> Option<Evidence>;
}

impl Witness for Row {
    fn evidence(&self) -> Option<Evidence> {
        let sides = self.sides?;
        let kind = match &self.says {
            Says::Alert(alert) => EvidenceKind::Alert {
                sid: alert.sid,
                signature: alert.signature.clone(),
                severity: alert.severity,
                noise: alert.noise.is_some(),
            },
            Says::Notice { note, message } => EvidenceKind::Notice {
                note: note.clone(),
                message: message.clone(),
            },
            Says::Contact(outcome) => EvidenceKind::Contact(*outcome),
            Says::Other => return None,
        };
        // Of a connection, the one who began it is who did it; a server is no offender.
        let is_contact = matches!(kind, EvidenceKind::Contact(_));
        let offender = if is_contact {
            sides.initiator
        } else {
            sides.offender()
        };
        Some(Evidence {
            time: self.time,
            offender,
            is_attacker: sides.attacker == Some(offender),
            victim: (sides.victim != offender).then_some(sides.victim),
            kind,
        })
    }
}
