//! One thing that speaks against somebody.

use std::net::IpAddr;

use super::contact::{Contact, Outcome};
use super::row::{Origin, Row, Says};
use super::site::Site;
use crate::connection::Connection;
use crate::finding::{Finding, Kind, Severity, State};
use crate::time::WallTime;

/// Most characters of a text that are kept.
const TEXT_CHARS: usize = 300;

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
    /// Whether anybody answered the offender, where that is known: an address that nobody answers may
    /// be forged.
    pub answered: Option<bool>,
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
    /// A connection, or a try at one, and who tells of it.
    Contact(Outcome, Observer),
    /// A detector of netsec's found something.
    Finding {
        /// The campaign's number.
        id: u64,
        /// What was found.
        kind: Kind,
        /// How much it matters.
        severity: Severity,
        /// Whether the campaign begins, grows or ends.
        state: State,
        /// In words, with the figures.
        message: String,
    },
}

/// Who tells of a connection. Several tell of the same ones, so their counts are never added up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Observer {
    /// netsec's own counters.
    Netsec,
    /// A flow record in EVE's form.
    Suricata,
    /// Zeek's `conn.log`.
    Zeek,
}

impl From<Origin> for Observer {
    fn from(origin: Origin) -> Self {
        match origin {
            Origin::Eve => Self::Suricata,
            Origin::Zeek => Self::Zeek,
        }
    }
}

/// What can speak against somebody: rows of logs, findings of detectors, and connections.
pub trait Witness {
    /// What it says, if it says anything.
    fn evidence(&self, site: &Site) -> Option<Evidence>;
}

impl Witness for Row {
    fn evidence(&self, _site: &Site) -> Option<Evidence> {
        let sides = self.sides?;
        let kind = match &self.says {
            Says::Alert(alert) => EvidenceKind::Alert {
                sid: alert.sid,
                signature: clipped(&alert.signature),
                severity: alert.severity,
                noise: alert.noise.is_some(),
            },
            Says::Notice { note, message } => EvidenceKind::Notice {
                note: clipped(note),
                message: clipped(message),
            },
            Says::Contact(outcome) => EvidenceKind::Contact(*outcome, self.origin.into()),
            Says::Other => return None,
        };
        // Of a connection, the one who began it is who did it; a server is no offender.
        let is_contact = matches!(kind, EvidenceKind::Contact(..));
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
            answered: answered(&kind),
            kind,
        })
    }
}

impl Witness for Finding {
    /// Forged sources and reflectors are nobody, and many hosts are not one.
    fn evidence(&self, site: &Site) -> Option<Evidence> {
        let offender = self.attacker.host()?;
        Some(Evidence {
            time: self.end,
            offender,
            is_attacker: site.may_be_attacker(offender),
            victim: self.victim.host().filter(|victim| *victim != offender),
            answered: self.attacker_proven.then_some(true),
            kind: EvidenceKind::Finding {
                id: self.id,
                kind: self.kind,
                severity: self.severity,
                state: self.state,
                message: self.message.clone(),
            },
        })
    }
}

impl Witness for Connection {
    fn evidence(&self, site: &Site) -> Option<Evidence> {
        let Contact { tuple, outcome, .. } = Contact::of_connection(self);
        let kind = EvidenceKind::Contact(outcome, Observer::Netsec);
        Some(Evidence {
            time: self.end,
            offender: tuple.source,
            is_attacker: site.may_be_attacker(tuple.source),
            victim: Some(tuple.destination),
            answered: answered(&kind),
            kind,
        })
    }
}

/// The beginning of a text that somebody else wrote, as long as it likes.
fn clipped(text: &str) -> String {
    text.chars().take(TEXT_CHARS).collect()
}

const fn answered(kind: &EvidenceKind) -> Option<bool> {
    match kind {
        EvidenceKind::Contact(outcome, _) => Some(!matches!(outcome, Outcome::Unanswered)),
        EvidenceKind::Alert { .. } | EvidenceKind::Notice { .. } | EvidenceKind::Finding { .. } => {
            None
        }
    }
}
