//! Medians and quartiles.

use std::fmt;

/// The middle of some figures and how far they spread.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spread {
    pub(crate) p25: f64,
    pub(crate) median: f64,
    pub(crate) p75: f64,
}

impl Spread {
    /// Of at least one figure; none at all give "not a number".
    pub(crate) fn of(figures: impl IntoIterator<Item = f64>) -> Self {
        let mut sorted: Vec<f64> = figures.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        Self {
            p25: quantile(&sorted, 1),
            median: quantile(&sorted, 2),
            p75: quantile(&sorted, 3),
        }
    }
}

impl fmt::Display for Spread {
    /// With as many decimals as the precision asks for, two by default.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = f.precision().unwrap_or(2);
        let Self { p25, median, p75 } = self;
        write!(f, "{median:.digits$} ({p25:.digits$}–{p75:.digits$})")
    }
}

/// The smallest figure that so many hundredths of all are not above; "not a number" of none.
pub(crate) fn percentile(figures: &[f64], hundredths: usize) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    let place = (sorted.len() * hundredths).div_ceil(100).max(1) - 1;
    sorted.get(place).copied().unwrap_or(f64::NAN)
}

/// The quarter-th quartile, between two figures where it falls between them.
fn quantile(sorted: &[f64], quarter: usize) -> f64 {
    let place = sorted.len().saturating_sub(1) * quarter;
    let (whole, part) = (place / 4, place % 4);
    let at = |index: usize| sorted.get(index).or_else(|| sorted.last()).copied();
    let (Some(low), Some(high)) = (at(whole), at(whole + 1)) else {
        return f64::NAN;
    };
    let weight = f64::from(u8::try_from(part).unwrap_or_default()) / 4.0;
    low + (high - low) * weight
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_figures() {
        let figures: Vec<f64> = (1..=200).rev().map(f64::from).collect();
        let [p50, p99, p100] = [50, 99, 100].map(|n| percentile(&figures, n));
        assert_eq!((p50, p99, p100), (100.0, 198.0, 200.0));
        assert!(percentile(&[], 50).is_nan());
    }

    #[test]
    fn quartiles_lie_between_figures() {
        let spread = Spread::of([4.0, 1.0, 3.0, 2.0]);
        assert_eq!(spread.to_string(), "2.50 (1.75–3.25)");
        assert_eq!(format!("{:.0}", Spread::of([7.0])), "7 (7–7)");
        assert!(Spread::of([]).median.is_nan());
    }
}
