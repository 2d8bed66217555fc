//! The IP packet: addresses, fragment, transport, DNS.

use etherparse::{
    IpNumber, LaxIpPayloadSlice, LaxIpv4Slice, LaxIpv6Slice, LaxNetSlice, LaxSlicedPacket,
    TransportSlice,
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
    Internet {
        source: header.source_addr().into(),
        destination: header.destination_addr().into(),
        protocol: v6.payload().ip_number.0,
        fragment: read_fragment(header.next_header(), v6.extensions().slice()),
        transport: Transport::None,
        payload_bytes: None,
        dns: None,
    }
}

/// The first fragment header (RFC 8200, 4.5) that is not that of an atomic fragment.
///
/// etherparse's own iterator must not be asked: it takes for granted that the last extension header
/// is whole, and reads beyond the slice where the frame was cut.
fn read_fragment(mut kind: IpNumber, mut headers: &[u8]) -> Option<Fragment> {
    loop {
        let [next, units, place_high, place_low, id @ ..] = *headers.first_chunk::<8>()?;
        let bytes = match kind {
            IpNumber::IPV6_FRAGMENTATION_HEADER => {
                let place = u16::from_be_bytes([place_high, place_low]);
                let (offset_bytes, more) = (u32::from(place & !7), place & 1 != 0);
                if more || offset_bytes != 0 {
                    let id = u32::from_be_bytes(id);
                    return Some(Fragment {
                        id,
                        offset_bytes,
                        more,
                    });
                }
                8
            }
            IpNumber::AUTHENTICATION_HEADER => (usize::from(units) + 2) * 4,
            IpNumber::IPV6_HEADER_HOP_BY_HOP
            | IpNumber::IPV6_ROUTE_HEADER
            | IpNumber::IPV6_DESTINATION_OPTIONS => (usize::from(units) + 1) * 8,
            _ => return None,
        };
        kind = IpNumber(next);
        headers = headers.get(bytes..)?;
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
