use netsec_common::block::Mode;

use super::*;
use crate::block::HostEnforcer;
use crate::source::blocks::HostBlocks;

fn prefix(text: &str) -> Prefix {
    text.parse().unwrap()
}

fn allowed(table: &HostEnforcer) -> Vec<(String, u64)> {
    let mut found = Vec::new();
    table.visit(&mut |state| {
        found.push((state.block.key.prefix.to_string(), state.block.decision_id));
    });
    found.sort();
    found
}

/// The next netsec takes over a table on which the guard of the last one has been.
#[test]
fn what_an_earlier_guard_protected_does_not_stay_allowed() {
    let blocks = HostBlocks::new(64);
    let mut table = HostEnforcer::new(blocks.clone());
    let mut earlier = Book::default();
    let own = ["192.0.2.1", "192.0.2.2", "192.0.2.3"].map(prefix);
    earlier.protect(&mut table, own.into_iter());
    let entry = Wanted {
        block: Block {
            decision_id: 7,
            ..guard_block(prefix("192.0.2.3"))
        },
        is_confirmed: true,
        later: None,
        is_automatic: false,
        is_trial: false,
    };
    drop(earlier);

    let mut table = HostEnforcer::new(blocks);
    let mut book = Book::default();
    // The operator has allowed one of them since.
    table.insert(&entry.block).unwrap();
    book.wanted.insert(entry.block.key, entry);
    book.protect(
        &mut table,
        [prefix("192.0.2.2"), prefix("192.0.2.4")].into_iter(),
    );
    let named = |list: &[(&str, u64)]| -> Vec<(String, u64)> {
        list.iter()
            .map(|(text, id)| (prefix(text).to_string(), *id))
            .collect()
    };
    let expected = named(&[("192.0.2.2", GUARD), ("192.0.2.3", 7), ("192.0.2.4", GUARD)]);
    assert_eq!(allowed(&table), expected);
    book.protect(&mut table, [prefix("192.0.2.4")].into_iter());
    assert_eq!(
        allowed(&table),
        named(&[("192.0.2.3", 7), ("192.0.2.4", GUARD)])
    );
}

/// A part of the table is looked at each second.
#[test]
fn what_nobody_wants_is_taken_out_of_the_table() {
    let mut table = HostEnforcer::new(HostBlocks::new(64));
    table.set_mode(Mode::Enforce);
    let mut book = Book::default();
    let stray = Block {
        key: BlockKey {
            list: List::Block,
            ..guard_block(prefix("192.0.2.1")).key
        },
        decision_id: 9,
        ..guard_block(prefix("192.0.2.1"))
    };
    table.insert(&stray).unwrap();
    let now = WallTime::from_ns(1_000_000_000);
    book.tick(&mut table, now);
    assert_eq!(
        table.usage().entries,
        1,
        "it may be that nobody has told of it"
    );
    let restored = book.restore(&mut table, Mode::Enforce, now);
    assert_eq!(restored.adopted, 1);
    book.tick(&mut table, now);
    assert_eq!(table.usage().entries, 1, "it is wanted from here on");

    let other = Block {
        key: guard_block(prefix("192.0.2.7")).key,
        ..stray
    };
    table.insert(&other).unwrap();
    book.protect(&mut table, [prefix("192.0.2.8")].into_iter());
    assert_eq!(
        book.verify(&table, now).drift,
        [(other.key, Drift::Unwanted)]
    );
    book.tick(&mut table, now);
    assert!(book.verify(&table, now).drift.is_empty());
    assert_eq!((table.usage().entries, book.repaired()), (2, 1));
}
