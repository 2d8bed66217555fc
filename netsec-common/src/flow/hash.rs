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
    let sum = if key.is_inner() {
        sum.wrapping_add(tunnel_product(key.tunnel_word(), keys))
    } else {
        sum
    };
    spread(sum)
}

#[inline(always)]
const fn spread(sum: u64) -> u64 {
    (sum ^ sum >> 32).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// Parts of the hash that are the same for all IPv4 flows: what the halves of the key that are
/// constant then make of the hash keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct MappedKeys {
    /// The products of the halves that are zero.
    sum: u64,
    /// What the source and the destination are multiplied with.
    factors: [u32; 2],
}

impl MappedKeys {
    /// Of these hash keys.
    #[must_use]
    pub const fn of(keys: &[u32; 10]) -> Self {
        let [k0, k1, k2, _, k4, k5, k6, ..] = *keys;
        Self {
            sum: product(0, k0, k1).wrapping_add(product(0, k4, k5)),
            factors: [MAPPED.wrapping_add(k2), MAPPED.wrapping_add(k6)],
        }
    }

    /// In the order in which they stand in memory.
    pub(crate) const fn parts(&self) -> (u64, [u32; 2]) {
        (self.sum, self.factors)
    }
}

/// The half of an IPv4-mapped address before the IPv4 address.
const MAPPED: u32 = u32::from_ne_bytes([0, 0, 0xff, 0xff]);

/// [`flow_hash`] of an IPv4 flow with three multiplications.
#[inline(always)]
pub(crate) const fn flow_hash_v4(key: &FlowKey, keys: &[u32; 10], mapped: &MappedKeys) -> u64 {
    if cfg!(target_endian = "big") {
        return flow_hash(key, keys);
    }
    let [_, source, _, destination, tail] = key.words();
    let [_, _, _, k3, _, _, _, k7, k8, k9] = *keys;
    let [by_source, by_destination] = mapped.factors;
    let sum = mapped
        .sum
        .wrapping_add(product(source >> 32 << 32, by_source, k3))
        .wrapping_add(product(destination >> 32 << 32, by_destination, k7))
        .wrapping_add(product(tail, k8, k9));
    spread(sum)
}

/// What a tunnel adds to the sum of a flow inside of it: one more product of NH, with keys that are
/// made of the others in a way that no difference of addresses makes up for.
#[inline(always)]
const fn tunnel_product(tunnel: u64, keys: &[u32; 10]) -> u64 {
    let [k0, k1, k2, k3, ..] = *keys;
    product(tunnel, k0 ^ k3.rotate_left(7), k1 ^ k2.rotate_left(13) | 1)
}

/// Hash keys that everybody knows, the fractional digits of π: for replay and tests, which have to
/// give the same each time.
pub const FIXED_HASH_KEYS: [u32; 10] = [
    0x243f_6a88,
    0x85a3_08d3,
    0x1319_8a2e,
    0x0370_7344,
    0xa409_3822,
    0x299f_31d0,
    0x082e_fa98,
    0xec4e_6c89,
    0x4528_21e6,
    0x38d0_1377,
];

#[inline(always)]
const fn product(word: u64, low_key: u32, high_key: u32) -> u64 {
    let low = (word & 0xffff_ffff).wrapping_add(low_key as u64) & 0xffff_ffff;
    let high = (word >> 32).wrapping_add(high_key as u64) & 0xffff_ffff;
    low.wrapping_mul(high)
}

#[cfg(test)]
mod tests {
    use core::net::SocketAddr;

    use super::*;
    use crate::fixtures::Rig;
    use crate::packet::{Tunnel, TunnelKind, Vlan, protocol};

    fn key(address: u32, port: u16) -> FlowKey {
        let source: SocketAddr = (address.to_be_bytes(), port).into();
        let destination: SocketAddr = ([192, 0, 2, 1], 443).into();
        FlowKey::from_endpoints(source, destination, protocol::TCP, Vlan::default())
    }

    /// NH as RFC 4418 states it, word pair by word pair, in 128 bits.
    #[test]
    fn it_is_nh_before_the_spread() {
        let keys = Rig::new(0).config.hash_keys;
        let key = key(0xc0a8_0001, 50_000);
        let mut sum: u128 = 0;
        for (word, pair) in key.words().into_iter().zip(keys.as_chunks::<2>().0) {
            let [low_key, high_key] = pair.map(u128::from);
            let (low, high) = (u128::from(word) % (1 << 32), u128::from(word) >> 32);
            sum += ((low + low_key) % (1 << 32)) * ((high + high_key) % (1 << 32));
        }
        let sum = u64::try_from(sum % (1 << 64)).unwrap();
        let expected = (sum ^ sum >> 32).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        assert_eq!(flow_hash(&key, &keys), expected);
    }

    #[test]
    fn the_short_hash_of_ipv4_is_the_same() {
        let keys = Rig::new(0).config.hash_keys;
        for other in [keys, keys.map(|key| !key), [u32::MAX; 10], [0; 10]] {
            for (address, port) in [(0, 0), (0xc0a8_0001, 50_000), (u32::MAX, u16::MAX)] {
                let mapped = MappedKeys::of(&other);
                for key in [key(address, port), key(address, port).reversed()] {
                    assert_eq!(flow_hash_v4(&key, &other, &mapped), flow_hash(&key, &other));
                }
            }
        }
    }

    #[test]
    fn every_key_word_counts() {
        let key = key(0xc0a8_0001, 50_000);
        let keys = Rig::new(0).config.hash_keys;
        for at in 0..keys.len() {
            let mut other = keys;
            other[at] ^= 0x8000_0001;
            assert_ne!(flow_hash(&key, &keys), flow_hash(&key, &other), "key {at}");
        }
    }

    #[test]
    fn the_tunnel_counts() {
        let keys = Rig::new(0).config.hash_keys;
        let plain = key(0xc0a8_0001, 50_000);
        let tunnel = |kind, level, id| plain.in_tunnel(Tunnel { kind, level, id });
        let flows = [
            plain,
            tunnel(TunnelKind::IpInIp, 1, 0),
            tunnel(TunnelKind::Vxlan, 1, 1),
            tunnel(TunnelKind::Vxlan, 2, 1),
            tunnel(TunnelKind::Vxlan, 1, 2),
            tunnel(TunnelKind::KeyedGre, 1, 1 << 31),
        ];
        for (n, a) in flows.iter().enumerate() {
            for b in flows.iter().skip(n + 1) {
                assert_ne!(flow_hash(a, &keys), flow_hash(b, &keys), "{a:?} {b:?}");
            }
        }
    }

    /// Flows over sets of a scan (ports in a row) and of a sweep (addresses in a row): no set may
    /// get much more than its share. A uniform choice puts 4 into a set on average, and more than
    /// 20 into one of 4096 sets once in a hundred thousand tries.
    #[test]
    fn flows_in_a_row_spread_over_the_sets() {
        let keys = Rig::new(0).config.hash_keys;
        let most = |flow: &dyn Fn(u16) -> FlowKey| {
            let mut load = [0_u32; 4096];
            for n in 0..16_384 {
                load[(flow_hash(&flow(n), &keys) >> 32) as usize & 4095] += 1;
            }
            load.into_iter().max()
        };
        assert!(most(&|n| key(0x0a00_0001, n)) <= Some(20));
        assert!(most(&|n| key(0x0a00_0000 + u32::from(n), 50_000)) <= Some(20));
        assert!(most(&|n| key(0x0a00_0001, n).reversed()) <= Some(20));
        let kind = TunnelKind::Vxlan;
        let tunnels = |n| Tunnel {
            kind,
            level: 1,
            id: u32::from(n),
        };
        assert!(most(&|n| key(0x0a00_0001, 80).in_tunnel(tunnels(n))) <= Some(20));
    }
}
