//! Traffic that every detector has to find: for each kind of finding, who does what to whom.

use std::net::{IpAddr, SocketAddr};

use super::frame::Link;
use crate::connection::tcp::{ACK, FIN, PSH, RST, SYN};
use crate::detect::DetectSettings;
use crate::finding::Kind;
use crate::time::WallTime;

/// Some day, at a whole hour.
const BEGIN: WallTime = WallTime::from_ns(1_700_002_800_000_000_000);
const SECOND_NS: i64 = 1_000_000_000;

/// Bytes of exfiltration that are enough in a self-test: the default would be 400,000 frames.
pub const EXFILTRATION_BYTES: u64 = 1_000_000;

/// What has to be found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expected {
    /// What.
    pub kind: Kind,
    /// Who does it; `None` for forged sources, reflectors, or many.
    pub attacker: Option<IpAddr>,
    /// To whom; `None` for many.
    pub victim: Option<IpAddr>,
}

/// Frames with their times, and what has to be found in them.
#[derive(Debug)]
pub(super) struct Traffic {
    pub(super) link: Link,
    /// In no order; see [`Traffic::pcap`].
    frames: Vec<(WallTime, Vec<u8>)>,
    /// One for each kind, but for [`Kind::Anomaly`].
    pub(super) expected: Vec<Expected>,
}

/// One conversation, as two sides and what each sends.
#[derive(Clone, Copy, Debug)]
pub(super) struct Talk {
    pub(super) client: SocketAddr,
    pub(super) server: SocketAddr,
    /// Bytes of data.
    pub(super) sent: usize,
    pub(super) answered: usize,
}

impl Traffic {
    /// None yet.
    pub(super) const fn new(link: Link) -> Self {
        Self {
            link,
            frames: Vec::new(),
            expected: Vec::new(),
        }
    }

    /// Attacks large enough for these settings.
    pub(super) fn attacks(link: Link, settings: &DetectSettings) -> Self {
        let mut traffic = Self::new(link);
        traffic.scans(settings);
        traffic.floods(settings);
        traffic.guessing(settings);
        traffic.calling_home(settings);
        traffic.moving(settings);
        traffic.tunnels(settings);
        traffic
    }

    /// Ordinary traffic to learn from: clients that talk to a web server.
    pub(super) fn ordinary(link: Link) -> Self {
        let mut traffic = Self::new(link);
        for n in 0..400_u16 {
            let [low, _] = n.to_le_bytes();
            traffic.talk(
                f64::from(n) * 1.7,
                Talk {
                    client: traffic.end([10, 9, 1, low % 20], 40_000 + n),
                    server: traffic.end([203, 0, 113, low % 5], 443),
                    sent: 200 + usize::from(low),
                    answered: 900 + usize::from(low) * 3,
                },
            );
        }
        traffic
    }

    /// A capture of the frames in the order of their times.
    pub(super) fn pcap(&self) -> Vec<u8> {
        let mut order: Vec<&(WallTime, Vec<u8>)> = self.frames.iter().collect();
        order.sort_by_key(|(time, _)| *time);
        // Magic of nanoseconds, version 2.4, snap length, Ethernet.
        let mut file = 0xa1b2_3c4d_u32.to_le_bytes().to_vec();
        file.extend([2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        file.extend(262_144_u32.to_le_bytes());
        file.extend(1_u32.to_le_bytes());
        for (time, frame) in order {
            let seconds = u32::try_from(time.as_ns() / SECOND_NS).unwrap_or_default();
            let rest = u32::try_from(time.as_ns() % SECOND_NS).unwrap_or_default();
            let bytes = u32::try_from(frame.len()).unwrap_or_default();
            for word in [seconds, rest, bytes, bytes] {
                file.extend(word.to_le_bytes());
            }
            file.extend(frame);
        }
        file
    }

    pub(super) fn end(&self, address: [u8; 4], port: u16) -> SocketAddr {
        SocketAddr::new(self.link.address(address), port)
    }

    /// A frame, so many seconds after the beginning.
    pub(super) fn at(&mut self, seconds: f64, frame: Vec<u8>) {
        self.frames.push((BEGIN.plus_ns(ns(seconds)), frame));
    }

    fn expect(&mut self, kind: Kind, attacker: Option<[u8; 4]>, victim: Option<[u8; 4]>) {
        let address = |address: [u8; 4]| self.link.address(address);
        let (attacker, victim) = (attacker.map(address), victim.map(address));
        self.expected.push(Expected {
            kind,
            attacker,
            victim,
        });
    }

    /// A whole TCP connection within a second.
    pub(super) fn talk(&mut self, seconds: f64, talk: Talk) {
        let Talk {
            client,
            server,
            sent,
            answered,
        } = talk;
        let steps = [
            (client, server, SYN, 0),
            (server, client, SYN | ACK, 0),
            (client, server, ACK, 0),
            (client, server, PSH | ACK, sent),
            (server, client, PSH | ACK, answered),
            (client, server, FIN | ACK, 0),
            (server, client, FIN | ACK, 0),
            (client, server, ACK, 0),
        ];
        for (n, (from, to, flags, data)) in steps.into_iter().enumerate() {
            let frame = self.link.tcp(from, to, flags, data);
            self.at(seconds + n as f64 * 0.02, frame);
        }
    }

    fn scans(&mut self, settings: &DetectSettings) {
        let scan = &settings.scan;
        let (scanner, host) = ([198, 51, 100, 1], [192, 0, 2, 10]);
        for n in 1..=count(scan.ports.max(scan.ports_medium) + 5) {
            let (from, to) = (self.end(scanner, 50_000), self.end(host, n));
            let asked = self.link.tcp(from, to, SYN, 0);
            let refused = self.link.tcp(to, from, RST | ACK, 0);
            self.at(10.0 + f64::from(n) * 0.05, asked);
            self.at(10.001 + f64::from(n) * 0.05, refused);
        }
        self.expect(Kind::ScanVertical, Some(scanner), Some(host));
        let scanner = [198, 51, 100, 2];
        for n in 1..=count(scan.hosts.max(scan.hosts_medium) + 5) {
            let [low, high] = n.to_le_bytes();
            let to = self.end([192, 0, high + 3, low], 445);
            let asked = self.link.tcp(self.end(scanner, 50_000), to, SYN, 0);
            self.at(20.0 + f64::from(n) * 0.05, asked);
        }
        self.expect(Kind::ScanHorizontal, Some(scanner), None);
        let scanner = [198, 51, 100, 3];
        for n in 1..=count(scan.pings.max(scan.hosts_medium) + 5) {
            let [low, high] = n.to_le_bytes();
            let to = self.link.address([192, 0, high + 5, low]);
            let asked = self.link.echo(self.link.address(scanner), to, false, 40);
            self.at(30.0 + f64::from(n) * 0.05, asked);
        }
        self.expect(Kind::ScanSweep, Some(scanner), None);
    }

    fn floods(&mut self, settings: &DetectSettings) {
        let flood = &settings.flood;
        let link = self.link;
        let one = link.address([198, 51, 100, 4]);
        let victim = [192, 0, 2, 20];
        let many = |n: u32, port| {
            let [.., a, b, c] = n.wrapping_mul(7919).to_be_bytes();
            SocketAddr::new(link.address([11, a, b, c]), port)
        };
        let to = |port| SocketAddr::new(link.address(victim), port);
        self.flood(100.0, flood.syn_pps, |link, n| {
            link.tcp(many(n, 1025), to(80), SYN, 0)
        });
        self.expect(Kind::FloodSyn, None, Some(victim));
        self.flood(105.0, flood.tcp_pps, |link, n| {
            link.tcp(many(n, 2000), to(80), ACK, 0)
        });
        self.expect(Kind::FloodTcp, None, Some(victim));
        self.flood(110.0, flood.udp_unanswered_pps, |link, _| {
            link.udp(SocketAddr::new(one, 4000), to(9999), b"flood")
        });
        self.expect(Kind::FloodUdp, Some([198, 51, 100, 4]), Some(victim));
        self.flood(120.0, flood.icmp_pps, |link, _| {
            link.echo(one, to(0).ip(), false, 40)
        });
        self.expect(Kind::FloodIcmp, Some([198, 51, 100, 4]), Some(victim));
        self.flood(130.0, flood.fragment_pps, |link, _| {
            link.later_fragment(one, to(0).ip(), 400)
        });
        self.expect(Kind::FloodFragment, Some([198, 51, 100, 4]), Some(victim));
        self.flood(140.0, flood.reflection_pps, |link, n| {
            link.tcp(many(n, 443), to(1025), SYN | ACK, 0)
        });
        self.expect(Kind::FloodReflection, None, Some(victim));
        self.flood(150.0, flood.amplification_pps, |link, n| {
            link.udp(many(n % 50, 123), to(1025), &[b'x'; 440])
        });
        self.expect(Kind::FloodAmplification, None, Some(victim));
    }

    /// Twice a rate for two seconds.
    pub(super) fn flood(
        &mut self,
        seconds: f64,
        per_second: u64,
        frame: impl Fn(Link, u32) -> Vec<u8>,
    ) {
        let frames = u32::try_from(4 * per_second).unwrap_or(u32::MAX);
        for n in 0..frames {
            let frame = frame(self.link, n);
            self.at(seconds + 2.0 * f64::from(n) / f64::from(frames), frame);
        }
    }

    /// A last frame, long after the others: what they came to is known by then.
    #[cfg(test)]
    pub(super) fn time_passes(&mut self) {
        let last = self.frames.iter().map(|(time, _)| *time).max();
        let (from, to) = (self.end([10, 9, 9, 1], 138), self.end([10, 9, 9, 2], 138));
        let frame = self.link.udp(from, to, b"still here");
        self.frames
            .push((last.unwrap_or(BEGIN).plus_ns(90 * SECOND_NS), frame));
    }

    fn guessing(&mut self, settings: &DetectSettings) {
        let (guesser, host) = ([198, 51, 100, 5], [192, 0, 2, 30]);
        for n in 0..count(settings.bruteforce.ssh + 5) {
            let talk = Talk {
                client: self.end(guesser, 30_000 + n),
                server: self.end(host, 22),
                sent: 300,
                answered: 700,
            };
            self.talk(200.0 + f64::from(n) * 2.0, talk);
        }
        self.expect(Kind::Bruteforce, Some(guesser), Some(host));
    }

    fn calling_home(&mut self, settings: &DetectSettings) {
        let (client, outside) = ([10, 9, 0, 5], [203, 0, 113, 50]);
        for n in 0..count(settings.beacon.connections + 60) {
            let talk = Talk {
                client: self.end(client, 30_000 + n),
                server: self.end(outside, 8444),
                sent: 300,
                answered: 400,
            };
            self.talk(f64::from(n) * 60.0, talk);
        }
        self.expect(Kind::Beacon, Some(client), Some(outside));
        let (client, outside) = ([10, 9, 0, 10], [203, 0, 113, 51]);
        let (from, to) = (self.end(client, 30_000), self.end(outside, 4443));
        let link = self.link;
        self.at(5.0, link.tcp(from, to, SYN, 0));
        self.at(5.01, link.tcp(to, from, SYN | ACK, 0));
        let age = settings.long_connection.age.get().as_secs_f64();
        let mut seconds = 6.0;
        while seconds < age + 60.0 {
            self.at(seconds, link.tcp(from, to, PSH | ACK, 20));
            self.at(seconds + 0.01, link.tcp(to, from, PSH | ACK, 20));
            seconds += 25.0;
        }
        self.expect(Kind::LongConnection, Some(client), Some(outside));
        let (client, outside) = ([10, 9, 0, 6], [203, 0, 113, 60]);
        let (from, to) = (self.end(client, 30_000), self.end(outside, 443));
        self.at(300.0, link.tcp(from, to, SYN, 0));
        self.at(300.01, link.tcp(to, from, SYN | ACK, 0));
        for n in 0..1000 {
            self.at(
                301.0 + f64::from(n) * 0.01,
                link.tcp(from, to, PSH | ACK, 1400),
            );
        }
        self.at(312.0, link.tcp(to, from, ACK, 0));
        self.expect(Kind::Exfiltration, Some(client), Some(outside));
        let (client, outside) = ([10, 9, 0, 8], [203, 0, 113, 70]);
        let talk = Talk {
            client: self.end(client, 30_000),
            server: self.end(outside, 4444),
            sent: 100,
            answered: 100,
        };
        self.talk(320.0, talk);
        self.expect(Kind::SuspiciousPort, Some(client), Some(outside));
    }

    fn moving(&mut self, settings: &DetectSettings) {
        let client = [10, 9, 0, 7];
        for n in 0..count(settings.lateral_movement.hosts + 2) {
            let [low, _] = n.to_le_bytes();
            let talk = Talk {
                client: self.end(client, 30_000 + n),
                server: self.end([10, 9, 2, low], 3389),
                sent: 100,
                answered: 100,
            };
            self.talk(330.0 + f64::from(n), talk);
        }
        self.expect(Kind::LateralMovement, Some(client), None);
    }

    fn tunnels(&mut self, settings: &DetectSettings) {
        let (client, resolver) = ([10, 9, 0, 9], [10, 9, 0, 53]);
        let (from, to) = (self.end(client, 30_000), self.end(resolver, 53));
        let tunnel = &settings.tunnel_dns;
        for n in 0..count(tunnel.names.max(tunnel.names_rare) + 10) {
            let frame = self.link.udp(from, to, &question(n));
            self.at(400.0 + f64::from(n) * 0.3, frame);
        }
        self.expect(Kind::TunnelDns, Some(client), Some(resolver));
        let (client, outside) = ([10, 9, 0, 11], [203, 0, 113, 80]);
        let (from, to) = (self.link.address(client), self.link.address(outside));
        let echoes = u32::try_from(settings.tunnel_icmp.packets + 10).unwrap_or(u32::MAX);
        for n in 0..echoes {
            let seconds = 450.0 + f64::from(n) * 0.2;
            self.at(seconds, self.link.echo(from, to, false, 80));
            self.at(seconds + 0.01, self.link.echo(to, from, true, 900));
        }
        self.expect(Kind::TunnelIcmp, Some(client), Some(outside));
    }
}

/// A DNS question for TXT under one domain, of a name that looks like data.
fn question(n: u16) -> Vec<u8> {
    const LETTERS: [u8; 32] = *b"abcdefghijklmnopqrstuvwxyz234567";
    let mut state = u32::from(n).wrapping_mul(2_654_435_761) | 1;
    let mut message = n.to_be_bytes().to_vec();
    message.extend([1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 40]);
    for _ in 0..40 {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let letter = LETTERS.get(usize::try_from(state >> 27).unwrap_or_default());
        message.extend(letter);
    }
    message.extend(*b"\x08selftest\x07example\x00\x00\x10\x00\x01");
    message
}

pub(super) fn count(number: usize) -> u16 {
    u16::try_from(number).unwrap_or(u16::MAX)
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a few hours fit; the conversion saturates"
)]
fn ns(seconds: f64) -> i64 {
    (seconds * 1e9) as i64
}
