//! What connections do, second by second, for those who watch how hosts behave.

use std::time::Duration;

use netsec_common::packet::protocol;

use super::handshake::completed;
use super::{Connection, EndCause, Side, is_closed, tcp};
use crate::time::WallTime;

/// Time after which an opening is taken for unanswered: the second retransmission of a SYN has
/// been sent by then (RFC 6298).
pub const ANSWER_TIME: Duration = Duration::from_secs(3);

/// Bytes of the largest frame without payload: Ethernet, two VLAN tags, IPv6, TCP with all options.
const EMPTY_FRAME_BYTES: u64 = 14 + 8 + 40 + 60;

/// What a connection did since it was last looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Activity {
    /// The connection since it began, whatever partial records were written of it.
    pub connection: Connection,
    /// What is new from the originator.
    pub sent: Side,
    /// What is new from the responder.
    pub answered: Side,
    /// When what is new began.
    pub since: WallTime,
    /// TCP flags of the originator's and of the responder's first packet.
    pub first_tcp_flags: (u8, u8),
    /// This is the first of the connection.
    pub opened: bool,
    /// What came of opening it: told once, when it is known.
    pub outcome: Option<Outcome>,
    /// Why the connection ended; nothing follows then.
    pub ended: Option<EndCause>,
}

/// What came of opening a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Both sides said something.
    Conversation,
    /// TCP was opened and closed, or left half open, and nothing was said.
    Empty,
    /// TCP answered with RST.
    Refused,
    /// Nobody answered within [`ANSWER_TIME`].
    Silent,
    /// There are answers only, to nothing that was seen within [`ANSWER_TIME`].
    Unasked,
}

impl Activity {
    /// Whether TCP's three-way handshake was begun by the originator and answered.
    #[must_use]
    pub const fn is_handshake(&self) -> bool {
        self.first_tcp_flags.0 & (tcp::SYN | tcp::ACK) == tcp::SYN
            && self.first_tcp_flags.1 & (tcp::SYN | tcp::ACK) == tcp::SYN | tcp::ACK
    }

    /// What came of opening the connection, as far as is known by its last packet.
    #[must_use]
    pub fn so_far(&self) -> Option<Outcome> {
        outcome(&self.connection, self.ended.is_some(), self.connection.end)
    }

    /// Whether the originator completed TCP's handshake and left without having said anything: it only
    /// looked what is there, as a scanner does at an open port. Whoever uses a service says something.
    #[must_use]
    pub const fn is_glance(&self) -> bool {
        let originator = &self.connection.originator;
        originator.tcp_flags & (tcp::FIN | tcp::RST) != 0
            && !has_payload(originator)
            && self.is_handshake()
            && completed(&self.connection).0
    }

    /// Whether packets went both ways so that the originator's address is no forgery: it answered
    /// what only it could have received. Without TCP that is likely, and not certain.
    #[must_use]
    pub fn is_proven(&self) -> bool {
        match self.connection.key.protocol() {
            // An ACK alone can be forged, too: the other end has to have accepted it.
            protocol::TCP => self.is_handshake() && completed(&self.connection).0,
            _ => self.connection.originator.packets > 1 && self.connection.responder.packets > 0,
        }
    }
}

/// What came of opening a connection, if that is known at `now`.
pub(super) fn outcome(connection: &Connection, is_over: bool, now: WallTime) -> Option<Outcome> {
    let Connection {
        originator,
        responder,
        ..
    } = connection;
    let waited = is_over || now.since(connection.start) >= ANSWER_TIME;
    if originator.packets == 0 {
        // What was asked may be in a flow table that is read later than that of the answer.
        return waited.then_some(Outcome::Unasked);
    }
    if connection.key.protocol() != protocol::TCP {
        return match responder.packets {
            0 => waited.then_some(Outcome::Silent),
            _ => Some(Outcome::Conversation),
        };
    }
    let is_closed = is_closed(originator.tcp_flags, responder.tcp_flags);
    let accepted = responder.tcp_flags & tcp::SYN != 0;
    if responder.packets == 0 {
        return waited.then_some(Outcome::Silent);
    }
    if !accepted && responder.tcp_flags & tcp::RST != 0 && !has_payload(responder) {
        return Some(Outcome::Refused);
    }
    let half_open = accepted && originator.tcp_flags & tcp::ACK == 0;
    let spoken = has_payload(originator) || has_payload(responder);
    if spoken && (is_closed || is_over) || has_payload(originator) && has_payload(responder) {
        return Some(Outcome::Conversation);
    }
    if is_closed || is_over || half_open && waited {
        return Some(Outcome::Empty);
    }
    None
}

/// Whether a side of TCP sent data: it pushed some, or sent frames too large to be without.
const fn has_payload(side: &Side) -> bool {
    side.tcp_flags & tcp::PSH != 0 || side.bytes > side.packets * EMPTY_FRAME_BYTES
}

#[cfg(test)]
mod tests {
    use netsec_common::packet::{FlowKey, Vlan};

    use super::*;
    use crate::connection::tcp::{ACK, FIN, PSH, RST, SYN};
    use crate::hook::HookId;

    fn side(packets: u64, tcp_flags: u8) -> Side {
        Side {
            packets,
            bytes: packets * 60,
            tcp_flags,
        }
    }

    fn connection(protocol: u8, originator: Side, responder: Side) -> Connection {
        let [client, server] = ["10.0.0.1:51000", "10.0.0.2:443"].map(|end| end.parse().unwrap());
        Connection {
            hook: HookId(0),
            key: FlowKey::from_endpoints(client, server, protocol, Vlan::default()),
            start: WallTime::default(),
            end: WallTime::default(),
            originator,
            responder,
        }
    }

    fn after(connection: &Connection, seconds: i64) -> Option<Outcome> {
        outcome(
            connection,
            false,
            WallTime::from_ns(seconds * 1_000_000_000),
        )
    }

    #[test]
    fn tcp_is_judged_by_what_was_said() {
        let tcp = |a, b| connection(protocol::TCP, a, b);
        let syn_scan_closed = tcp(side(1, SYN), side(1, RST | ACK));
        assert_eq!(after(&syn_scan_closed, 0), Some(Outcome::Refused));
        let syn_scan_open = tcp(side(2, SYN | RST), side(1, SYN | ACK));
        assert_eq!(after(&syn_scan_open, 0), Some(Outcome::Empty));
        let filtered = tcp(side(1, SYN), side(0, 0));
        assert_eq!(after(&filtered, 2), None);
        assert_eq!(after(&filtered, 3), Some(Outcome::Silent));
        let half_open = tcp(side(1, SYN), side(2, SYN | ACK));
        assert_eq!(after(&half_open, 2), None);
        assert_eq!(after(&half_open, 3), Some(Outcome::Empty));
        let connect_scan = tcp(side(3, SYN | ACK | RST), side(1, SYN | ACK));
        assert_eq!(after(&connect_scan, 0), Some(Outcome::Empty));
        let waiting = tcp(side(2, SYN | ACK), side(1, SYN | ACK));
        assert_eq!(after(&waiting, 60), None, "it may still speak");
        let talk = tcp(side(5, SYN | ACK | PSH), side(4, SYN | ACK | PSH | FIN));
        assert_eq!(after(&talk, 0), Some(Outcome::Conversation));
        let backscatter = tcp(side(0, 0), side(1, SYN | ACK));
        assert_eq!(after(&backscatter, 2), None, "the question may come yet");
        assert_eq!(after(&backscatter, 3), Some(Outcome::Unasked));
    }

    #[test]
    fn without_handshake_an_answer_is_a_conversation() {
        let udp = |a, b| connection(protocol::UDP, a, b);
        assert_eq!(
            after(&udp(side(1, 0), side(1, 0)), 0),
            Some(Outcome::Conversation)
        );
        assert_eq!(after(&udp(side(1, 0), side(0, 0)), 2), None);
        assert_eq!(
            after(&udp(side(1, 0), side(0, 0)), 3),
            Some(Outcome::Silent)
        );
    }
}
