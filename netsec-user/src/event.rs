//! What every source delivers, live or replayed.

use bytes::Bytes;
use netsec_common::flow::EndReason;
use netsec_common::packet::{FlowKey, Start};
use netsec_common::sample::Fate;

use crate::hook::HookId;
use crate::time::WallTime;

/// The beginning of one frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Where it was seen.
    pub hook: HookId,
    /// When it was seen.
    pub time: WallTime,
    /// Length of the whole frame, bytes, from the link header on.
    pub wire_bytes: u32,
    /// What the first byte of `bytes` is.
    pub start: Start,
    /// What became of the frame.
    pub fate: Fate,
    /// As much of the frame as was captured.
    pub bytes: Bytes,
}

/// What one unidirectional flow counted since the last delta of the same flow.
///
/// The deltas of a flow add up to its counts exactly, whatever happened to its slot in the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlowDelta {
    /// Where it was seen.
    pub hook: HookId,
    /// The flow.
    pub key: FlowKey,
    /// First packet of the flow since its slot was opened (not since the last delta).
    pub first: WallTime,
    /// Last packet so far.
    pub last: WallTime,
    /// Packets since the last delta.
    pub packets: u64,
    /// Bytes since the last delta, link headers included.
    pub bytes: u64,
    /// All TCP flags seen since the slot was opened, or-ed (CWR 0x80 … FIN 0x01).
    pub tcp_flags: u8,
    /// TCP flags of the packet that opened the slot.
    pub first_tcp_flags: u8,
    /// Whether this is the first delta since the slot was opened.
    pub opened: bool,
    /// Why the flow left its slot, when it did.
    pub ended: Option<EndReason>,
}

/// Takes what a source delivers.
pub trait Sink {
    /// Takes a header sample.
    fn sample(&mut self, sample: Sample);

    /// Takes a flow delta.
    fn flow(&mut self, delta: &FlowDelta);
}
