//! The table against a model that cannot be wrong, and with readers that never rest.

use alloc::collections::BTreeMap;
use alloc::vec;
use alloc::vec::Vec;
use core::net::IpAddr;
use core::sync::atomic::{AtomicBool, Ordering};

use proptest::prelude::*;

use super::*;
use crate::block::{BlockSizes, Mode, Narrowing};
use crate::fixtures::Blocks;

extern crate std;

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

/// Few addresses and lengths, so that prefixes cover one another.
fn prefixes() -> impl Strategy<Value = Prefix> {
    let v4 = (0_u32..4, 0_u32..3, 0_u8..=32).prop_map(|(high, low, length)| {
        let address = IpAddr::from((high << 30 | high << 12 | low).to_be_bytes());
        Prefix::new(address, length).unwrap()
    });
    let v6 = (0_u128..3, 0_u128..3, 0_u8..=128).prop_map(|(high, low, length)| {
        let address = IpAddr::from((high << 126 | high << 78 | low).to_be_bytes());
        Prefix::new(address, length).unwrap()
    });
    prop_oneof![v4, v6]
}

fn narrowings() -> impl Strategy<Value = Narrowing> {
    prop_oneof![
        3 => Just(Narrowing::Any),
        1 => prop_oneof![Just(6), Just(17)].prop_map(Narrowing::Protocol),
        1 => (prop_oneof![Just(6), Just(17)], 1_u16..3)
            .prop_map(|(protocol, port)| Narrowing::Port { protocol, port }),
    ]
}

fn keys() -> impl Strategy<Value = BlockKey> {
    let lists = prop_oneof![3 => Just(List::Block), 1 => Just(List::Allow)];
    (lists, prefixes(), narrowings()).prop_map(|(list, prefix, narrowing)| BlockKey {
        list,
        prefix,
        narrowing,
    })
}

#[derive(Clone, Debug)]
enum Step {
    Insert(BlockKey, u64, Option<u64>),
    Remove(BlockKey),
    /// One of those that are in, by its place.
    RemoveKnown(usize),
    Tidy,
    Recover,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let expires = prop_oneof![2 => Just(None), 1 => (1_u64..20).prop_map(Some)];
    let step = prop_oneof![
        8 => (keys(), 0_u64..3, expires).prop_map(|(key, id, end)| Step::Insert(key, id, end)),
        1 => keys().prop_map(Step::Remove),
        3 => any::<usize>().prop_map(Step::RemoveKnown),
        1 => Just(Step::Tidy),
        1 => Just(Step::Recover),
    ];
    prop::collection::vec(step, 1..120)
}

type Model = BTreeMap<BlockKey, BlockEntry>;

/// What the model says of a packet: the longest live prefix, of that the narrowest.
fn expected(
    model: &Model,
    list: List,
    (source, protocol, port): (Prefix, Option<u8>, Option<u16>),
    now: u64,
) -> Option<BlockEntry> {
    let matches = |entry: &&BlockEntry| {
        entry.key.list == list
            && entry.key.prefix.covers(source)
            && entry.expires.is_none_or(|end| now < end.0)
            && match entry.key.narrowing {
                Narrowing::Any => true,
                Narrowing::Protocol(wanted) => protocol == Some(wanted),
                Narrowing::Port {
                    protocol: p,
                    port: n,
                } => protocol == Some(p) && port == Some(n),
            }
    };
    let rank = |entry: &&BlockEntry| (entry.key.prefix.length(), entry.key.narrowing);
    model.values().filter(matches).max_by_key(rank).copied()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 2 } else { 192 }))]

    /// After each step the table holds what the model holds; after all of them it rules as the model
    /// does on every source, protocol and port that the strategies can name.
    #[test]
    fn it_does_what_a_plain_map_does(steps in steps()) {
        let blocks = Blocks::new(64);
        let memory = blocks.memory();
        let mut model = Model::new();
        for step in steps {
            match step {
                Step::Insert(key, decision_id, expires) => {
                    let new = entry(key, decision_id, expires);
                    match memory.insert(&new) {
                        Ok(Insertion::New) => prop_assert!(model.insert(key, new).is_none()),
                        Ok(Insertion::Replaced) => prop_assert!(model.insert(key, new).is_some()),
                        Err(Refusal::Full) => {
                            prop_assert_eq!(model.len(), 64);
                            prop_assert!(!model.contains_key(&key));
                        }
                        Err(Refusal::Shapes) => prop_assert!(!model.contains_key(&key)),
                    }
                }
                Step::Remove(key) => {
                    let removed = memory.remove(&key).map(|(entry, _)| entry);
                    prop_assert_eq!(removed, model.remove(&key));
                }
                Step::RemoveKnown(place) => {
                    if let Some(key) = model.keys().nth(place % model.len().max(1)).copied() {
                        let removed = memory.remove(&key).map(|(entry, _)| entry);
                        prop_assert_eq!(removed, model.remove(&key));
                    }
                }
                Step::Tidy => memory.tidy(&mut vec![0; memory.scratch_words()]),
                Step::Recover => memory.recover(&mut vec![0; memory.scratch_words()]),
            }
            let mut held: Vec<_> = memory.entries().map(|(entry, _)| entry).collect();
            held.sort_by_key(|entry| entry.key);
            prop_assert_eq!(held, model.values().copied().collect::<Vec<_>>());
            prop_assert_eq!(memory.used() as usize, model.len());
        }
        for (source, protocol) in sources().into_iter().flat_map(|source| [(source, 6), (source, 1)]) {
            for port in [None, Some(1), Some(2), Some(9)] {
                for (list, now) in [(List::Block, 5), (List::Allow, 5), (List::Block, 19)] {
                    let packet = (source, Some(protocol), port);
                    let found = memory.decisive(list, source, Some(protocol), port, BlockTime(now));
                    prop_assert_eq!(
                        found.map(|(entry, _)| entry),
                        expected(&model, list, packet, now),
                        "{:?} {} {:?} at {}", source, protocol, port, now
                    );
                }
            }
        }
        for source in sources() {
            let found = expected(&model, List::Block, (source, Some(6), Some(1)), 5);
            let subject = Subject::from_parts(source, Some(6), Some(1));
            let table = memory.at(BlockTime(5));
            let levels = crate::block::filter::met(&table, memory.control, &subject);
            prop_assert!(found.is_none() || levels != 0, "the filter hides {source:?}");
            let filtered = decisive(&table, memory.control, List::Block, &subject, levels, || ());
            let filtered = index_of(filtered.index_plus_one()).and_then(|index| memory.state(index));
            prop_assert_eq!(filtered.map(|(entry, _)| entry), found);
        }
    }
}

/// Addresses inside and beside what the strategies make.
fn sources() -> Vec<Prefix> {
    let v4 = (0_u32..4).flat_map(|high| (0..4).map(move |low| host(high << 30 | high << 12 | low)));
    let v6 = (0_u128..3).flat_map(|high| {
        (0..4).map(move |low| {
            Prefix::host(IpAddr::from((high << 126 | high << 78 | low).to_be_bytes()))
        })
    });
    v4.chain(v6).collect()
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

/// Hosts come and go and change hands around some that stay. A reader never misses one that stays, and
/// never meets one that was never there.
#[test]
fn readers_meet_whole_entries_or_none() {
    const STAY: u32 = 64;
    const CHANGE: u32 = 900;
    let blocks = &Blocks::new(1000);
    let sizes = BlockSizes::for_capacity(1000);
    assert_eq!(sizes.buckets, 256, "crowded enough that entries move");
    blocks.memory().control.set_mode(Mode::Enforce);
    for number in 0..STAY {
        let new = drop_host(scattered(number), u64::from(scattered(number)) << 8);
        blocks.memory().insert(&new).unwrap();
    }
    let stop = &AtomicBool::new(false);
    std::thread::scope(|scope| {
        let memory = blocks.memory();
        let readers: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(move || {
                    let mut met = 0_u64;
                    while !stop.load(Ordering::Relaxed) {
                        for number in 0..STAY + CHANGE + 50 {
                            met += u64::from(check_one(memory, number, STAY, STAY + CHANGE));
                        }
                    }
                    met
                })
            })
            .collect();
        let rounds = if cfg!(miri) { 1 } else { 40 };
        for round in 0..rounds {
            for number in STAY..STAY + CHANGE {
                let id = u64::from(scattered(number)) << 8 | round;
                memory.insert(&drop_host(scattered(number), id)).unwrap();
            }
            for number in
                (STAY..STAY + CHANGE).filter(|number| (u64::from(*number) ^ round) & 1 == 0)
            {
                memory.remove(&drop_host(scattered(number), 0).key).unwrap();
            }
        }
        stop.store(true, Ordering::Relaxed);
        for reader in readers {
            assert!(reader.join().unwrap() > 0, "the readers were there");
        }
    });
}

/// Looks one host up as a packet does, and gives whether it was found.
fn check_one(memory: BlockMemory<'_>, number: u32, stay: u32, change: u32) -> bool {
    let address = scattered(number);
    let subject = Subject::from_parts(host(address), None, None);
    let table = memory.at(BlockTime(1));
    let levels = crate::block::filter::met(&table, memory.control, &subject);
    let found = decisive(&table, memory.control, List::Block, &subject, levels, || ());
    if found.is_live() {
        assert!(number < change, "{number} was never there");
    } else {
        assert!(number >= stay, "{number} was always there");
    }
    found.is_live()
}
