//! Values that several events share.

use std::fmt::Display;
use std::net::IpAddr;

use netsec_common::packet::{FlowKey, Tunnel};
use serde::{Serialize, Serializer};

use super::super::Sensor;
use super::super::community_id;
use super::super::endpoints;
use crate::hook::{Direction, HookId};
use crate::packet::{Outer, names};

/// A byte as two hexadecimal digits, as EVE has TCP flags.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hex(pub(super) u8);

impl Serialize for Hex {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or('0');
        let mut text = [0; 2];
        for (place, nibble) in text.iter_mut().zip([self.0 >> 4, self.0 & 0xf]) {
            digit(nibble).encode_utf8(std::slice::from_mut(place));
        }
        serializer.serialize_str(str::from_utf8(&text).unwrap_or_default())
    }
}

/// Anything as the string it is displayed as.
#[derive(Clone, Copy, Debug)]
pub(super) struct Displayed<T>(pub(super) T);

impl<T: Display> Serialize for Displayed<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// An IP protocol's name, or its number in three digits, both as strings, as Suricata has it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Protocol(pub(super) u8);

impl Serialize for Protocol {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match names::protocol(self.0) {
            Some(name) => serializer.serialize_str(name),
            None => serializer.collect_str(&format_args!("{:03}", self.0)),
        }
    }
}

/// Where something was seen.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    pub(super) in_iface: Option<&'a str>,
    pub(super) direction: Option<&'static str>,
}

impl<'a> Place<'a> {
    pub(super) fn new(sensor: &'a Sensor, hook: HookId) -> Self {
        let hook = sensor.hook(hook);
        Self {
            in_iface: hook.map(|hook| hook.interface.as_str()),
            direction: hook.map(|hook| match hook.direction {
                Direction::Ingress => "ingress",
                Direction::Egress => "egress",
            }),
        }
    }
}

/// VLAN identifiers from the outermost in, without the zeros that stand for no tag.
#[derive(Clone, Copy, Debug)]
pub(super) struct Vlans<T>(T);

impl<T: AsRef<[u16]>> Vlans<T> {
    /// The identifiers, when there is one.
    pub(super) fn new(ids: T) -> Option<Self> {
        ids.as_ref().iter().any(|id| *id != 0).then_some(Self(ids))
    }
}

impl<T: AsRef<[u16]>> Serialize for Vlans<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.as_ref().iter().filter(|id| **id != 0))
    }
}

/// The tunnel that a packet or a flow was in.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct TunnelValue {
    #[serde(rename = "type")]
    kind: &'static str,
    /// What `id` is: `vni`, `key` or `session`.
    #[serde(skip_serializing_if = "Option::is_none")]
    id_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<u32>,
    /// 1 for the outermost tunnel.
    depth: u8,
    /// Between whom, as EVE has it; of packets only.
    #[serde(skip_serializing_if = "Option::is_none")]
    src_ip: Option<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dest_ip: Option<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    proto: Option<Protocol>,
}

impl From<Tunnel> for TunnelValue {
    fn from(tunnel: Tunnel) -> Self {
        let id_type = tunnel.kind.id_name();
        Self {
            kind: tunnel.kind.name(),
            id_type,
            id: id_type.map(|_| tunnel.id),
            depth: tunnel.level,
            src_ip: None,
            dest_ip: None,
            proto: None,
        }
    }
}

impl From<&Outer> for TunnelValue {
    fn from(Outer { tunnel, view }: &Outer) -> Self {
        let internet = view.internet();
        Self {
            src_ip: internet.map(|internet| internet.source),
            dest_ip: internet.map(|internet| internet.destination),
            proto: internet.map(|internet| Protocol(internet.protocol)),
            ..(*tunnel).into()
        }
    }
}

/// The five-tuple in EVE's fields, and its Community ID.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Tuple {
    src_ip: IpAddr,
    #[serde(skip_serializing_if = "Option::is_none")]
    src_port: Option<u16>,
    dest_ip: IpAddr,
    #[serde(skip_serializing_if = "Option::is_none")]
    dest_port: Option<u16>,
    proto: Protocol,
    ip_v: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    icmp_type: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    icmp_code: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    community_id: Option<String>,
}

impl Tuple {
    /// The tuple of a flow.
    pub(super) fn of_flow(key: &FlowKey, community_seed: u16) -> Self {
        let (source, destination) = endpoints(key);
        let icmp = |number| key.is_icmp().then_some(number);
        Self {
            src_ip: source.address,
            src_port: source.port,
            dest_ip: destination.address,
            dest_port: destination.port,
            proto: Protocol(key.protocol()),
            ip_v: version(source.address),
            icmp_type: icmp(key.source_port()),
            icmp_code: icmp(key.destination_port()),
            community_id: community_id(community_seed, key),
        }
    }

    /// The tuple of a packet that is in no flow, as far as it could be read.
    pub(super) fn of_parts(
        addresses: (IpAddr, IpAddr),
        ports: Option<(u16, u16)>,
        protocol: u8,
        icmp: Option<(u8, u8)>,
    ) -> Self {
        Self {
            src_ip: addresses.0,
            src_port: ports.map(|(source, _)| source),
            dest_ip: addresses.1,
            dest_port: ports.map(|(_, destination)| destination),
            proto: Protocol(protocol),
            ip_v: version(addresses.0),
            icmp_type: icmp.map(|(kind, _)| u16::from(kind)),
            icmp_code: icmp.map(|(_, code)| u16::from(code)),
            community_id: None,
        }
    }
}

const fn version(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 4,
        IpAddr::V6(_) => 6,
    }
}
