//! Both directions of a flow, joined: originator and responder.

mod activity;
mod community;
mod endpoint;
mod handshake;
mod key;
mod recent;
mod table;
pub mod tcp;

use netsec_common::packet::FlowKey;

use crate::hook::HookId;
use crate::time::WallTime;

pub use community::community_id;
pub use endpoint::{Endpoint, endpoints};
pub(crate) use key::KeyHash;
pub(crate) use key::canonical;

pub use activity::{ANSWER_TIME, Activity, Outcome};
pub use handshake::{Handshakes, completed};
pub use recent::{RecentTraffic, Recently};
pub use table::{ConnectionTable, Ended, Timeouts, View};

/// What one direction of a connection counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Side {
    /// Packets.
    pub packets: u64,
    /// Bytes, link headers included.
    pub bytes: u64,
    /// All TCP flags seen, or-ed (CWR 0x80 … FIN 0x01).
    pub tcp_flags: u8,
}

/// A connection: a flow and, where it was seen, the flow in the opposite direction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    /// Where it was first seen.
    pub hook: HookId,
    /// The flow from originator to responder.
    pub key: FlowKey,
    /// First packet since the connection was opened, or since its last active timeout.
    pub start: WallTime,
    /// Last packet.
    pub end: WallTime,
    /// Originator to responder.
    pub originator: Side,
    /// Responder to originator.
    pub responder: Side,
}

impl Connection {
    /// How far the connection came.
    #[must_use]
    pub fn state(&self) -> State {
        if is_closed(self.originator.tcp_flags, self.responder.tcp_flags) {
            State::Closed
        } else if self.originator.packets != 0 && self.responder.packets != 0 {
            State::Established
        } else {
            State::New
        }
    }
}

/// Why a connection's record was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EndCause {
    /// TCP closed or reset, and quiet since.
    Closed,
    /// No packet for the idle timeout.
    IdleTimeout,
    /// Open longer than the active timeout: a partial record; the connection goes on.
    ActiveTimeout,
    /// A SYN after FIN or RST: a new connection between the same endpoints.
    TcpReuse,
    /// The connection table was full and this was the oldest.
    TableFull,
    /// The sensor stops.
    Shutdown,
}

/// How far a connection came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Packets in one direction only.
    New,
    /// Packets in both directions.
    Established,
    /// TCP with FIN from both sides, or RST.
    Closed,
}

/// FIN from both sides, or RST from one. Flags are zero but for TCP.
const fn is_closed(flags: u8, other_flags: u8) -> bool {
    (flags | other_flags) & tcp::RST != 0 || flags & other_flags & tcp::FIN != 0
}
