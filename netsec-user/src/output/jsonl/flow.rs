//! `event_type` flow: one connection record.

use netsec_common::packet::{FlowKey, protocol};
use serde::Serialize;

use super::super::Sensor;
use super::super::timestamp::EveTime;
use super::value::{Hex, Place, TunnelValue, Tuple, Vlans};
use crate::connection::{Connection, EndCause, State};
use crate::finding::mix;
use crate::time::WallTime;

/// The line of a connection; `timestamp` is the time of its last packet.
#[derive(Debug, Serialize)]
pub(super) struct FlowLine<'a> {
    timestamp: EveTime,
    flow_id: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    in_iface: Option<&'a str>,
    event_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    vlan: Option<Vlans<[u16; 2]>>,
    #[serde(flatten)]
    tuple: Tuple,
    #[serde(skip_serializing_if = "Option::is_none")]
    tunnel: Option<TunnelValue>,
    flow: Flow,
    #[serde(skip_serializing_if = "Option::is_none")]
    tcp: Option<Tcp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    netsec: Option<Extras>,
}

#[derive(Debug, Serialize)]
struct Flow {
    pkts_toserver: u64,
    pkts_toclient: u64,
    bytes_toserver: u64,
    bytes_toclient: u64,
    start: EveTime,
    end: EveTime,
    /// Whole seconds from start to end.
    age: u64,
    state: &'static str,
    reason: &'static str,
}

/// Flags or-ed: of both sides, to the server, to the client; and each flag that was seen.
#[derive(Debug, Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "one field a flag, as in EVE")]
struct Tcp {
    tcp_flags: Hex,
    tcp_flags_ts: Hex,
    tcp_flags_tc: Hex,
    #[serde(skip_serializing_if = "is_unset")]
    syn: bool,
    #[serde(skip_serializing_if = "is_unset")]
    fin: bool,
    #[serde(skip_serializing_if = "is_unset")]
    rst: bool,
    #[serde(skip_serializing_if = "is_unset")]
    psh: bool,
    #[serde(skip_serializing_if = "is_unset")]
    ack: bool,
    #[serde(skip_serializing_if = "is_unset")]
    urg: bool,
    #[serde(skip_serializing_if = "is_unset")]
    ecn: bool,
    #[serde(skip_serializing_if = "is_unset")]
    cwr: bool,
}

/// What EVE has no field for.
#[derive(Debug, Serialize)]
struct Extras {
    direction: &'static str,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
const fn is_unset(flag: &bool) -> bool {
    !*flag
}

impl<'a> FlowLine<'a> {
    pub(super) fn new(
        sensor: &'a Sensor,
        connection: &Connection,
        state: State,
        cause: EndCause,
    ) -> Self {
        let Connection {
            key,
            start,
            end,
            originator,
            responder,
            hook,
        } = connection;
        let place = Place::new(sensor, *hook);
        let is_tcp = key.protocol() == protocol::TCP;
        Self {
            timestamp: EveTime(*end),
            flow_id: flow_id(key, *start),
            in_iface: place.in_iface,
            event_type: "flow",
            vlan: Vlans::new([key.vlan().outer, key.vlan().inner]),
            tuple: Tuple::of_flow(key, sensor.community_seed),
            tunnel: key.tunnel().map(TunnelValue::from),
            flow: Flow {
                pkts_toserver: originator.packets,
                pkts_toclient: responder.packets,
                bytes_toserver: originator.bytes,
                bytes_toclient: responder.bytes,
                start: EveTime(*start),
                end: EveTime(*end),
                age: end.since(*start).as_secs(),
                state: state_name(state),
                reason: reason(cause),
            },
            tcp: is_tcp.then(|| Tcp::new(originator.tcp_flags, responder.tcp_flags)),
            netsec: place.direction.map(|direction| Extras { direction }),
        }
    }
}

impl Tcp {
    const fn new(to_server: u8, to_client: u8) -> Self {
        let all = to_server | to_client;
        Self {
            tcp_flags: Hex(all),
            tcp_flags_ts: Hex(to_server),
            tcp_flags_tc: Hex(to_client),
            syn: all & 0x02 != 0,
            fin: all & 0x01 != 0,
            rst: all & 0x04 != 0,
            psh: all & 0x08 != 0,
            ack: all & 0x10 != 0,
            urg: all & 0x20 != 0,
            ecn: all & 0x40 != 0,
            cwr: all & 0x80 != 0,
        }
    }
}

const fn state_name(state: State) -> &'static str {
    match state {
        State::New => "new",
        State::Established => "established",
        State::Closed => "closed",
    }
}

/// EVE's words; `active` is our own, for a partial record of a connection that goes on.
const fn reason(cause: EndCause) -> &'static str {
    match cause {
        // Suricata, too, keeps a closed flow until a timeout, and says so in `state`.
        EndCause::Closed | EndCause::IdleTimeout => "timeout",
        EndCause::ActiveTimeout => "active",
        EndCause::TcpReuse => "tcp_reuse",
        EndCause::TableFull => "forced",
        EndCause::Shutdown => "shutdown",
    }
}

/// A number for a connection, the same in every run over the same traffic and for both directions.
///
/// 51 bits as in Suricata, so that it survives programs whose numbers are doubles. A hash of the
/// key and the start, not secret.
pub(super) fn flow_id(key: &FlowKey, start: WallTime) -> u64 {
    let words = key.words().min(key.reversed().words());
    let tunnel = key.is_inner().then_some(key.tunnel_word());
    let start = start.as_ns().cast_unsigned();
    words.into_iter().chain(tunnel).chain([start]).fold(0, mix) & ((1 << 51) - 1)
}
