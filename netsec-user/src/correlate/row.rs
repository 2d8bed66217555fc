//! What is kept of a log's record: enough to join it, to weigh it, and to show it.

use crate::log::{Detail, Event, EventDetail, Record, Tuple, decoder_noise};
use crate::time::WallTime;

use super::contact::{Contact, Outcome};
use super::sides::Sides;
use super::site::Site;

/// A record, on its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// When it began.
    pub time: WallTime,
    /// When it ended; the same for what has no length.
    pub until: WallTime,
    /// Which sensor.
    pub origin: Origin,
    /// What it is, such as `alert`, `conn`, `dns`.
    pub kind: String,
    /// Both ends, from the originator where it is known.
    pub tuple: Option<Tuple>,
    /// Who attacked whom.
    pub sides: Option<Sides>,
    /// Community ID as the line states it.
    pub community_id: Option<String>,
    /// Zeek's identifier, or Suricata's flow number.
    pub id: Option<String>,
    /// What it says.
    pub says: Says,
}

/// Which sensor a row is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Origin {
    /// Suricata, or netsec itself.
    Eve,
    /// Zeek.
    Zeek,
}

impl Origin {
    /// In a word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Eve => "suricata",
            Self::Zeek => "zeek",
        }
    }
}

/// What a row says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Says {
    /// A signature matched.
    Alert(AlertRow),
    /// Zeek noticed something: its kind and its words.
    Notice {
        /// Such as `SSH::Password_Guessing`.
        note: String,
        /// In words.
        message: String,
    },
    /// A connection, and what came of it.
    Contact(Outcome),
    /// Anything else.
    Other,
}

/// What is kept of an alert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlertRow {
    /// Generator.
    pub gid: u32,
    /// The rule's number.
    pub sid: u64,
    /// Its message.
    pub signature: String,
    /// Its class.
    pub category: Option<String>,
    /// From 1, the most severe.
    pub severity: u8,
    /// What kind of noise it is, if it is.
    pub noise: Option<&'static str>,
    /// Whether Suricata dropped the packet.
    pub dropped: bool,
    /// Packets of the flow so far, from and to its initiator, where the line says it.
    pub packets: Option<(u64, u64)>,
}

impl Row {
    /// Of a record.
    #[must_use]
    pub fn of(record: &Record<'_>, site: &Site) -> Self {
        let time = record.time();
        let (_, kind) = record.kind();
        let base = Self {
            time,
            until: time,
            origin: Origin::Eve,
            kind: kind.into_owned(),
            tuple: record.tuple(),
            sides: Sides::of_record(record, site),
            community_id: record.community_id().map(str::to_owned),
            id: None,
            says: Contact::of_record(record).map_or(Says::Other, |c| Says::Contact(c.outcome)),
        };
        match record {
            Record::Event(event) => base.with_event(event),
            Record::Zeek(zeek) => {
                let (mut until, mut says) = (time, Says::Other);
                if let Detail::Conn(conn) = &zeek.detail {
                    until = time.plus_ns(conn.duration_ns.unwrap_or_default().max(0));
                    says.clone_from(&base.says);
                } else if let Detail::Notice(notice) = &zeek.detail {
                    says = Says::Notice {
                        note: notice.note.to_string(),
                        message: notice.msg.as_deref().unwrap_or_default().to_owned(),
                    };
                }
                Self {
                    until,
                    origin: Origin::Zeek,
                    id: zeek.uid.as_deref().map(str::to_owned),
                    says,
                    ..base
                }
            }
        }
    }

    fn with_event(mut self, event: &Event<'_>) -> Self {
        self.id = event.flow_id.map(|id| id.to_string());
        if let EventDetail::Alert(alert) = &event.detail {
            self.says = Says::Alert(AlertRow {
                gid: alert.gid,
                sid: alert.sid,
                signature: alert.signature.to_string(),
                category: alert.category.as_deref().map(str::to_owned),
                severity: alert.severity,
                noise: decoder_noise(alert.gid, alert.sid),
                dropped: alert.is_dropped(),
                packets: alert
                    .flow
                    .map(|flow| (flow.pkts_toserver, flow.pkts_toclient)),
            });
        } else if let EventDetail::Flow(flow) = &event.detail {
            self.time = flow.start.unwrap_or(self.time);
            self.until = flow.end.unwrap_or(self.until).max(self.time);
        }
        self
    }

    /// The alert, if it is one.
    #[must_use]
    pub const fn alert(&self) -> Option<&AlertRow> {
        match &self.says {
            Says::Alert(alert) => Some(alert),
            Says::Notice { .. } | Says::Contact(_) | Says::Other => None,
        }
    }

    /// Whether it tells a whole connection, as Zeek's conn.log and EVE flow records do.
    #[must_use]
    pub fn is_connection(&self) -> bool {
        match self.origin {
            Origin::Eve => self.kind == "flow",
            Origin::Zeek => self.kind == "conn",
        }
    }
}
