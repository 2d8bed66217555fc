//! A map of bounded size that puts out the least interesting first.

use std::hash::Hash;

use indexmap::IndexMap;

use crate::connection::KeyHash;
use crate::time::WallTime;

/// What decides whether an entry is kept when room is needed.
pub(crate) trait Kept {
    /// How much would be lost with it. A source of a flood that was seen once has 1; something
    /// that recurs has more, and outlives any number of those.
    fn rank(&self) -> usize;

    /// When it was last seen.
    fn last(&self) -> WallTime;
}

/// A map of at most `max` entries. When it is full the quarter of them goes that has the lowest rank
/// and, among equals, was not seen for longest. Making room looks at every entry: with a quarter that
/// is four for each new one, and half a microsecond where a sixteenth took two.
#[derive(Debug)]
pub(crate) struct Bounded<K, V> {
    entries: IndexMap<K, V, KeyHash>,
    max: usize,
    evicted: u64,
}

impl<K: Hash + Eq, V: Kept> Bounded<K, V> {
    pub(crate) fn new(max: usize, hash: &KeyHash) -> Self {
        Self {
            entries: IndexMap::with_hasher(hash.clone()),
            max: max.max(1),
            evicted: 0,
        }
    }

    /// Entries that were put out to make room.
    pub(crate) const fn evicted(&self) -> u64 {
        self.evicted
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        self.entries.get(key)
    }

    pub(crate) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.entries.get_mut(key)
    }

    /// The entry of this key, made when there is none.
    pub(crate) fn entry(&mut self, key: K, new: impl FnOnce() -> V) -> &mut V {
        if self.entries.len() >= self.max && !self.entries.contains_key(&key) {
            self.make_room();
        }
        self.entries.entry(key).or_insert_with(new)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.entries.iter()
    }

    pub(crate) fn clear(&mut self) {
        self.entries.clear();
    }

    fn make_room(&mut self) {
        // More than two ranks would let what was busy once stay for ever.
        let order = |value: &V| (value.rank().min(2), value.last());
        let mut orders: Vec<_> = self.entries.values().map(order).collect();
        let count = (orders.len() / 4).max(1);
        let (_, limit, _) = orders.select_nth_unstable(count - 1);
        let limit = *limit;
        let before = self.entries.len();
        self.entries.retain(|_, value| order(value) > limit);
        self.evicted += (before - self.entries.len()) as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Seen(usize, i64);

    impl Kept for Seen {
        fn rank(&self) -> usize {
            self.0
        }

        fn last(&self) -> WallTime {
            WallTime::from_ns(self.1)
        }
    }

    #[test]
    fn a_flood_of_newcomers_does_not_push_out_what_recurs() {
        let mut map = Bounded::new(100, &KeyHash::new([7; 10]));
        map.entry(0_u64, || Seen(2, 0));
        for n in 1..10_000_u64 {
            map.entry(n, || Seen(1, i64::try_from(n).unwrap()));
            assert!(map.len() <= 100);
        }
        assert!(map.get(&0).is_some());
        assert!(map.get(&9_999).is_some(), "the newest is there");
        assert_eq!(map.evicted() + map.len() as u64, 10_000);
    }
}
