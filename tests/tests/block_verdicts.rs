//! Who is dropped: frame in, action and exactly the named counters out, on the host and in the kernel
//! alike.

use std::net::Ipv4Addr;

use netsec_common::block::{Action, List, Mode, Narrowing};
use netsec_common::fixtures::cases;
use netsec_common::ledger::Counter;
use netsec_tests::rulings::{ALLOWED, BLOCK, Both, GUARD, NOON, WITHIN, key};
use netsec_tests::sourced::Shape;

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
    both.agree();
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

/// The address is enough: fragments too small for their header, extension headers without end, lengths
/// that lie. Host and kernel agree on every frame of the table.
#[test]
fn a_transport_that_cannot_be_read_hides_nobody() {
    let Some(mut both) = Both::new(Mode::Enforce) else {
        return;
    };
    both.block("0.0.0.0/0");
    both.block("::/0");
    let mut unreadable = 0;
    for case in cases() {
        let is_ip =
            |(counter, _): &(Counter, u64)| matches!(counter, Counter::Ipv4 | Counter::Ipv6);
        if !case.expect.iter().any(is_ip) {
            continue;
        }
        let moved = both.send(&case.frame, NOON);
        let has = |counter| moved.iter().any(|(moved, _)| *moved == counter);
        assert!(
            has(Counter::DroppedByBlock) != has(Counter::SavedByGuard),
            "{}: {moved:?}",
            case.name
        );
        unreadable += u32::from(case.key.is_none() && has(Counter::DroppedByBlock));
    }
    assert!(unreadable > 10, "{unreadable}");
}

#[test]
fn a_narrowed_block_needs_what_it_is_narrowed_to() {
    let Some(mut both) = Both::new(Mode::Enforce) else {
        return;
    };
    // The first eight bytes of a segment in a fragment of their own (RFC 1858).
    let tiny = cases()
        .into_iter()
        .find(|case| case.name == "tiny fragment")
        .unwrap();
    let source = &tiny.frame[26..30];
    let source = Ipv4Addr::from(<[u8; 4]>::try_from(source).unwrap()).to_string();
    let port = Narrowing::Port {
        protocol: 6,
        port: 80,
    };
    both.insert(List::Block, &source, port, Action::Drop, 1);
    assert!(both.send(&tiny.frame, NOON).is_empty());
    let protocol = Narrowing::Protocol(6);
    both.insert(List::Block, &source, protocol, Action::Drop, 1);
    assert_eq!(
        both.send(&tiny.frame, NOON).first().unwrap().0,
        Counter::DroppedByBlock
    );
}
