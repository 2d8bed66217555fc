use std::path::Path;
use std::time::Duration;

use netsec_common::packet::{Vlan, protocol};

use super::*;
use crate::block::HostEnforcer;
use crate::connection::{Connection, Side, Timeouts};
use crate::decide::{Book, DecideSettings, Policy};
use crate::event::FlowDelta;
use crate::hook::HookId;
use crate::source::blocks::HostBlocks;

mod restart;

const SOURCE: &str = "203.0.113.9";

const SYN_ACK: u8 = 0x12;
const PSH: u8 = 0x08;

/// A desk, over a table in memory.
struct Bench {
    state: State,
    table: HostEnforcer,
    connections: ConnectionTable,
    handshakes: Handshakes,
    recent: RecentTraffic,
    dropped: DroppedPackets,
    now: WallTime,
}

impl Bench {
    fn new(settings: DecideSettings) -> Self {
        Self::open(None, settings)
    }

    /// With the journal in a directory.
    fn open(state: Option<&Path>, settings: DecideSettings) -> Self {
        let hour = Duration::from_secs(3600);
        let timeouts = Timeouts {
            idle: hour,
            active: hour,
            closed: hour,
            connections_max: 1000,
        };
        Self {
            state: State::new(Book::open(state), Policy { settings }),
            table: HostEnforcer::new(HostBlocks::new(1024)),
            connections: ConnectionTable::new(timeouts, [7; 10]),
            handshakes: Handshakes::default(),
            recent: RecentTraffic::default(),
            dropped: DroppedPackets::default(),
            now: WallTime::default().plus(hour),
        }
    }

    fn desk(&mut self) -> Desk<'_> {
        Desk {
            state: &mut self.state,
            table: &mut self.table,
            traffic: Traffic {
                connections: &self.connections,
                handshakes: &self.handshakes,
                recent: &self.recent,
                dropped: &self.dropped,
                incidents: None,
            },
            now: self.now,
        }
    }

    fn decide(&mut self, source: &str, proof: Proof) -> Result<Ruling, DeskError> {
        self.desk().decide(&evidence(source, proof))
    }

    /// As the next netsec does on this state, in this mode.
    fn start(state: &Path, settings: DecideSettings, mode: Mode, now: WallTime) -> Self {
        let mut bench = Self::open(Some(state), settings);
        bench.now = now;
        bench.state.restore(&mut bench.table, mode, now);
        bench.table.set_mode(mode);
        bench
    }

    /// The addresses on the blocklist of the table, each with its decision.
    fn blocked(&self) -> Vec<(String, u64)> {
        let mut found = Vec::new();
        self.table.visit(&mut |state| {
            let (key, id) = (state.block.key, state.block.decision_id);
            if key.list == List::Block {
                found.push((key.prefix.to_string(), id));
            }
        });
        found.sort();
        found
    }

    /// Lets time go by.
    fn wait(&mut self, seconds: u64) {
        self.now = self.now.plus(Duration::from_secs(seconds));
        self.state.book.tick(&mut self.table, self.now);
    }

    /// What each end of a connection from the source has sent.
    fn connect(&mut self, source: &str, port: u16, originator: u8, responder: u8) {
        let key = key(source, port);
        for (key, tcp_flags) in [(key, originator), (key.reversed(), responder)] {
            let delta = FlowDelta {
                hook: HookId(0),
                key,
                first: self.now,
                last: self.now,
                packets: 3,
                bytes: 300,
                tcp_flags,
                first_tcp_flags: 0x02,
                opened: true,
                ended: None,
            };
            self.connections.apply(0, &delta, &mut Vec::new());
        }
    }
}

fn key(source: &str, port: u16) -> netsec_common::packet::FlowKey {
    netsec_common::packet::FlowKey::from_endpoints(
        (source.parse::<IpAddr>().unwrap(), port).into(),
        "10.0.0.1:22".parse().unwrap(),
        protocol::TCP,
        Vlan::default(),
    )
}

fn evidence(source: &str, proof: Proof) -> Evidence {
    Evidence {
        source: source.parse().unwrap(),
        detector: "test".to_owned(),
        reason: "because".to_owned(),
        ids: vec!["finding 1".to_owned()],
        proof,
    }
}

fn seconds(ruling: &Ruling, bench: &Bench) -> u64 {
    let until = ruling.blocked.wanted.block.until.unwrap();
    until.since(bench.now).as_secs()
}

fn is_limit(ruling: &Ruling) -> bool {
    matches!(ruling.blocked.wanted.block.action, Action::RateLimit { .. })
}

#[test]
fn without_a_handshake_a_source_is_only_slowed_down() {
    let mut bench = Bench::new(DecideSettings::default());
    bench.connect(SOURCE, 1000, 0x02, SYN_ACK);
    for proof in [
        Proof::None,
        Proof::Handshake,
        Proof::Connection(key(SOURCE, 1000)),
    ] {
        bench.wait(3600);
        let ruling = bench.decide(SOURCE, proof).unwrap();
        assert!(is_limit(&ruling) && !ruling.is_proven, "{proof:?}");
    }
    let mut strict = Bench::new(DecideSettings {
        unproven_packets_per_s: 0,
        ..DecideSettings::default()
    });
    let left = strict.decide(SOURCE, Proof::None);
    assert_eq!(left, Err(DeskError::Unproven(SOURCE.parse().unwrap())));
    assert_eq!(strict.state.book.count(List::Block), 0);
}

#[test]
fn a_forged_connection_is_not_excused_by_an_honest_one() {
    let mut bench = Bench::new(DecideSettings::default());
    bench.connect(SOURCE, 1000, SYN_ACK | PSH, SYN_ACK | PSH);
    // Somebody sends SYNs in the name of the source, and alerts are raised on them.
    bench.connect(SOURCE, 2000, 0x02, SYN_ACK);
    let forged = bench.decide(SOURCE, Proof::Connection(key(SOURCE, 2000)));
    assert!(is_limit(&forged.unwrap()));
    let honest = bench.decide(SOURCE, Proof::Connection(key(SOURCE, 1000).reversed()));
    assert!(!is_limit(&honest.unwrap()), "seen from the other end");
}

#[test]
fn a_limit_becomes_a_block_once_and_a_block_stands() {
    let mut bench = Bench::new(DecideSettings::default());
    let limit = bench.decide(SOURCE, Proof::None).unwrap();
    assert_eq!((limit.offences, seconds(&limit, &bench)), (0, 600));
    let again = bench.decide(SOURCE, Proof::None);
    assert!(
        matches!(again, Err(DeskError::Standing { id: 1, .. })),
        "{again:?}"
    );
    let block = bench.decide(SOURCE, Proof::Given).unwrap();
    assert_eq!(
        (block.offences, seconds(&block, &bench)),
        (0, 600),
        "one offence"
    );
    assert!(!is_limit(&block));
    for proof in [Proof::Given, Proof::None] {
        let again = bench.decide(SOURCE, proof);
        assert!(
            matches!(again, Err(DeskError::Standing { id: 2, .. })),
            "{again:?}"
        );
    }
    assert_eq!(bench.state.book.automatic(), 1);
}

#[test]
fn what_a_person_blocked_is_left_as_it_is() {
    let mut bench = Bench::new(DecideSettings::default());
    let network = "203.0.113.0/24".parse::<ipnet::IpNet>().unwrap();
    let prefix = Prefix::new(network.addr(), network.prefix_len()).unwrap();
    bench
        .desk()
        .block(prefix, &BlockRequest::default())
        .unwrap();
    let standing = bench.decide(SOURCE, Proof::Given);
    assert!(
        matches!(standing, Err(DeskError::Standing { prefix: found, .. }) if found == prefix),
        "{standing:?}"
    );
}

#[test]
fn each_offence_lasts_longer_until_it_is_forgotten() {
    let mut bench = Bench::new(DecideSettings::default());
    let mut lasted = Vec::new();
    for _ in 0..5 {
        let ruling = bench.decide(SOURCE, Proof::Given).unwrap();
        let lasts = seconds(&ruling, &bench);
        lasted.push(lasts);
        bench.wait(lasts + 2);
    }
    assert_eq!(lasted, [600, 3600, 86_400, 604_800, 604_800]);
    bench.wait(31 * 86_400);
    let ruling = bench.decide(SOURCE, Proof::Given).unwrap();
    assert_eq!(seconds(&ruling, &bench), 600);
}

#[test]
fn the_guard_and_the_caps_hold_without_a_person_too() {
    let mut bench = Bench::new(DecideSettings {
        automatic_per_minute: 3,
        automatic_total: 5,
        ..DecideSettings::default()
    });
    for never in [
        "127.0.0.1",
        "::1",
        "224.0.0.1",
        "::ffff:127.0.0.1",
        "fe80::1",
        "0.0.0.0",
    ] {
        let refused = bench.decide(never, Proof::Given);
        assert!(
            matches!(refused, Err(DeskError::Refused(_))),
            "{never}: {refused:?}"
        );
    }
    let allowed = Prefix::host(SOURCE.parse().unwrap());
    bench
        .desk()
        .allow(allowed, &BlockRequest::default())
        .unwrap();
    let refused = bench.decide(SOURCE, Proof::Given);
    assert!(matches!(refused, Err(DeskError::Refused(_))), "{refused:?}");
    let mut done = Vec::new();
    for number in 0..12 {
        let ruling = bench.decide(&format!("198.51.100.{number}"), Proof::Given);
        done.push(match ruling {
            Ok(_) => 'x',
            Err(DeskError::Capped(_)) => '-',
            Err(_) => '?',
        });
        bench.wait(10);
    }
    assert_eq!(
        String::from_iter(done),
        "xxx---xx----",
        "three a minute, five in all"
    );
}

#[test]
fn a_mapped_address_is_the_address() {
    let mut bench = Bench::new(DecideSettings::default());
    bench.decide("::ffff:203.0.113.9", Proof::Given).unwrap();
    let standing = bench.decide(SOURCE, Proof::Given);
    assert!(
        matches!(standing, Err(DeskError::Standing { .. })),
        "{standing:?}"
    );
}

#[test]
fn who_ended_a_whole_connection_is_proven() {
    let mut bench = Bench::new(DecideSettings::default());
    let side = |tcp_flags| Side {
        packets: 5,
        bytes: 500,
        tcp_flags,
    };
    bench.handshakes.note(&Connection {
        hook: HookId(0),
        key: key(SOURCE, 1000),
        start: bench.now,
        end: bench.now,
        originator: side(SYN_ACK | PSH),
        responder: side(SYN_ACK | PSH),
    });
    let proof = Proof::Connection(key(SOURCE, 1000));
    assert!(!is_limit(&bench.decide(SOURCE, proof).unwrap()));
}

#[test]
fn of_a_list_that_is_too_long_each_entry_that_is_refused_is_named() {
    let mut bench = Bench::new(DecideSettings::default());
    let host = |n: u32| Prefix::host(std::net::Ipv4Addr::from(0x0b00_0000 + n * 77).into());
    let part: Vec<(Prefix, Option<Duration>)> = (0..1500).map(|n| (host(n), None)).collect();
    let request = BlockRequest {
        actor: "root".to_owned(),
        ..BlockRequest::default()
    };
    let mut desk = bench.desk();
    let id = desk.begin_import(List::Block, &request);
    let imported = desk.import(id, List::Block, &part, &request);
    desk.end_import(id, imported.entries, "root");
    assert_eq!(imported.entries + imported.refused.len() as u64, 1500);
    assert!((900..=1024).contains(&imported.entries), "{imported:?}");
    let refused: Vec<usize> = imported.refused.iter().map(|(place, _)| *place).collect();
    for (place, (prefix, _)) in part.iter().enumerate() {
        let key = BlockKey {
            list: List::Block,
            prefix: *prefix,
            narrowing: Narrowing::Any,
        };
        let is_in = bench.table.get(&key).is_some();
        assert_eq!(is_in, !refused.contains(&place), "{prefix}");
        assert_eq!(is_in, bench.state.book.get(&key).is_some(), "{prefix}");
    }
}
