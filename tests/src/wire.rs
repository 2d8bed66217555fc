//! Frames as they go on the wire.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::fd::{AsRawFd as _, OwnedFd};

use anyhow::{Context as _, Result, ensure};
use etherparse::{
    IcmpEchoHeader, Icmpv4Header, Icmpv4Type, Icmpv6Header, Icmpv6Type, PacketBuilder, VlanId,
};
use nix::ifaddrs::getifaddrs;
use nix::sys::socket::sockopt::ReceiveTimeout;
use nix::sys::socket::{
    AddressFamily, LinkAddr, MsgFlags, SockFlag, SockProtocol, SockType, SockaddrStorage, recv,
    sendto, setsockopt, socket,
};
use nix::sys::time::{TimeVal, TimeValLike as _};

use crate::netns::Pair;

/// Left and right address of [`Pair::up`].
const ADDRESSES: [[u8; 4]; 2] = [[10, 9, 0, 1], [10, 9, 0, 2]];

/// A UDP packet from the left end of a [`Pair`] to its right end.
#[derive(Clone, Copy, Debug)]
pub struct Udp {
    /// Source port.
    pub source: u16,
    /// Destination port.
    pub destination: u16,
    /// 802.1Q VLAN identifier.
    pub vlan: Option<u16>,
    /// Bytes after the UDP header, all zero.
    pub payload_bytes: usize,
}

impl Udp {
    /// The whole frame.
    ///
    /// # Errors
    ///
    /// When the payload is too long, or the VLAN identifier has more than 12 bits.
    pub fn frame(&self) -> Result<Vec<u8>> {
        let ethernet = PacketBuilder::ethernet2(Pair::LEFT_MAC, Pair::RIGHT_MAC);
        let [from, to] = ADDRESSES;
        let ip = match self.vlan {
            Some(vlan) => ethernet
                .single_vlan(VlanId::try_new(vlan)?)
                .ipv4(from, to, 64),
            None => ethernet.ipv4(from, to, 64),
        };
        let payload = vec![0; self.payload_bytes];
        let mut frame = Vec::new();
        ip.udp(self.source, self.destination)
            .write(&mut frame, &payload)?;
        Ok(frame)
    }
}

/// A TCP segment from `source`, without payload, with these flags.
///
/// # Errors
///
/// None in practice: the frame is built in memory.
pub fn tcp(source: (Ipv4Addr, u16), destination: u16, flags: &str) -> Result<Vec<u8>> {
    let [_, to] = ADDRESSES;
    let mut segment = PacketBuilder::ethernet2(Pair::LEFT_MAC, Pair::RIGHT_MAC)
        .ipv4(source.0.octets(), to, 64)
        .tcp(source.1, destination, 1, 1024);
    for flag in flags.chars() {
        segment = match flag {
            'S' => segment.syn(),
            'A' => segment.ack(1),
            'F' => segment.fin(),
            'R' => segment.rst(),
            other => anyhow::bail!("no TCP flag {other:?}"),
        };
    }
    let mut frame = Vec::new();
    segment.write(&mut frame, &[])?;
    Ok(frame)
}

/// Sends whole frames on an interface of this thread's network namespace.
#[derive(Debug)]
pub struct FrameSocket {
    socket: OwnedFd,
    interface: LinkAddr,
}

impl FrameSocket {
    /// Opens a packet socket (packet(7)).
    ///
    /// # Errors
    ///
    /// When there is no such interface, or no privilege.
    pub fn open(interface: &str) -> Result<Self> {
        let address = getifaddrs()?
            .filter(|entry| entry.interface_name == interface)
            .find_map(|entry| entry.address?.as_link_addr().copied())
            .with_context(|| format!("no interface {interface}"))?;
        let socket = socket(
            AddressFamily::Packet,
            SockType::Raw,
            SockFlag::SOCK_CLOEXEC,
            None,
        )?;
        Ok(Self {
            socket,
            interface: address,
        })
    }

    /// Sends a frame.
    ///
    /// # Errors
    ///
    /// The kernel's refusal.
    pub fn send(&self, frame: &[u8]) -> Result<()> {
        let sent = sendto(
            self.socket.as_raw_fd(),
            frame,
            &self.interface,
            MsgFlags::empty(),
        )?;
        ensure!(sent == frame.len(), "{sent} of {} bytes sent", frame.len());
        Ok(())
    }
}

/// Sends ICMP and ICMPv6 echo requests, as ping(8) does.
#[derive(Debug)]
pub struct EchoSocket {
    socket: OwnedFd,
    to: IpAddr,
}

impl EchoSocket {
    /// Opens a raw socket in this thread's network namespace.
    ///
    /// # Errors
    ///
    /// Without privilege.
    pub fn open(to: IpAddr) -> Result<Self> {
        let (family, protocol) = match to {
            IpAddr::V4(_) => (AddressFamily::Inet, SockProtocol::Icmp),
            IpAddr::V6(_) => (AddressFamily::Inet6, SockProtocol::IcmpV6),
        };
        let socket = socket(family, SockType::Raw, SockFlag::SOCK_CLOEXEC, protocol)?;
        setsockopt(&socket, ReceiveTimeout, &TimeVal::seconds(5))?;
        Ok(Self { socket, to })
    }

    /// Sends `count` requests, and waits for the answer to each.
    ///
    /// # Errors
    ///
    /// When an answer does not come in five seconds.
    pub fn exchange(&self, count: u16) -> Result<()> {
        let to = SockaddrStorage::from(SocketAddr::new(self.to, 0));
        for sequence in 0..count {
            let request = self.request(sequence)?;
            sendto(self.socket.as_raw_fd(), &request, &to, MsgFlags::empty())?;
            let mut answer = [0; 1 << 10];
            loop {
                let read = recv(self.socket.as_raw_fd(), &mut answer, MsgFlags::empty())
                    .with_context(|| format!("no answer to echo request {sequence}"))?;
                let (header_bytes, reply) = match self.to {
                    IpAddr::V4(_) => (20, 0),
                    IpAddr::V6(_) => (0, 129),
                };
                let message = answer.get(header_bytes..read).unwrap_or_default();
                if message.first() == Some(&reply) && message.get(4..8) == request.get(4..8) {
                    break;
                }
            }
        }
        Ok(())
    }

    /// The checksum of ICMPv6 is the kernel's to fill in.
    fn request(&self, sequence: u16) -> Result<Vec<u8>> {
        let header = IcmpEchoHeader {
            id: 9,
            seq: sequence,
        };
        let payload = [0x5a; 56];
        let mut request = Vec::new();
        match self.to {
            IpAddr::V4(_) => {
                let kind = Icmpv4Type::EchoRequest(header);
                Icmpv4Header::with_checksum(kind, &payload).write(&mut request)?;
            }
            IpAddr::V6(_) => {
                Icmpv6Header::new(Icmpv6Type::EchoRequest(header)).write(&mut request)?;
            }
        }
        request.extend(payload);
        Ok(request)
    }
}
