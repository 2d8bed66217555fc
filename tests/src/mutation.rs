//! Frames that nobody would send, from frames that somebody did: seeded, so that each can be made
//! again.

mod header;

use self::header::{ETHERTYPES, PROTOCOLS, prefixes};

/// Ethernet headers are the least that the kernel takes.
pub const FRAME_BYTES_MIN: usize = 14;

/// Few frames need more, and long ones are slow.
const FRAME_BYTES_MAX: usize = 2_000;

/// Where the headers are that the engine reads.
const HEADER_BYTES: usize = 96;

/// SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// Each seed gives a sequence of its own.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub const fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    /// A number under `limit`; 0 when that is 0.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the remainder is less than a usize"
    )]
    pub const fn below(&mut self, limit: usize) -> usize {
        if limit == 0 {
            return 0;
        }
        (self.number() % limit as u64) as usize
    }

    /// A byte.
    #[expect(clippy::cast_possible_truncation, reason = "the low byte")]
    pub const fn byte(&mut self) -> u8 {
        self.number() as u8
    }

    /// One of some values.
    pub fn one_of<T: Copy + Default>(&mut self, values: &[T]) -> T {
        let index = self.below(values.len());
        values.get(index).copied().unwrap_or_default()
    }
}

/// Makes frames from others.
#[derive(Clone, Debug)]
pub struct Mutator {
    random: Random,
    seeds: Vec<Vec<u8>>,
}

impl Mutator {
    /// Mutates `seeds`; those too short to be sent are left out.
    #[must_use]
    pub fn new(seed: u64, seeds: Vec<Vec<u8>>) -> Self {
        let mut seeds = seeds;
        seeds.retain(|frame| frame.len() >= FRAME_BYTES_MIN);
        Self {
            random: Random::new(seed),
            seeds,
        }
    }

    /// The random numbers, for the times of the frames.
    pub const fn random(&mut self) -> &mut Random {
        &mut self.random
    }

    /// The next frame: one of the seeds with up to four changes, or once in eight with none.
    pub fn frame(&mut self) -> Vec<u8> {
        let mut frame = self.seed();
        frame.truncate(FRAME_BYTES_MAX);
        if self.random.below(8) != 0 {
            for _ in 0..=self.random.below(4) {
                self.change(&mut frame);
            }
        }
        frame.truncate(FRAME_BYTES_MAX);
        frame.resize(frame.len().max(FRAME_BYTES_MIN), 0);
        frame
    }

    fn seed(&mut self) -> Vec<u8> {
        let index = self.random.below(self.seeds.len());
        self.seeds.get(index).cloned().unwrap_or_default()
    }

    fn change(&mut self, frame: &mut Vec<u8>) {
        match self.random.below(11) {
            0 | 1 => {
                let bit = 1 << self.random.below(8);
                self.at_header(frame, |_, byte| *byte ^= bit);
            }
            2 => self.at_header(frame, |random, byte| *byte = random.byte()),
            3 => {
                let nibble = self.random.byte();
                self.at_header(frame, |_, byte| *byte = *byte & 0xf0 | nibble & 0x0f);
            }
            4 => frame.truncate(self.random.below(frame.len().min(HEADER_BYTES) + 1)),
            5 => frame.truncate(self.random.below(frame.len() + 1)),
            6 => {
                let more = self.random.below(64);
                frame.extend((0..more).map(|_| self.random.byte()));
            }
            7 => self.length_field(frame),
            8 => self.type_field(frame),
            9 => self.splice(frame),
            _ => self.insert_header(frame),
        }
    }

    fn at_header(&mut self, frame: &mut [u8], change: impl FnOnce(&mut Random, &mut u8)) {
        let at = self.random.below(frame.len().min(HEADER_BYTES));
        if let Some(byte) = frame.get_mut(at) {
            change(&mut self.random, byte);
        }
    }

    /// Writes a length, right or off by little or much, to where lengths are: IPv4's, IPv6's, UDP's
    /// behind either, or anywhere.
    fn length_field(&mut self, frame: &mut [u8]) {
        let anywhere = self.random.below(HEADER_BYTES);
        let at = self.random.one_of(&[16, 18, 38, 58, 20, 22, anywhere]);
        let behind = frame
            .len()
            .saturating_sub(self.random.one_of(&[14, 18, 34, 54]));
        let length = match self.random.below(5) {
            0 => self.random.below(65_536),
            1 => self.random.one_of(&[0, 1, 7, 8, 19, 20, 40, 65_535]),
            2 => behind + 1,
            3 => behind.saturating_sub(1),
            _ => behind,
        };
        let length = u16::try_from(length).unwrap_or(u16::MAX);
        write(frame, at, &length.to_be_bytes());
    }

    /// Says that something else comes next.
    fn type_field(&mut self, frame: &mut [u8]) {
        if self.random.below(2) == 0 {
            let at = self.random.one_of(&[12, 16, 20]);
            let ethertype: u16 = self.random.one_of(&ETHERTYPES);
            write(frame, at, &ethertype.to_be_bytes());
        } else {
            let at = self.random.one_of(&[23, 20, 54, 27, 24, 62]);
            let protocol = self.random.one_of(&PROTOCOLS);
            write(frame, at, &[protocol]);
        }
    }

    /// Goes on as another frame does.
    fn splice(&mut self, frame: &mut Vec<u8>) {
        let other = self.seed();
        let places = [12, 14, 18, 34, 38, 54, 58, self.random.below(HEADER_BYTES)];
        let end = self.random.one_of(&places).min(frame.len());
        let start = self.random.one_of(&places).min(other.len());
        frame.truncate(end);
        frame.extend(other.get(start..).unwrap_or_default());
    }

    /// Puts a header in between: a tag, a label, an extension header.
    fn insert_header(&mut self, frame: &mut Vec<u8>) {
        let index = self.random.below(prefixes().len());
        let Some(prefix) = prefixes().get(index) else {
            return;
        };
        let at = prefix.at.min(frame.len());
        for _ in 0..=self.random.below(prefix.times) {
            frame.splice(at..at, prefix.bytes.iter().copied());
        }
        if let Some((at, value)) = prefix.announced {
            write(frame, at, value);
        }
    }
}

/// Overwrites bytes, as far as there are any.
fn write(frame: &mut [u8], at: usize, bytes: &[u8]) {
    for (place, byte) in frame.iter_mut().skip(at).zip(bytes) {
        *place = *byte;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_seed_gives_the_same_frames_each_time() {
        let seeds = vec![vec![1; 60], vec![2; 13], vec![3; 400]];
        let mut one = Mutator::new(7, seeds.clone());
        let mut two = Mutator::new(7, seeds.clone());
        let mut other = Mutator::new(8, seeds);
        let frames: Vec<_> = (0..500).map(|_| one.frame()).collect();
        assert!(frames.iter().all(|frame| *frame == two.frame()));
        assert!(frames.iter().any(|frame| *frame != other.frame()));
        let lengths = FRAME_BYTES_MIN..=FRAME_BYTES_MAX;
        assert!(frames.iter().all(|frame| lengths.contains(&frame.len())));
        let different: BTreeSet<_> = frames.iter().collect();
        assert!(different.len() > 400, "only {}", different.len());
    }

    /// The first numbers of the reference implementation for seed 1234567.
    #[test]
    fn random_numbers_are_those_of_splitmix64() {
        let mut random = Random::new(1_234_567);
        assert_eq!(random.number(), 6_457_827_717_110_365_317);
        assert_eq!(random.number(), 3_203_168_211_198_807_973);
    }
}
