//! What a score means: its place among the scores of the training rows.

use serde::{Deserialize, Serialize};

/// Scores that are kept at even distances, and as many of the highest.
const KEPT: usize = 2_000;

/// Scores of training rows in ascending order, each with the share of rows below or at it, 0 to 1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Calibration(Vec<(f64, f64)>);

impl Calibration {
    /// The calibration by these scores; up to 4,000 are all kept.
    #[must_use]
    pub fn of(mut scores: Vec<f64>) -> Self {
        scores.sort_unstable_by(f64::total_cmp);
        let last = scores.len().saturating_sub(1);
        let step = (scores.len() / KEPT).max(1);
        let tail = scores.len().saturating_sub(KEPT);
        let kept = scores.iter().enumerate();
        let kept = kept.filter(|(at, _)| *at >= tail || scores.len() <= 2 * KEPT || at % step == 0);
        let share = |at: usize| at as f64 / last.max(1) as f64;
        Self(kept.map(|(at, score)| (share(at), *score)).collect())
    }

    /// The share of training rows whose score is not higher, 0 to 1.
    #[must_use]
    pub fn quantile(&self, score: f64) -> f64 {
        let above = self.0.partition_point(|(_, known)| *known <= score);
        let Some((low, from)) = above.checked_sub(1).and_then(|at| self.0.get(at)) else {
            return 0.0;
        };
        let Some((high, to)) = self.0.get(above) else {
            return 1.0;
        };
        low + (high - low) * (score - from) / (to - from)
    }

    /// The score that a share of training rows does not exceed, linear between two of them, as
    /// NumPy's percentile; infinite without rows.
    #[must_use]
    pub fn score_at(&self, quantile: f64) -> f64 {
        let above = self.0.partition_point(|(share, _)| *share < quantile);
        let Some((high, to)) = self.0.get(above).or_else(|| self.0.last()) else {
            return f64::INFINITY;
        };
        let below = above.checked_sub(1).and_then(|at| self.0.get(at));
        let (low, from) = below.copied().unwrap_or((*high, *to));
        if *high > low && quantile < *high {
            from + (to - from) * (quantile - low) / (high - low)
        } else {
            *to
        }
    }

    /// Whether it has rows, and all in order.
    pub(super) fn is_sound(&self) -> bool {
        !self.0.is_empty()
            && self
                .0
                .iter()
                .all(|(share, score)| share.is_finite() && score.is_finite())
            && self.0.is_sorted()
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::float_cmp, reason = "equal means equal to the last bit")]

    use super::*;

    #[test]
    fn percentiles_are_those_of_numpy() {
        let scores: Vec<f64> = (0..11).rev().map(f64::from).collect();
        let calibration = Calibration::of(scores);
        assert_eq!(calibration.score_at(0.5), 5.0);
        assert!((calibration.score_at(0.95) - 9.5).abs() < 1e-12);
        assert_eq!(calibration.score_at(1.0), 10.0);
        assert_eq!(calibration.score_at(0.0), 0.0);
    }

    #[test]
    fn quantiles_grow_with_the_score() {
        let calibration = Calibration::of((0..100_000).map(|n| f64::from(n) / 1e5).collect());
        assert_eq!(calibration.quantile(-1.0), 0.0);
        assert_eq!(calibration.quantile(2.0), 1.0);
        for score in [0.1, 0.5, 0.99, 0.9995] {
            let quantile = calibration.quantile(score);
            assert!((quantile - score).abs() < 1e-4, "{score}: {quantile}");
            assert!((calibration.score_at(score) - score).abs() < 1e-4);
        }
    }

    #[test]
    fn equal_scores_are_no_anomalies() {
        let calibration = Calibration::of(vec![0.5; 10]);
        assert_eq!(calibration.score_at(0.95), 0.5);
        assert_eq!(calibration.quantile(0.5), 1.0);
    }
}
