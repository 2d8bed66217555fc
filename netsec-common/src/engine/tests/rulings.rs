//! What the block table makes of one packet, mode by mode.

use alloc::format;

use super::*;
use crate::block::{
    Action, BlockEntry, BlockKey, BlockTime, List, Mode, Narrowing, OnSilence, Prefix,
};
use crate::fixtures::Blocks;
use crate::ledger::Class;

/// When the packet comes; the agent was last heard of at 1.
const NOW: BlockTime = BlockTime(1_000);

const DROP: Action = Action::Drop;
const NONE: Action = Action::RateLimit { packets_per_s: 0 };
const SOME: Action = Action::RateLimit { packets_per_s: 9 };

/// What the table holds.
#[derive(Clone, Copy, Debug)]
enum Held {
    Nothing,
    /// A block of the packet's source.
    Block(Action),
    /// A block of the packet's source, and its address on the allowlist.
    Allow,
    /// A block of 0.0.0.0/0 that met a packet from loopback.
    Guarded,
    /// A block that ends at the moment of the packet.
    Ended,
}

/// Held, mode, what silence does, verdict, and the counter of packets that moves with that of bytes.
type Ruled = (Held, Mode, OnSilence, Verdict, Option<Counter>);

#[rustfmt::skip]
const RULED: [Ruled; 16] = {
    use Counter::*;
    use Mode::{Detect, DryRun, Enforce};
    use OnSilence::{Closed, Open, Static};
    use Verdict::{Drop, Pass};
    [
        (Held::Nothing, Enforce, Static, Pass, None),
        (Held::Block(DROP), Detect, Static, Pass, None),
        (Held::Block(DROP), DryRun, Static, Pass, Some(WouldDropByBlock)),
        (Held::Block(DROP), Enforce, Static, Drop, Some(DroppedByBlock)),
        (Held::Block(DROP), Enforce, Open, Pass, Some(PassedOpen)),
        (Held::Block(NONE), DryRun, Static, Pass, Some(WouldDropByRateLimit)),
        (Held::Block(NONE), Enforce, Static, Drop, Some(DroppedByRateLimit)),
        (Held::Block(SOME), Enforce, Static, Pass, Some(PassedRateLimit)),
        (Held::Nothing, DryRun, Closed, Pass, Some(WouldDropClosed)),
        (Held::Nothing, Enforce, Closed, Drop, Some(DroppedClosed)),
        (Held::Nothing, Enforce, Open, Pass, None),
        (Held::Allow, Enforce, Closed, Pass, Some(SavedByAllowlist)),
        (Held::Guarded, Enforce, Static, Pass, Some(SavedByGuard)),
        (Held::Guarded, Enforce, Closed, Pass, Some(SavedByGuard)),
        (Held::Ended, Enforce, Static, Pass, Some(ExpiredSeen)),
        (Held::Ended, Detect, Static, Pass, None),
    ]
};

/// Everything that the rulings of the table count.
pub(super) fn all() -> Snapshot {
    let mut total = Snapshot::default();
    for ruled in RULED {
        total.merge(&check(ruled));
    }
    total
}

/// A table that drops what comes from a prefix.
pub(super) fn blocking(source: Prefix) -> Blocks {
    let blocks = Blocks::new(16);
    insert(&blocks, List::Block, source, DROP, None);
    blocks.memory().control.set_mode(Mode::Enforce);
    blocks
}

/// A source that is blocked does not get by with headers that cannot be read, or with more of them
/// than are walked: the address is enough.
#[test]
fn what_cannot_be_read_past_its_address_is_dropped_all_the_same() {
    let mut dropped = Vec::new();
    for case in cases().into_iter().chain(host_cases()) {
        let mut rig = Rig::new(0);
        let blocks = Blocks::new(16);
        for prefix in ["::/0", "0.0.0.0/0"] {
            insert(&blocks, List::Block, prefix.parse().unwrap(), DROP, None);
        }
        blocks.memory().control.set_mode(Mode::Enforce);
        rig.blocks = Some(blocks);
        let verdict = rig.run(&case, Ticks(1));
        let counters = rig.counters();
        assert_eq!(counters.imbalance(), 0, "{}", case.name);
        let is_ip = counters.get(Counter::Ipv4) + counters.get(Counter::Ipv6) != 0;
        let passed = counters.get(Counter::SavedByGuard) != 0;
        if is_ip {
            assert_ne!(verdict == Verdict::Drop, passed, "{}", case.name);
        }
        if case.key.is_none() && verdict == Verdict::Drop {
            dropped.push(case.name);
        }
    }
    assert!(dropped.len() > 20, "{dropped:?}");
}

fn check(ruled: Ruled) -> Snapshot {
    let (held, mode, silence, verdict, counter) = ruled;
    let mut case = case("udp");
    if matches!(held, Held::Guarded) {
        case.frame[26..30].copy_from_slice(&[127, 0, 0, 1]);
    }
    let mut rig = Rig::new(0);
    let blocks = Blocks::new(16);
    blocks.now.set(NOW);
    hold(&blocks, held, Prefix::host(case.key.unwrap().source()));
    let control = blocks.memory().control;
    control.set_mode(mode);
    control.set_silence(100, silence);
    control.beat(BlockTime(1));
    rig.blocks = Some(blocks);

    assert_eq!(rig.run(&case, Ticks(1)), verdict, "{ruled:?}");
    let counters = rig.counters();
    assert_eq!(counters.imbalance(), 0, "{ruled:?}");
    let mut expected: Vec<(Counter, u64)> = if verdict == Verdict::Pass {
        case.expect.clone()
    } else {
        let in_flow = |counter: Counter| matches!(counter.class(), Class::Flow | Class::Cache);
        let all = case.expect.iter().copied();
        all.filter(|(counter, _)| !in_flow(*counter)).collect()
    };
    if let Some(counter) = counter {
        expected.extend([(counter, 1), (bytes_of(counter), case.wire_bytes.into())]);
    }
    let moved = moved(&Snapshot::default(), &counters);
    assert_eq!(differences(&expected, &moved), [""; 0], "{ruled:?}");
    counters
}

/// The counter of the bytes of what another counts.
fn bytes_of(counter: Counter) -> Counter {
    let name = format!("{}_bytes", counter.name());
    let mut all = Counter::ALL.into_iter();
    all.find(|other| other.name() == name).unwrap()
}

pub(super) fn insert(
    blocks: &Blocks,
    list: List,
    prefix: Prefix,
    action: Action,
    expires: Option<BlockTime>,
) {
    let entry = BlockEntry {
        key: BlockKey {
            list,
            prefix,
            narrowing: Narrowing::Any,
        },
        action,
        decision_id: 7,
        expires,
    };
    blocks.memory().insert(&entry).unwrap();
}

fn hold(blocks: &Blocks, held: Held, source: Prefix) {
    let everybody = "0.0.0.0/0".parse().unwrap();
    match held {
        Held::Nothing => {}
        Held::Block(action) => insert(blocks, List::Block, source, action, None),
        Held::Allow => {
            insert(blocks, List::Block, source, DROP, None);
            insert(blocks, List::Allow, source, DROP, None);
        }
        Held::Guarded => insert(blocks, List::Block, everybody, DROP, None),
        Held::Ended => insert(blocks, List::Block, source, DROP, Some(NOW)),
    }
}
