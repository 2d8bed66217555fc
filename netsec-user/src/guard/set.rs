//! Prefixes, sorted: a million lookups must cost little, and an overlap must be explained.

use std::net::IpAddr;

use netsec_common::block::Prefix;

use super::{Covered, Protected};

/// Protected prefixes.
#[derive(Clone, Debug)]
pub(super) struct Set {
    /// Sorted by the first address.
    entries: Vec<Entry>,
    /// What they cover together, as ranges that do not touch, sorted.
    ranges: Vec<(u128, u128)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    first: u128,
    prefix: Prefix,
    why: Protected,
}

impl Set {
    pub(super) fn new(entries: Vec<(Prefix, Protected)>) -> Self {
        let entry = |(prefix, why)| Entry {
            first: range(prefix).0,
            prefix,
            why,
        };
        let mut entries: Vec<Entry> = entries.into_iter().map(entry).collect();
        entries.sort_unstable();
        entries.dedup();
        let mut ranges: Vec<(u128, u128)> = Vec::new();
        for entry in &entries {
            let (first, last) = range(entry.prefix);
            match ranges.last_mut() {
                Some((_, end)) if first <= *end => *end = last.max(*end),
                _ => ranges.push((first, last)),
            }
        }
        Self { entries, ranges }
    }

    /// Whether an entry may share an address with the prefix; false is certain. The IPv6 prefixes that
    /// are shorter than the IPv4-mapped addresses' are not: they hold none of them.
    pub(super) fn may_overlap(&self, prefix: Prefix) -> bool {
        let (first, last) = range(prefix);
        let after = self.ranges.partition_point(|(_, end)| *end < first);
        self.ranges
            .get(after)
            .is_some_and(|(start, _)| *start <= last)
    }

    /// The entries that share an address with the prefix, the most telling first.
    pub(super) fn overlapping(&self, prefix: Prefix) -> Vec<Covered> {
        let (first, last) = range(prefix);
        // All that reaches into `first` begins in the range that holds `first`.
        let range = self.ranges.partition_point(|(_, end)| *end < first);
        let start = self.ranges.get(range).map_or(first, |(start, _)| *start);
        let from = self.entries.partition_point(|entry| entry.first < start);
        let to = self.entries.partition_point(|entry| entry.first <= last);
        let mut found: Vec<Covered> = self
            .entries
            .get(from..to)
            .unwrap_or_default()
            .iter()
            .filter(|entry| entry.prefix.overlaps(prefix))
            .map(|entry| Covered {
                prefix: entry.prefix,
                why: entry.why,
            })
            .collect();
        found.sort_unstable_by_key(|covered| (covered.why, covered.prefix));
        found
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = (Prefix, Protected)> {
        self.entries.iter().map(|entry| (entry.prefix, entry.why))
    }
}

/// First and last address as numbers, IPv4-mapped.
fn range(prefix: Prefix) -> (u128, u128) {
    let (first, length) = match prefix.address() {
        IpAddr::V4(v4) => (v4.to_ipv6_mapped().to_bits(), prefix.length() + 96),
        IpAddr::V6(v6) => (v6.to_bits(), prefix.length()),
    };
    let rest = u128::MAX.checked_shr(length.into()).unwrap_or_default();
    (first, first | rest)
}
