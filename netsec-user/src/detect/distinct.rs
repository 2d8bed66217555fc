//! How many different things there were, exactly as long as there are few.

use crate::finding::mix;

/// Different values that are counted exactly.
const EXACT: usize = 32;
/// Registers of the estimate, as a power of two: 3.3 % standard error in 1 KiB.
const BITS: u32 = 10;

/// A count of different values: exact up to 32, then HyperLogLog (Flajolet, Fusy, Gandouet,
/// Meunier 2007) with linear counting for the small end.
///
/// Never more than 1 KiB. Values are hashed without a secret: who sends chosen values can make
/// the estimate wrong, not the memory grow.
#[derive(Clone, Debug, Default)]
pub(crate) enum Distinct {
    #[default]
    None,
    /// Most hosts have one peer and one port: no allocation for those.
    One(u64),
    Few(Vec<u64>),
    Many(Box<[u8]>),
}

impl Distinct {
    /// Adds a value; whether it may be a new one.
    pub(crate) fn insert(&mut self, value: u64) {
        self.insert_hash(mix(0x5eed, value));
    }

    /// Adds all values of another count.
    pub(crate) fn merge(&mut self, other: &Self) {
        match other {
            Self::None => {}
            Self::One(hash) => self.insert_hash(*hash),
            Self::Few(hashes) => hashes.iter().for_each(|hash| self.insert_hash(*hash)),
            Self::Many(others) => {
                for (own, other) in self.registers().iter_mut().zip(others) {
                    *own = (*own).max(*other);
                }
            }
        }
    }

    fn insert_hash(&mut self, hash: u64) {
        match self {
            Self::None => *self = Self::One(hash),
            Self::One(known) if *known == hash => {}
            Self::One(known) => *self = Self::Few(vec![*known, hash]),
            Self::Few(hashes) if hashes.contains(&hash) => {}
            Self::Few(hashes) if hashes.len() < EXACT => hashes.push(hash),
            Self::Few(_) | Self::Many(_) => raise(self.registers(), hash),
        }
    }

    /// The registers of the estimate, made of the exact values when there are none.
    fn registers(&mut self) -> &mut [u8] {
        let hashes = match self {
            Self::Many(_) | Self::None => Vec::new(),
            Self::One(hash) => vec![*hash],
            Self::Few(hashes) => std::mem::take(hashes),
        };
        if !matches!(self, Self::Many(_)) {
            let mut registers = vec![0; 1 << BITS].into_boxed_slice();
            for hash in hashes {
                raise(&mut registers, hash);
            }
            *self = Self::Many(registers);
        }
        match self {
            Self::Many(registers) => registers,
            Self::None | Self::One(_) | Self::Few(_) => &mut [],
        }
    }

    /// How many different values were added.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an estimate is positive and far below 2^53"
    )]
    pub(crate) fn count(&self) -> u64 {
        let registers = match self {
            Self::None => return 0,
            Self::One(_) => return 1,
            Self::Few(hashes) => return hashes.len() as u64,
            Self::Many(registers) => registers,
        };
        let m = registers.len() as f64;
        let sum: f64 = registers
            .iter()
            .map(|rank| (-f64::from(*rank)).exp2())
            .sum();
        let alpha = 0.7213 / (1.0 + 1.079 / m);
        let estimate = alpha * m * m / sum;
        let zeros = registers.iter().filter(|rank| **rank == 0).count();
        let estimate = if estimate <= 2.5 * m && zeros > 0 {
            m * (m / zeros as f64).ln()
        } else {
            estimate
        };
        estimate.round() as u64
    }
}

fn raise(registers: &mut [u8], hash: u64) {
    let index = usize::try_from(hash >> (64 - BITS)).unwrap_or_default();
    let rank = (hash << BITS | 1 << (BITS - 1)).leading_zeros() + 1;
    if let Some(register) = registers.get_mut(index) {
        *register = (*register).max(u8::try_from(rank).unwrap_or(u8::MAX));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(values: impl Iterator<Item = u64>) -> u64 {
        let mut distinct = Distinct::default();
        for value in values {
            distinct.insert(value);
        }
        distinct.count()
    }

    #[test]
    fn few_are_exact_and_repeats_do_not_count() {
        for n in 0..=32 {
            assert_eq!(counted((0..n).chain(0..n)), n);
        }
    }

    #[test]
    fn counts_that_are_merged_count_what_is_in_either() {
        for (n, m) in [
            (0, 1),
            (1, 0),
            (1, 1),
            (20, 9),
            (20, 20),
            (40, 5),
            (5, 40),
            (900, 700),
        ] {
            let (mut one, mut other) = (Distinct::default(), Distinct::default());
            (0..n).for_each(|value| one.insert(value));
            (n / 2..n / 2 + m).for_each(|value| other.insert(value));
            one.merge(&other);
            let both = (0..n).chain(n / 2..n / 2 + m);
            assert_eq!(one.count(), counted(both), "{n} and {m}");
        }
    }

    #[test]
    fn many_are_within_four_standard_errors() {
        for n in [33, 100, 1000, 5000, 65_536, 1_000_000] {
            let count = counted((0..n).chain(0..n / 2));
            let error = (count as f64 - n as f64).abs() / n as f64;
            assert!(error < 4.0 * 1.04 / 32.0, "{count} for {n}");
        }
    }
}
