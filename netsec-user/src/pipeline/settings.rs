//! What the pipeline lets through, and when it sums up.

use std::time::Duration;

use netsec_common::flow::FIXED_HASH_KEYS;

use crate::connection::Timeouts;
use crate::detect::DetectSettings;
use crate::filter::Filter;

/// What the pipeline lets through, and when it sums up.
#[derive(Clone, Debug)]
pub struct PipelineSettings {
    /// Which packets and connections are of interest.
    pub filter: Filter,
    /// When connections end, and how many are kept.
    pub timeouts: Timeouts,
    /// Keys of the connection table's hash.
    pub hash_keys: [u32; 10],
    /// Time between two summaries; `None` for a last one only.
    pub interval: Option<Duration>,
    /// Addresses and services in a summary.
    pub top: usize,
    /// Packets after which to stop.
    pub packet_limit: Option<u64>,
    /// Whether packets are written.
    pub packets: bool,
    /// Whether connection records are written.
    pub connections: bool,
    /// What the detectors look for; `None` switches them off.
    pub detect: Option<DetectSettings>,
    /// Whether the sources look into tunnels.
    pub inner: bool,
    /// Whether detectors and joined logs look into tunnels too, from where nothing may lead to a block:
    /// whoever can send to a tunnel's end can write any addresses into it.
    pub detect_inner: bool,
}

impl PipelineSettings {
    /// For captures and logs of which only findings and the last summary are of interest: everything is
    /// let through, nothing is written of it, and hash keys are fixed.
    #[must_use]
    pub fn of_findings(detect: Option<DetectSettings>) -> Self {
        Self {
            filter: Filter::everything(),
            timeouts: Timeouts::default(),
            hash_keys: FIXED_HASH_KEYS,
            interval: None,
            top: 0,
            packet_limit: None,
            packets: false,
            connections: false,
            detect,
            inner: false,
            detect_inner: false,
        }
    }
}
