//! What was learned from a table.

use ndarray::{Array2, ArrayView1};
use serde::{Deserialize, Serialize};

use super::calibration::Calibration;
use crate::forest::{Forest, Parameters};
use crate::table::{Encoding, Feature};

/// What is usual of a feature: quantiles of its finite training values.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Range {
    /// The smallest.
    pub min: f64,
    /// Exceeded by 95 % of the rows.
    pub low: f64,
    /// The median.
    pub median: f64,
    /// Exceeded by 5 % of the rows.
    pub high: f64,
    /// The largest.
    pub max: f64,
}

/// A forest, and all that is needed to score rows of a table with it.
#[derive(Clone, Debug)]
pub struct Model {
    /// How rows become numbers.
    pub encoding: Encoding,
    /// What the numbers are.
    pub features: Vec<Feature>,
    /// What is usual, by feature.
    pub ranges: Vec<Range>,
    /// What a score means.
    pub calibration: Calibration,
    /// How the forest was grown.
    pub parameters: Parameters,
    /// Rows it was grown on.
    pub rows: u64,
    /// The trees.
    pub forest: Forest,
}

impl Range {
    /// The range of a column; 0 when nothing in it is finite.
    pub(super) fn of(column: ArrayView1<'_, f64>) -> Self {
        let mut values: Vec<f64> = column.iter().copied().filter(|x| x.is_finite()).collect();
        values.sort_unstable_by(f64::total_cmp);
        let last = values.len().saturating_sub(1);
        let at = |percent: usize| {
            values
                .get(last * percent / 100)
                .copied()
                .unwrap_or_default()
        };
        Self {
            min: at(0),
            low: at(5),
            median: at(50),
            high: at(95),
            max: at(100),
        }
    }

    pub(super) fn all(rows: &Array2<f64>) -> Vec<Self> {
        rows.columns().into_iter().map(Self::of).collect()
    }
}
