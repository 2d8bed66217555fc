//! The table against a model that cannot be wrong.

use alloc::collections::BTreeMap;
use alloc::vec;
use alloc::vec::Vec;
use core::net::IpAddr;

use proptest::prelude::*;

use super::*;

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
