//! Every target's check on its seeds and on mutations of them, the same ones each time.
//!
//! This is no fuzzing: nothing guides the mutations, and nothing watches memory. It tells in seconds,
//! with any compiler, that the targets work and hold on what is near the seeds.

use std::fmt::Write as _;
use std::panic::{catch_unwind, resume_unwind};

use netsec_fuzz::{capture, differential, engine, filter, log, packet};

/// Mutated inputs per target.
const MUTATED: u32 = 20_000;

/// Longest input, bytes.
const BYTES_MAX: usize = 4096;

/// Most changes to one input.
const CHANGES_MAX: usize = 6;

/// Values at the edge of what fields can hold.
const EDGES: [u8; 7] = [0x00, 0x01, 0x7f, 0x80, 0xfe, 0xff, 0x45];

#[test]
fn engine_holds_near_its_seeds() {
    smoke("engine", &engine::seeds(), engine::check);
}

#[test]
fn differential_holds_near_its_seeds() {
    smoke("differential", &differential::seeds(), differential::check);
}

#[test]
fn capture_holds_near_its_seeds() {
    smoke("capture", &capture::seeds(), capture::check);
}

#[test]
fn filter_holds_near_its_seeds() {
    smoke("filter", &filter::seeds(), filter::check);
}

#[test]
fn log_holds_near_its_seeds() {
    smoke("log", &log::seeds(), log::check);
}

#[test]
fn packet_holds_near_its_seeds() {
    smoke("packet", &packet::seeds(), packet::check);
}

fn smoke(target: &str, seeds: &[Vec<u8>], check: fn(&[u8])) {
    assert!(seeds.len() > 10, "{target} has {} seeds", seeds.len());
    for seed in seeds {
        run(target, seed, check);
    }
    let mut random = Random(1);
    for _ in 0..MUTATED {
        run(target, &random.mutated(seeds), check);
    }
    println!(
        "{target}: {} seeds and {MUTATED} mutations of them",
        seeds.len()
    );
}

/// Runs the check, and shows the input that breaks it.
fn run(target: &str, input: &[u8], check: fn(&[u8])) {
    if let Err(panic) = catch_unwind(|| check(input)) {
        let hex = input.iter().fold(String::new(), |mut hex, byte| {
            write!(hex, "{byte:02x}").expect("a String takes everything");
            hex
        });
        println!("{target} fails on these {} bytes:\n{hex}", input.len());
        resume_unwind(panic);
    }
}

/// `SplitMix64` (Steele, Lea and Flood, 2014).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number under `limit`, which is not zero.
    fn below(&mut self, limit: usize) -> usize {
        let limit = u64::try_from(limit).expect("64 bits");
        usize::try_from(self.next() % limit).expect("under a usize")
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    /// A seed with one to [`CHANGES_MAX`] changes.
    fn mutated(&mut self, seeds: &[Vec<u8>]) -> Vec<u8> {
        let mut input = self.pick(seeds).clone();
        for _ in 0..=self.below(CHANGES_MAX) {
            self.change(&mut input, seeds);
        }
        input.truncate(BYTES_MAX);
        input
    }

    fn change(&mut self, input: &mut Vec<u8>, seeds: &[Vec<u8>]) {
        let at = self.below(input.len() + 1);
        match (self.below(6), input.get_mut(at)) {
            (0, Some(byte)) => *byte ^= 1 << self.below(8),
            (1, Some(byte)) => *byte = *self.pick(&EDGES),
            (2, Some(byte)) => *byte = byte.wrapping_add(if self.below(2) == 0 { 1 } else { 255 }),
            (3, Some(_)) => {
                let end = at + self.below((input.len() - at).min(16) + 1);
                input.drain(at..end);
            }
            (4, _) => {
                let other = self.pick(seeds);
                let from = self.below(other.len() + 1);
                input.splice(at.., other[from..].iter().copied());
            }
            _ => {
                let byte = *self.pick(&EDGES);
                let count = 1 + self.below(8);
                input.splice(at..at, std::iter::repeat_n(byte, count));
            }
        }
    }
}
