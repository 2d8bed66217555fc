//! Counters of the engine.

use serde::Deserialize;

/// What Suricata says of itself, since its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Stats {
    /// Seconds.
    pub uptime: u64,
    /// What the capture gave; missing when a file is read.
    pub capture: Option<StatsCapture>,
    /// What the decoder saw.
    pub decoder: StatsDecoder,
}

/// What the capture gave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct StatsCapture {
    /// Packets that the kernel had for it, those it dropped included.
    pub kernel_packets: u64,
    /// Packets that it was too slow for.
    pub kernel_drops: u64,
}

/// What the decoder saw.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct StatsDecoder {
    /// Packets.
    pub pkts: u64,
    /// Bytes.
    pub bytes: u64,
    /// Packets that were malformed.
    pub invalid: u64,
}
