//! One Ethernet frame, read by the engine and by etherparse.

use netsec_common::fixtures::{cases, reference};
use netsec_common::packet::{Packet, Start};

use crate::frame::Given;

/// A frame that both read is of one flow, and has the same TCP flags.
pub fn check(frame: &[u8]) {
    let given = Given {
        start: Start::Ethernet,
        wire_bytes: u32::try_from(frame.len()).unwrap_or(u32::MAX),
        bytes: frame.to_vec(),
    };
    let (Ok(packet), Some(theirs)) = (given.parse(), reference::read(frame)) else {
        return;
    };
    let Packet { key, tcp_flags, .. } = packet;
    assert_eq!(reference::Reading { key, tcp_flags }, theirs);
}

/// The fixtures' frames.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    cases().into_iter().map(|case| case.frame).collect()
}
