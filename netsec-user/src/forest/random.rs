//! Pseudo-random numbers whose sequence is part of the model format: the same on every machine and
//! in every release.
//!
//! xoshiro256++ (Blackman, Vigna: "Scrambled linear pseudorandom number generators", 2021), its
//! state filled by splitmix64 as its authors advise. Not for secrets.

/// splitmix64: an equidistributed sequence from any seed.
#[derive(Clone, Debug)]
pub(super) struct Seeds(u64);

impl Seeds {
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }
}

/// xoshiro256++.
#[derive(Clone, Debug)]
pub(crate) struct Random([u64; 4]);

impl Random {
    /// The generator of this seed.
    pub(crate) const fn new(seed: u64) -> Self {
        let mut seeds = Seeds::new(seed);
        Self([seeds.next(), seeds.next(), seeds.next(), seeds.next()])
    }

    /// 64 random bits.
    pub(crate) const fn next(&mut self) -> u64 {
        let [a, b, c, d] = &mut self.0;
        let result = a.wrapping_add(*d).rotate_left(23).wrapping_add(*a);
        let shifted = *b << 17;
        *c ^= *a;
        *d ^= *b;
        *b ^= *c;
        *a ^= *d;
        *c ^= shifted;
        *d = d.rotate_left(45);
        result
    }

    /// From 0 to `bound` - 1, each as likely (Lemire: "Fast random integer generation in an
    /// interval", 2019); 0 for a bound of 0.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        let bound = bound as u64;
        let refused = bound.wrapping_neg().checked_rem(bound).unwrap_or_default();
        loop {
            let product = u128::from(self.next()) * u128::from(bound);
            let (high, low) = ((product >> 64) as u64, product & u128::from(u64::MAX));
            if low >= u128::from(refused) {
                return usize::try_from(high).unwrap_or_default();
            }
        }
    }

    /// From 0 up to but without 1, in steps of 2⁻⁵³.
    pub(super) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splitmix64_gives_its_reference_sequence() {
        let mut seeds = Seeds::new(1_234_567);
        let reference = [
            6_457_827_717_110_365_317,
            3_203_168_211_198_807_973,
            9_817_491_932_198_370_423,
            4_593_380_528_125_082_431,
            16_408_922_859_458_223_821,
        ];
        assert_eq!(std::array::from_fn(|_| seeds.next()), reference);
    }

    #[test]
    fn xoshiro256_plus_plus_gives_its_reference_sequence() {
        let mut random = Random([1, 2, 3, 4]);
        let reference = [
            41_943_041,
            58_720_359,
            3_588_806_011_781_223,
            3_591_011_842_654_386,
            9_228_616_714_210_784_205,
            9_973_669_472_204_895_162,
        ];
        assert_eq!(std::array::from_fn(|_| random.next()), reference);
    }

    #[test]
    fn numbers_below_a_bound_are_spread_evenly() {
        let mut random = Random::new(7);
        let mut counts = [0_u32; 7];
        for _ in 0..70_000 {
            counts[random.below(7)] += 1;
        }
        // Each has mean 10,000 and deviation 93; five of them either way.
        assert!(
            counts.iter().all(|n| (9_535..=10_465).contains(n)),
            "{counts:?}"
        );
        assert_eq!(random.below(1), 0);
        assert_eq!(random.below(0), 0);
    }

    #[test]
    fn unit_numbers_stay_below_one() {
        let mut random = Random::new(1);
        let mean = (0..10_000).map(|_| random.unit()).sum::<f64>() / 10_000.0;
        assert!((mean - 0.5).abs() < 0.015, "{mean}");
        let mut most = Random([u64::MAX, 0, 0, u64::MAX]);
        assert!(most.unit() < 1.0);
    }
}
