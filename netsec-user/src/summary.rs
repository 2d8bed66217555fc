//! What an interval held.

mod tally;

use std::net::IpAddr;

use netsec_common::ledger::Snapshot;

use crate::finding::Kind;
use crate::hook::HookId;
use crate::time::WallTime;

pub use tally::Tally;

/// Packets and bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Volume {
    /// Bytes, link headers included. First, so that volumes order by bytes.
    pub bytes: u64,
    /// Packets.
    pub packets: u64,
}

/// What one address sent and received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Talker {
    /// The address.
    pub address: IpAddr,
    /// Packets with this source.
    pub sent: Volume,
    /// Packets with this destination.
    pub received: Volume,
}

/// Traffic of one service: a transport protocol and the responder's port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Service {
    /// IP protocol number.
    pub protocol: u8,
    /// Port of the responder.
    pub port: u16,
    /// Both directions.
    pub volume: Volume,
}

/// One hook's ledger.
#[derive(Clone, Copy, Debug)]
pub struct HookSummary {
    /// Which hook.
    pub hook: HookId,
    /// Counted in this interval.
    pub interval: Snapshot,
    /// Counted since the sensor started.
    pub total: Snapshot,
}

/// What happened between two points in traffic time.
#[derive(Clone, Debug)]
pub struct Summary {
    /// Start of the interval; of all traffic, for the last summary.
    pub start: WallTime,
    /// End of the interval.
    pub end: WallTime,
    /// Whether this is the last summary, which covers the whole run.
    pub is_final: bool,
    /// The ledgers, one a hook. They count every frame, whatever the filter.
    pub hooks: Vec<HookSummary>,
    /// By IP protocol number, most bytes first. Under a filter, what passed it.
    pub protocols: Vec<(u8, Volume)>,
    /// Most bytes first, at most the number asked for. Under a filter, what passed it.
    pub talkers: Vec<Talker>,
    /// Most bytes first, at most the number asked for. Under a filter, what passed it.
    pub services: Vec<Service>,
    /// Connections opened in the interval.
    pub opened: u64,
    /// Connection records written in the interval.
    pub ended: u64,
    /// Connections open at its end.
    pub active: u64,
    /// Packets that the interval's flow deltas accounted for, whatever the filter.
    pub read: Volume,
    /// The same of packets in tunnels, when the sources look into them. Their bytes are among those of
    /// the packets that carry them: nothing above but connections counts them.
    pub read_inner: Option<Volume>,
    /// Campaigns begun since the start, by kind.
    pub findings: Vec<(Kind, u64)>,
    /// Slots that could not be read because a packet was being counted each time: read next time.
    pub torn_reads: u64,
}
