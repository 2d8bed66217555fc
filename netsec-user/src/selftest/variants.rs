//! The same attacks done otherwise: slower, on other ports, over IPv6, with other answers.
//!
//! Each is told apart from its neighbours by who did it to whom.

mod attacks;
mod network;

use self::attacks::{
    ATTACKER, Answer, INSIDE, OUTSIDE, VICTIM, anybody, at, beacon, connect_scan, decoys, echoes,
    guesses, horizontal, horizontal_by_proxy, port, short_names, sweep, udp_scan, vertical,
    vertical_by_client,
};
use super::frame::Link;
use super::traffic::Traffic;
use super::{Expected, check, found_in};
use crate::connection::tcp::{ACK, FIN, PSH, RST, SYN, URG};
use crate::detect::DetectSettings;
use crate::finding::Kind;

const V4: Link = Link {
    ipv6: false,
    vlan: None,
};
const V6: Link = Link {
    ipv6: true,
    vlan: None,
};

/// An attack, and what has to be found of it.
struct Variant {
    name: &'static str,
    link: Link,
    kind: Kind,
    attacker: Option<[u8; 4]>,
    victim: Option<[u8; 4]>,
    make: fn(&mut Traffic),
}

const fn by(
    name: &'static str,
    link: Link,
    kind: Kind,
    ends: (Option<[u8; 4]>, Option<[u8; 4]>),
    make: fn(&mut Traffic),
) -> Variant {
    let (attacker, victim) = ends;
    Variant {
        name,
        link,
        kind,
        attacker,
        victim,
        make,
    }
}

const ONE: (Option<[u8; 4]>, Option<[u8; 4]>) = (Some(ATTACKER), Some(VICTIM));
const TO_MANY: (Option<[u8; 4]>, Option<[u8; 4]>) = (Some(ATTACKER), None);
const FROM_MANY: (Option<[u8; 4]>, Option<[u8; 4]>) = (None, Some(VICTIM));
const OUTWARD: (Option<[u8; 4]>, Option<[u8; 4]>) = (Some(INSIDE), Some(OUTSIDE));

const VARIANTS: [Variant; 43] = [
    by(
        "a port a minute, refused",
        V4,
        Kind::ScanVertical,
        ONE,
        |t| {
            vertical(t, 30, 60.0, SYN, Answer::Refused);
        },
    ),
    by(
        "a port in ten seconds, silent",
        V4,
        Kind::ScanVertical,
        ONE,
        |t| {
            vertical(t, 30, 10.0, SYN, Answer::Silent);
        },
    ),
    by(
        "a thousand ports at once",
        V6,
        Kind::ScanVertical,
        ONE,
        |t| {
            vertical(t, 1000, 0.001, SYN, Answer::Refused);
        },
    ),
    by("FIN", V6, Kind::ScanVertical, ONE, |t| {
        vertical(t, 20, 0.1, FIN, Answer::Refused);
    }),
    by("NULL", V6, Kind::ScanVertical, ONE, |t| {
        vertical(t, 20, 0.1, 0, Answer::Silent);
    }),
    by("XMAS", V6, Kind::ScanVertical, ONE, |t| {
        vertical(t, 20, 0.1, FIN | PSH | URG, Answer::Refused);
    }),
    by("ACK", V4, Kind::ScanVertical, ONE, |t| {
        vertical(t, 20, 0.1, ACK, Answer::Refused);
    }),
    by("Maimon", V4, Kind::ScanVertical, ONE, |t| {
        vertical(t, 20, 0.1, FIN | ACK, Answer::Refused);
    }),
    by(
        "connect to open ports",
        V4,
        Kind::ScanVertical,
        ONE,
        connect_scan,
    ),
    by("SYN among decoys", V4, Kind::ScanVertical, ONE, |t| {
        decoys(t, 100, 6)
    }),
    by("SCTP, silent", V4, Kind::ScanVertical, ONE, |t| {
        for n in 1..=20 {
            let (from, to) = (t.end(ATTACKER, 50_000), t.end(VICTIM, n));
            t.at(f64::from(n), t.link.sctp_init(from, to));
        }
    }),
    by("UDP, ports unreachable", V4, Kind::ScanVertical, ONE, |t| {
        udp_scan(t, true)
    }),
    by("UDP, silent", V6, Kind::ScanVertical, ONE, |t| {
        udp_scan(t, false)
    }),
    by(
        "a host in twenty seconds, port 8291",
        V4,
        Kind::ScanHorizontal,
        TO_MANY,
        |t| {
            horizontal(t, 40, 20.0, 8291);
        },
    ),
    by(
        "hosts at once, port 22",
        V6,
        Kind::ScanHorizontal,
        TO_MANY,
        |t| {
            horizontal(t, 200, 0.01, 22);
        },
    ),
    by("by a busy proxy", V4, Kind::ScanHorizontal, TO_MANY, |t| {
        horizontal_by_proxy(t, 40, 5.0);
    }),
    by("by a busy client", V6, Kind::ScanVertical, ONE, |t| {
        vertical_by_client(t, 40, 1.0);
    }),
    by("SNMP by UDP", V4, Kind::ScanHorizontal, TO_MANY, |t| {
        for n in 1..=40 {
            let (from, to) = (t.end(ATTACKER, 40_000), t.end([192, 0, 2, n], 161));
            t.at(f64::from(n), t.link.udp(from, to, b"get"));
        }
    }),
    by(
        "pings, half of them answered",
        V6,
        Kind::ScanSweep,
        TO_MANY,
        |t| sweep(t, 60, 0.05),
    ),
    by("a ping in ten seconds", V4, Kind::ScanSweep, TO_MANY, |t| {
        sweep(t, 40, 10.0)
    }),
    by("forged SYN", V6, Kind::FloodSyn, FROM_MANY, |t| {
        t.flood(10.0, 150, |link, n| {
            link.tcp(anybody(link, n, 1025), at(link, VICTIM, 443), SYN, 0)
        });
    }),
    by(
        "SYN in the victim's own name",
        V4,
        Kind::FloodSyn,
        FROM_MANY,
        |t| {
            t.flood(10.0, 150, |link, _| {
                link.tcp(at(link, VICTIM, 80), at(link, VICTIM, 80), SYN, 0)
            });
        },
    ),
    by("SYN of one host, any port", V4, Kind::FloodSyn, ONE, |t| {
        t.flood(10.0, 150, |link, n| {
            link.tcp(at(link, ATTACKER, port(n)), at(link, VICTIM, 25), SYN, 0)
        });
    }),
    by("SYN of a botnet", V4, Kind::FloodSyn, FROM_MANY, |t| {
        t.flood(10.0, 500, |link, n| {
            link.tcp(
                anybody(link, n % 40, port(n)),
                at(link, VICTIM, 8080),
                SYN,
                0,
            )
        });
    }),
    by("ACK of one host, refused", V6, Kind::FloodTcp, ONE, |t| {
        t.flood(10.0, 2200, |link, n| {
            let ends = (at(link, ATTACKER, port(n / 2)), at(link, VICTIM, 80));
            match n % 2 {
                0 => link.tcp(ends.0, ends.1, ACK, 0),
                _ => link.tcp(ends.1, ends.0, RST, 0),
            }
        });
    }),
    by("forged FIN", V4, Kind::FloodTcp, FROM_MANY, |t| {
        t.flood(10.0, 1200, |link, n| {
            link.tcp(anybody(link, n, 1025), at(link, VICTIM, 443), FIN, 0)
        });
    }),
    by("UDP to any port", V6, Kind::FloodUdp, ONE, |t| {
        t.flood(10.0, 2500, |link, n| {
            link.udp(at(link, ATTACKER, 99), at(link, VICTIM, port(n)), &[0; 64])
        });
    }),
    by("UDP of a botnet", V4, Kind::FloodUdp, FROM_MANY, |t| {
        t.flood(10.0, 2500, |link, n| {
            link.udp(anybody(link, n % 90, 4000), at(link, VICTIM, 80), &[0; 64])
        });
    }),
    by("forged pings", V6, Kind::FloodIcmp, FROM_MANY, |t| {
        t.flood(10.0, 1200, |link, n| {
            link.echo(anybody(link, n, 0).ip(), link.address(VICTIM), false, 40)
        });
    }),
    by(
        "a router's answers to pings in the victim's name",
        V4,
        Kind::FloodIcmp,
        FROM_MANY,
        |t| {
            t.flood(10.0, 1200, |link, _| {
                link.echo(link.address(OUTSIDE), link.address(VICTIM), true, 40)
            });
        },
    ),
    by(
        "DNS answers of a few servers",
        V4,
        Kind::FloodAmplification,
        FROM_MANY,
        |t| {
            t.flood(10.0, 200, |link, n| {
                link.udp(anybody(link, n % 6, 53), at(link, VICTIM, 4000), &[0; 400])
            });
        },
    ),
    by(
        "NTP answers of three servers",
        V4,
        Kind::FloodAmplification,
        FROM_MANY,
        |t| {
            t.flood(10.0, 2500, |link, n| {
                link.udp(anybody(link, n % 3, 123), at(link, VICTIM, 80), &[0; 440])
            });
        },
    ),
    by(
        "Memcached answers",
        V6,
        Kind::FloodAmplification,
        FROM_MANY,
        |t| {
            t.flood(10.0, 100, |link, n| {
                link.udp(
                    anybody(link, n % 9, 11_211),
                    at(link, VICTIM, 443),
                    &[0; 900],
                )
            });
        },
    ),
    by(
        "SYN-ACK of three servers",
        V6,
        Kind::FloodReflection,
        FROM_MANY,
        |t| {
            t.flood(10.0, 200, |link, n| {
                link.tcp(
                    anybody(link, n % 3, 443),
                    at(link, VICTIM, port(n)),
                    SYN | ACK,
                    0,
                )
            });
        },
    ),
    by("fragments", V6, Kind::FloodFragment, ONE, |t| {
        t.flood(10.0, 150, |link, _| {
            link.later_fragment(link.address(ATTACKER), link.address(VICTIM), 200)
        });
    }),
    by("guesses on an odd port", V6, Kind::Bruteforce, ONE, |t| {
        guesses(t, 45, 1.0, 40_022)
    }),
    by(
        "guesses on SSH, one in a minute",
        V4,
        Kind::Bruteforce,
        ONE,
        |t| guesses(t, 29, 60.0, 22),
    ),
    by("guesses on RDP", V4, Kind::Bruteforce, ONE, |t| {
        guesses(t, 30, 5.0, 3389)
    }),
    by(
        "a beacon with a third of jitter",
        V6,
        Kind::Beacon,
        OUTWARD,
        |t| beacon(t, 100, 60.0, 0.3),
    ),
    by("a beacon in five seconds", V4, Kind::Beacon, OUTWARD, |t| {
        beacon(t, 200, 5.0, 0.1)
    }),
    by(
        "short names, addresses asked for",
        V4,
        Kind::TunnelDns,
        OUTWARD,
        short_names,
    ),
    by(
        "echoes as large as their answers",
        V6,
        Kind::TunnelIcmp,
        OUTWARD,
        |t| echoes(t, 1200, 1200),
    ),
    by(
        "large echoes, small answers",
        V4,
        Kind::TunnelIcmp,
        OUTWARD,
        |t| echoes(t, 900, 60),
    ),
];

#[test]
fn every_variant_is_found_with_the_right_ends() {
    let mut failed = Vec::new();
    for variant in VARIANTS.iter().chain(&network::VARIANTS) {
        let mut traffic = Traffic::new(variant.link);
        (variant.make)(&mut traffic);
        traffic.time_passes();
        let found = found_in(&traffic, &DetectSettings::default());
        let address = |address: [u8; 4]| variant.link.address(address);
        let expected = Expected {
            kind: variant.kind,
            attacker: variant.attacker.map(address),
            victim: variant.victim.map(address),
        };
        let mistaken = variant.victim.is_some_and(|victim| {
            let is_it =
                |found: &crate::finding::Finding| found.attacker.host() == Some(address(victim));
            found.iter().any(is_it)
        });
        let check = check(&expected, &found);
        // A scan is told as a scan, however fast it is.
        let is_scan = variant.kind.name().starts_with("scan.");
        let flood = { found.iter() }.find(|found| found.kind.name().starts_with("flood."));
        let misnamed = flood.filter(|_| is_scan).map(|found| found.kind);
        if !check.passed || mistaken || misnamed.is_some() {
            failed.push((variant.name, check, mistaken, misnamed));
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
}
