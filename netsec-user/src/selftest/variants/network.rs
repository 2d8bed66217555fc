//! Attacks on all of a network, little on each host.

use super::attacks::{ATTACKER, anybody, at, neighbour, port};
use super::{TO_MANY, V4, V6, Variant, by};
use crate::connection::tcp::{ACK, SYN};
use crate::detect::DetectSettings;
use crate::finding::{Kind, State};
use crate::selftest::found_in;
use crate::selftest::traffic::Traffic;

/// Nobody in particular to nobody in particular.
const TO_A_NETWORK: (Option<[u8; 4]>, Option<[u8; 4]>) = (None, None);

pub(super) const VARIANTS: [Variant; 6] = [
    by(
        "eight ports of a network, two thousand a second",
        V4,
        Kind::ScanHorizontal,
        TO_MANY,
        |t| {
            const PORTS: [u16; 8] = [22, 23, 80, 443, 445, 3389, 8080, 8443];
            t.flood(10.0, 1000, |link, n| {
                let port = PORTS[usize::try_from(n % 8).unwrap()];
                link.tcp(
                    at(link, ATTACKER, 50_000),
                    neighbour(link, n / 8, port),
                    SYN,
                    0,
                )
            });
        },
    ),
    by(
        "forged SYN to a network",
        V4,
        Kind::FloodSyn,
        TO_A_NETWORK,
        |t| {
            t.flood(10.0, 1500, |link, n| {
                link.tcp(anybody(link, n, 1025), neighbour(link, n, 443), SYN, 0)
            });
        },
    ),
    by(
        "SYN of one host to a network, again and again",
        V6,
        Kind::FloodSyn,
        TO_MANY,
        |t| {
            t.flood(10.0, 1500, |link, n| {
                link.tcp(
                    at(link, ATTACKER, port(n)),
                    neighbour(link, n % 40, 80),
                    SYN,
                    0,
                )
            });
        },
    ),
    by(
        "fragments to a network",
        V6,
        Kind::FloodFragment,
        TO_A_NETWORK,
        |t| {
            t.flood(10.0, 1500, |link, n| {
                let from = anybody(link, n % 50, 0).ip();
                link.later_fragment(from, neighbour(link, n, 0).ip(), 200)
            });
        },
    ),
    by(
        "DNS answers to a network",
        V4,
        Kind::FloodAmplification,
        TO_A_NETWORK,
        |t| {
            t.flood(10.0, 700, |link, n| {
                link.udp(
                    anybody(link, n % 90, 53),
                    neighbour(link, n, 4000),
                    &[0; 400],
                )
            });
        },
    ),
    by(
        "SYN-ACK to a network",
        V6,
        Kind::FloodReflection,
        TO_A_NETWORK,
        |t| {
            t.flood(10.0, 1500, |link, n| {
                let server = anybody(link, n % 90, 443);
                link.tcp(server, neighbour(link, n, port(n)), SYN | ACK, 0)
            });
        },
    ),
];

#[test]
fn a_network_is_told_as_the_victim_and_its_hosts_are_not() {
    let mut traffic = Traffic::new(V4);
    (VARIANTS[1].make)(&mut traffic);
    traffic.time_passes();
    let found = found_in(&traffic, &DetectSettings::default());
    let floods: Vec<_> = { found.iter() }
        .filter(|found| found.kind == Kind::FloodSyn)
        .collect();
    let (Some(start), Some(end)) = (floods.first(), floods.last()) else {
        panic!("{found:#?}");
    };
    assert_eq!((start.state, end.state), (State::Start, State::End));
    assert!(
        { floods.iter() }.all(|found| found.id == end.id),
        "{floods:#?}"
    );
    assert_eq!(end.victim.to_string(), "192.0.2.0/24");
    assert_eq!(end.attacker.to_string(), "spoofed/many");
    assert!(!end.attacker_proven);
    let message = &end.message;
    assert!(
        message.ends_with("forged sources to 240 hosts of a network"),
        "{message}"
    );
    let seconds = end.end.since(end.start).as_secs_f64();
    assert!((1.0..=2.0).contains(&seconds), "{seconds}");
}

/// A flood of one host is told of that host only, though its network gets more than it may as well.
#[test]
fn a_flooded_host_is_told_and_not_its_network() {
    let mut traffic = Traffic::new(V4);
    (VARIANTS[1].make)(&mut traffic);
    traffic.flood(10.0, 200, |link, n| {
        link.tcp(
            anybody(link, n, 2000),
            at(link, [192, 0, 2, 7], 443),
            SYN,
            0,
        )
    });
    traffic.time_passes();
    let found = found_in(&traffic, &DetectSettings::default());
    let victims: Vec<String> = { found.iter() }
        .filter(|found| found.kind == Kind::FloodSyn)
        .map(|found| found.victim.to_string())
        .collect();
    assert!(!victims.is_empty());
    assert!(
        { victims.iter() }.all(|victim| victim == "192.0.2.7"),
        "{victims:?}"
    );
}
