//! A forest as text, for model files: every number comes back to the last bit.
//!
//! A tree is a line of words, each node before its children: `3<1.25` splits feature 3 at 1.25,
//! `=17` is a leaf of 17 training rows.

use super::path::depth_limit;
use super::ranked;
use super::tree::Tree;
use super::{Forest, SAMPLE_MAX, TREES_MAX, scale};

/// What is wrong with a tree's text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the model is damaged: {0}")]
pub struct ForestTextError(String);

impl Forest {
    /// The trees, a text each.
    #[must_use]
    pub fn tree_texts(&self) -> Vec<String> {
        let text = |tree| {
            let mut words = Vec::new();
            write_node(tree, 1, &mut words);
            words.join(" ")
        };
        self.trees.iter().map(text).collect()
    }

    /// What missing values count as, by feature.
    #[must_use]
    pub fn missing_values(&self) -> &[f64] {
        &self.missing
    }

    /// Rows each tree was grown from.
    #[must_use]
    pub const fn sample_size(&self) -> u32 {
        self.sample_size
    }

    /// The forest of these texts.
    ///
    /// # Errors
    ///
    /// [`ForestTextError`], when they are not what [`tree_texts`](Self::tree_texts) wrote.
    pub fn of_texts(
        texts: &[String],
        sample_size: u32,
        missing: Vec<f64>,
    ) -> Result<Self, ForestTextError> {
        let damaged = |what: String| Err(ForestTextError(what));
        if !(2..=SAMPLE_MAX).contains(&sample_size) {
            return damaged(format!("a sample size of {sample_size}"));
        }
        if texts.is_empty() || texts.len() > TREES_MAX as usize {
            return damaged(format!("{} trees", texts.len()));
        }
        if missing.is_empty() || missing.iter().any(|value| !value.is_finite()) {
            return damaged("what missing values count as is missing".to_owned());
        }
        let mut trees = Vec::with_capacity(texts.len());
        for (at, text) in texts.iter().enumerate() {
            let mut reader = Reader {
                words: text.split(' '),
                tree: Tree::new(depth_limit(sample_size).max(ranked::DEPTH)),
                features: missing.len(),
                limit: depth_limit(sample_size),
                scale: scale(sample_size),
            };
            let rows = reader.node(1, 0);
            if rows != Some(sample_size) || reader.words.next().is_some() {
                return damaged(format!("tree {} is not complete", at + 1));
            }
            trees.push(reader.tree);
        }
        Ok(Self::of_trees(sample_size, missing, trees))
    }
}

fn write_node(tree: &Tree, node: usize, words: &mut Vec<String>) {
    if let Some((feature, threshold)) = tree.split(node) {
        words.push(format!("{feature}<{threshold:?}"));
        write_node(tree, 2 * node, words);
        write_node(tree, 2 * node + 1, words);
    } else {
        words.push(format!("={}", tree.size(node)));
    }
}

struct Reader<'a> {
    words: std::str::Split<'a, char>,
    tree: Tree,
    features: usize,
    limit: u32,
    scale: f64,
}

impl Reader<'_> {
    /// Reads a node and those below; gives its training rows.
    fn node(&mut self, node: usize, level: u32) -> Option<u32> {
        let word = self.words.next()?;
        if let Some(size) = word.strip_prefix('=') {
            let size = size.parse().ok()?;
            self.tree.set_leaf(node, level, size, self.scale);
            return Some(size);
        }
        let (feature, threshold) = word.split_once('<')?;
        let feature: u16 = feature.parse().ok()?;
        let threshold: f64 = threshold.parse().ok()?;
        let fits = usize::from(feature) < self.features && level < self.limit;
        if !fits || !threshold.is_finite() {
            return None;
        }
        let left = self.node(2 * node, level + 1)?;
        let size = left.checked_add(self.node(2 * node + 1, level + 1)?)?;
        self.tree.set_split(node, feature, threshold, size);
        Some(size)
    }
}
