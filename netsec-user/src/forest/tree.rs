//! One isolation tree, laid out as a perfect binary tree.
//!
//! Node 1 is the root and node `n` has the children `2n` and `2n + 1`, so that a walk needs no
//! pointers and every walk takes the same number of steps. Under a leaf that lies above the lowest
//! level all nodes lead left and all ends hold the leaf's path length.

use super::path::average_path_length;

/// A tree: `2^depth` inner nodes (the first is unused) above `2^depth` ends.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Tree {
    /// Levels of inner nodes.
    pub(super) depth: u32,
    /// Where inner nodes split; infinite where they do not, at and under leaves.
    pub(super) thresholds: Vec<f64>,
    /// The feature they split.
    pub(super) features: Vec<u16>,
    /// Training rows in each node, ends included; 0 under a leaf.
    pub(super) sizes: Vec<u32>,
    /// Path length of each end in units of the forest's scale.
    pub(super) ends: Vec<u16>,
}

impl Tree {
    /// A tree whose root is a leaf without rows.
    pub(super) fn new(depth: u32) -> Self {
        let nodes = 1_usize << depth;
        Self {
            depth,
            thresholds: vec![f64::INFINITY; nodes],
            features: vec![0; nodes],
            sizes: vec![0; 2 * nodes],
            ends: vec![0; nodes],
        }
    }

    /// Where and by which feature a node splits; `None` for a leaf.
    pub(super) fn split(&self, node: usize) -> Option<(usize, f64)> {
        let threshold = *self.thresholds.get(node)?;
        let feature = usize::from(*self.features.get(node)?);
        threshold.is_finite().then_some((feature, threshold))
    }

    /// Training rows that came to a node.
    pub(super) fn size(&self, node: usize) -> u32 {
        self.sizes.get(node).copied().unwrap_or_default()
    }

    /// Makes a node split.
    pub(super) fn set_split(&mut self, node: usize, feature: u16, threshold: f64, size: u32) {
        set(&mut self.features, node, feature);
        set(&mut self.thresholds, node, threshold);
        set(&mut self.sizes, node, size);
    }

    /// Makes a node a leaf of `size` rows at `level`, and gives its path length to all ends below:
    /// the edges to it and what `size` rows would take on average.
    pub(super) fn set_leaf(&mut self, node: usize, level: u32, size: u32, scale: f64) {
        set(&mut self.sizes, node, size);
        let below = self.depth - level;
        let first = (node << below) - (1 << self.depth);
        let path = (f64::from(level) + average_path_length(size)) * scale;
        let path = in_units(path);
        let ends = self.ends.get_mut(first..first + (1 << below));
        ends.unwrap_or_default().fill(path);
    }
}

fn set<T>(places: &mut [T], at: usize, value: T) {
    if let Some(place) = places.get_mut(at) {
        *place = value;
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the scale is chosen so that every path fits; the conversion saturates"
)]
fn in_units(path: f64) -> u16 {
    path.round() as u16
}
