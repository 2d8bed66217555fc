//! Frames as they go on the wire.

use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd as _, OwnedFd};

use anyhow::{Context as _, Result, ensure};
use etherparse::{PacketBuilder, VlanId};
use nix::ifaddrs::getifaddrs;
use nix::sys::socket::{
    AddressFamily, LinkAddr, MsgFlags, SockFlag, SockType, sendto, socket,
};

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
