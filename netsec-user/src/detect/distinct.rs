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
        let hash = mix(0x5eed, value);
        match self {
            Self::None => *self = Self::One(hash),
            Self::One(known) if *known == hash => {}
            Self::One(known) => *self = Self::Few(vec![*known, hash]),
            Self::Few(hashes) if hashes.contains(&hash) => {}
            Self::Few(hashes) if hashes.len() < EXACT => hashes.push(hash),
            Self::Few(hashes) => {
                let mut registers = vec![0; 1 << BITS].into_boxed_slice();
                for hash in hashes.iter().chain([&hash]) {
                    raise(&mut registers, *hash);
                }
                *self = Self::Many(registers);
            }
            Self::Many(registers) => raise(registers, hash),
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
    fn many_are_within_four_standard_errors() {
        for n in [33, 100, 1000, 5000, 65_536, 1_000_000] {
            let count = counted((0..n).chain(0..n / 2));
            let error = (count as f64 - n as f64).abs() / n as f64;
            assert!(error < 4.0 * 1.04 / 32.0, "{count} for {n}");
        }
    }
}
