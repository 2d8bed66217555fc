//! What stands in for values that are missing or infinite in training.

use ndarray::ArrayView1;

/// Values that a median is taken of: enough for ±1 % in rank.
const MEDIAN_OF: usize = 8192;

/// A column's finite extremes, and what a missing value counts as.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    low: f64,
    high: f64,
    missing: f64,
}

impl Limits {
    /// The limits of a column; all 0 when nothing in it is finite.
    pub(super) fn of(column: ArrayView1<'_, f64>) -> Self {
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for value in column.iter().filter(|value| value.is_finite()) {
            low = low.min(*value);
            high = high.max(*value);
        }
        if low > high {
            (low, high) = (0.0, 0.0);
        }
        let step = column.len().div_ceil(MEDIAN_OF).max(1);
        let spaced = column
            .iter()
            .step_by(step)
            .copied()
            .filter(|x| x.is_finite());
        Self {
            low,
            high,
            missing: median(spaced.collect()).unwrap_or(low),
        }
    }

    /// The median of up to 8,192 evenly spaced values.
    pub(super) const fn missing(&self) -> f64 {
        self.missing
    }

    /// A finite value for any.
    pub(super) fn clean(&self, value: f64) -> f64 {
        if value.is_nan() {
            self.missing
        } else {
            value.clamp(self.low, self.high)
        }
    }
}

/// The lower median.
fn median(mut values: Vec<f64>) -> Option<f64> {
    let middle = values.len().checked_sub(1)? / 2;
    let (_, median, _) = values.select_nth_unstable_by(middle, f64::total_cmp);
    Some(*median)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::float_cmp, reason = "equal means equal to the last bit")]

    use ndarray::arr1;

    use super::*;

    #[test]
    fn missing_and_infinite_values_become_finite() {
        let column = arr1(&[5.0, f64::NAN, 1.0, f64::INFINITY, 3.0, f64::NEG_INFINITY]);
        let limits = Limits::of(column.view());
        let clean = column.mapv(|value| limits.clean(value));
        assert_eq!(clean, arr1(&[5.0, 3.0, 1.0, 5.0, 3.0, 1.0]));
    }

    #[test]
    fn a_column_without_a_finite_value_is_constant() {
        let limits = Limits::of(arr1(&[f64::NAN, f64::INFINITY]).view());
        assert_eq!(limits.clean(f64::NAN), limits.clean(f64::INFINITY));
        assert_eq!(Limits::of(arr1(&[]).view()).missing(), 0.0);
    }
}
