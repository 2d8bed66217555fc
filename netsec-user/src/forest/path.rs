//! Path lengths: what isolation takes on average, and how a path becomes a score.

/// Euler's constant γ.
const EULER: f64 = 0.577_215_664_901_532_9;

/// c(n) of the paper: the average path length of an unsuccessful search in a binary search tree of
/// `rows` rows, `2 (ln(n - 1) + γ) - 2 (n - 1) / n`, edges.
///
/// The harmonic number is approximated as in the paper and in scikit-learn; as there, it is 0 for
/// one row and 1 for two.
pub(super) fn average_path_length(rows: u32) -> f64 {
    match rows {
        0 | 1 => 0.0,
        2 => 1.0,
        _ => {
            let n = f64::from(rows);
            2.0 * ((n - 1.0).ln() + EULER) - 2.0 * (n - 1.0) / n
        }
    }
}

/// Levels after which a tree over `rows` rows stops: `⌈log₂ rows⌉`, 1 at least.
pub(super) fn depth_limit(rows: u32) -> u32 {
    rows.max(2).next_power_of_two().trailing_zeros()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn average_path_lengths_are_those_of_the_paper() {
        // Values of sklearn.ensemble._iforest._average_path_length, scikit-learn 1.9.1.
        for (rows, length) in [
            (0, 0.0),
            (1, 0.0),
            (2, 1.0),
            (5, 2.327_020_052_042_847),
            (256, 10.244_770_920_119_917),
            (999, 12.967_939_884_427_995),
        ] {
            let ours = average_path_length(rows);
            assert!((ours - length).abs() < 1e-12, "{rows}: {ours}");
        }
    }

    #[test]
    fn depth_is_the_rounded_up_logarithm() {
        let limits = [1, 2, 3, 4, 5, 255, 256, 257].map(depth_limit);
        assert_eq!(limits, [1, 1, 2, 2, 3, 8, 8, 9]);
    }
}
