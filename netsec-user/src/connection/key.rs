//! One key for both directions.

use std::hash::{BuildHasher, Hasher};

use netsec_common::packet::FlowKey;

/// The flow in the opposite direction; `None` for ICMP messages that have no answer.
pub(super) fn opposite(key: &FlowKey) -> Option<FlowKey> {
    let reversed = key.reversed();
    let one_way = key.is_icmp() && reversed.source_port() == key.source_port();
    (!one_way).then_some(reversed)
}

/// The smaller of a key and its opposite, and whether that is the opposite.
pub(crate) fn canonical(key: &FlowKey) -> (FlowKey, bool) {
    match opposite(key) {
        Some(opposite) if opposite < *key => (opposite, true),
        _ => (*key, false),
    }
}

/// Hashes flow keys with the engine's seeded hash, so that a sender cannot aim at one bucket.
#[derive(Clone, Debug)]
pub(crate) struct KeyHash {
    keys: [u32; 10],
}

impl KeyHash {
    pub(crate) const fn new(keys: [u32; 10]) -> Self {
        Self { keys }
    }
}

impl BuildHasher for KeyHash {
    type Hasher = KeyHasher;

    fn build_hasher(&self) -> KeyHasher {
        KeyHasher {
            keys: self.keys,
            word: 0,
            sum: 0,
        }
    }
}

/// NH (RFC 4418, 5.2.2) over the words as they come, as
/// [`flow_hash`](netsec_common::flow::flow_hash) has it.
#[derive(Debug)]
pub(crate) struct KeyHasher {
    keys: [u32; 10],
    word: usize,
    sum: u64,
}

impl Hasher for KeyHasher {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            for (place, byte) in word.iter_mut().zip(chunk) {
                *place = *byte;
            }
            self.write_u64(u64::from_ne_bytes(word));
        }
    }

    fn write_u64(&mut self, word: u64) {
        let key = |at: usize| u64::from(self.keys.get(at).copied().unwrap_or_default());
        let low = (word & 0xffff_ffff).wrapping_add(key(self.word)) & 0xffff_ffff;
        let high = (word >> 32).wrapping_add(key(self.word + 1)) & 0xffff_ffff;
        self.sum = self.sum.wrapping_add(low.wrapping_mul(high));
        self.word = (self.word + 2) % 10;
    }

    /// Lengths of arrays, which are always the same.
    fn write_usize(&mut self, _length: usize) {}

    fn finish(&self) -> u64 {
        (self.sum ^ self.sum >> 32).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }
}

#[cfg(test)]
mod tests {
    use netsec_common::packet::{Vlan, protocol};

    use super::*;

    fn key(source: &str, destination: &str, protocol: u8) -> FlowKey {
        FlowKey::from_endpoints(
            source.parse().unwrap(),
            destination.parse().unwrap(),
            protocol,
            Vlan::default(),
        )
    }

    #[test]
    fn both_directions_have_one_key() {
        let request = key("10.0.0.1:51000", "10.0.0.2:443", protocol::TCP);
        let answer = key("10.0.0.2:443", "10.0.0.1:51000", protocol::TCP);
        let (a, a_flipped) = canonical(&request);
        let (b, b_flipped) = canonical(&answer);
        assert_eq!(a, b);
        assert_ne!(a_flipped, b_flipped);
    }

    #[test]
    fn echo_and_reply_have_one_key_and_unreachable_has_its_own() {
        let echo = key("10.0.0.1:8", "10.0.0.2:0", protocol::ICMP);
        let reply = key("10.0.0.2:0", "10.0.0.1:0", protocol::ICMP);
        assert_eq!(canonical(&echo).0, canonical(&reply).0);
        let unreachable = key("10.0.0.1:3", "10.0.0.2:1", protocol::ICMP);
        assert_eq!(canonical(&unreachable), (unreachable, false));
    }

    #[test]
    fn hash_depends_on_every_word_and_on_the_seed() {
        let hash = |keys, key: &FlowKey| KeyHash::new(keys).hash_one(key);
        let base = FlowKey::from_words([1, 2, 3, 4, 5]);
        for word in 0..5 {
            let mut words = base.words();
            words[word] ^= 1 << 40;
            assert_ne!(
                hash([7; 10], &base),
                hash([7; 10], &FlowKey::from_words(words))
            );
        }
        assert_ne!(hash([7; 10], &base), hash([8; 10], &base));
    }
}
