//! Medians and what is made of them.

/// Median of sorted values; zero of none.
pub(super) fn median(sorted: &[f64]) -> f64 {
    let middle = sorted.len() / 2;
    let at = |index: usize| sorted.get(index).copied().unwrap_or_default();
    if sorted.len().is_multiple_of(2) {
        f64::midpoint(at(middle.saturating_sub(1)), at(middle))
    } else {
        at(middle)
    }
}

/// Median absolute deviation from the median.
pub(super) fn deviation(sorted: &[f64]) -> f64 {
    let middle = median(sorted);
    let mut apart: Vec<f64> = sorted.iter().map(|value| (value - middle).abs()).collect();
    apart.sort_unstable_by(f64::total_cmp);
    median(&apart)
}

/// First, second and third quartile: medians of the halves and of all, where the middle one of an
/// odd number belongs to no half.
pub(super) fn quartiles(sorted: &[f64]) -> [f64; 3] {
    let half = sorted.len() / 2;
    let low = sorted.get(..half).unwrap_or_default();
    let high = sorted.get(sorted.len() - half..).unwrap_or_default();
    [median(low), median(sorted), median(high)]
}

/// Shannon entropy of bytes, bits each.
pub(super) fn entropy(bytes: &[u8]) -> f64 {
    let mut counts = [0_u32; 256];
    for byte in bytes {
        if let Some(count) = counts.get_mut(usize::from(*byte)) {
            *count += 1;
        }
    }
    let whole = bytes.len() as f64;
    let part = |count: &u32| {
        let share = f64::from(*count) / whole;
        -share * share.log2()
    };
    counts.iter().filter(|count| **count > 0).map(part).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-9
    }

    #[test]
    fn quartiles_of_even_and_odd() {
        let even = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        assert!(
            quartiles(&even)
                .iter()
                .zip([2.0, 3.5, 5.0])
                .all(|(a, b)| close(*a, b))
        );
        let odd = [1.0, 2.0, 3.0, 4.0, 5.0];
        assert!(
            quartiles(&odd)
                .iter()
                .zip([1.5, 3.0, 4.5])
                .all(|(a, b)| close(*a, b))
        );
        assert!(close(median(&[]), 0.0));
    }

    #[test]
    fn deviation_does_not_mind_one_outlier() {
        assert!(close(
            deviation(&[1.0, 1.0, 2.0, 2.0, 4.0, 6.0, 900.0]),
            1.0
        ));
    }

    #[test]
    fn entropy_is_in_bits() {
        assert!(close(entropy(b""), 0.0));
        assert!(close(entropy(b"aaaa"), 0.0));
        assert!(close(entropy(b"abcd"), 2.0));
    }
}
