//! Frames with their expected outcome, and an engine in host memory to run them on.
//!
//! One table for every place the engine runs: unit tests hold the host engine to it, kernel tests
//! the BPF program. Each case names all counters that one frame moves in an empty flow table; a
//! counter that moves besides them is a failure.

mod blocks;
mod frame;
mod host;
mod ipv4;
mod ipv6;
mod link;
#[cfg(any(test, feature = "reference"))]
pub mod reference;
mod rig;
mod transport;
mod tunnel;

use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

pub use blocks::Blocks;
pub use rig::{Records, Rig, Samples, Table};
pub use tunnel::{TunnelCase, deep_tunnel, tunnel_cases};

use crate::ledger::{Counter, Snapshot};
use crate::packet::{FlowKey, Start};

/// A frame and what the engine makes of it.
#[derive(Clone, Debug)]
pub struct Case {
    /// What is special about the frame.
    pub name: &'static str,
    /// The bytes at hand.
    pub frame: Vec<u8>,
    /// Length on the wire; `frame.len()` for all but captures that were cut short.
    pub wire_bytes: u32,
    /// What the frame begins with.
    pub start: Start,
    /// All counters that move when the flow table is empty and sampling is off, in ledger order.
    pub expect: Vec<(Counter, u64)>,
    /// The frame's flow, or `None` when it is in no flow.
    pub key: Option<FlowKey>,
    /// TCP flags, zero for other protocols.
    pub tcp_flags: u8,
    /// Bytes after the transport header.
    pub payload_bytes: u32,
}

/// The cases that can also be run in the kernel: whole frames with an Ethernet header.
#[must_use]
pub fn cases() -> Vec<Case> {
    [
        link::cases(),
        ipv4::cases(),
        ipv6::cases(),
        transport::cases(),
    ]
    .concat()
}

/// The cases only a capture file can give: less than an Ethernet header, frames cut short by the
/// snap length, other link headers.
#[must_use]
pub fn host_cases() -> Vec<Case> {
    host::cases()
}

/// The counters that moved between two snapshots and by how much, in ledger order.
#[must_use]
pub fn moved(before: &Snapshot, after: &Snapshot) -> Vec<(Counter, u64)> {
    after
        .since(before)
        .iter()
        .filter(|(_, amount)| *amount != 0)
        .collect()
}

/// One line per counter that did not move as expected; empty when all is well.
#[must_use]
pub fn differences(expected: &[(Counter, u64)], moved: &[(Counter, u64)]) -> Vec<String> {
    let amount = |list: &[(Counter, u64)], counter| {
        list.iter()
            .filter(|(named, _)| *named == counter)
            .map(|(_, amount)| amount)
            .sum::<u64>()
    };
    Counter::ALL
        .into_iter()
        .map(|counter| (counter, amount(expected, counter), amount(moved, counter)))
        .filter(|(_, expected, moved)| expected != moved)
        .map(|(counter, expected, moved)| {
            format!("{}: expected {expected}, moved {moved}", counter.name())
        })
        .collect()
}

impl Case {
    /// A frame that is accounted in a flow, and its attributes.
    fn flow(name: &'static str, frame: Vec<u8>, key: FlowKey, attributes: &[Counter]) -> Self {
        let mut case = Self::new(name, frame, attributes);
        case.key = Some(key);
        case.count(Counter::FlowPackets, 1);
        case.count(Counter::FlowBytes, u64::from(case.wire_bytes));
        case.count(Counter::FlowsOpened, 1);
        case
    }

    /// A frame that is in no flow for this reason, and the attributes read before that showed.
    fn refused(name: &'static str, frame: Vec<u8>, attributes: &[Counter], why: Counter) -> Self {
        let mut case = Self::new(name, frame, attributes);
        case.count(why, 1);
        case
    }

    fn new(name: &'static str, frame: Vec<u8>, attributes: &[Counter]) -> Self {
        let wire_bytes = u32::try_from(frame.len()).unwrap_or(u32::MAX);
        let mut case = Self {
            name,
            frame,
            wire_bytes,
            start: Start::Ethernet,
            expect: vec![(Counter::Frames, 1), (Counter::Bytes, wire_bytes.into())],
            key: None,
            tcp_flags: 0,
            payload_bytes: 0,
        };
        for attribute in attributes {
            case.count(*attribute, 1);
        }
        case
    }

    fn count(&mut self, counter: Counter, amount: u64) {
        self.expect.push((counter, amount));
        self.expect.sort_by_key(|(counter, _)| *counter as u32);
    }

    /// States the bytes after the transport header.
    fn payload(mut self, bytes: u32) -> Self {
        self.payload_bytes = bytes;
        self
    }

    /// States the TCP flags.
    fn flags(mut self, flags: u8) -> Self {
        self.tcp_flags = flags;
        self
    }

    /// The same frame, captured up to `captured` bytes only.
    fn cut(mut self, captured: usize) -> Self {
        self.frame.truncate(captured);
        self
    }

    /// The same bytes, said to be of a frame of `wire_bytes`.
    fn on_the_wire(mut self, wire_bytes: u32) -> Self {
        self.wire_bytes = wire_bytes;
        for (counter, amount) in &mut self.expect {
            if matches!(counter, Counter::Bytes | Counter::FlowBytes) {
                *amount = wire_bytes.into();
            }
        }
        self
    }

    /// The same bytes behind another link header.
    fn behind(mut self, ethertype: u16, offset: u8) -> Self {
        self.start = Start::Network { ethertype, offset };
        self
    }
}

#[cfg(test)]
mod tests;
