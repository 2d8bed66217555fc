//! The short way does what the long way does, and is taken where it should be.

use proptest::prelude::*;
use proptest::sample::Index;

use super::*;
use crate::block::{Action, List, Mode, OnSilence};
use crate::fixtures::Blocks;
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
        let verdict = if self.both.pass_known(&frame, now) {
            self.short += 1;
            Verdict::Pass
        } else {
            self.both.process_any(&frame, now)
        };
        assert_eq!(verdict, self.long.process_any(&frame, now), "{bytes:02x?}");
        let counters = |rig: &Rig| rig.row.snapshot(1).expect("no frame is in progress");
        let moved = moved(&counters(&self.both), &counters(&self.long));
        assert_eq!(moved, [], "{bytes:02x?}");
        let slots = |rig: &Rig| {
            let slots = rig.table.sets.iter().flat_map(|set| &set.ways);
            slots.map(|slot| slot.snapshot(1)).collect::<Vec<_>>()
        };
        assert_eq!(slots(&self.both), slots(&self.long), "{bytes:02x?}");
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

/// The filter has a bit a /24: a neighbour of what is listed is asked about, others are not.
#[test]
fn only_what_the_filter_meets_goes_the_long_way() {
    let source = case("udp").key.unwrap().source();
    let host = alloc::format!("{source}");
    for (prefix, mode, expected) in [
        (host.as_str(), Mode::Detect, 2),
        (host.as_str(), Mode::DryRun, 0),
        (host.as_str(), Mode::Enforce, 0),
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
        closed in any::<bool>(),
    ) {
        let all: Vec<_> = cases().into_iter().filter(|case| case.key.is_some()).collect();
        let mut both = Both::new(|rig| {
            rig.sample(sampling, 64);
            rig.control.set_idle_ticks(idle_ticks);
            rig.blocks = closed.then(|| blocks("198.51.100.7", Mode::Enforce));
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
