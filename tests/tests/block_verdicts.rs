//! The block table's verdicts, on the host and in the kernel: frame in, action and exactly the named
//! counters out.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "tests panic, and say how much they checked"
)]

use netsec_common::block::{Action, BlockKey, List, Mode, Narrowing, OnSilence};
use netsec_common::ledger::{Counter, Snapshot};
use netsec_common::packet::Start;
use netsec_common::sample::Fate;
use netsec_tests::kernel;
use netsec_tests::sourced::{Shape, frame};
use netsec_user::block::{
    Block, DeadMan, Enforcer, HostEnforcer, InForce, KernelEnforcer, TableEnforcer,
};
use netsec_user::hook::HookId;
use netsec_user::source::compare::Comparison;
use netsec_user::source::host::HostFrame;
use netsec_user::time::WallTime;

/// Every counter that says what the block table did, packets and bytes.
type Moved = Vec<(Counter, u64)>;

/// Both engines, written alike.
struct Both {
    comparison: Comparison,
    host: HostEnforcer,
    kernel: KernelEnforcer,
    before: Snapshot,
}

/// Noon of some day, in a time at which ticks are microseconds.
const NOON: WallTime = WallTime::from_ns(1_700_000_000_000_000_000);

impl Both {
    /// `None` when the kernel cannot be tested here.
    fn new(mode: Mode) -> Option<Self> {
        let object = kernel::object().unwrap()?;
        let settings = kernel::settings().engine;
        let (comparison, host, kernel) =
            Comparison::load_blocking(object, HookId(0), &settings, 1_000).unwrap();
        let mut both = Self {
            comparison,
            host: TableEnforcer::new(host),
            kernel: TableEnforcer::new(kernel),
            before: Snapshot::default(),
        };
        both.each(|enforcer| enforcer.set_mode(mode));
        Some(both)
    }

    fn each(&mut self, mut change: impl FnMut(&mut dyn Enforcer)) {
        change(&mut self.host);
        change(&mut self.kernel);
    }

    fn insert(&mut self, list: List, prefix: &str, narrowing: Narrowing, action: Action, id: u64) {
        self.insert_until(list, prefix, narrowing, action, id, None);
    }

    fn insert_until(
        &mut self,
        list: List,
        prefix: &str,
        narrowing: Narrowing,
        action: Action,
        decision_id: u64,
        until: Option<WallTime>,
    ) {
        let block = Block {
            key: key(list, prefix, narrowing),
            action,
            decision_id,
            until,
        };
        self.each(|enforcer| {
            enforcer.insert(&block).unwrap();
        });
    }

    fn block(&mut self, prefix: &str) {
        self.insert(List::Block, prefix, Narrowing::Any, Action::Drop, 1);
    }

    fn allow(&mut self, prefix: &str) {
        self.insert(List::Allow, prefix, Narrowing::Any, Action::Drop, 2);
    }

    /// Sends a frame through both, which have to agree on everything, and gives what moved of the
    /// table's counters besides the flow's.
    fn send(&mut self, bytes: &[u8], at: WallTime) -> Moved {
        let frame = HostFrame {
            time: at,
            start: Start::Ethernet,
            wire_bytes: u32::try_from(bytes.len()).unwrap(),
            bytes,
        };
        assert!(self.comparison.frame(&frame).unwrap(), "it was not sent");
        let now = self.comparison.ledger();
        let moved = now.since(&self.before);
        self.before = now;
        assert_eq!(now.imbalance(), 0);
        let in_flow = moved.get(Counter::FlowPackets);
        let dropped: u64 = moved
            .iter()
            .filter(|(counter, _)| counter.class() == netsec_common::ledger::Class::Dropped)
            .map(|(_, value)| value)
            .sum();
        assert_eq!(in_flow + dropped, 1, "in a flow or dropped: {moved:?}");
        let is_verdict = |counter: &Counter| {
            use netsec_common::ledger::Class;
            matches!(counter.class(), Class::Dropped | Class::Verdict)
        };
        moved
            .iter()
            .filter(|(counter, value)| is_verdict(counter) && *value != 0)
            .collect()
    }

    fn sends(&mut self, shape: Shape, expected: &[(Counter, Counter)]) {
        self.sends_at(shape, NOON, expected);
    }

    /// Each pair is a counter of frames and one of their bytes.
    fn sends_at(&mut self, shape: Shape, at: WallTime, expected: &[(Counter, Counter)]) {
        let bytes = frame(&shape);
        let moved = self.send(&bytes, at);
        let mut wanted: Moved = expected
            .iter()
            .flat_map(|(packets, all)| [(*packets, 1), (*all, bytes.len() as u64)])
            .collect();
        wanted.sort_by_key(|(counter, _)| *counter as u32);
        assert_eq!(moved, wanted, "{shape:?}");
    }

    /// The entry's counts, the same on both.
    fn counts(&self, key: &BlockKey) -> (u64, u64, Option<WallTime>, Option<WallTime>) {
        let on_host = self.host.get(key).unwrap();
        let in_kernel = self.kernel.get(key).unwrap();
        assert_eq!(
            (on_host.packets, on_host.bytes),
            (in_kernel.packets, in_kernel.bytes)
        );
        (on_host.packets, on_host.bytes, on_host.first, on_host.last)
    }
}

fn key(list: List, prefix: &str, narrowing: Narrowing) -> BlockKey {
    BlockKey {
        list,
        prefix: prefix.parse().unwrap(),
        narrowing,
    }
}

const BLOCK: (Counter, Counter) = (Counter::DroppedByBlock, Counter::DroppedByBlockBytes);
const LIMIT: (Counter, Counter) = (
    Counter::DroppedByRateLimit,
    Counter::DroppedByRateLimitBytes,
);
const CLOSED: (Counter, Counter) = (Counter::DroppedClosed, Counter::DroppedClosedBytes);
const WITHIN: (Counter, Counter) = (Counter::PassedRateLimit, Counter::PassedRateLimitBytes);
const ALLOWED: (Counter, Counter) = (Counter::SavedByAllowlist, Counter::SavedByAllowlistBytes);
const GUARD: (Counter, Counter) = (Counter::SavedByGuard, Counter::SavedByGuardBytes);
const OPEN: (Counter, Counter) = (Counter::PassedOpen, Counter::PassedOpenBytes);
const EXPIRED: (Counter, Counter) = (Counter::ExpiredSeen, Counter::ExpiredSeenBytes);
const WOULD: (Counter, Counter) = (Counter::WouldDropByBlock, Counter::WouldDropByBlockBytes);

#[test]
fn what_is_listed_is_dropped_and_nothing_else() {
    let Some(mut both) = Both::new(Mode::Enforce) else {
        return;
    };
    both.sends(Shape::udp("192.0.2.7"), &[]);
    for prefix in ["192.0.2.7", "198.51.100.0/25", "203.0.0.0/9", "64.0.0.0/3"] {
        both.block(prefix);
    }
    for prefix in ["2001:db8::7", "2001:db8:1::/49", "2a00:1::/36", "2c00::/7"] {
        both.block(prefix);
    }
    for (source, is_dropped) in [
        ("192.0.2.7", true),
        ("192.0.2.6", false),
        ("198.51.100.127", true),
        ("198.51.100.128", false),
        ("203.127.255.255", true),
        ("203.128.0.0", false),
        ("95.255.255.255", true),
        ("96.0.0.0", false),
        ("::ffff:192.0.2.7", true),
        ("2001:db8::7", true),
        ("2001:db8::8", false),
        ("2001:db8:1:7fff::1", true),
        ("2001:db8:1:8000::1", false),
        ("2a00:1:fff::1", true),
        ("2a00:1:1000::1", false),
        ("2d00::1", true),
        ("2e00::1", false),
    ] {
        let expected: &[_] = if is_dropped { &[BLOCK] } else { &[] };
        for shape in [
            Shape::udp(source),
            Shape::tcp(source, 22),
            Shape::udp(source).tagged(7),
        ] {
            both.sends(shape, expected);
        }
    }
    both.comparison.finish().unwrap();
}

#[test]
fn an_allow_beats_any_block() {
    let Some(mut both) = Both::new(Mode::Enforce) else {
        return;
    };
    both.block("10.0.0.0/8");
    both.block("10.1.1.1");
    both.block("fd00::/8");
    both.sends(Shape::udp("10.1.1.1"), &[BLOCK]);
    both.allow("10.1.0.0/16");
    both.allow("fd00:1::/32");
    both.sends(Shape::udp("10.1.1.1"), &[ALLOWED]);
    both.sends(Shape::udp("10.2.1.1"), &[BLOCK]);
    both.sends(Shape::udp("fd00:1::1"), &[ALLOWED]);
    both.sends(Shape::udp("fd00:2::1"), &[BLOCK]);
    both.sends(Shape::udp("10.1.1.1").to_port(0), &[ALLOWED]);
    // Nothing against it: the allowlist is not asked.
    both.allow("192.0.2.1");
    both.sends(Shape::udp("192.0.2.1"), &[]);
    let allow = key(List::Allow, "10.1.0.0/16", Narrowing::Any);
    assert_eq!(both.counts(&allow).0, 2);
    both.each(|enforcer| assert!(enforcer.remove(&allow).is_some()));
    both.sends(Shape::udp("10.1.1.1"), &[BLOCK]);
}

#[test]
fn the_longest_prefix_decides_and_of_that_the_narrowest() {
    let Some(mut both) = Both::new(Mode::Enforce) else {
        return;
    };
    let slowly = Action::RateLimit {
        packets_per_s: 1_000,
    };
    both.block("10.0.0.0/8");
    both.insert(List::Block, "10.1.0.0/16", Narrowing::Any, slowly, 3);
    both.insert(
        List::Block,
        "10.1.1.0/24",
        Narrowing::Protocol(17),
        Action::Drop,
        4,
    );
    let port = Narrowing::Port {
        protocol: 17,
        port: 53,
    };
    both.insert(List::Block, "10.1.1.0/24", port, slowly, 5);
    both.sends(Shape::udp("10.2.0.1"), &[BLOCK]);
    both.sends(Shape::udp("10.1.0.1"), &[WITHIN]);
    both.sends(Shape::udp("10.1.1.1"), &[BLOCK]);
    both.sends(Shape::udp("10.1.1.1").to_port(53), &[WITHIN]);
    both.sends(Shape::tcp("10.1.1.1", 53), &[WITHIN]);
    let protocol = key(List::Block, "10.1.1.0/24", Narrowing::Protocol(17));
    assert_eq!(both.counts(&protocol).0, 1);
}

#[test]
fn fragments_are_matched_by_address_and_never_by_port() {
    let Some(mut both) = Both::new(Mode::Enforce) else {
        return;
    };
    let port = Narrowing::Port {
        protocol: 17,
        port: 53,
    };
    both.insert(List::Block, "192.0.2.0/24", port, Action::Drop, 1);
    both.insert(List::Block, "2001:db8::/64", port, Action::Drop, 1);
    both.sends(Shape::udp("192.0.2.1").to_port(53), &[BLOCK]);
    both.sends(Shape::udp("2001:db8::1").to_port(53), &[BLOCK]);
    both.sends(Shape::udp("192.0.2.1").later_fragment(), &[]);
    both.sends(Shape::udp("2001:db8::1").later_fragment(), &[]);
    both.insert(
        List::Block,
        "192.0.2.1",
        Narrowing::Protocol(17),
        Action::Drop,
        1,
    );
    both.sends(Shape::udp("192.0.2.1").later_fragment(), &[BLOCK]);
    both.block("2001:db8::1");
    both.sends(Shape::udp("2001:db8::1").later_fragment(), &[BLOCK]);
    both.sends(Shape::udp("192.0.2.2").to_port(54), &[]);
}

#[test]
fn an_entry_ends_to_the_tick() {
    let Some(mut both) = Both::new(Mode::Enforce) else {
        return;
    };
    let end = NOON.plus_ns(5_000_000);
    let any = Narrowing::Any;
    both.insert_until(List::Block, "192.0.2.1", any, Action::Drop, 1, Some(end));
    both.sends_at(Shape::udp("192.0.2.1"), NOON, &[BLOCK]);
    both.sends_at(Shape::udp("192.0.2.1"), end.plus_ns(-1_000), &[BLOCK]);
    both.sends_at(Shape::udp("192.0.2.1"), end, &[EXPIRED]);
    let years = end.plus_ns(10 * 365 * 86_400 * 1_000_000_000);
    both.sends_at(Shape::udp("192.0.2.1"), years, &[EXPIRED]);
    // What is behind it counts: a wider block, an allow that has ended as well.
    both.block("192.0.2.0/24");
    both.insert_until(List::Allow, "192.0.2.1", any, Action::Drop, 1, Some(years));
    both.sends_at(
        Shape::udp("192.0.2.1"),
        years.plus_ns(-1_000),
        &[EXPIRED, ALLOWED],
    );
    let bytes = frame(&Shape::udp("192.0.2.1"));
    let moved = both.send(&bytes, years);
    let both_ended = [
        (Counter::DroppedByBlock, 1),
        (Counter::DroppedByBlockBytes, bytes.len() as u64),
        (Counter::ExpiredSeen, 2),
        (Counter::ExpiredSeenBytes, 2 * bytes.len() as u64),
    ];
    assert_eq!(moved, both_ended);
    let entry = key(List::Block, "192.0.2.1", any);
    let (packets, _, first, last) = both.counts(&entry);
    assert_eq!(
        (packets, first, last),
        (2, Some(NOON), Some(end.plus_ns(-1_000)))
    );
    let mut reaped = Vec::new();
    both.each(|enforcer| enforcer.reap(end, &mut |state| reaped.push(state.block.key)));
    assert_eq!(reaped, [entry, entry]);
}

#[test]
fn a_rate_limit_lets_its_rate_through() {
    let Some(mut both) = Both::new(Mode::Enforce) else {
        return;
    };
    let action = Action::RateLimit { packets_per_s: 10 };
    both.insert(List::Block, "192.0.2.0/24", Narrowing::Any, action, 1);
    let none = Action::RateLimit { packets_per_s: 0 };
    both.insert(List::Block, "198.51.100.1", Narrowing::Any, none, 1);
    for _ in 0..10 {
        both.sends(Shape::udp("192.0.2.1"), &[WITHIN]);
    }
    both.sends(Shape::udp("192.0.2.1"), &[LIMIT]);
    both.sends_at(Shape::udp("192.0.2.2"), NOON.plus_ns(99_999_000), &[LIMIT]);
    both.sends_at(
        Shape::udp("192.0.2.2"),
        NOON.plus_ns(100_000_000),
        &[WITHIN],
    );
    both.sends_at(Shape::udp("192.0.2.2"), NOON.plus_ns(100_000_000), &[LIMIT]);
    both.sends(Shape::udp("198.51.100.1"), &[LIMIT]);
    let limit = key(List::Block, "192.0.2.0/24", Narrowing::Any);
    assert_eq!(both.counts(&limit).0, 3, "what was dropped");
}

#[test]
fn guarded_sources_are_never_dropped() {
    let Some(mut both) = Both::new(Mode::Enforce) else {
        return;
    };
    both.block("0.0.0.0/0");
    both.block("::/0");
    for source in [
        "0.0.0.0",
        "127.0.0.1",
        "169.254.3.4",
        "224.0.0.251",
        "255.255.255.255",
        "::",
        "::1",
        "fe80::1",
        "ff02::fb",
    ] {
        both.sends(Shape::udp(source), &[GUARD]);
    }
    both.sends(Shape::udp("8.8.8.8"), &[BLOCK]);
    both.sends(Shape::udp("fec0::1"), &[BLOCK]);
}

#[test]
fn each_mode_does_what_it_says() {
    let Some(mut both) = Both::new(Mode::Detect) else {
        return;
    };
    both.block("192.0.2.1");
    both.each(|enforcer| enforcer.set_drop_sampling(1));
    both.sends(Shape::udp("192.0.2.1"), &[]);
    both.each(|enforcer| enforcer.set_mode(Mode::DryRun));
    both.sends(Shape::udp("192.0.2.1"), &[WOULD]);
    both.each(|enforcer| enforcer.set_mode(Mode::Enforce));
    both.sends(Shape::udp("192.0.2.1"), &[BLOCK]);
    both.each(|enforcer| enforcer.set_mode(Mode::Detect));
    both.sends(Shape::udp("192.0.2.1"), &[]);
}

#[test]
fn silence_of_the_agent_does_what_was_set() {
    let Some(mut both) = Both::new(Mode::Enforce) else {
        return;
    };
    both.block("192.0.2.1");
    both.allow("198.51.100.1");
    let limit = std::time::Duration::from_secs(1);
    let late = NOON.plus_ns(1_000_001_000);
    for (on_silence, listed, other, allowed) in [
        (OnSilence::Static, BLOCK, None, None),
        (OnSilence::Open, OPEN, None, None),
        (OnSilence::Closed, CLOSED, Some(CLOSED), Some(ALLOWED)),
    ] {
        both.each(|enforcer| {
            enforcer.set_dead_man(DeadMan {
                limit: Some(limit),
                on_silence,
            });
            enforcer.heartbeat(NOON);
            let in_time = NOON.plus(limit);
            assert_eq!(enforcer.in_force(in_time).silent, None);
            let force = InForce {
                mode: Mode::Enforce,
                silent: Some(on_silence),
            };
            assert_eq!(enforcer.in_force(late), force);
        });
        both.sends_at(Shape::udp("192.0.2.1"), NOON.plus(limit), &[BLOCK]);
        both.sends_at(Shape::udp("203.0.113.1"), NOON.plus(limit), &[]);
        both.sends_at(Shape::udp("192.0.2.1"), late, &[listed]);
        both.sends_at(Shape::udp("203.0.113.1"), late, other.as_slice());
        both.sends_at(Shape::udp("198.51.100.1"), late, allowed.as_slice());
        both.each(|enforcer| enforcer.heartbeat(late));
        both.sends_at(Shape::udp("203.0.113.1"), late, &[]);
    }
}

#[test]
fn the_first_dropped_packet_is_sampled_and_then_one_in_n() {
    let Some(object) = kernel::object().unwrap() else {
        return;
    };
    let settings = kernel::settings();
    let source = netsec_user::source::kernel::BlockSource::New(100);
    let (mut engine, maps) = netsec_user::source::kernel::KernelEngine::load_blocking(
        object,
        HookId(0),
        &settings,
        &source,
    )
    .unwrap();
    let mut enforcer = KernelEnforcer::new(maps);
    enforcer.set_mode(Mode::Enforce);
    enforcer.set_drop_sampling(4);
    let block = Block {
        key: key(List::Block, "192.0.2.1", Narrowing::Any),
        action: Action::Drop,
        decision_id: 0x0123_4567_89ab_cdef,
        until: None,
    };
    enforcer.insert(&block).unwrap();
    let bytes = frame(&Shape::udp("192.0.2.1"));
    let outcome = engine.test_run(&bytes, 10).unwrap();
    assert_eq!(outcome.action, 1, "XDP_DROP");
    let mut collected = kernel::Collected::default();
    engine.drain(&mut collected);
    let fates: Vec<_> = collected.samples.iter().map(|sample| sample.fate).collect();
    assert_eq!(fates, [Fate::dropped(block.decision_id); 3]);
    assert_eq!(
        collected.samples.first().unwrap().bytes,
        &bytes[..bytes.len().min(192)]
    );
    // Linux 5.16 and later tell.
    if let Some(verified) = engine.verified_instructions().unwrap() {
        eprintln!("{verified} verified instructions");
        assert!(verified < 500_000);
    }
}
