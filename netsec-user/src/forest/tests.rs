//! The forest as a whole.

#![expect(clippy::float_cmp, reason = "equal means equal to the last bit")]

use ndarray::{Array2, arr1, array};

use super::*;

fn threads(count: usize) -> NonZeroUsize {
    NonZeroUsize::new(count).unwrap()
}

fn grow(rows: &Array2<f64>, seed: u64) -> Forest {
    let parameters = Parameters {
        seed,
        ..Parameters::default()
    };
    Forest::grow(rows.view(), &parameters, threads(1)).unwrap()
}

/// Rows around (0, 0, …), the last one far off.
fn cloud(rows: usize, columns: usize) -> Array2<f64> {
    let mut random = Random::new(11);
    let mut cloud = Array2::from_shape_fn((rows, columns), |_| {
        (0..6).map(|_| random.unit() - 0.5).sum::<f64>()
    });
    cloud.row_mut(rows - 1).fill(40.0);
    cloud
}

#[test]
fn splits_by_magnitude_do_not_let_one_large_value_outweigh_several() {
    let mut random = Random::new(9);
    // Skewed features, each with a training row a thousand times the rest.
    let mut rows = Array2::from_shape_fn((512, 6), |_| 1.0 + 9.0 * random.unit());
    for column in 0..6 {
        rows[[column, column]] = 10_000.0;
    }
    let strange = arr1(&[2000.0, 2000.0, 2000.0, 5.0, 5.0, 5.0]);
    let parameters = Parameters {
        sample_size: 512,
        ..Parameters::default()
    };
    let plain = Forest::grow(rows.view(), &parameters, NonZeroUsize::MIN).unwrap();
    let magnitude = Forest::grow_by_magnitude(rows.view(), &parameters, NonZeroUsize::MIN).unwrap();
    let beyond = |forest: &Forest| {
        let scores = forest.scores(rows.view(), NonZeroUsize::MIN);
        let highest = scores.into_iter().fold(0.0, f64::max);
        forest.score(strange.view()) > highest
    };
    assert!(beyond(&magnitude));
    assert!(!beyond(&plain));
    // A missing value is the median, by magnitude as by value.
    let lacking = arr1(&[f64::NAN; 6]);
    assert!(magnitude.score(lacking.view()) < 0.5);
}

#[test]
fn the_row_apart_has_the_highest_score() {
    let rows = cloud(2_000, 4);
    let scores = grow(&rows, 1).scores(rows.view(), threads(2));
    let most = scores.iter().copied().fold(0.0, f64::max);
    assert_eq!(scores[1_999], most);
    assert!(most > 0.7, "{most}");
    assert!(scores.iter().all(|score| *score > 0.0 && *score <= 1.0));
    let mean = scores.iter().sum::<f64>() / 2_000.0;
    assert!((0.35..0.5).contains(&mean), "{mean}");
}

#[test]
fn a_seed_gives_the_same_scores_with_any_number_of_threads_one_by_one_and_in_any_layout() {
    let rows = cloud(9_001, 5);
    let reference = grow(&rows, 5);
    let scores = reference.scores(rows.view(), threads(1));
    for count in [2, 3, 16] {
        let parameters = Parameters {
            seed: 5,
            ..Parameters::default()
        };
        let forest = Forest::grow(rows.view(), &parameters, threads(count)).unwrap();
        assert_eq!(forest.scores(rows.view(), threads(count)), scores);
    }
    let by_column = rows.t().as_standard_layout().to_owned();
    assert_eq!(reference.scores(by_column.t(), threads(1)), scores);
    let one_by_one = rows.outer_iter().map(|row| reference.score(row));
    assert!(one_by_one.eq(scores.iter().copied()));
    assert_ne!(grow(&rows, 6).scores(rows.view(), threads(1)), scores);
}

#[test]
fn known_scores_of_a_seed_stay() {
    let rows = cloud(512, 3);
    let scores = grow(&rows, 42).scores(rows.view(), threads(1));
    let shown: Vec<String> = [0, 1, 511].map(|row| format!("{:.6}", scores[row])).into();
    assert_eq!(shown, ["0.479973", "0.400389", "0.841533"]);
}

#[test]
fn scores_without_ranks_are_the_same() {
    let rows = cloud(3_000, 3);
    let mut forest = grow(&rows, 9);
    assert!(forest.ranked.is_some());
    let scores = forest.scores(rows.view(), threads(1));
    forest.ranked = None;
    assert_eq!(forest.scores(rows.view(), threads(1)), scores);
}

#[test]
fn deep_and_shallow_trees_score_too() {
    let rows = cloud(3_000, 3);
    for sample_size in [2, 3, 17, 255, 257, 2_048, 60_000] {
        let parameters = Parameters {
            sample_size,
            ..Parameters::default()
        };
        let forest = Forest::grow(rows.view(), &parameters, threads(2)).unwrap();
        let scores = forest.scores(rows.view(), threads(2));
        let above = scores
            .iter()
            .filter(|score| **score > scores[2_999])
            .count();
        // Two rows tell little; but more than nothing.
        let allowed = if sample_size < 17 { 300 } else { 0 };
        assert!(above <= allowed, "{sample_size}: {above}");
        assert!(scores.iter().all(|score| *score > 0.0 && *score <= 1.0));
    }
}

#[test]
fn rows_that_are_all_equal_have_one_score_and_it_is_half() {
    let rows = Array2::from_elem((1_000, 3), 7.0);
    let scores = grow(&rows, 1).scores(rows.view(), threads(1));
    assert!(
        scores.iter().all(|score| (score - 0.5).abs() < 2e-5),
        "{scores:?}"
    );
}

#[test]
fn constant_features_change_nothing_but_chance() {
    let rows = cloud(1_000, 1);
    let wide = ndarray::concatenate![Axis(1), rows, Array2::from_elem((1_000, 30), 1.0)];
    let scores = grow(&wide, 1).scores(wide.view(), threads(1));
    assert_eq!(scores[999], scores.iter().copied().fold(0.0, f64::max));
    assert!(scores[999] > 0.8, "{}", scores[999]);
}

#[test]
fn missing_values_count_as_the_median_and_infinite_ones_lie_beyond() {
    let mut rows = cloud(2_000, 2);
    rows[(7, 0)] = f64::NAN;
    rows[(8, 1)] = f64::INFINITY;
    let forest = grow(&rows, 1);
    let score = |x: f64, y: f64| forest.score(array![x, y].view());
    let median = forest.missing[0];
    assert!(median.abs() < 0.1, "{median}");
    assert_eq!(score(f64::NAN, 0.3), score(median, 0.3));
    assert_eq!(score(f64::INFINITY, 0.0), score(1e300, 0.0));
    assert_eq!(score(f64::NEG_INFINITY, 0.0), score(-1e300, 0.0));
    let batch = array![[f64::NAN, 0.3], [f64::INFINITY, 0.0]];
    let batch = forest.scores(batch.view(), threads(1));
    assert_eq!(batch, [score(f64::NAN, 0.3), score(f64::INFINITY, 0.0)]);
}

#[test]
fn what_cannot_be_grown_is_refused() {
    let rows = cloud(10, 2);
    let refuse = |rows: &Array2<f64>, trees, sample_size| {
        let parameters = Parameters {
            trees,
            sample_size,
            seed: 0,
        };
        Forest::grow(rows.view(), &parameters, threads(1)).unwrap_err()
    };
    let one = rows.slice(ndarray::s![..1, ..]).to_owned();
    assert_eq!(refuse(&one, 1, 2), GrowError::TooFewRows(1));
    assert_eq!(refuse(&Array2::zeros((5, 0)), 1, 2), GrowError::Features(0));
    assert_eq!(refuse(&rows, 0, 2), GrowError::Trees(0));
    assert_eq!(refuse(&rows, 1, 1), GrowError::SampleSize(1));
    assert_eq!(refuse(&rows, 1, 1 << 20), GrowError::SampleSize(1 << 20));
}

#[test]
fn contributions_add_up_to_the_score_and_name_the_feature() {
    let mut rows = cloud(2_000, 4);
    rows.row_mut(1_999).assign(&array![0.0, 0.0, 40.0, 0.0]);
    let forest = grow(&rows, 3);
    for row in [0, 1, 2, 1_999] {
        let contributions = forest.contributions(rows.row(row));
        let total: f64 = contributions.iter().sum();
        let score = forest.score(rows.row(row));
        assert!(
            (total - (score / 0.5).log2()).abs() < 1e-4,
            "{row}: {total} {score}"
        );
    }
    let far = forest.contributions(array![0.0, 0.0, 40.0, 0.0].view());
    let most = (0..4).max_by(|a, b| far[*a].total_cmp(&far[*b]));
    assert_eq!(most, Some(2), "{far:?}");
}
