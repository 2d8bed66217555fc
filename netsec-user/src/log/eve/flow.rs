//! Flow records, Suricata's and netsec's own.

use serde::Deserialize;

use super::scalar::{Hex, Text, Time};
use crate::time::WallTime;

/// A flow record: `src_ip` of the event is who began it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EveFlow<'a> {
    /// Packets of the initiator.
    pub pkts_toserver: u64,
    /// Packets of the other end.
    pub pkts_toclient: u64,
    /// Bytes of the initiator.
    pub bytes_toserver: u64,
    /// Bytes of the other end.
    pub bytes_toclient: u64,
    /// First packet.
    pub start: Option<WallTime>,
    /// Last packet.
    pub end: Option<WallTime>,
    /// `new`, `established`, `closed` or `bypassed`.
    pub state: Option<Text<'a>>,
    /// Why the record was written.
    pub reason: Option<Text<'a>>,
    /// Whether a rule matched.
    pub alerted: bool,
    /// TCP flags, where it is TCP.
    pub flags: Option<Flags>,
}

/// TCP flags that were seen, or-ed (CWR 0x80 … FIN 0x01).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flags {
    /// From the initiator.
    pub to_server: u8,
    /// From the other end.
    pub to_client: u8,
}

/// The object `flow` of a flow record.
#[derive(Debug, Deserialize)]
pub(super) struct FlowPart<'a> {
    #[serde(default)]
    pkts_toserver: u64,
    #[serde(default)]
    pkts_toclient: u64,
    #[serde(default)]
    bytes_toserver: u64,
    #[serde(default)]
    bytes_toclient: u64,
    start: Option<Time>,
    end: Option<Time>,
    #[serde(borrow, default)]
    state: Option<Text<'a>>,
    #[serde(borrow, default)]
    reason: Option<Text<'a>>,
    #[serde(default)]
    alerted: bool,
}

/// The object `tcp` of a flow record.
#[derive(Debug, Deserialize)]
pub(super) struct TcpPart {
    tcp_flags_ts: Option<Hex>,
    tcp_flags_tc: Option<Hex>,
}

impl<'a> FlowPart<'a> {
    pub(super) fn into_flow(self, tcp: Option<TcpPart>) -> EveFlow<'a> {
        let flags = |flags: Option<Hex>| flags.map_or(0, |Hex(flags)| flags);
        EveFlow {
            pkts_toserver: self.pkts_toserver,
            pkts_toclient: self.pkts_toclient,
            bytes_toserver: self.bytes_toserver,
            bytes_toclient: self.bytes_toclient,
            start: self.start.map(|Time(time)| time),
            end: self.end.map(|Time(time)| time),
            state: self.state,
            reason: self.reason,
            alerted: self.alerted,
            flags: tcp.map(|tcp| Flags {
                to_server: flags(tcp.tcp_flags_ts),
                to_client: flags(tcp.tcp_flags_tc),
            }),
        }
    }
}
