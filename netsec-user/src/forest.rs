//! Isolation forest: how easily a row is told apart from the rest.
//!
//! Liu, Ting, Zhou: "Isolation Forest", ICDM 2008. Trees split random features at random values;
//! a row that is alone after few splits is strange. The score of a row is
//! `2^(-mean path length / c(sample size))`: near 1 for a row that is isolated at once, 0.5 for one
//! that takes as long as the average, in (0, 1] always. It is what scikit-learn's `score_samples`
//! gives with the sign turned.
//!
//! **Missing and infinite values.** NaN stands for a missing value: it counts as the median of the
//! feature's finite training values, so that a missing value alone makes no row strange. An infinite
//! value lies beyond every split; in training it counts as the feature's finite extreme on its side.
//!
//! **Determinism.** The same rows, parameters and seed give the same scores to the last bit,
//! whatever the number of threads: each tree has a generator of its own, and path lengths are
//! integers of [`Forest::resolution`] edges, whose sums do not depend on their order.

mod explain;
mod grow;
mod limits;
mod path;
mod quality;
mod random;
mod ranked;
mod strata;
mod text;
mod tree;
mod walk;

use std::num::NonZeroUsize;
use std::thread;

pub use self::quality::{Quality, precision_among};
pub use self::text::ForestTextError;
use ndarray::{ArrayView1, ArrayView2, Axis};

use self::grow::Grower;
use self::limits::Limits;
use self::path::{average_path_length, depth_limit};
pub(crate) use self::random::Random;
use self::random::Seeds;
use self::ranked::RankedForest;
use self::strata::{Draws, strata};
use self::tree::Tree;

/// How a forest is grown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameters {
    /// Trees; the paper's 100 unless told otherwise.
    pub trees: u32,
    /// Training rows a tree is grown from, drawn without replacement; the paper's 256.
    pub sample_size: u32,
    /// Seed of all that is random.
    pub seed: u64,
}

impl Default for Parameters {
    fn default() -> Self {
        Self {
            trees: 100,
            sample_size: 256,
            seed: 0,
        }
    }
}

/// Why no forest can be grown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GrowError {
    /// Fewer than two rows: there is nothing to tell apart.
    #[error("a forest needs at least 2 training rows, and there are {0}")]
    TooFewRows(usize),
    /// No column, or more than a node can name.
    #[error("a forest needs from 1 to 65535 features, and there are {0}")]
    Features(usize),
    /// Parameters out of range.
    #[error("trees has to be from 1 to {TREES_MAX}, and is {0}")]
    Trees(u32),
    /// Parameters out of range.
    #[error("the sample size has to be from 2 to {SAMPLE_MAX}, and is {0}")]
    SampleSize(u32),
}

/// Most trees of a forest.
pub const TREES_MAX: u32 = 10_000;

/// Most rows a tree is grown from.
pub const SAMPLE_MAX: u32 = 1 << 16;

/// Rows below which a second thread costs more than it saves.
const ROWS_PER_THREAD: usize = 2048;

/// A grown forest.
#[derive(Clone, Debug)]
pub struct Forest {
    /// Rows each tree was grown from: the sample size, or all rows when there were fewer.
    sample_size: u32,
    /// What a missing value counts as.
    missing: Vec<f64>,
    /// Units of a stored path length in an edge.
    scale: f64,
    trees: Vec<Tree>,
    ranked: Option<RankedForest>,
}

impl Forest {
    /// Grows a forest on `rows`, one row a line of the matrix.
    ///
    /// # Errors
    ///
    /// [`GrowError`], when there are too few rows or a parameter is out of range.
    pub fn grow(
        rows: ArrayView2<'_, f64>,
        parameters: &Parameters,
        threads: NonZeroUsize,
    ) -> Result<Self, GrowError> {
        check(rows, parameters)?;
        let available = u32::try_from(rows.nrows()).unwrap_or(u32::MAX);
        let sample_size = parameters.sample_size.min(available);
        let limits: Vec<Limits> = rows.axis_iter(Axis(1)).map(Limits::of).collect();
        let mut trees = seedlings(parameters, sample_size);
        let grow = |seedling: &mut Seedling| {
            let mut random = Random::new(seedling.seed);
            let chosen = grow::sample(&mut random, rows.nrows(), sample_size as usize);
            let shape = (scale(sample_size), depth_limit(sample_size));
            let random = (random, seedling.draws);
            Grower::new(&mut seedling.tree, random, shape, rows, &chosen, &limits).grow();
        };
        let share = trees.len().div_ceil(threads.get());
        thread::scope(|scope| {
            for share in trees.chunks_mut(share) {
                scope.spawn(move || share.iter_mut().for_each(grow));
            }
        });
        let missing = limits.iter().map(Limits::missing).collect();
        let trees = trees.into_iter().map(|seedling| seedling.tree).collect();
        Ok(Self::of_trees(sample_size, missing, trees))
    }

    /// As [`grow`](Self::grow), with splits at random magnitudes: uniform in log₂(1 + value). For
    /// counts, bytes and times, of which a few are a thousand times the rest: split uniformly, the
    /// largest value of one feature is alone at once and outweighs a row that is large in several.
    ///
    /// Values below zero count as zero.
    ///
    /// # Errors
    ///
    /// As [`grow`](Self::grow).
    pub fn grow_by_magnitude(
        rows: ArrayView2<'_, f64>,
        parameters: &Parameters,
        threads: NonZeroUsize,
    ) -> Result<Self, GrowError> {
        let magnitude = |value: f64| {
            if value < 0.0 {
                0.0
            } else {
                (1.0 + value).log2()
            }
        };
        let grown = Self::grow(rows.mapv(magnitude).view(), parameters, threads)?;
        // The logarithm keeps the order, so that rows can be scored as they are.
        let value = |magnitude: &mut f64| *magnitude = magnitude.exp2() - 1.0;
        let (mut trees, mut missing) = (grown.trees, grown.missing);
        missing.iter_mut().for_each(value);
        for tree in &mut trees {
            let thresholds = tree.thresholds.iter_mut();
            thresholds
                .filter(|threshold| threshold.is_finite())
                .for_each(value);
        }
        Ok(Self::of_trees(grown.sample_size, missing, trees))
    }

    fn of_trees(sample_size: u32, missing: Vec<f64>, trees: Vec<Tree>) -> Self {
        Self {
            sample_size,
            scale: scale(sample_size),
            ranked: RankedForest::new(&trees, missing.len()),
            missing,
            trees,
        }
    }

    /// Features of a row.
    #[must_use]
    pub const fn features(&self) -> usize {
        self.missing.len()
    }

    /// Trees.
    #[must_use]
    pub const fn trees(&self) -> usize {
        self.trees.len()
    }

    /// The smallest difference between two path lengths of one tree, edges. What rounding to it
    /// changes in a score is less than 0.00002 at a sample size of 256.
    #[must_use]
    pub fn resolution(&self) -> f64 {
        self.scale.recip()
    }

    /// The score of one row, in (0, 1]; features that the row lacks are missing values.
    #[must_use]
    pub fn score(&self, row: ArrayView1<'_, f64>) -> f64 {
        self.score_of(walk::path_sum(&self.trees, &self.present(row)))
    }

    /// The score of each row, in (0, 1].
    ///
    /// Columns beyond [`features`](Self::features) are not looked at; with fewer, those that lack
    /// are missing values.
    #[must_use]
    pub fn scores(&self, rows: ArrayView2<'_, f64>, threads: NonZeroUsize) -> Vec<f64> {
        let mut sums = vec![0; rows.nrows()];
        let threads = threads.get().min(rows.nrows() / ROWS_PER_THREAD).max(1);
        let share = rows.nrows().div_ceil(threads).max(1);
        if threads == 1 {
            self.path_sums(rows, &mut sums);
        } else {
            thread::scope(|scope| {
                let parts = rows.axis_chunks_iter(Axis(0), share);
                for (rows, sums) in parts.zip(sums.chunks_mut(share)) {
                    scope.spawn(move || self.path_sums(rows, sums));
                }
            });
        }
        sums.into_iter().map(|sum| self.score_of(sum)).collect()
    }

    fn path_sums(&self, rows: ArrayView2<'_, f64>, sums: &mut [u64]) {
        match &self.ranked {
            Some(ranked) => ranked.path_sums(rows, &self.missing, sums),
            None => {
                for (row, sum) in rows.outer_iter().zip(sums) {
                    *sum = walk::path_sum(&self.trees, &self.present(row));
                }
            }
        }
    }

    /// The row with nothing missing.
    fn present(&self, row: ArrayView1<'_, f64>) -> Vec<f64> {
        let value = |(at, missing): (usize, &f64)| {
            let value = row.get(at).copied().unwrap_or(f64::NAN);
            if value.is_nan() { *missing } else { value }
        };
        self.missing.iter().enumerate().map(value).collect()
    }

    fn score_of(&self, path_sum: u64) -> f64 {
        let mean = path_sum as f64 / (self.scale * self.trees.len() as f64);
        (-mean / average_path_length(self.sample_size)).exp2()
    }
}

fn check(rows: ArrayView2<'_, f64>, parameters: &Parameters) -> Result<(), GrowError> {
    if rows.nrows() < 2 {
        return Err(GrowError::TooFewRows(rows.nrows()));
    }
    if rows.ncols() == 0 || rows.ncols() > usize::from(u16::MAX) {
        return Err(GrowError::Features(rows.ncols()));
    }
    if parameters.trees == 0 || parameters.trees > TREES_MAX {
        return Err(GrowError::Trees(parameters.trees));
    }
    if parameters.sample_size < 2 || parameters.sample_size > SAMPLE_MAX {
        return Err(GrowError::SampleSize(parameters.sample_size));
    }
    Ok(())
}

/// A tree that is not grown yet, and all that is random in it.
#[derive(Debug)]
struct Seedling {
    seed: u64,
    draws: Draws,
    tree: Tree,
}

fn seedlings(parameters: &Parameters, sample_size: u32) -> Vec<Seedling> {
    let depth = depth_limit(sample_size).max(ranked::DEPTH);
    let mut seeds = Seeds::new(parameters.seed);
    let mut random = Random::new(seeds.next());
    strata(&mut random, parameters.trees as usize)
        .into_iter()
        .map(|draws| Seedling {
            seed: seeds.next(),
            draws,
            tree: Tree::new(depth),
        })
        .collect()
}

/// Units of a stored path length in an edge: the most, as a power of two, with which the longest
/// possible path fits 16 bits.
fn scale(sample_size: u32) -> f64 {
    let longest = f64::from(depth_limit(sample_size)) + average_path_length(sample_size);
    (f64::from(u16::MAX) / longest).log2().floor().exp2()
}

#[cfg(test)]
mod tests;
