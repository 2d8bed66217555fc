//! The table when it is full, crowded or was left half way.

use alloc::vec;
use core::net::IpAddr;

use super::*;
use crate::block::{BlockSizes, Mode, Narrowing};
use crate::fixtures::Blocks;

mod model;
mod readers;

fn key(list: List, prefix: &str, narrowing: Narrowing) -> BlockKey {
    BlockKey {
        list,
        prefix: prefix.parse().unwrap(),
        narrowing,
    }
}

fn entry(key: BlockKey, decision_id: u64, expires: Option<u64>) -> BlockEntry {
    BlockEntry {
        key,
        action: Action::Drop,
        decision_id,
        expires: expires.map(BlockTime),
    }
}

fn host(number: u32) -> Prefix {
    Prefix::host(IpAddr::from(number.to_be_bytes()))
}

fn drop_host(number: u32, decision_id: u64) -> BlockEntry {
    let key = BlockKey {
        list: List::Block,
        prefix: host(number),
        narrowing: Narrowing::Any,
    };
    entry(key, decision_id, None)
}

/// A spread of addresses without repetition: multiplication by an odd number.
fn scattered(number: u32) -> u32 {
    number.wrapping_mul(0x9e37_79b1)
}

#[test]
fn it_takes_as_many_entries_as_it_says_and_evicts_none() {
    for capacity in if cfg!(miri) { [1, 9] } else { [1, 50_000] } {
        let blocks = Blocks::new(capacity);
        let memory = blocks.memory();
        assert!(memory.is_table());
        for number in 0..capacity {
            let new = drop_host(scattered(number), number.into());
            assert_eq!(memory.insert(&new), Ok(Insertion::New), "{number}");
        }
        for number in capacity..capacity + 9 {
            let new = drop_host(scattered(number), 0);
            assert_eq!(memory.insert(&new), Err(Refusal::Full));
        }
        assert_eq!((memory.used(), memory.refused()), (capacity, 9));
        for number in 0..capacity {
            let (entry, _) = memory
                .get(&drop_host(scattered(number), 0).key)
                .expect("none was evicted");
            assert_eq!(entry.decision_id, u64::from(number));
            // Full, and replaced all the same.
            let again = drop_host(scattered(number), 7_000_000 + u64::from(number));
            assert_eq!(memory.insert(&again), Ok(Insertion::Replaced));
        }
        for number in 0..capacity {
            assert!(
                memory
                    .remove(&drop_host(scattered(number), 0).key)
                    .is_some()
            );
        }
        assert_eq!((memory.used(), memory.entries().count()), (0, 0));
        assert!(memory.is_untidy());
        memory.tidy(&mut vec![0; memory.scratch_words()]);
        assert!(blocks.memory().filter.iter().all(|word| word.load() == 0));
        for number in 0..capacity {
            let new = drop_host(scattered(number ^ 0x55), 1);
            assert_eq!(memory.insert(&new), Ok(Insertion::New), "slots come back");
        }
    }
}

#[test]
fn a_sixty_fifth_shape_is_refused_and_counted() {
    let memory = Blocks::new(200);
    let memory = memory.memory();
    for length in 64..128 {
        let prefix = alloc::format!("8000::/{length}");
        let new = entry(key(List::Block, &prefix, Narrowing::Any), 1, None);
        assert_eq!(memory.insert(&new), Ok(Insertion::New), "{prefix}");
    }
    let new = entry(key(List::Block, "8000::/63", Narrowing::Any), 1, None);
    assert_eq!(memory.insert(&new), Err(Refusal::Shapes));
    assert_eq!((memory.refused(), memory.used()), (1, 64));
    let allow = entry(key(List::Allow, "8000::/63", Narrowing::Any), 1, None);
    assert_eq!(memory.insert(&allow), Ok(Insertion::New), "another list");
    memory.remove(&key(List::Block, "8000::/70", Narrowing::Any));
    memory.tidy(&mut vec![0; memory.scratch_words()]);
    assert_eq!(memory.insert(&new), Ok(Insertion::New));
}

#[test]
fn counters_go_on_under_one_decision_and_begin_anew_under_another() {
    let blocks = Blocks::new(4);
    let memory = blocks.memory();
    let first = drop_host(1, 7);
    memory.insert(&first).unwrap();
    memory.entries.first().unwrap().packets.store(5);
    let packets = || memory.get(&first.key).unwrap().1.packets;
    let longer = BlockEntry {
        expires: Some(BlockTime(9)),
        ..first
    };
    memory.insert(&longer).unwrap();
    assert_eq!((packets(), memory.get(&first.key).unwrap().0), (5, longer));
    let slower = BlockEntry {
        action: Action::RateLimit { packets_per_s: 3 },
        ..longer
    };
    memory.insert(&slower).unwrap();
    assert_eq!((packets(), memory.get(&first.key).unwrap().0), (5, slower));
    memory
        .insert(&BlockEntry {
            decision_id: 8,
            ..slower
        })
        .unwrap();
    assert_eq!(packets(), 0);
}

/// What a writer that is killed leaves: a slot that nothing points to, an entry on its way to its second
/// bucket, one that the filter does not know yet.
#[test]
fn what_was_left_half_way_is_brought_in_order() {
    let blocks = Blocks::new(500);
    let memory = blocks.memory();
    for number in 0..400 {
        memory
            .insert(&drop_host(scattered(number), number.into()))
            .unwrap();
    }
    let lost = memory.take_slot().unwrap();
    memory.fill(lost, &drop_host(77, 77), &BlockCounters::default());
    let (number, moving) = memory
        .slots()
        .find(|(_, slot)| {
            let Some(entry) = index_of(slot.load()).and_then(|index| memory.slot(index)) else {
                return false;
            };
            let key = KeyWord(entry.key.load()).key();
            let home = Home::of(memory.control, entry.address_words(), key);
            let second = memory.bucket(home.second).unwrap();
            home.first != home.second && second.room(home.fingerprint).is_some()
        })
        .unwrap();
    let index = index_of(moving.load()).unwrap();
    let entry = memory.slot(index).unwrap();
    let home = Home::of(
        memory.control,
        entry.address_words(),
        KeyWord(entry.key.load()).key(),
    );
    let second = memory.bucket(home.second).unwrap();
    second.room(home.fingerprint).unwrap().store(moving.load());
    memory
        .bucket(u32::try_from(number).unwrap())
        .unwrap()
        .elsewhere
        .add(1);
    for word in memory.filter {
        word.store(0);
    }
    memory.control.used.store(12);
    memory.recover(&mut vec![0; memory.scratch_words()]);
    assert_eq!((memory.used(), memory.entries().count()), (400, 400));
    for number in 0..400 {
        let source = host(scattered(number));
        let subject = Subject::from_parts(source, None, None);
        let table = memory.at(BlockTime(1));
        let levels = crate::block::filter::met(&table, memory.control, &subject);
        let found = decisive(&table, memory.control, List::Block, &subject, levels, || ());
        let found = memory.state(found.index());
        assert_eq!(found.unwrap().0.decision_id, u64::from(number));
        assert!(
            memory
                .remove(&drop_host(scattered(number), 0).key)
                .is_some()
        );
    }
    for number in 0..500 {
        let new = drop_host(scattered(number), 1);
        assert_eq!(memory.insert(&new), Ok(Insertion::New), "no slot was lost");
    }
}
