//! Why a row has its score: what each feature added to it.
//!
//! A walk starts at a root with the path length c(n) to be expected of n rows, and ends with the
//! row's own. Each split changes what is to be expected: from c(rows in the node) to 1 + c(rows in
//! the child). A split that leaves few rows beside this one saves edges, one that leaves nearly all
//! costs one. The difference is the split feature's. Over a walk the differences add up to c(n) less
//! the path length, and so, averaged over the trees and divided by c(n), to log₂(score / 0.5).

use ndarray::ArrayView1;

use super::Forest;
use super::path::average_path_length;
use super::tree::Tree;

impl Forest {
    /// What each feature adds to the score of a row, in doublings: the contributions add up to
    /// `log₂(score / 0.5)`, but for what [`resolution`](Self::resolution) rounds off.
    ///
    /// Above zero a feature makes the row stranger than the average, below it more usual.
    #[must_use]
    pub fn contributions(&self, row: ArrayView1<'_, f64>) -> Vec<f64> {
        let row = self.present(row);
        let mut saved = vec![0.0; row.len()];
        for tree in &self.trees {
            add_savings(tree, &row, &mut saved);
        }
        let average = average_path_length(self.sample_size) * self.trees.len() as f64;
        saved.iter().map(|saved| saved / average).collect()
    }
}

/// Adds the edges that each feature saved in one tree.
fn add_savings(tree: &Tree, row: &[f64], saved: &mut [f64]) {
    let mut node = 1;
    while let Some((feature, threshold)) = tree.split(node) {
        let value = row.get(feature).copied().unwrap_or_default();
        let child = 2 * node + usize::from(value > threshold);
        let before = average_path_length(tree.size(node));
        let after = 1.0 + average_path_length(tree.size(child));
        if let Some(saved) = saved.get_mut(feature) {
            *saved += before - after;
        }
        node = child;
    }
}
