//! Real traffic over veth pairs: the ledger equals what the sending side's kernel counted.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "tests panic, and say how much they checked"
)]

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use netsec_common::ledger::{Counter, Snapshot};
use netsec_common::packet::protocol;
use netsec_tests::kernel::{self, Collected};
use netsec_tests::netns::{LinkCounts, Pair, wait_for};
use netsec_tests::wire::{EchoSocket, FrameSocket, Udp};
use netsec_user::source::kernel::{Attachment, KernelEngine, XdpMode, XdpModeInUse};

/// Bytes of a TCP transfer.
const TRANSFER: usize = 8 << 20;

/// How long nothing may come before all is taken to have come.
const REST: Duration = Duration::from_millis(100);

/// Right addresses of [`Pair::up`].
const RIGHT: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::new(10, 9, 0, 2)),
    IpAddr::V6(Ipv6Addr::new(0xfd09, 0, 0, 0, 0, 0, 0, 2)),
];

/// An engine on the right end of a veth pair, there before the first frame.
struct Bench {
    pair: Pair,
    engine: KernelEngine,
    attachment: Attachment,
}

impl Bench {
    fn new(object: &'static [u8], mode: XdpMode) -> Result<Self> {
        let pair = Pair::new()?;
        let (engine, attachment) = pair.right.run(|| {
            let interface = kernel::interface(Pair::RIGHT)?;
            let mut engine = kernel::load(object, &kernel::settings())?;
            let attachment = engine.attach(&interface, mode)?;
            Ok((engine, attachment))
        })?;
        pair.up()?;
        Ok(Self {
            pair,
            engine,
            attachment,
        })
    }

    /// The ledger and what the left end's kernel says it sent, once both have come to rest.
    fn settled(&self) -> Result<(Snapshot, LinkCounts)> {
        let read = || -> Result<_> {
            let sent = self.pair.left.counts(Pair::LEFT)?;
            Ok((self.engine.ledger_exact(), sent))
        };
        let mut last = read()?;
        let waited = wait_for("all that was sent is counted", || {
            thread::sleep(REST);
            let before = std::mem::replace(&mut last, read()?);
            let (ledger, sent) = &last;
            Ok(last == before && ledger.get(Counter::Frames) == sent.sent_packets)
        });
        waited.with_context(|| format!("{last:?}"))?;
        Ok(last)
    }

    /// Checks the ledger against the sending side, and all flows against the ledger.
    fn check(&mut self) -> Result<(Snapshot, Collected)> {
        let mut collected = Collected::default();
        let (ledger, sent) = loop {
            let settled = self.settled()?;
            self.engine.read(&mut collected)?;
            // The kernel says something of its own at times, such as a router solicitation.
            if self.engine.ledger_exact() == settled.0 {
                break settled;
            }
        };
        let (frames, bytes) = (ledger.get(Counter::Frames), ledger.get(Counter::Bytes));
        ensure!(frames == sent.sent_packets, "{frames} frames, {sent:?}");
        let expected = match self.attachment.mode {
            // Where the receiver polls (NAPI), veth counts bytes after the Ethernet header.
            XdpModeInUse::Native => sent.sent_bytes + 14 * sent.sent_packets,
            XdpModeInUse::Generic | XdpModeInUse::Hardware => sent.sent_bytes,
        };
        ensure!(bytes == expected, "{bytes} bytes of {frames}, {sent:?}");
        ensure!(ledger.imbalance() == 0, "{ledger:?}");
        let in_flows = (
            ledger.get(Counter::FlowPackets),
            ledger.get(Counter::FlowBytes),
        );
        let read = collected.volume();
        ensure!(read == in_flows, "{in_flows:?} in flows, {read:?} read");
        Ok((ledger, collected))
    }
}

/// Sends [`TRANSFER`] bytes by TCP from left to right, and back as many as a short answer has.
fn transfer(pair: &Pair, to: IpAddr) -> Result<()> {
    let listener = pair.right.run(|| Ok(TcpListener::bind((to, 5201))?))?;
    thread::scope(|scope| {
        let server = scope.spawn(move || -> Result<usize> {
            let (mut stream, _) = listener.accept()?;
            let mut buffer = vec![0; 1 << 16];
            let mut total = 0;
            while total < TRANSFER {
                match stream.read(&mut buffer)? {
                    0 => break,
                    read => total += read,
                }
            }
            stream.write_all(b"thanks")?;
            Ok(total)
        });
        pair.left.run(|| {
            let mut stream = TcpStream::connect((to, 5201))?;
            stream.write_all(&vec![0x55; TRANSFER])?;
            let mut answer = [0; 6];
            stream.read_exact(&mut answer)?;
            Ok(())
        })?;
        let received = server.join().unwrap()?;
        ensure!(received == TRANSFER, "{received} bytes arrived");
        Ok(())
    })
}

fn send_udp(pair: &Pair, to: IpAddr, count: usize) -> Result<()> {
    pair.left.run(|| {
        let any: SocketAddr = match to {
            IpAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 4_000).into(),
            IpAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 4_000).into(),
        };
        let socket = UdpSocket::bind(any)?;
        for size in 0..count {
            socket.send_to(&vec![7; size], (to, 9))?;
        }
        Ok(())
    })
}

/// TCP, UDP and echo requests over IPv4 and IPv6 in one mode.
fn all_protocols(mode: XdpMode, expected: XdpModeInUse) -> Result<()> {
    let Some(object) = kernel::object()? else {
        return Ok(());
    };
    let mut bench = Bench::new(object, mode)?;
    ensure!(bench.attachment.mode == expected, "{:?}", bench.attachment);
    ensure!(bench.attachment.fallback.is_none());
    // A closed UDP port of the right end answers; what it sends is not received, so not counted.
    for to in RIGHT {
        transfer(&bench.pair, to)?;
        send_udp(&bench.pair, to, 100)?;
        bench.pair.left.run(|| EchoSocket::open(to)?.exchange(20))?;
    }
    let (ledger, collected) = bench.check()?;
    ensure!(ledger.get(Counter::Udp) == 200, "{ledger:?}");
    ensure!(ledger.get(Counter::Icmp) == 20, "{ledger:?}");
    ensure!(ledger.get(Counter::Icmpv6) >= 20, "{ledger:?}");
    for to in RIGHT {
        for (number, packets) in [
            (protocol::UDP, Some(100)),
            (protocol::TCP, None),
            (
                if to.is_ipv4() {
                    protocol::ICMP
                } else {
                    protocol::ICMPV6
                },
                Some(20),
            ),
        ] {
            let of_flow = |delta: &&_| -> bool {
                let delta: &netsec_user::event::FlowDelta = delta;
                let is_echo = !delta.key.is_icmp() || matches!(delta.key.source_port(), 8 | 128);
                delta.key.destination() == to && delta.key.protocol() == number && is_echo
            };
            let flows: Vec<_> = collected.deltas.iter().filter(of_flow).collect();
            let found: u64 = flows.iter().map(|delta| delta.packets).sum();
            let bytes: u64 = flows.iter().map(|delta| delta.bytes).sum();
            ensure!(packets.is_none_or(|packets| packets == found), "{flows:?}");
            if number == protocol::TCP {
                ensure!(bytes > TRANSFER as u64, "{flows:?}");
                report(expected, found, bytes);
            }
        }
    }
    Ok(())
}

/// Segmentation offload: native XDP turns it off on the sending veth, generic XDP sees whole
/// segments of up to 64 KiB as one frame with one header.
fn report(mode: XdpModeInUse, packets: u64, bytes: u64) {
    eprintln!("{mode}: {TRANSFER} bytes by TCP came as {packets} frames of {bytes} bytes");
}

#[test]
fn native_mode_counts_what_was_sent() {
    all_protocols(XdpMode::Native, XdpModeInUse::Native).unwrap();
}

#[test]
fn auto_mode_is_native_on_veth() {
    let Some(object) = kernel::object().unwrap() else {
        return;
    };
    let mut bench = Bench::new(object, XdpMode::Auto).unwrap();
    assert_eq!(bench.attachment.mode, XdpModeInUse::Native);
    assert_eq!(bench.attachment.fallback, None);
    send_udp(&bench.pair, RIGHT[0], 10).unwrap();
    bench.check().unwrap();
}

#[test]
fn generic_mode_counts_what_was_sent() {
    all_protocols(XdpMode::Skb, XdpModeInUse::Generic).unwrap();
}

/// Tags that are in the frame. One that the sender's kernel leaves to the network card to insert, or
/// that a receiving card has taken out, travels beside the frame, and XDP sees none.
fn vlans(mode: XdpMode) -> Result<()> {
    let Some(object) = kernel::object()? else {
        return Ok(());
    };
    let mut bench = Bench::new(object, mode)?;
    bench.pair.left.run(|| {
        let socket = FrameSocket::open(Pair::LEFT)?;
        for vlan in [None, Some(7), Some(7), Some(4094)] {
            let udp = Udp {
                source: 1,
                destination: 2,
                vlan,
                payload_bytes: 40,
            };
            socket.send(&udp.frame()?)?;
        }
        Ok(())
    })?;
    let (ledger, collected) = bench.check()?;
    ensure!(ledger.get(Counter::Vlan) == 3, "{ledger:?}");
    let mut vlans: Vec<_> = collected
        .deltas
        .iter()
        .filter(|delta| delta.key.protocol() == protocol::UDP)
        .map(|delta| (delta.key.vlan().outer, delta.packets))
        .collect();
    vlans.sort_unstable();
    ensure!(vlans == [(0, 1), (7, 2), (4094, 1)], "{vlans:?}");
    Ok(())
}

#[test]
fn native_mode_reads_vlan_tags_in_the_frame() {
    vlans(XdpMode::Native).unwrap();
}

#[test]
fn generic_mode_reads_vlan_tags_in_the_frame() {
    vlans(XdpMode::Skb).unwrap();
}

#[test]
fn a_detached_program_is_gone() {
    let Some(object) = kernel::object().unwrap() else {
        return;
    };
    let bench = Bench::new(object, XdpMode::Native).unwrap();
    let find = || bench.pair.right.run(|| kernel::interface(Pair::RIGHT));
    let xdp = find().unwrap().xdp.unwrap();
    assert_eq!(
        (xdp.name.as_str(), xdp.mode),
        ("netsec", XdpModeInUse::Native)
    );
    assert!(bench.pair.right.xdp(Pair::RIGHT).unwrap().is_some());
    drop(bench.attachment);
    assert_eq!(find().unwrap().xdp, None);
    assert_eq!(bench.pair.right.xdp(Pair::RIGHT).unwrap(), None);
    send_udp(&bench.pair, RIGHT[0], 10).unwrap();
    assert_eq!(bench.engine.ledger_exact().get(Counter::Udp), 0);
}
