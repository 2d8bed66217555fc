//! Traffic made for tests, in captures made for tests.

use std::io::Write as _;
use std::time::Duration;

use anyhow::Context as _;
use etherparse::PacketBuilder;
use flate2::Compression;
use flate2::write::GzEncoder;
use pcap_file::DataLink;
use pcap_file::pcap::{PcapHeader, PcapPacket, PcapWriter};

/// A frame, and what it is part of.
#[derive(Clone, Debug)]
pub struct Frame {
    /// Since 1970.
    pub time: Duration,
    /// From the Ethernet header on.
    pub bytes: Vec<u8>,
    /// Which conversation.
    pub part: Part,
    /// Whether the client sent it.
    pub from_client: bool,
}

/// What a frame is part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// A TCP connection to port 443, by its number.
    Https(u8),
    /// A UDP exchange with port 53, by its number.
    Dns(u8),
    /// An echo request and its reply.
    Ping,
    /// An ARP request.
    Arp,
    /// An IPv4 header that is shorter than one can be.
    Malformed,
}

impl Part {
    /// Whether frames of it are in a flow.
    #[must_use]
    pub const fn is_flow(self) -> bool {
        !matches!(self, Self::Arp | Self::Malformed)
    }
}

const MACS: [[u8; 6]; 2] = [[2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 9]];
/// Address of every client.
pub const CLIENT: [u8; 4] = [10, 0, 0, 1];
/// Address of every server.
pub const SERVER: [u8; 4] = [10, 0, 0, 9];
/// Time of the first frame, seconds since 1970.
const START: u64 = 1_700_000_000;
/// Connections in [`scene`].
pub const CONNECTIONS: u8 = 3;
/// DNS exchanges in [`scene`].
pub const EXCHANGES: u8 = 2;

/// Half a minute of traffic: three TCP connections, two DNS exchanges, an echo, an ARP request and
/// a malformed frame.
///
/// # Errors
///
/// When a frame cannot be built.
pub fn scene() -> anyhow::Result<Vec<Frame>> {
    let mut frames = Vec::new();
    for number in 0..CONNECTIONS {
        connection(&mut frames, number)?;
    }
    for number in 0..EXCHANGES {
        let start = u64::from(number) * 7_000;
        for (from_client, after) in [(true, 0), (false, 30)] {
            let port = 50_000 + u16::from(number);
            let ports = if from_client { (port, 53) } else { (53, port) };
            let mut bytes = Vec::new();
            ethernet(from_client)
                .udp(ports.0, ports.1)
                .write(&mut bytes, &[0; 40])?;
            let part = Part::Dns(number);
            frames.push(frame(start + after, bytes, part, from_client));
        }
    }
    for (from_client, at) in [(true, 12_000), (false, 12_010)] {
        let mut bytes = Vec::new();
        let packet = ethernet(from_client);
        let packet = if from_client {
            packet.icmpv4_echo_request(7, 1)
        } else {
            packet.icmpv4_echo_reply(7, 1)
        };
        packet.write(&mut bytes, &[0; 56])?;
        frames.push(frame(at, bytes, Part::Ping, from_client));
    }
    frames.push(frame(500, arp(), Part::Arp, true));
    frames.push(frame(31_000, malformed(), Part::Malformed, true));
    frames.sort_by_key(|frame| frame.time);
    Ok(frames)
}

/// `scene` many times over, an hour apart, for outputs longer than any buffer.
///
/// # Errors
///
/// When a frame cannot be built.
pub fn long_scene(times: u32) -> anyhow::Result<Vec<Frame>> {
    let scene = scene()?;
    let again = |hours: u32| {
        scene.iter().cloned().map(move |frame| Frame {
            time: frame.time + Duration::from_secs(3600) * hours,
            ..frame
        })
    };
    Ok((0..times).flat_map(again).collect())
}

/// Handshake, five requests of which each is answered, and both ends' FIN: 16 segments in 20 s.
fn connection(frames: &mut Vec<Frame>, number: u8) -> anyhow::Result<()> {
    const SYN: u8 = 0x02;
    const ACK: u8 = 0x10;
    const FIN: u8 = 0x01;
    let start = u64::from(number) * 4_000;
    let mut segments = vec![(true, SYN, 0), (false, SYN | ACK, 0), (true, ACK, 0)];
    for _ in 0..5 {
        segments.extend([(true, ACK, 100), (false, ACK, 1000)]);
    }
    segments.extend([(true, FIN | ACK, 0), (false, FIN | ACK, 0), (true, ACK, 0)]);
    for (at, (from_client, flags, payload)) in (0..).step_by(1_250).zip(segments) {
        let client = 40_000 + u16::from(number);
        let ports = if from_client {
            (client, 443)
        } else {
            (443, client)
        };
        let mut packet = ethernet(from_client).tcp(ports.0, ports.1, 1, 65_535);
        if flags & SYN != 0 {
            packet = packet.syn();
        }
        if flags & ACK != 0 {
            packet = packet.ack(1);
        }
        if flags & FIN != 0 {
            packet = packet.fin();
        }
        let mut bytes = Vec::new();
        packet.write(&mut bytes, &vec![0; payload])?;
        frames.push(frame(start + at, bytes, Part::Https(number), from_client));
    }
    Ok(())
}

fn ethernet(from_client: bool) -> etherparse::PacketBuilderStep<etherparse::IpHeaders> {
    let ends = [(MACS[0], CLIENT), (MACS[1], SERVER)];
    let [(from_mac, from), (to_mac, to)] = if from_client {
        ends
    } else {
        [ends[1], ends[0]]
    };
    PacketBuilder::ethernet2(from_mac, to_mac).ipv4(from, to, 64)
}

fn frame(after_ms: u64, bytes: Vec<u8>, part: Part, from_client: bool) -> Frame {
    Frame {
        time: Duration::from_secs(START) + Duration::from_millis(after_ms),
        bytes,
        part,
        from_client,
    }
}

/// Who has the server's address?
fn arp() -> Vec<u8> {
    let [client, _] = MACS;
    let header = [0x08, 0x06, 0, 1, 0x08, 0, 6, 4, 0, 1];
    let mut frame = [&[0xff; 6][..], &client, &header, &client].concat();
    frame.extend([&CLIENT[..], &[0; 6], &SERVER].concat());
    frame
}

/// An IPv4 header of four words.
fn malformed() -> Vec<u8> {
    let [client, server] = MACS;
    let mut frame = [&server[..], &client, &[0x08, 0, 0x44]].concat();
    frame.resize(60, 0);
    frame
}

/// The frames as pcap with microseconds.
///
/// # Errors
///
/// When they cannot be written.
pub fn pcap(frames: &[Frame]) -> anyhow::Result<Vec<u8>> {
    pcap_of(DataLink::ETHERNET, frames)
}

/// The frames as pcap, said to be of a link type.
///
/// # Errors
///
/// When they cannot be written.
pub fn pcap_of(datalink: DataLink, frames: &[Frame]) -> anyhow::Result<Vec<u8>> {
    let header = PcapHeader {
        datalink,
        ..PcapHeader::default()
    };
    let mut writer = PcapWriter::with_header(Vec::new(), header)?;
    for frame in frames {
        let length = u32::try_from(frame.bytes.len()).context("too long")?;
        writer.write_packet(&PcapPacket::new(frame.time, length, &frame.bytes))?;
    }
    Ok(writer.into_writer())
}

/// Compressed as by `gzip`.
///
/// # Errors
///
/// When it cannot be written.
pub fn gzip(bytes: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes)?;
    Ok(encoder.finish()?)
}
