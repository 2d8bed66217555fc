//! How traffic differs from what a model was learned from.

use ndarray::ArrayView1;

use super::model::Model;

/// The share of training connections that score higher.
const EXPECTED_ABOVE: f64 = 0.05;

/// The share of training values outside of a feature's usual range, at most.
const EXPECTED_OUTSIDE: f64 = 0.10;

/// Factor over the expected share from which on something has drifted.
const NOTABLE: f64 = 3.0;

/// Connections without which nothing is said.
const CONNECTIONS_MIN: u64 = 100;

/// Counts of what was scored.
#[derive(Clone, Debug)]
pub struct Drift {
    threshold: f64,
    scored: u64,
    above: u64,
    features: Vec<(String, u64, u64)>,
}

impl Drift {
    pub(super) fn new(model: &Model) -> Self {
        let features = model.features.iter();
        Self {
            threshold: model.calibration.score_at(1.0 - EXPECTED_ABOVE),
            scored: 0,
            above: 0,
            features: features
                .map(|feature| (feature.name.clone(), 0, 0))
                .collect(),
        }
    }

    pub(super) fn add(&mut self, model: &Model, row: ArrayView1<'_, f64>, score: f64) {
        self.scored += 1;
        self.above += u64::from(score > self.threshold);
        let parts = self.features.iter_mut().zip(&model.ranges).zip(row);
        for (((_, present, outside), range), value) in parts {
            if !value.is_nan() {
                *present += 1;
                *outside += u64::from(*value < range.low || *value > range.high);
            }
        }
    }

    /// Connections that were scored.
    #[must_use]
    pub const fn scored(&self) -> u64 {
        self.scored
    }

    /// Share of connections stranger than 95 % of the training ones: 0.05 without drift. `None` for
    /// fewer than 100 connections.
    #[must_use]
    pub fn above(&self) -> Option<f64> {
        (self.scored >= CONNECTIONS_MIN).then(|| self.above as f64 / self.scored as f64)
    }

    /// Features that are outside of their usual range in more than three times as many connections
    /// as in training, and the share, the largest first.
    #[must_use]
    pub fn features(&self) -> Vec<(&str, f64)> {
        let shares = self.features.iter().filter_map(|(name, present, outside)| {
            let share = *outside as f64 / *present as f64;
            let notable = *present >= CONNECTIONS_MIN && share > NOTABLE * EXPECTED_OUTSIDE;
            notable.then_some((name.as_str(), share))
        });
        let mut shares: Vec<_> = shares.collect();
        shares.sort_by(|a, b| b.1.total_cmp(&a.1));
        shares
    }

    /// Whether the model no longer describes the traffic.
    #[must_use]
    pub fn is_notable(&self) -> bool {
        let above = self.above();
        above.is_some_and(|above| above > NOTABLE * EXPECTED_ABOVE) || !self.features().is_empty()
    }
}
