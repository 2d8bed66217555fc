//! Growing one tree from a sample of the training rows.

use ndarray::ArrayView2;

use super::limits::Limits;
use super::random::Random;
use super::strata::{Draw, Draws};
use super::tree::Tree;

/// The sampled rows of one tree: `columns` values each, all finite.
#[derive(Debug)]
pub(super) struct Grower<'a> {
    pub(super) tree: &'a mut Tree,
    random: Random,
    /// Random numbers for the first splits.
    draws: Draws,
    values: Vec<f64>,
    rows: usize,
    columns: usize,
    scale: f64,
    /// Levels after which to stop.
    limit: u32,
    /// Scratch: the features not yet seen to be constant in the node at hand.
    candidates: Vec<u16>,
}

/// Rows in a tree's sample: `wanted` of `rows`, without replacement, in ascending order (Floyd's
/// algorithm, in Bentley: "Programming pearls: a sample of brilliance", 1987).
pub(super) fn sample(random: &mut Random, rows: usize, wanted: usize) -> Vec<usize> {
    if wanted >= rows {
        return (0..rows).collect();
    }
    let mut chosen = std::collections::BTreeSet::new();
    for last in rows - wanted..rows {
        let candidate = random.below(last + 1);
        if !chosen.insert(candidate) {
            chosen.insert(last);
        }
    }
    chosen.into_iter().collect()
}

impl<'a> Grower<'a> {
    /// A grower for `tree` over the given rows, of this scale and down to this level.
    pub(super) fn new(
        tree: &'a mut Tree,
        (random, draws): (Random, Draws),
        (scale, limit): (f64, u32),
        training: ArrayView2<'_, f64>,
        rows: &[usize],
        limits: &[Limits],
    ) -> Self {
        let columns = training.ncols();
        let mut values = Vec::with_capacity(rows.len() * columns);
        for &row in rows {
            let row = training.row(row);
            values.extend(
                row.iter()
                    .zip(limits)
                    .map(|(value, limits)| limits.clean(*value)),
            );
        }
        Self {
            tree,
            random,
            draws,
            values,
            rows: rows.len(),
            columns,
            scale,
            limit,
            candidates: Vec::with_capacity(columns),
        }
    }

    /// Grows the tree from its root.
    pub(super) fn grow(mut self) {
        let mut order: Vec<usize> = (0..self.rows).collect();
        self.node(1, 0, &mut order);
    }

    /// The paper's iTree: a random feature among those that differ, split at a random value between
    /// its extremes, until one row is left, no feature differs, or the lowest level is reached.
    fn node(&mut self, node: usize, level: u32, rows: &mut [usize]) {
        let size = u32::try_from(rows.len()).unwrap_or(u32::MAX);
        let split = if rows.len() < 2 || level == self.limit {
            None
        } else {
            self.choose(node, rows)
        };
        let Some((feature, threshold)) = split else {
            self.tree.set_leaf(node, level, size, self.scale);
            return;
        };
        self.tree.set_split(node, feature, threshold, size);
        let left = self.partition(rows, feature, threshold);
        let (left, right) = rows.split_at_mut(left);
        self.node(2 * node, level + 1, left);
        self.node(2 * node + 1, level + 1, right);
    }

    fn choose(&mut self, node: usize, rows: &[usize]) -> Option<(u16, f64)> {
        let columns = u16::try_from(self.columns).unwrap_or(u16::MAX);
        self.candidates.clear();
        self.candidates.extend(0..columns);
        let draw = self.draws.get(node).copied().unwrap_or_else(|| Draw {
            feature: self.random.unit(),
            threshold: self.random.unit(),
        });
        let mut drawn = place(draw.feature, self.candidates.len());
        while !self.candidates.is_empty() {
            let feature = self.candidates.swap_remove(drawn);
            let (low, high) = self.extremes(rows, feature);
            if low < high {
                return Some((feature, between(low, high, draw.threshold)));
            }
            drawn = self.random.below(self.candidates.len());
        }
        None
    }

    fn extremes(&self, rows: &[usize], feature: u16) -> (f64, f64) {
        let start = (f64::INFINITY, f64::NEG_INFINITY);
        rows.iter().fold(start, |(low, high), row| {
            let value = self.value(*row, feature);
            (low.min(value), high.max(value))
        })
    }

    fn value(&self, row: usize, feature: u16) -> f64 {
        let at = row * self.columns + usize::from(feature);
        self.values.get(at).copied().unwrap_or_default()
    }

    /// Moves the rows at or below the threshold to the front, and counts them.
    fn partition(&self, rows: &mut [usize], feature: u16, threshold: f64) -> usize {
        let mut left = 0;
        for at in 0..rows.len() {
            let row = rows.get(at).copied().unwrap_or_default();
            if self.value(row, feature) <= threshold {
                rows.swap(left, at);
                left += 1;
            }
        }
        left
    }
}

/// The place in `0..count` that a share of the whole stands for; a share is less than 1.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "no more than the count, and not negative"
)]
fn place(share: f64, count: usize) -> usize {
    ((share * count as f64) as usize).min(count.saturating_sub(1))
}

/// From `low` up to but without `high`, so that both sides of the split get rows. The middle terms are
/// halved because the difference of two finite numbers may not be finite.
fn between(low: f64, high: f64, share: f64) -> f64 {
    let at = 2.0 * (low / 2.0 + share * (high / 2.0 - low / 2.0));
    if at >= low && at < high { at } else { low }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forest::strata::strata;

    #[test]
    fn a_sample_has_distinct_rows_and_each_is_as_likely() {
        let mut random = Random::new(3);
        let mut counts = [0_u32; 10];
        for _ in 0..10_000 {
            let rows = sample(&mut random, 10, 4);
            assert_eq!(rows.len(), 4);
            assert!(rows.is_sorted() && rows.windows(2).all(|pair| pair[0] != pair[1]));
            for row in rows {
                counts[row] += 1;
            }
        }
        // Mean 4,000, deviation 49.
        assert!(
            counts.iter().all(|n| (3_755..=4_245).contains(n)),
            "{counts:?}"
        );
        assert_eq!(sample(&mut random, 3, 5), [0, 1, 2]);
    }

    #[test]
    fn extreme_values_are_split_between() {
        let mut tree = Tree::new(1);
        let data = ndarray::array![[f64::MIN], [f64::MAX]];
        let limits = [Limits::of(data.column(0))];
        Grower::new(
            &mut tree,
            (Random::new(1), strata(&mut Random::new(2), 1)[0]),
            (1.0, 1),
            data.view(),
            &[0, 1],
            &limits,
        )
        .grow();
        let (_, threshold) = tree.split(1).unwrap();
        assert!(threshold > f64::MIN && threshold < f64::MAX);
        assert_eq!((tree.size(1), tree.size(2), tree.size(3)), (2, 1, 1));
    }
}
