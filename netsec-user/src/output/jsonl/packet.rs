//! `event_type` packet: one sampled packet.

use std::borrow::Cow;
use std::net::Ipv4Addr;

use netsec_common::sample::Fate;
use serde::Serialize;

use super::super::Sensor;
use super::super::timestamp::EveTime;
use super::value::{Displayed, Hex, Place, TunnelValue, Tuple, Vlans};
use crate::event::Sample;
use crate::packet::dns::{Message, Question};
use crate::packet::{Arp, Content, Defect, Fragment, Internet, Mac, PacketView, Transport, names};

/// The line of a packet.
#[derive(Debug, Serialize)]
pub(super) struct PacketLine<'a> {
    timestamp: EveTime,
    #[serde(skip_serializing_if = "Option::is_none")]
    in_iface: Option<&'a str>,
    event_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    vlan: Option<Vlans<&'a [u16]>>,
    #[serde(flatten)]
    tuple: Option<Tuple>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tunnel: Option<TunnelValue>,
    packet: Sizes,
    #[serde(skip_serializing_if = "Option::is_none")]
    dns: Option<Dns<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ether: Option<Ether>,
    #[serde(skip_serializing_if = "Option::is_none")]
    arp: Option<Resolution>,
    netsec: Extras,
}

#[derive(Debug, Serialize)]
struct Sizes {
    wire_bytes: u32,
    captured_bytes: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    tcp_flags: Option<Hex>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload_bytes: Option<u32>,
}

/// The first question; all that were read under `queries` when there are several.
#[derive(Debug, Serialize)]
struct Dns<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    id: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    rcode: Option<Cow<'static, str>>,
    #[serde(flatten)]
    first: Option<Query<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    queries: Vec<Query<'a>>,
}

#[derive(Debug, Serialize)]
struct Query<'a> {
    rrname: &'a str,
    rrtype: Cow<'static, str>,
}

/// Link addresses of a frame without IP.
#[derive(Debug, Serialize)]
struct Ether {
    #[serde(skip_serializing_if = "Option::is_none")]
    ether_type: Option<u16>,
    src_mac: Displayed<Mac>,
    dest_mac: Displayed<Mac>,
}

#[derive(Debug, Serialize)]
struct Resolution {
    opcode: Cow<'static, str>,
    src_mac: Displayed<Mac>,
    src_ip: Ipv4Addr,
    dest_mac: Displayed<Mac>,
    dest_ip: Ipv4Addr,
}

/// What EVE has no field for.
#[derive(Debug, Serialize)]
struct Extras {
    #[serde(skip_serializing_if = "Option::is_none")]
    direction: Option<&'static str>,
    /// The protocol of a frame without IP.
    #[serde(skip_serializing_if = "Option::is_none")]
    link_protocol: Option<&'static str>,
    /// What carries the IP packet besides Ethernet.
    #[serde(skip_serializing_if = "Option::is_none")]
    carrier: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fragment: Option<FragmentPlace>,
    /// The ledger's reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    malformed: Option<&'static str>,
    /// The ledger's reason, for a frame that was not captured whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    cut: Option<&'static str>,
    /// `drop`, or `would drop` in a dry run; of a frame that passed nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    verdict: Option<&'static str>,
    /// The decision that did.
    #[serde(skip_serializing_if = "Option::is_none")]
    decision: Option<u64>,
}

#[derive(Debug, Serialize)]
struct FragmentPlace {
    id: u32,
    offset_bytes: u32,
    more: bool,
}

impl<'a> PacketLine<'a> {
    pub(super) fn new(sensor: &'a Sensor, sample: &Sample, view: &'a PacketView) -> Self {
        let place = Place::new(sensor, sample.hook);
        let internet = view.internet();
        let tcp_flags = internet.and_then(|internet| match internet.transport {
            Transport::Tcp { flags, .. } => Some(Hex(flags)),
            Transport::Ports(..) | Transport::Icmp(..) | Transport::None => None,
        });
        Self {
            timestamp: EveTime(sample.time),
            in_iface: place.in_iface,
            event_type: "packet",
            vlan: Vlans::new(&view.link.vlans),
            tuple: internet.map(|internet| tuple(sensor, view, internet)),
            tunnel: view.outer.as_deref().map(TunnelValue::from),
            packet: Sizes {
                wire_bytes: view.wire_bytes,
                captured_bytes: view.captured_bytes,
                tcp_flags,
                payload_bytes: internet.and_then(|internet| internet.payload_bytes),
            },
            dns: internet
                .and_then(|internet| internet.dns.as_ref())
                .map(Dns::new),
            ether: if internet.is_none() {
                Ether::new(view)
            } else {
                None
            },
            arp: match &view.content {
                Content::Arp(arp) => Some(Resolution::new(arp)),
                Content::Ip(_) | Content::Other(_) => None,
            },
            netsec: Extras::new(place, view, sample.fate),
        }
    }
}

/// The flow's tuple for a packet in a flow, so that the two join; else what could be read.
fn tuple(sensor: &Sensor, view: &PacketView, internet: &Internet) -> Tuple {
    if let Ok(packet) = &view.flow {
        return Tuple::of_flow(&packet.key, sensor.community_seed);
    }
    let (ports, icmp) = match internet.transport {
        Transport::Tcp { ports, .. } => (Some(ports), None),
        Transport::Ports(source, destination) => (Some((source, destination)), None),
        Transport::Icmp(kind, code) => (None, Some((kind, code))),
        Transport::None => (None, None),
    };
    let addresses = (internet.source, internet.destination);
    Tuple::of_parts(addresses, ports, internet.protocol, icmp)
}

impl<'a> Dns<'a> {
    fn new(message: &'a Message) -> Self {
        let query = |question: &'a Question| Query {
            rrname: &question.name,
            rrtype: names::record_type(question.kind),
        };
        let several = message.questions.len() > 1;
        Self {
            kind: if message.response { "answer" } else { "query" },
            id: message.id,
            rcode: message.response.then(|| names::rcode(message.rcode)),
            first: message.questions.first().map(query),
            queries: message
                .questions
                .iter()
                .filter(|_| several)
                .map(query)
                .collect(),
        }
    }
}

impl Ether {
    fn new(view: &PacketView) -> Option<Self> {
        let (source, destination) = view.link.addresses?;
        Some(Self {
            ether_type: view.link.ethertype,
            src_mac: Displayed(source),
            dest_mac: Displayed(destination),
        })
    }
}

impl Resolution {
    fn new(arp: &Arp) -> Self {
        Self {
            opcode: match arp.operation {
                1 => "request".into(),
                2 => "reply".into(),
                other => names::arp_operation(other)
                    .map_or_else(|| other.to_string().into(), Cow::Borrowed),
            },
            src_mac: Displayed(arp.sender.0),
            src_ip: arp.sender.1,
            dest_mac: Displayed(arp.target.0),
            dest_ip: arp.target.1,
        }
    }
}

impl Extras {
    fn new(place: Place<'_>, view: &PacketView, fate: Fate) -> Self {
        let (malformed, cut) = match view.defect() {
            Some(Defect::Malformed(reason)) => (Some(reason.name()), None),
            Some(Defect::Cut(reason)) => (None, Some(reason.name())),
            None => (None, None),
        };
        let fragment = view.internet().and_then(|internet| internet.fragment);
        Self {
            direction: place.direction,
            link_protocol: match &view.content {
                Content::Other(name) => *name,
                Content::Ip(_) | Content::Arp(_) => None,
            },
            carrier: view.link.carrier.map(|carrier| carrier.name()),
            fragment: fragment.map(
                |Fragment {
                     id,
                     offset_bytes,
                     more,
                 }| FragmentPlace {
                    id,
                    offset_bytes,
                    more,
                },
            ),
            malformed,
            cut,
            verdict: match (fate.is_dropped(), fate.is_dry_run()) {
                (true, _) => Some("drop"),
                (false, true) => Some("would drop"),
                (false, false) => None,
            },
            decision: fate.decision_id(),
        }
    }
}
