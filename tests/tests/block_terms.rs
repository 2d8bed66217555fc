//! Until when, how fast and in which mode the block table drops, and what it shows of it.

#![expect(clippy::print_stderr, reason = "tests say how much they checked")]

use netsec_common::block::{Action, List, Mode, Narrowing, OnSilence};
use netsec_common::ledger::Counter;
use netsec_common::sample::Fate;
use netsec_tests::kernel;
use netsec_tests::rulings::{
    ALLOWED, BLOCK, Both, CLOSED, EXPIRED, LIMIT, NOON, OPEN, WITHIN, WOULD, key,
};
use netsec_tests::sourced::{Shape, frame};
use netsec_user::block::{Block, DeadMan, Enforcer as _, InForce, KernelEnforcer};
use netsec_user::hook::HookId;

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
    let mut removed = Vec::new();
    both.each(|enforcer| removed.extend(enforcer.remove(&entry).map(|state| state.packets)));
    assert_eq!(removed, [2, 2]);
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
    if let Some(verified) = engine.program_info().unwrap().verified_instruction_count() {
        eprintln!("{verified} verified instructions");
        assert!(verified < 500_000);
    }
}
