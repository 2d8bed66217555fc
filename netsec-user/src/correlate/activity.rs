//! What a record of a log says about a connection, as the detectors want to hear it.

use netsec_common::packet::protocol;

use crate::connection::tcp::{ACK, FIN, PSH, RST, SYN};
use crate::connection::{Activity, Connection, EndCause, Side};
use crate::hook::HookId;
use crate::log::{Conn, Detail, EveFlow, Event, EventDetail, Record, Tuple, Zeek};
use crate::time::WallTime;

/// Bytes of an Ethernet header, which Zeek does not count and the other sources do.
const LINK_BYTES: u64 = 14;

/// The connection that a record is about, told as a whole when it ended; `None` for records about
/// something else, and for rows without a protocol.
#[must_use]
pub fn activity_of(record: &Record<'_>) -> Option<Activity> {
    match record {
        Record::Zeek(zeek) => {
            let Detail::Conn(conn) = &zeek.detail else {
                return None;
            };
            of_zeek(zeek, conn)
        }
        Record::Event(event) => {
            let EventDetail::Flow(flow) = &event.detail else {
                return None;
            };
            of_flow(event, flow)
        }
    }
}

/// A side with the flags that it sent first and at all.
struct Half {
    side: Side,
    first_flags: u8,
}

fn of_zeek(zeek: &Zeek<'_>, conn: &Conn<'_>) -> Option<Activity> {
    let tuple = zeek.tuple?;
    let is_tcp = tuple.protocol == Some(protocol::TCP);
    let history = conn.history.as_deref().unwrap_or_default();
    // `^` says that Zeek swapped the sides; what follows is in terms of the sides as swapped.
    let letters = |upper: bool| {
        history
            .chars()
            .filter(move |letter| letter.is_ascii_uppercase() == upper && letter.is_alphabetic())
    };
    let half = |upper: bool, packets: Option<u64>, bytes: Option<u64>, payload: Option<u64>| {
        let flags = |letter: char| flags_of(letter.to_ascii_lowercase());
        // Older logs have no packets and sizes with headers: what the letters show was there.
        let seen = letters(upper).count() as u64;
        let packets = packets.unwrap_or(seen);
        let bytes = bytes.or(payload).unwrap_or_default();
        Half {
            side: Side {
                packets,
                bytes: bytes + LINK_BYTES * packets,
                tcp_flags: if is_tcp {
                    letters(upper).map(flags).fold(0, |all, one| all | one)
                } else {
                    0
                },
            },
            first_flags: if is_tcp {
                letters(upper)
                    .map(flags)
                    .find(|flags| *flags != 0)
                    .unwrap_or(0)
            } else {
                0
            },
        }
    };
    let originator = half(true, conn.orig_pkts, conn.orig_ip_bytes, conn.orig_bytes);
    let responder = half(false, conn.resp_pkts, conn.resp_ip_bytes, conn.resp_bytes);
    let end = zeek.time.plus_ns(conn.duration_ns.unwrap_or_default());
    activity(&tuple, (zeek.time, end), originator, responder)
}

/// Zeek's letters as flags (`base/protocols/conn/main.zeek`, `history`).
const fn flags_of(letter: char) -> u8 {
    match letter {
        's' => SYN,
        'h' => SYN | ACK,
        'a' => ACK,
        'd' => PSH | ACK,
        'f' => FIN | ACK,
        'r' => RST,
        // SYN with RST, and SYN with FIN or RST.
        'i' => SYN | RST,
        'q' => SYN | FIN,
        _ => 0,
    }
}

fn of_flow(event: &Event<'_>, flow: &EveFlow<'_>) -> Option<Activity> {
    let tuple = event.tuple?;
    let flags = flow.flags.map(|flags| (flags.to_server, flags.to_client));
    let (to_server, to_client) = flags.unwrap_or_default();
    let half = |packets, bytes, tcp_flags: u8, first_flags| Half {
        side: Side {
            packets,
            bytes,
            tcp_flags,
        },
        first_flags,
    };
    // Flags are or-ed over the flow: a SYN came first, and alone but for a responder's.
    let first = if to_server & SYN != 0 { SYN } else { to_server };
    let first_answer = match to_client & (SYN | ACK) {
        both if both & SYN != 0 => SYN | to_client & ACK,
        _ => to_client,
    };
    let start = flow.start.unwrap_or(event.time);
    let times = (start, flow.end.unwrap_or(event.time).max(start));
    let originator = half(flow.pkts_toserver, flow.bytes_toserver, to_server, first);
    let responder = half(
        flow.pkts_toclient,
        flow.bytes_toclient,
        to_client,
        first_answer,
    );
    activity(&tuple, times, originator, responder)
}

fn activity(
    tuple: &Tuple,
    (start, end): (WallTime, WallTime),
    originator: Half,
    responder: Half,
) -> Option<Activity> {
    let closes = (originator.side.tcp_flags | responder.side.tcp_flags) & (FIN | RST) != 0;
    let mut activity = Activity {
        connection: Connection {
            hook: HookId(0),
            key: tuple.key()?,
            start,
            end,
            originator: originator.side,
            responder: responder.side,
        },
        sent: originator.side,
        answered: responder.side,
        since: start,
        first_tcp_flags: (originator.first_flags, responder.first_flags),
        opened: true,
        outcome: None,
        ended: Some(if closes {
            EndCause::Closed
        } else {
            EndCause::IdleTimeout
        }),
    };
    activity.outcome = activity.so_far();
    Some(activity)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::Outcome;
    use crate::log::{Decoder, Line, Wanted};

    fn decoded(row: &str) -> Activity {
        let mut decoder = Decoder::new(Wanted::Everything);
        let Line::Record(record) = decoder.decode(row.as_bytes()) else {
            panic!("{row}");
        };
        activity_of(&record).unwrap()
    }

    fn zeek(state: &str, history: &str, packets: (u64, u64)) -> Activity {
        decoded(&format!(
            r#"{{"ts":1.5,"id.orig_h":"10.0.0.1","id.orig_p":40000,"id.resp_h":"192.0.2.1","id.resp_p":22,"proto":"tcp","duration":2.25,"conn_state":"{state}","history":"{history}","orig_pkts":{},"orig_ip_bytes":{},"resp_pkts":{},"resp_ip_bytes":{}}}"#,
            packets.0,
            packets.0 * 44,
            packets.1,
            packets.1 * 40
        ))
    }

    #[test]
    fn zeeks_states_come_out_as_they_were_meant() {
        for (state, history, packets, outcome) in [
            ("S0", "S", (3, 0), Outcome::Silent),
            ("REJ", "Sr", (1, 1), Outcome::Refused),
            ("RSTO", "ShR", (2, 1), Outcome::Empty),
            ("RSTO", "ShADadR", (9, 8), Outcome::Conversation),
            ("SF", "ShADadFf", (9, 8), Outcome::Conversation),
            ("SF", "ShAFf", (4, 3), Outcome::Empty),
            ("OTH", "^hc", (0, 1), Outcome::Unasked),
        ] {
            let found = zeek(state, history, packets);
            assert_eq!(found.outcome, Some(outcome), "{state} {history}");
        }
        let talk = zeek("SF", "ShADadFf", (9, 8));
        assert!(talk.is_handshake() && talk.is_proven());
        assert_eq!(talk.connection.originator.bytes, 9 * (44 + 14));
        let seconds = talk.connection.end.since(talk.connection.start);
        assert_eq!(seconds.as_millis(), 2250);
        assert!(!zeek("S0", "S", (1, 0)).is_proven());
    }

    #[test]
    fn flow_records_say_the_same() {
        let flow = |to_server: &str, to_client: &str, answers: u64| {
            decoded(&format!(
                r#"{{"timestamp":"2024-04-19T00:00:09.000000+0000","event_type":"flow","src_ip":"10.0.0.1","src_port":40000,"dest_ip":"192.0.2.1","dest_port":22,"proto":"TCP","flow":{{"pkts_toserver":2,"pkts_toclient":{answers},"bytes_toserver":120,"bytes_toclient":60,"start":"2024-04-19T00:00:01.000000+0000","end":"2024-04-19T00:00:02.000000+0000"}},"tcp":{{"tcp_flags":"12","tcp_flags_ts":"{to_server}","tcp_flags_tc":"{to_client}"}}}}"#
            ))
        };
        assert_eq!(flow("02", "00", 0).outcome, Some(Outcome::Silent));
        assert_eq!(flow("02", "14", 1).outcome, Some(Outcome::Refused));
        assert_eq!(flow("06", "12", 1).outcome, Some(Outcome::Empty));
        let talk = flow("1b", "1b", 4);
        assert_eq!(talk.outcome, Some(Outcome::Conversation));
        assert!(talk.is_handshake() && talk.is_proven());
        assert!(!flow("19", "19", 4).is_handshake(), "no SYN was seen");
    }
}
