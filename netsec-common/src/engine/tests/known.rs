//! The short way does what the long way does, and is taken where it should be.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;
use proptest::sample::Index;

use super::*;
use crate::block::{Action, BlockTime, List, Mode, OnSilence, Prefix};
use crate::fixtures::Blocks;
use crate::flow::FlowSet;
use crate::packet::Start;

/// Two engines of which one goes the long way only.
struct Both {
    both: Rig,
    long: Rig,
    short: u32,
}

impl Both {
    fn new(set: impl Fn(&mut Rig)) -> Self {
        let rig = || {
            let mut rig = Rig::new(1);
            set(&mut rig);
            rig
        };
        Self {
            both: rig(),
            long: rig(),
            short: 0,
        }
    }

    /// Runs a frame on both, and checks that all they have is the same.
    #[track_caller]
    fn run(&mut self, bytes: &[u8], wire_bytes: u32, start: Start, now: Ticks) {
        let frame = Frame {
            bytes: &bytes,
            wire_bytes,
            start,
            counted_before: false,
        };
        let slots = |rig: &Rig| {
            let slots = |set: &FlowSet| set.ways.each_ref().map(|slot| slot.snapshot(1));
            rig.table.sets.iter().map(slots).collect::<Vec<_>>()
        };
        let before = slots(&self.both);
        let verdict = match self.both.process_known(&frame, now) {
            Some(verdict) => {
                self.short += 1;
                verdict
            }
            None => self.both.process_any(&frame, now),
        };
        assert_eq!(verdict, self.long.process_any(&frame, now), "{bytes:02x?}");
        let counters = |rig: &Rig| rig.row.snapshot(1).expect("no frame is in progress");
        let moved = moved(&counters(&self.both), &counters(&self.long));
        assert_eq!(moved, [], "{bytes:02x?}");
        let after = slots(&self.both);
        assert_eq!(after, slots(&self.long), "{bytes:02x?}");
        let touched = |rig: &Rig| {
            let mut touched = Vec::new();
            rig.row.take_touched(|mark| touched.push(mark));
            touched
        };
        let changed = (0..after.len()).filter(|set| before.get(*set) != after.get(*set));
        let changed: Vec<_> = changed.collect();
        assert_eq!(touched(&self.both), changed, "{bytes:02x?}");
        assert_eq!(touched(&self.long), changed, "{bytes:02x?}");
        let blocks = |rig: &Rig| {
            let blocks = rig.blocks.as_ref();
            blocks.map(|blocks| blocks.memory().entries().collect::<Vec<_>>())
        };
        assert_eq!(blocks(&self.both), blocks(&self.long), "{bytes:02x?}");
        let lists = |rig: &Rig| {
            let samples = (
                rig.samples.sent.borrow().clone(),
                rig.samples.fates.borrow().clone(),
            );
            (rig.table.records.sent.borrow().clone(), samples)
        };
        assert_eq!(lists(&self.both), lists(&self.long), "{bytes:02x?}");
    }

    #[track_caller]
    fn run_case(&mut self, case: &Case, now: Ticks) {
        self.run(&case.frame, case.wire_bytes, case.start, now);
    }
}

/// Three packets, of which the first opens the flow: `taken` go the short way.
#[track_caller]
fn taken(name: &str, taken: u32, set: impl Fn(&mut Rig)) {
    let mut both = Both::new(set);
    for now in [5, 5, 20] {
        both.run_case(&case(name), Ticks(now));
    }
    assert_eq!(both.short, taken, "{name}");
}

#[test]
fn plain_packets_of_a_known_flow_go_the_short_way() {
    let mut plain: Vec<_> = cases().into_iter().chain(host_cases()).collect();
    plain.retain(|case| PLAIN.contains(&case.name));
    assert_eq!(plain.len(), PLAIN.len());
    for case in plain {
        let mut both = Both::new(|_| {});
        for now in [5, 5, 20] {
            both.run_case(&case, Ticks(now));
        }
        assert_eq!(both.short, 2, "{}", case.name);
    }
}

#[test]
fn all_else_goes_the_long_way() {
    let mut short = Vec::new();
    for case in cases().into_iter().chain(host_cases()) {
        let mut both = Both::new(|_| {});
        for now in [1, 2] {
            both.run_case(&case, Ticks(now));
        }
        if both.short != 0 {
            short.push(case.name);
        }
    }
    short.sort_unstable();
    let mut plain = PLAIN.to_vec();
    plain.sort_unstable();
    assert_eq!(short, plain);
}

#[test]
fn what_is_more_to_do_goes_the_long_way() {
    let idle = |rig: &mut Rig| rig.control.set_idle_ticks(10);
    taken("udp", 1, idle);
    for (sampling, expected) in [
        (Sampling::FirstOfFlow(1), 2),
        (Sampling::FirstOfFlow(2), 1),
        (Sampling::FirstAndQuestions(1), 2),
        (Sampling::FirstAndQuestions(3), 0),
        (Sampling::OneIn(2), 0),
        (Sampling::All, 0),
    ] {
        taken("udp", expected, |rig| rig.sample(sampling, 64));
    }
    taken("udp", 0, |rig| rig.config = Config::default());
}

#[test]
fn questions_to_a_dns_server_go_the_long_way_while_they_are_sampled() {
    let mut question = case("udp");
    question.frame[36..38].copy_from_slice(&DNS_PORT.to_be_bytes());
    for (sampling, expected) in [
        (Sampling::FirstAndQuestions(0), 0),
        (Sampling::FirstOfFlow(0), 2),
    ] {
        let mut both = Both::new(|rig| rig.sample(sampling, 64));
        for now in 1..4 {
            both.run_case(&question, Ticks(now));
        }
        assert_eq!(both.short, expected);
    }
}

fn blocks(prefix: &str, mode: Mode) -> Blocks {
    let blocks = Blocks::new(16);
    rulings::insert(
        &blocks,
        List::Block,
        prefix.parse().unwrap(),
        Action::Drop,
        None,
    );
    blocks.memory().control.set_mode(mode);
    blocks
}

/// The filter has a bit a /24: a neighbour of what is listed is asked about, others are not. What is
/// dropped goes the short way from the second packet on.
#[test]
fn only_what_the_filter_meets_goes_the_long_way() {
    let source = case("udp").key.unwrap().source();
    let host = alloc::format!("{source}");
    let neighbour = alloc::format!("{}", next(source));
    for (prefix, mode, expected) in [
        (host.as_str(), Mode::Detect, 2),
        (host.as_str(), Mode::DryRun, 0),
        (host.as_str(), Mode::Enforce, 2),
        (neighbour.as_str(), Mode::Enforce, 0),
        ("203.0.113.0/24", Mode::Enforce, 2),
        ("2001:db8::/32", Mode::Enforce, 2),
    ] {
        taken("udp", expected, |rig| {
            rig.blocks = Some(blocks(prefix, mode))
        });
    }
    taken("udp", 0, |rig| {
        rig.blocks = Some(blocks("203.0.113.0/24", Mode::Enforce));
        let control = rig.blocks.as_ref().unwrap().memory().control;
        control.set_silence(100, OnSilence::Closed);
    });
}

/// The address after or before, in the same /24.
fn next(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(v4) => Ipv4Addr::from_bits(v4.to_bits() ^ 1).into(),
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() ^ 1).into(),
    }
}

/// What a test does to a block table.
type Change<'a> = &'a dyn Fn(&Blocks);

/// What else there is to do for a packet that is dropped.
#[test]
fn a_drop_with_more_to_do_goes_the_long_way() {
    let source = case("udp").key.unwrap().source();
    let set = |rig: &mut Rig, change: &dyn Fn(&Blocks)| {
        let blocks = blocks(&alloc::format!("{source}"), Mode::Enforce);
        change(&blocks);
        rig.blocks = Some(blocks);
    };
    let allow = |blocks: &Blocks| {
        let all = "0.0.0.0/0".parse().unwrap();
        rulings::insert(blocks, List::Allow, all, Action::Drop, None);
    };
    let silent = |blocks: &Blocks| blocks.memory().control.set_silence(1, OnSilence::Open);
    let sampled = |blocks: &Blocks| blocks.memory().control.set_sample_one_in(2);
    let slow = |blocks: &Blocks| {
        let action = Action::RateLimit { packets_per_s: 1 };
        rulings::insert(blocks, List::Block, Prefix::host(source), action, None);
    };
    let expired = |blocks: &Blocks| {
        let ends = Some(BlockTime(1));
        rulings::insert(
            blocks,
            List::Block,
            Prefix::host(source),
            Action::Drop,
            ends,
        );
        blocks.now.set(BlockTime(2));
    };
    let cases: [(Change<'_>, u32); 6] = [
        (&|_| {}, 2),
        (&allow, 0),
        (&silent, 0),
        (&sampled, 1),
        (&slow, 0),
        (&expired, 0),
    ];
    for (index, (change, expected)) in cases.into_iter().enumerate() {
        let mut both = Both::new(|rig| {
            set(rig, change);
            if let Some(blocks) = &rig.blocks {
                blocks.now.set(BlockTime(blocks.now.get().0.max(9)));
            }
        });
        for now in [5, 5, 20] {
            both.run_case(&case("udp"), Ticks(now));
        }
        assert_eq!(both.short, expected, "{index}");
    }
    for (sampling, expected) in [(Sampling::OneIn(2), 0), (Sampling::FirstOfFlow(9), 2)] {
        taken("udp", expected, |rig| {
            rig.sample(sampling, 64);
            set(rig, &|_| {});
        });
    }
}

/// The cases in which the packet is plain.
const PLAIN: [&str; 28] = [
    "4 GiB of padding",
    "802.1Q",
    "802.1ad alone",
    "ack",
    "cut after tcp",
    "cut after udp",
    "cut before tcp options",
    "don't fragment",
    "fin alone",
    "fin-ack",
    "ipv4, trailer of data",
    "ipv4-mapped addresses share the ipv4 key",
    "ipv6",
    "ipv6, trailer of data",
    "priority and drop bits",
    "priority tag",
    "push",
    "reserved bit",
    "tcp in ipv6",
    "tcp, 40 bytes of options",
    "tcp, accurate ecn",
    "tcp, options only",
    "traffic class and flow label",
    "udp",
    "udp port 0",
    "udp with surplus area",
    "udp without payload",
    "xmas",
];

fn sampling() -> impl Strategy<Value = Sampling> {
    prop_oneof![
        4 => Just(Sampling::Off),
        2 => (0u32..4).prop_map(Sampling::FirstOfFlow),
        1 => (0u32..4).prop_map(Sampling::FirstAndQuestions),
        1 => (0u32..4).prop_map(Sampling::OneIn),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    /// Plain packets and nearly plain ones: a byte or two changed, time running on and back.
    #[test]
    fn both_ways_do_the_same(
        frames in prop::collection::vec(
            (any::<Index>(), prop::collection::vec((any::<Index>(), any::<u8>()), 0..3), -3i8..30),
            1..40,
        ),
        sampling in sampling(),
        idle_ticks in prop_oneof![Just(0u32), 1u32..60],
        blocked in any::<bool>(),
        sample_one_in in 0u32..3,
    ) {
        let all: Vec<_> = cases().into_iter().filter(|case| case.key.is_some()).collect();
        let mut both = Both::new(|rig| {
            rig.sample(sampling, 64);
            rig.control.set_idle_ticks(idle_ticks);
            rig.blocks = blocked.then(|| {
                let blocks = blocks("198.51.100.0/25", Mode::Enforce);
                blocks.memory().control.set_sample_one_in(sample_one_in);
                blocks
            });
        });
        let mut now = Ticks(u32::MAX - 100);
        for (case, changes, later) in frames {
            let case = case.get(&all);
            let mut bytes = case.frame.clone();
            for (at, byte) in changes {
                *at.get_mut(&mut bytes) = byte;
            }
            now = Ticks(now.0.wrapping_add_signed(later.into()));
            for _ in 0..3 {
                both.run(&bytes, case.wire_bytes, case.start, now);
            }
        }
    }
}
