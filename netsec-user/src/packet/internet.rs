//! The IP packet: addresses, fragment, transport, DNS.

use etherparse::{
    Ipv6ExtensionSlice, LaxIpPayloadSlice, LaxIpv4Slice, LaxIpv6Slice, LaxNetSlice,
    LaxSlicedPacket, TransportSlice,
};
use netsec_common::ledger::Counter;
use netsec_common::packet::{Packet, protocol};

use super::dns::{self, Message};
use super::{Fragment, Internet, Transport};

const UDP_BYTES: usize = 8;
/// Offset of the data offset in a TCP header.
const TCP_DATA_OFFSET: usize = 12;

/// Reads an IP packet. Where the engine read it, protocol and transport are the engine's.
pub(super) fn read(
    sliced: &LaxSlicedPacket<'_>,
    flow: Result<&Packet, &Counter>,
) -> Option<Internet> {
    let mut internet = match sliced.net.as_ref()? {
        LaxNetSlice::Ipv4(v4) => read_v4(v4),
        LaxNetSlice::Ipv6(v6) => read_v6(v6),
        LaxNetSlice::Arp(_) => return None,
    };
    let payload = sliced.ip_payload()?;
    match flow {
        Ok(packet) => {
            internet.protocol = packet.key.protocol();
            let later = internet
                .fragment
                .is_some_and(|place| place.offset_bytes != 0);
            if !later {
                internet.payload_bytes = Some(packet.payload_bytes);
                internet.transport = from_engine(packet);
                internet.dns = read_dns(payload, &internet);
            }
        }
        Err(_reason) => internet.transport = from_slice(sliced.transport.as_ref()),
    }
    Some(internet)
}

fn read_v4(v4: &LaxIpv4Slice<'_>) -> Internet {
    let header = v4.header();
    let fragment = header.is_fragmenting_payload().then(|| Fragment {
        id: u32::from(header.identification()),
        offset_bytes: u32::from(header.fragments_offset().byte_offset()),
        more: header.more_fragments(),
    });
    Internet {
        source: header.source_addr().into(),
        destination: header.destination_addr().into(),
        protocol: header.protocol().0,
        fragment,
        transport: Transport::None,
        payload_bytes: None,
        dns: None,
    }
}

fn read_v6(v6: &LaxIpv6Slice<'_>) -> Internet {
    let header = v6.header();
    let fragment = v6
        .extensions()
        .clone()
        .into_iter()
        .find_map(|extension| match extension {
            Ipv6ExtensionSlice::Fragment(place) if place.is_fragmenting_payload() => {
                Some(Fragment {
                    id: place.identification(),
                    offset_bytes: u32::from(place.fragment_offset().byte_offset()),
                    more: place.more_fragments(),
                })
            }
            Ipv6ExtensionSlice::Fragment(_)
            | Ipv6ExtensionSlice::HopByHop(_)
            | Ipv6ExtensionSlice::Routing(_)
            | Ipv6ExtensionSlice::DestinationOptions(_)
            | Ipv6ExtensionSlice::Authentication(_) => None,
        });
    Internet {
        source: header.source_addr().into(),
        destination: header.destination_addr().into(),
        protocol: v6.payload().ip_number.0,
        fragment,
        transport: Transport::None,
        payload_bytes: None,
        dns: None,
    }
}

fn from_engine(packet: &Packet) -> Transport {
    let ports = (packet.key.source_port(), packet.key.destination_port());
    match packet.key.protocol() {
        protocol::TCP => Transport::Tcp {
            ports,
            flags: packet.tcp_flags,
        },
        protocol::UDP | protocol::SCTP => Transport::Ports(ports.0, ports.1),
        protocol::ICMP | protocol::ICMPV6 => {
            let [_, kind] = ports.0.to_be_bytes();
            let [_, code] = ports.1.to_be_bytes();
            Transport::Icmp(kind, code)
        }
        _ => Transport::None,
    }
}

/// What is left to show of a packet that the engine counts as malformed.
fn from_slice(transport: Option<&TransportSlice<'_>>) -> Transport {
    match transport {
        Some(TransportSlice::Tcp(tcp)) => Transport::Tcp {
            ports: (tcp.source_port(), tcp.destination_port()),
            flags: tcp
                .slice()
                .get(TCP_DATA_OFFSET + 1)
                .copied()
                .unwrap_or_default(),
        },
        Some(TransportSlice::Udp(udp)) => {
            Transport::Ports(udp.source_port(), udp.destination_port())
        }
        Some(TransportSlice::Icmpv4(icmp)) => Transport::Icmp(icmp.type_u8(), icmp.code_u8()),
        Some(TransportSlice::Icmpv6(icmp)) => Transport::Icmp(icmp.type_u8(), icmp.code_u8()),
        Some(TransportSlice::Igmp(_)) | None => Transport::None,
    }
}

/// The DNS message after the transport header. A first fragment has one too.
fn read_dns(payload: &LaxIpPayloadSlice<'_>, internet: &Internet) -> Option<Message> {
    if payload.ip_number.0 != internet.protocol {
        return None;
    }
    let bytes = payload.payload;
    match internet.transport {
        Transport::Ports(source, destination) if internet.protocol == protocol::UDP => {
            let named = dns::is_udp_port(source) || dns::is_udp_port(destination);
            dns::read(bytes.get(UDP_BYTES..).filter(|_| named)?)
        }
        Transport::Tcp { ports, .. } => {
            let named = ports.0 == dns::PORT || ports.1 == dns::PORT;
            let header_bytes = usize::from(bytes.get(TCP_DATA_OFFSET)? >> 4) * 4;
            dns::read_stream(bytes.get(header_bytes..).filter(|_| named)?)
        }
        Transport::Ports(..) | Transport::Icmp(..) | Transport::None => None,
    }
}
