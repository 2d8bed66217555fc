//! The table with readers that never rest.

use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, Ordering};

use super::*;

extern crate std;

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
