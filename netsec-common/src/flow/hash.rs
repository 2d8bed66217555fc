//! The flow hash.

use crate::packet::FlowKey;

/// NH, the almost-universal hash of UMAC (RFC 4418, 5.2.2), over the key's ten 32-bit halves, then
/// one multiplication to spread the result over the high bits.
///
/// With random keys two flows collide with probability 2⁻³² before the spread, whoever chooses the
/// addresses and ports, so a sender cannot aim at one set. Five independent multiplications take
/// less time than one chained hash round each.
#[inline(always)]
#[must_use]
pub const fn flow_hash(key: &FlowKey, keys: &[u32; 10]) -> u64 {
    let [w0, w1, w2, w3, w4] = key.words();
    let [k0, k1, k2, k3, k4, k5, k6, k7, k8, k9] = *keys;
    let sum = product(w0, k0, k1)
        .wrapping_add(product(w1, k2, k3))
        .wrapping_add(product(w2, k4, k5))
        .wrapping_add(product(w3, k6, k7))
        .wrapping_add(product(w4, k8, k9));
    (sum ^ sum >> 32).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

#[inline(always)]
const fn product(word: u64, low_key: u32, high_key: u32) -> u64 {
    let low = (word & 0xffff_ffff).wrapping_add(low_key as u64) & 0xffff_ffff;
    let high = (word >> 32).wrapping_add(high_key as u64) & 0xffff_ffff;
    low.wrapping_mul(high)
}
