//! Ordinary traffic that looks like an attack in one way: nothing of high severity may be found in it.

mod network;

use std::net::SocketAddr;

use super::found_in;
use super::frame::Link;
use super::traffic::{Talk, Traffic};
use crate::connection::tcp::{ACK, PSH, SYN};
use crate::detect::DetectSettings;
use crate::finding::Severity;

/// Some traffic, and the worst that may be said of it.
struct Harmless {
    name: &'static str,
    worst: Severity,
    make: fn(&mut Traffic),
}

const fn harmless(name: &'static str, worst: Severity, make: fn(&mut Traffic)) -> Harmless {
    Harmless { name, worst, make }
}

const HARMLESS: [Harmless; 16] = [
    harmless("a proxy with many clients", Severity::Low, proxy),
    harmless(
        "a proxy that is asked for dead servers",
        Severity::Low,
        dead_servers,
    ),
    harmless(
        "a browser that opens a hundred connections",
        Severity::Low,
        browser,
    ),
    harmless("a resolver that asks many servers", Severity::Low, resolver),
    harmless(
        "a monitor that pings two hundred hosts each minute",
        Severity::Medium,
        monitor,
    ),
    harmless("a client of many time servers", Severity::Low, time_client),
    harmless(
        "a mail server that asks block lists",
        Severity::Low,
        mail_server,
    ),
    harmless("a peer-to-peer client", Severity::Medium, peer_to_peer),
    harmless("a backup into the cloud", Severity::Low, backup),
    harmless("a busy web server", Severity::Low, web_server),
    harmless("television by multicast", Severity::Low, television),
    harmless("a call by UDP", Severity::Low, call),
    harmless("traceroute", Severity::Low, traceroute),
    harmless(
        "answers to pings that were not seen",
        Severity::Low,
        ping_answers,
    ),
    harmless("a busy server farm", Severity::Low, network::farm),
    harmless(
        "a network of clients behind a gateway",
        Severity::Low,
        network::clients,
    ),
];

#[test]
fn ordinary_traffic_is_not_made_an_attack() {
    let mut failed = Vec::new();
    for harmless in &HARMLESS {
        let mut traffic = Traffic::new(Link::default());
        (harmless.make)(&mut traffic);
        traffic.time_passes();
        let found = found_in(&traffic, &DetectSettings::default());
        for finding in found
            .iter()
            .filter(|finding| finding.severity > harmless.worst)
        {
            failed.push(format!(
                "{}: {:?} {} {} > {}: {}",
                harmless.name,
                finding.severity,
                finding.kind,
                finding.attacker,
                finding.victim,
                finding.message
            ));
        }
    }
    failed.dedup();
    assert!(failed.is_empty(), "{failed:#?}");
}

/// A pseudo-random number below `bound`.
fn any(n: u32, bound: u32) -> u32 {
    let mixed = n.wrapping_add(1).wrapping_mul(2_654_435_761);
    (mixed ^ mixed >> 15) % bound
}

fn outside(traffic: &Traffic, n: u32, port: u16) -> SocketAddr {
    let [.., a, b, c] = n.wrapping_mul(7919).to_be_bytes();
    traffic.end([23, a, b, c.max(1) & 0x7f], port)
}

fn own(n: u32) -> u16 {
    1025 + u16::try_from(n % 60_000).unwrap()
}

/// Twenty a second for five minutes to 800 servers, of which one in fifty answers nothing.
fn proxy(traffic: &mut Traffic) {
    for n in 0..6000 {
        let (client, server) = (
            traffic.end([10, 9, 0, 1], own(n)),
            outside(traffic, any(n, 800), 443),
        );
        let seconds = f64::from(n) / 20.0;
        if any(n, 800).is_multiple_of(50) {
            traffic.at(seconds, traffic.link.tcp(client, server, SYN, 0));
        } else {
            let sent = 300 + any(n, 700) as usize;
            traffic.talk(
                seconds,
                Talk {
                    client,
                    server,
                    sent,
                    answered: 1300,
                },
            );
        }
    }
}

/// Twenty dead servers of one network are asked again and again, beside four hundred that answer.
fn dead_servers(traffic: &mut Traffic) {
    for n in 0..3000 {
        let client = traffic.end([10, 9, 0, 1], own(n));
        let seconds = f64::from(n) / 10.0;
        if n.is_multiple_of(10) {
            let dead = traffic.end([203, 0, 113, 1 + u8::try_from(n / 10 % 20).unwrap()], 443);
            traffic.at(seconds, traffic.link.tcp(client, dead, SYN, 0));
        } else {
            let talk = Talk {
                client,
                server: outside(traffic, any(n, 400), 443),
                sent: 300 + any(n, 700) as usize,
                answered: 1300,
            };
            traffic.talk(seconds, talk);
        }
    }
}

/// To thirty hosts of a network of servers, half of them in advance, without a word.
fn browser(traffic: &mut Traffic) {
    for n in 0..100 {
        let (client, server) = (
            traffic.end([10, 9, 0, 2], own(n)),
            outside(traffic, n % 30, 443),
        );
        let seconds = f64::from(n) * 0.02;
        if n % 2 == 0 {
            traffic.talk(
                seconds,
                Talk {
                    client,
                    server,
                    sent: 500,
                    answered: 1300,
                },
            );
            continue;
        }
        let link = traffic.link;
        traffic.at(seconds, link.tcp(client, server, SYN, 0));
        traffic.at(seconds + 0.02, link.tcp(server, client, SYN | ACK, 0));
        traffic.at(seconds + 0.03, link.tcp(client, server, ACK, 0));
    }
}

/// Thirty questions a second to 1500 servers, of which one in thirty is dead.
fn resolver(traffic: &mut Traffic) {
    for n in 0..6000 {
        let server = any(n, 1500);
        let (from, to) = (
            traffic.end([10, 9, 0, 53], own(n)),
            outside(traffic, server, 53),
        );
        let seconds = f64::from(n) / 30.0;
        traffic.at(
            seconds,
            traffic.link.udp(
                from,
                to,
                &question(&format!("www{server}"), b"\x04shop\x04test", 1),
            ),
        );
        if !server.is_multiple_of(30) {
            traffic.at(seconds + 0.01, traffic.link.udp(to, from, &[0; 90]));
        }
    }
}

/// For ten minutes; all answer but four.
fn monitor(traffic: &mut Traffic) {
    for minute in 0..10 {
        for host in 1..=200_u8 {
            let link = traffic.link;
            let (from, to) = (link.address([10, 9, 0, 3]), link.address([10, 8, 0, host]));
            let seconds = f64::from(minute) * 60.0 + f64::from(host) * 0.05;
            traffic.at(seconds, link.echo(from, to, false, 56));
            if host % 50 != 0 {
                traffic.at(seconds + 0.001, link.echo(to, from, true, 56));
            }
        }
    }
}

fn time_client(traffic: &mut Traffic) {
    for n in 0..120 {
        let (from, to) = (
            traffic.end([10, 9, 0, 4], 123),
            outside(traffic, n % 12, 123),
        );
        let seconds = f64::from(n) * 5.3;
        traffic.at(seconds, traffic.link.udp(from, to, &[0x23; 48]));
        if n % 12 > 2 {
            traffic.at(seconds + 0.02, traffic.link.udp(to, from, &[0x24; 48]));
        }
    }
}

/// Each client is looked up in two block lists, and its sender's domain for how it signs.
fn mail_server(traffic: &mut Traffic) {
    let (from, to) = (
        traffic.end([10, 9, 0, 25], 5300),
        traffic.end([10, 9, 0, 53], 53),
    );
    for n in 0..900_u32 {
        let seconds = f64::from(n);
        let [a, b, c, d] = n.wrapping_mul(2_654_435_761).to_be_bytes();
        let reversed = format!("{d}.{c}.{b}.{a}");
        let domain = format!("\x07sender{}\x03com", (b'a' + a % 26) as char);
        for (name, domain, kind) in [
            (reversed.as_str(), &b"\x03zen\x08spamhaus\x03org"[..], 1),
            (reversed.as_str(), b"\x02bl\x07spamcop\x03net", 1),
            ("selector1._domainkey", domain.as_bytes(), 16),
        ] {
            traffic.at(
                seconds,
                traffic.link.udp(from, to, &question(name, domain, kind)),
            );
        }
    }
}

/// 1200 peers in ten minutes on ports of their own, or on the usual one; every other is gone.
fn peer_to_peer(traffic: &mut Traffic) {
    for n in 0..1200 {
        let port = if n % 8 == 0 {
            6881
        } else {
            own(any(n, 60_000))
        };
        let (client, peer) = (
            traffic.end([10, 9, 0, 6], 51_413),
            outside(traffic, n, port),
        );
        let seconds = f64::from(n) / 2.0;
        traffic.at(seconds, traffic.link.udp(client, peer, &[b'd'; 100]));
        if n % 2 == 0 {
            traffic.at(seconds + 0.05, traffic.link.udp(peer, client, &[b'd'; 300]));
        }
        if n % 6 == 0 {
            let client = traffic.end([10, 9, 0, 6], own(n));
            traffic.at(seconds, traffic.link.tcp(client, peer, SYN, 0));
        }
    }
}

/// 10 MB to one server in ten connections, each night the same hour.
fn backup(traffic: &mut Traffic) {
    let link = traffic.link;
    for n in 0..10 {
        let (client, server) = (
            traffic.end([10, 9, 0, 7], own(n)),
            traffic.end([203, 0, 113, 7], 443),
        );
        let start = f64::from(n) * 30.0;
        traffic.at(start, link.tcp(client, server, SYN, 0));
        traffic.at(start + 0.01, link.tcp(server, client, SYN | ACK, 0));
        for packet in 0..700 {
            let seconds = start + 0.02 + f64::from(packet) * 0.01;
            traffic.at(seconds, link.tcp(client, server, PSH | ACK, 1400));
            if packet % 2 == 0 {
                traffic.at(seconds + 0.005, link.tcp(server, client, PSH | ACK, 30));
            }
        }
    }
}

/// 200 connections a second, all of them served.
fn web_server(traffic: &mut Traffic) {
    for n in 0..2000 {
        let (client, server) = (
            outside(traffic, n, own(n)),
            traffic.end([192, 0, 2, 80], 80),
        );
        traffic.talk(
            f64::from(n) / 200.0,
            Talk {
                client,
                server,
                sent: 300,
                answered: 1200,
            },
        );
    }
}

/// 3000 packets a second to a group.
fn television(traffic: &mut Traffic) {
    let (from, group) = (
        traffic.end([10, 9, 0, 8], 5004),
        traffic.end([239, 1, 1, 1], 5004),
    );
    for n in 0..9000 {
        traffic.at(
            f64::from(n) / 3000.0,
            traffic.link.udp(from, group, &[0; 1316]),
        );
    }
}

/// 100 packets a second each way.
fn call(traffic: &mut Traffic) {
    let (from, to) = (
        traffic.end([10, 9, 0, 9], 16_384),
        outside(traffic, 1, 16_400),
    );
    for n in 0..1000 {
        traffic.at(f64::from(n) / 100.0, traffic.link.udp(from, to, &[0; 172]));
        traffic.at(
            f64::from(n) / 100.0 + 0.003,
            traffic.link.udp(to, from, &[0; 172]),
        );
    }
}

fn traceroute(traffic: &mut Traffic) {
    for n in 0..90 {
        let (from, to) = (
            traffic.end([10, 9, 0, 10], 40_000),
            outside(traffic, 1, 33_434 + n),
        );
        traffic.at(f64::from(n) * 0.1, traffic.link.udp(from, to, &[0; 32]));
    }
}

/// A question for a name, dots in it, under a domain, its labels with their lengths.
fn question(name: &str, domain: &[u8], kind: u8) -> Vec<u8> {
    let mut message = vec![0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.split('.') {
        message.push(u8::try_from(label.len()).unwrap());
        message.extend(label.bytes());
    }
    message.extend(domain);
    message.extend([0, 0, kind, 0, 1]);
    message
}

/// Somebody pings a host in many names, by a way that is not watched: the host only answers.
fn ping_answers(traffic: &mut Traffic) {
    for n in 0..6000 {
        let (from, to) = (traffic.end([10, 9, 0, 4], 0), outside(traffic, n, 0));
        let answer = traffic.link.echo(from.ip(), to.ip(), true, 56);
        traffic.at(f64::from(n) / 1200.0, answer);
    }
}
