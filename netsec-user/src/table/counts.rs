//! How often each value of a column occurs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Values whose counts are kept of one column; the rest counts as not seen.
pub(super) const VALUES_MAX: usize = 20_000;

/// How many rows have each value.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Counts {
    rows: u64,
    of: BTreeMap<String, u64>,
}

impl Counts {
    pub(super) fn of<S: Into<String>>(cells: impl Iterator<Item = S>) -> Self {
        let mut counts = Self::default();
        for cell in cells {
            counts.rows += 1;
            *counts.of.entry(cell.into()).or_default() += 1;
        }
        if counts.of.len() > VALUES_MAX {
            let mut least: Vec<u64> = counts.of.values().copied().collect();
            let (_, least, _) = least.select_nth_unstable_by(VALUES_MAX, |a, b| b.cmp(a));
            let least = *least;
            counts.of.retain(|_, count| *count > least);
        }
        counts
    }

    /// Values that are kept.
    pub(super) fn different(&self) -> usize {
        self.of.len()
    }

    /// How rare a value is, whole bits.
    pub(super) fn rarity(&self, value: &str) -> f64 {
        let count = self.of.get(value).copied().unwrap_or_default();
        ((self.rows + 1) as f64 / (count + 1) as f64).log2().round()
    }
}
