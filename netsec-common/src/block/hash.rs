//! Where an entry is looked for.

use super::memory::BlockControl;
use super::shape::KeyBits;

/// The two buckets an entry can lie in, and the fingerprint that stands for it there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Home {
    pub(super) first: u32,
    pub(super) second: u32,
    /// In the high half, as in a bucket's slot.
    pub(super) fingerprint: u64,
}

impl Home {
    /// A sum of products with random odd keys (multiply-add hashing: Dietzfelbinger and others,
    /// 1997), so that nobody outside can aim at a bucket; then all bits are mixed, because the low ones
    /// of the sum are weak.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a bucket number has as many bits as the mask"
    )]
    #[inline(always)]
    pub(super) fn of(control: &BlockControl, address: [u64; 2], key: KeyBits) -> Self {
        let [k0, k1, k2, k3] = &control.hash_keys;
        let [high, low] = address;
        let sum = low
            .wrapping_mul(k0.load())
            .wrapping_add(high.wrapping_mul(k1.load()))
            .wrapping_add(key.0.wrapping_mul(k2.load()))
            .wrapping_add(k3.load());
        let hash = mix(sum);
        let buckets = control.bucket_mask.load();
        Self {
            first: (hash & buckets) as u32,
            second: (hash.wrapping_mul(GOLDEN) >> 32 & buckets) as u32,
            // Never zero: an empty slot is.
            fingerprint: hash >> 32 << 32 | 1 << 32,
        }
    }
}

/// 2⁶⁴ over the golden ratio: spreads what it multiplies over the high bits.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// Mixes all bits into all bits: the finisher of `SplitMix64` (Steele, Lea and Flood, 2014).
#[inline(always)]
const fn mix(word: u64) -> u64 {
    let word = (word ^ word >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = (word ^ word >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ word >> 31
}

/// A place in 2²⁴ for the first `bits` of an IPv6 address's high half.
#[inline(always)]
pub(super) fn place(control: &BlockControl, high: u64, bits: u32) -> u64 {
    let [_, k1, k2, k3] = &control.hash_keys;
    let prefix = high >> (64 - bits) << (64 - bits) | bits as u64;
    let spread = (prefix ^ prefix >> 32)
        .wrapping_mul(k1.load())
        .wrapping_add(k3.load());
    (spread ^ spread >> 29).wrapping_mul(k2.load()) >> 40
}
