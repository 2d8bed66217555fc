//! Frames by what the block table looks at.

use std::net::{IpAddr, Ipv6Addr};

const UDP: u8 = 17;
const TCP: u8 = 6;
const FRAGMENT: u8 = 44;

/// A packet from `source`.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    source: IpAddr,
    protocol: u8,
    port: u16,
    vlan: Option<u16>,
    is_later_fragment: bool,
}

impl Shape {
    /// A datagram to port 9.
    ///
    /// # Panics
    ///
    /// When `source` is no address.
    #[must_use]
    #[expect(clippy::panic, reason = "a test that names no address is wrong itself")]
    pub fn udp(source: &str) -> Self {
        Self {
            source: source
                .parse()
                .unwrap_or_else(|error| panic!("{source}: {error}")),
            protocol: UDP,
            port: 9,
            vlan: None,
            is_later_fragment: false,
        }
    }

    /// A segment with ACK.
    #[must_use]
    pub fn tcp(source: &str, port: u16) -> Self {
        Self {
            protocol: TCP,
            port,
            ..Self::udp(source)
        }
    }

    /// To another port.
    #[must_use]
    pub const fn to_port(self, port: u16) -> Self {
        Self { port, ..self }
    }

    /// Behind a VLAN tag.
    #[must_use]
    pub const fn tagged(self, vlan: u16) -> Self {
        Self {
            vlan: Some(vlan),
            ..self
        }
    }

    /// A later fragment: what follows the IP header is data.
    #[must_use]
    pub const fn later_fragment(self) -> Self {
        Self {
            is_later_fragment: true,
            ..self
        }
    }
}

/// The whole frame.
#[must_use]
pub fn frame(shape: &Shape) -> Vec<u8> {
    let mut frame = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1];
    if let Some(vlan) = shape.vlan {
        frame.extend([0x81, 0x00]);
        frame.extend(vlan.to_be_bytes());
    }
    let transport = transport(shape);
    match shape.source {
        IpAddr::V4(source) => {
            frame.extend([0x08, 0x00, 0x45, 0]);
            frame.extend(length(20 + transport.len()));
            let place: u16 = if shape.is_later_fragment { 185 } else { 0 };
            frame.extend([0, 1]);
            frame.extend(place.to_be_bytes());
            frame.extend([64, shape.protocol, 0, 0]);
            frame.extend(source.octets());
            frame.extend([198, 18, 0, 1]);
        }
        IpAddr::V6(source) => {
            let extension = if shape.is_later_fragment { 8 } else { 0 };
            frame.extend([0x86, 0xdd, 0x60, 0, 0, 0]);
            frame.extend(length(extension + transport.len()));
            let next = if shape.is_later_fragment {
                FRAGMENT
            } else {
                shape.protocol
            };
            frame.extend([next, 64]);
            frame.extend(source.octets());
            frame.extend(Ipv6Addr::new(0x2001, 0xdb8, 0xffff, 0, 0, 0, 0, 1).octets());
            if shape.is_later_fragment {
                frame.extend([shape.protocol, 0]);
                frame.extend((185_u16 << 3).to_be_bytes());
                frame.extend([0, 0, 0, 1]);
            }
        }
    }
    frame.extend(transport);
    frame
}

fn length(bytes: usize) -> [u8; 2] {
    u16::try_from(bytes).unwrap_or(u16::MAX).to_be_bytes()
}

fn transport(shape: &Shape) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend(40_000_u16.to_be_bytes());
    bytes.extend(shape.port.to_be_bytes());
    if shape.protocol == TCP {
        bytes.extend([0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x10, 4, 0, 0, 0, 0, 0]);
    } else {
        bytes.extend([0, 16, 0, 0]);
        bytes.extend([0; 8]);
    }
    bytes
}
