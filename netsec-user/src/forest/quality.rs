//! How well scores tell labelled anomalies from the rest.

/// What the scores of rows with known labels are worth.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quality {
    /// Rows.
    pub rows: usize,
    /// Rows labelled as anomalies.
    pub anomalies: usize,
    /// Area under the ROC curve, 0 to 1: how likely an anomaly scores higher than another row, a tie
    /// being half a win. It flatters where anomalies are rare.
    pub roc_auc: f64,
    /// Average precision, 0 to 1: precision at each score, weighted by the recall it adds. Chance
    /// gives the share of anomalies.
    pub average_precision: f64,
}

impl Quality {
    /// The quality of `(score, is an anomaly)` pairs; `None` unless there are both kinds, or when a
    /// score is not a number.
    ///
    /// Rows of equal score are one step of either curve, whatever their order; so the figures are
    /// those of scikit-learn's `roc_auc_score` and `average_precision_score`.
    #[must_use]
    pub fn of(scored: &[(f64, bool)]) -> Option<Self> {
        let anomalies = scored.iter().filter(|(_, anomaly)| *anomaly).count();
        let others = scored.len() - anomalies;
        if anomalies == 0 || others == 0 || scored.iter().any(|(score, _)| score.is_nan()) {
            return None;
        }
        let (mut wins, mut precision) = (0.0, 0.0);
        let (mut above, mut above_anomalies) = (0, 0);
        for (rows, hits) in steps(scored) {
            let misses = rows - hits;
            let beaten = others - (above - above_anomalies) - misses;
            wins += hits as f64 * (beaten as f64 + misses as f64 / 2.0);
            above += rows;
            above_anomalies += hits;
            precision += hits as f64 * above_anomalies as f64 / above as f64;
        }
        Some(Self {
            rows: scored.len(),
            anomalies,
            roc_auc: wins / (anomalies as f64 * others as f64),
            average_precision: precision / anomalies as f64,
        })
    }
}

/// The share of anomalies among the `count` rows of the highest scores; of rows that tie for the last
/// places, each counts in part. `None` for no rows.
#[must_use]
pub fn precision_among(scored: &[(f64, bool)], count: usize) -> Option<f64> {
    let count = count.min(scored.len());
    let (mut left, mut found) = (count, 0.0);
    for (rows, hits) in steps(scored) {
        let taken = rows.min(left);
        found += hits as f64 * taken as f64 / rows as f64;
        left -= taken;
    }
    (count > 0).then(|| found / count as f64)
}

/// Rows, and anomalies among them, for each score that occurs, highest first.
fn steps(scored: &[(f64, bool)]) -> Vec<(usize, usize)> {
    let mut sorted = scored.to_vec();
    sorted.sort_unstable_by(|(a, _), (b, _)| b.total_cmp(a));
    sorted
        .chunk_by(|(a, _), (b, _)| a.total_cmp(b).is_eq())
        .map(|tied| (tied.len(), tied.iter().filter(|(_, hit)| *hit).count()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scored(scores: &[f64], labels: &[u8]) -> Vec<(f64, bool)> {
        let labels = labels.iter().map(|label| *label == 1);
        scores.iter().copied().zip(labels).collect()
    }

    /// The expected values are those of scikit-learn 1.9.1.
    #[test]
    fn figures_are_those_of_scikit_learn() {
        let example = scored(&[0.1, 0.4, 0.35, 0.8], &[0, 0, 1, 1]);
        let quality = Quality::of(&example).unwrap();
        assert!((quality.roc_auc - 0.75).abs() < 1e-12);
        assert!((quality.average_precision - 5.0 / 6.0).abs() < 1e-12);
        let ties = scored(
            &[0.5, 0.5, 0.5, 0.2, 0.9, 0.9, 0.1, 0.5],
            &[1, 0, 0, 1, 1, 0, 0, 1],
        );
        let quality = Quality::of(&ties).unwrap();
        assert!((quality.roc_auc - 0.531_25).abs() < 1e-12, "{quality:?}");
        assert!(
            (quality.average_precision - 0.517_857_142_857_142_8).abs() < 1e-12,
            "{quality:?}"
        );
    }

    #[test]
    fn the_extremes() {
        let perfect = Quality::of(&scored(&[0.9, 0.1], &[1, 0])).unwrap();
        assert_eq!((perfect.roc_auc, perfect.average_precision), (1.0, 1.0));
        let inverse = Quality::of(&scored(&[0.9, 0.1], &[0, 1])).unwrap();
        assert_eq!((inverse.roc_auc, inverse.average_precision), (0.0, 0.5));
        let blind = Quality::of(&scored(&[0.5; 4], &[0, 1, 0, 0])).unwrap();
        assert_eq!((blind.roc_auc, blind.average_precision), (0.5, 0.25));
        assert_eq!(Quality::of(&scored(&[0.5, 0.6], &[1, 1])), None);
        assert_eq!(Quality::of(&scored(&[f64::NAN, 0.6], &[0, 1])), None);
    }

    #[test]
    fn tied_places_count_in_part() {
        let rows = scored(&[0.9, 0.5, 0.5, 0.5, 0.1], &[1, 1, 0, 0, 1]);
        assert_eq!(precision_among(&rows, 1), Some(1.0));
        let two = precision_among(&rows, 2).unwrap();
        assert!((two - (1.0 + 1.0 / 3.0) / 2.0).abs() < 1e-12, "{two}");
        assert_eq!(precision_among(&rows, 100), Some(0.6));
        assert_eq!(precision_among(&rows, 0), None);
    }
}
