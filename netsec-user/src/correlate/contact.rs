//! Who reached whom: one form for Zeek's connections, EVE flow records and netsec's own.

use netsec_common::packet::protocol;

use crate::connection::Connection;
use crate::log::{Conn, ConnState, Detail, Event, EventDetail, Record, Tuple};
use crate::time::WallTime;

const FIN: u8 = 0x01;
const SYN: u8 = 0x02;
const RST: u8 = 0x04;
const PSH: u8 = 0x08;
const ACK: u8 = 0x10;

/// A connection, or a try at one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contact {
    /// First packet.
    pub time: WallTime,
    /// From originator to responder.
    pub tuple: Tuple,
    /// What came of it.
    pub outcome: Outcome,
    /// The log's own word for its state, such as `REJ` or `established`.
    pub state: String,
    /// Bytes of the originator, IP headers included.
    pub sent_bytes: u64,
    /// Bytes of the responder.
    pub received_bytes: u64,
}

/// What came of a try to connect, from nothing to a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Outcome {
    /// No answer.
    Unanswered,
    /// The answer was no.
    Refused,
    /// The port answered, and the originator left it at that: a half-open scan, or a SYN whose
    /// handshake the sensor did not see the end of.
    Probed,
    /// Both sides spoke.
    Established,
}

impl Outcome {
    /// In a word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unanswered => "unanswered",
            Self::Refused => "refused",
            Self::Probed => "probed",
            Self::Established => "established",
        }
    }

    /// Whether two hosts were in contact; anything less is an attempt.
    #[must_use]
    pub const fn is_contact(self) -> bool {
        matches!(self, Self::Established)
    }

    /// Of TCP, from all flags of either side and from whether the responder said anything.
    fn of_tcp(originator: u8, responder: u8, answered: bool) -> Self {
        let handshake = responder & (SYN | ACK) == SYN | ACK;
        if !answered {
            Self::Unanswered
        } else if handshake && originator & SYN != 0 && originator & (ACK | PSH | FIN) == 0 {
            // SYN, SYN-ACK, then RST or nothing.
            Self::Probed
        } else if !handshake && originator & SYN != 0 && responder & RST != 0 {
            Self::Refused
        } else {
            Self::Established
        }
    }

    /// Of Zeek's summary; `history` tells a half-open scan from an aborted conversation.
    fn of_zeek(conn: &Conn<'_>) -> Self {
        let answered = conn.resp_pkts.is_some_and(|packets| packets > 0)
            || conn.resp_bytes.is_some_and(|bytes| bytes > 0);
        let by_packets = if answered {
            Self::Established
        } else {
            Self::Unanswered
        };
        let Some(state) = conn.state else {
            return by_packets;
        };
        match state {
            ConnState::S0 | ConnState::Sh | ConnState::Rstos0 => Self::Unanswered,
            ConnState::Rej | ConnState::Rstrh => Self::Refused,
            ConnState::Shr => Self::Probed,
            ConnState::Oth => by_packets,
            ConnState::Rsto | ConnState::S1 | ConnState::Rstr
                if conn.history.as_deref().is_some_and(is_half_open) =>
            {
                Self::Probed
            }
            ConnState::S1
            | ConnState::Sf
            | ConnState::S2
            | ConnState::S3
            | ConnState::Rsto
            | ConnState::Rstr => Self::Established,
        }
    }
}

/// Zeek's letters: a SYN, a SYN-ACK, and of the originator no acknowledgement and no data.
fn is_half_open(history: &str) -> bool {
    history.contains('S') && history.contains('h') && !history.contains(['A', 'D', 'F'])
}

impl Contact {
    /// The contact that a record of a log speaks of; `None` for records about something else.
    #[must_use]
    pub fn of_record(record: &Record<'_>) -> Option<Self> {
        match record {
            Record::Zeek(zeek) => {
                let Detail::Conn(conn) = &zeek.detail else {
                    return None;
                };
                let outcome = Outcome::of_zeek(conn);
                Some(Self {
                    time: zeek.time,
                    tuple: zeek.tuple?,
                    outcome,
                    state: conn.state.map_or("", ConnState::name).to_owned(),
                    sent_bytes: conn.orig_ip_bytes.or(conn.orig_bytes).unwrap_or_default(),
                    received_bytes: conn.resp_ip_bytes.or(conn.resp_bytes).unwrap_or_default(),
                })
            }
            Record::Event(event) => Self::of_event(event),
        }
    }

    fn of_event(event: &Event<'_>) -> Option<Self> {
        let EventDetail::Flow(flow) = &event.detail else {
            return None;
        };
        let answered = flow.pkts_toclient > 0;
        let outcome = match flow.flags {
            Some(flags) if flags.to_server | flags.to_client != 0 => {
                Outcome::of_tcp(flags.to_server, flags.to_client, answered)
            }
            _ if answered => Outcome::Established,
            _ => Outcome::Unanswered,
        };
        Some(Self {
            time: flow.start.unwrap_or(event.time),
            tuple: event.tuple?,
            outcome,
            state: flow.state.as_deref().unwrap_or_default().to_owned(),
            sent_bytes: flow.bytes_toserver,
            received_bytes: flow.bytes_toclient,
        })
    }

    /// The contact that a connection is.
    #[must_use]
    pub fn of_connection(connection: &Connection) -> Self {
        let Connection {
            key,
            originator,
            responder,
            ..
        } = connection;
        let answered = responder.packets > 0;
        let outcome = if key.protocol() == protocol::TCP {
            Outcome::of_tcp(originator.tcp_flags, responder.tcp_flags, answered)
        } else if answered {
            Outcome::Established
        } else {
            Outcome::Unanswered
        };
        Self {
            time: connection.start,
            tuple: Tuple {
                source: key.source(),
                source_port: key.source_port(),
                destination: key.destination(),
                destination_port: key.destination_port(),
                protocol: Some(key.protocol()),
            },
            outcome,
            state: String::new(),
            sent_bytes: originator.bytes,
            received_bytes: responder.bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::{Decoder, Line, Wanted};

    fn zeek(state: &str, history: &str) -> Outcome {
        let row = format!(
            r#"{{"ts":1.5,"id.orig_h":"10.0.0.1","id.orig_p":40000,"id.resp_h":"192.0.2.1",
            "id.resp_p":4444,"proto":"tcp","conn_state":"{state}","history":"{history}"}}"#
        )
        .replace('\n', "");
        let mut decoder = Decoder::new(Wanted::Everything);
        let Line::Record(record) = decoder.decode(row.as_bytes()) else {
            panic!("{row}");
        };
        Contact::of_record(&record).unwrap().outcome
    }

    #[test]
    fn a_refused_or_unanswered_try_is_no_contact() {
        for (state, history, outcome) in [
            ("S0", "S", Outcome::Unanswered),
            ("SH", "SF", Outcome::Unanswered),
            ("RSTOS0", "SR", Outcome::Unanswered),
            ("REJ", "Sr", Outcome::Refused),
            ("RSTRH", "^hr", Outcome::Refused),
            ("SHR", "^hf", Outcome::Probed),
            ("RSTO", "ShR", Outcome::Probed),
            ("RSTO", "ShADadR", Outcome::Established),
            ("SF", "ShADadFf", Outcome::Established),
            ("S1", "ShA", Outcome::Established),
            ("OTH", "C", Outcome::Unanswered),
        ] {
            assert_eq!(zeek(state, history), outcome, "{state} {history}");
        }
    }

    #[test]
    fn flags_tell_the_same_as_zeeks_states() {
        for (originator, responder, answered, outcome) in [
            (SYN, 0, false, Outcome::Unanswered),
            (SYN, RST | ACK, true, Outcome::Refused),
            (SYN | RST, SYN | ACK, true, Outcome::Probed),
            (SYN | ACK | PSH, SYN | ACK, true, Outcome::Established),
            (ACK | PSH, ACK, true, Outcome::Established),
            (SYN | ACK | RST, SYN | ACK | RST, true, Outcome::Established),
        ] {
            let found = Outcome::of_tcp(originator, responder, answered);
            assert_eq!(found, outcome, "{originator:#x} {responder:#x}");
        }
    }
}
