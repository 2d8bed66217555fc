//! How the variants are done.

use std::net::{IpAddr, SocketAddr};

use super::super::frame::Link;
use super::super::traffic::{Talk, Traffic, count};
use crate::connection::tcp::{ACK, RST, SYN};

pub(super) const ATTACKER: [u8; 4] = [198, 51, 100, 9];
pub(super) const VICTIM: [u8; 4] = [192, 0, 2, 9];
pub(super) const INSIDE: [u8; 4] = [10, 9, 0, 9];
pub(super) const OUTSIDE: [u8; 4] = [203, 0, 113, 9];

/// What comes of a probe.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Answer {
    Refused,
    Silent,
}

pub(super) fn at(link: Link, address: [u8; 4], port: u16) -> SocketAddr {
    SocketAddr::new(link.address(address), port)
}

pub(super) fn anybody(link: Link, n: u32, port: u16) -> SocketAddr {
    let [.., a, b, c] = n.wrapping_mul(7919).to_be_bytes();
    at(link, [11, a, b, c], port)
}

/// One of 240 hosts of one network.
pub(super) fn neighbour(link: Link, n: u32, port: u16) -> SocketAddr {
    let host = u8::try_from(n % 240).unwrap() + 1;
    at(link, [192, 0, 2, host], port)
}

/// A port of a client.
pub(super) fn port(n: u32) -> u16 {
    1025 + u16::try_from(n % 60_000).unwrap()
}

pub(super) fn vertical(traffic: &mut Traffic, ports: u16, every: f64, flags: u8, answer: Answer) {
    let link = traffic.link;
    for n in 1..=ports {
        let (from, to) = (at(link, ATTACKER, 50_000), at(link, VICTIM, n));
        let seconds = f64::from(n) * every;
        traffic.at(seconds, link.tcp(from, to, flags, 0));
        if answer == Answer::Refused {
            traffic.at(seconds + 0.0005, link.tcp(to, from, RST | ACK, 0));
        }
    }
}

/// Every port in the scanner's name and in those of some others, all within a second: `nmap -D`.
pub(super) fn decoys(traffic: &mut Traffic, ports: u16, decoys: u8) {
    let link = traffic.link;
    for n in 1..=ports {
        for decoy in 0..=decoys {
            let mut source = ATTACKER;
            source[3] += decoy;
            let (from, to) = (at(link, source, 50_000), at(link, VICTIM, n));
            let seconds = f64::from(n) * 0.005;
            traffic.at(seconds, link.tcp(from, to, SYN, 0));
            traffic.at(seconds + 0.0005, link.tcp(to, from, RST | ACK, 0));
        }
    }
}

/// Full handshakes, closed at once.
pub(super) fn connect_scan(traffic: &mut Traffic) {
    let link = traffic.link;
    for n in 0..20 {
        let (from, to) = (at(link, ATTACKER, 50_000 + n), at(link, VICTIM, 8000 + n));
        let steps = [
            (from, to, SYN),
            (to, from, SYN | ACK),
            (from, to, ACK),
            (from, to, RST | ACK),
        ];
        for (step, (from, to, flags)) in (0_u8..).zip(steps) {
            let seconds = f64::from(n) * 0.2 + f64::from(step) * 0.001;
            traffic.at(seconds, link.tcp(from, to, flags, 0));
        }
    }
}

pub(super) fn udp_scan(traffic: &mut Traffic, unreachable: bool) {
    let link = traffic.link;
    for n in 1..=40 {
        let (from, to) = (at(link, ATTACKER, 50_000), at(link, VICTIM, 10_000 + n));
        let asked = link.udp(from, to, b"");
        if unreachable {
            let answer = link.port_unreachable(to.ip(), from.ip(), &asked);
            traffic.at(f64::from(n) + 0.001, answer);
        }
        traffic.at(f64::from(n), asked);
    }
}

pub(super) fn horizontal(traffic: &mut Traffic, hosts: u8, every: f64, port: u16) {
    let link = traffic.link;
    for n in 1..=hosts {
        let (from, to) = (at(link, ATTACKER, 50_000), at(link, [192, 0, 2, n], port));
        traffic.at(f64::from(n) * every, link.tcp(from, to, SYN, 0));
    }
}

/// While the same host talks to others, as a proxy does: to two hundred on the same port.
pub(super) fn horizontal_by_proxy(traffic: &mut Traffic, hosts: u8, every: f64) {
    horizontal(traffic, hosts, every, 443);
    for n in 0..800 {
        let client = at(traffic.link, ATTACKER, port(n));
        let server = anybody(traffic.link, n % 200, 443);
        talk(traffic, f64::from(n) / 4.0, client, server);
    }
}

/// While the same host uses the one port that is open, and often.
pub(super) fn vertical_by_client(traffic: &mut Traffic, ports: u16, every: f64) {
    vertical(traffic, ports, every, SYN, Answer::Refused);
    for n in 0..400 {
        let client = at(traffic.link, ATTACKER, port(n));
        let server = at(traffic.link, VICTIM, 8443);
        talk(traffic, f64::from(n) / 10.0, client, server);
    }
}

fn talk(traffic: &mut Traffic, seconds: f64, client: SocketAddr, server: SocketAddr) {
    let talk = Talk {
        client,
        server,
        sent: 400,
        answered: 1300,
    };
    traffic.talk(seconds, talk);
}

pub(super) fn sweep(traffic: &mut Traffic, hosts: u8, every: f64) {
    let link = traffic.link;
    for n in 1..=hosts {
        let (from, to) = (link.address(ATTACKER), link.address([192, 0, 2, n]));
        traffic.at(f64::from(n) * every, link.echo(from, to, false, 40));
        if n % 2 == 0 {
            traffic.at(f64::from(n) * every + 0.001, link.echo(to, from, true, 40));
        }
    }
}

pub(super) fn guesses(traffic: &mut Traffic, attempts: u16, every: f64, port: u16) {
    for n in 0..attempts {
        let talk = Talk {
            client: traffic.end(ATTACKER, 30_000 + n),
            server: traffic.end(VICTIM, port),
            sent: 300 + usize::from(n % 9),
            answered: 700 + usize::from(n % 5) * 16,
        };
        traffic.talk(f64::from(n) * every, talk);
    }
}

/// Intervals off by up to a share of them, either way.
pub(super) fn beacon(traffic: &mut Traffic, times: u16, every: f64, jitter: f64) {
    let mut seconds = 0.0;
    let mut state = 1_u32;
    for n in 0..times {
        let talk = Talk {
            client: traffic.end(INSIDE, 30_000 + n),
            server: traffic.end(OUTSIDE, 443),
            sent: 300 + usize::from(n % 7) * 4,
            answered: 500 + usize::from(n % 3) * 100,
        };
        traffic.talk(seconds, talk);
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let off = f64::from(state >> 8) / f64::from(1_u32 << 23) - 1.0;
        seconds += every * (1.0 + jitter * off);
    }
}

/// Twelve hexadecimal digits a question, for addresses.
pub(super) fn short_names(traffic: &mut Traffic) {
    let (from, to) = (traffic.end(INSIDE, 30_000), traffic.end(OUTSIDE, 53));
    for n in 0..count(700) {
        let mut message = n.to_be_bytes().to_vec();
        message.extend([1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 12]);
        let word = u64::from(n).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        message.extend(format!("{:012x}", word >> 16).bytes());
        message.extend(*b"\x02ns\x07example\x00\x00\x01\x00\x01");
        traffic.at(f64::from(n) * 0.5, traffic.link.udp(from, to, &message));
    }
}

pub(super) fn echoes(traffic: &mut Traffic, sent: usize, answered: usize) {
    let link = traffic.link;
    let (from, to): (IpAddr, IpAddr) = (link.address(INSIDE), link.address(OUTSIDE));
    for n in 0..120 {
        let seconds = f64::from(n) * 0.1;
        traffic.at(seconds, link.echo(from, to, false, sent));
        traffic.at(seconds + 0.01, link.echo(to, from, true, answered));
    }
}
