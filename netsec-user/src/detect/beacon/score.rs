//! The four subscores as RITA defines them (version 5, its `analysis` package), for any span where
//! RITA has a day of 24 hours.

use super::super::settings::Beacon;
use super::super::statistics::{deviation, median, quartiles};
use crate::time::WallTime;

/// Parts of the span, RITA's hours.
const BARS: usize = 24;
/// Bars without which duration is not scored; RITA's `duration_min_hours_seen`.
const BARS_MIN: usize = 6;
/// Bars in a row that are as good as all; RITA's `duration_consistency_ideal_hours_seen`.
const RUN_IDEAL: f64 = 12.0;
/// Bars without which two levels are not looked for; RITA's `histogram_bimodal_min_hours_seen`.
const BIMODAL_MIN: usize = 11;
/// Heights that differ by this share of the highest are one; RITA's `histogram_mode_sensitivity`.
const MODE_SHARE: f64 = 0.05;

/// One connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Contact {
    pub(super) time: WallTime,
    pub(super) bytes: u64,
}

/// From 0 to 1 each, 1 is most regular.
#[derive(Clone, Copy, Debug)]
pub(super) struct Score {
    pub(super) total: f64,
    pub(super) intervals: f64,
    pub(super) sizes: f64,
    pub(super) duration: f64,
    pub(super) histogram: f64,
    /// Median interval, seconds.
    pub(super) interval: f64,
    pub(super) interval_deviation: f64,
    /// Median bytes of the originator.
    pub(super) bytes: f64,
}

/// Scores contacts, sorted by time, in a span; `None` of fewer than four at different times.
pub(super) fn score(
    contacts: &[Contact],
    begin: WallTime,
    end: WallTime,
    settings: &Beacon,
) -> Option<Score> {
    let pairs = contacts.iter().zip(contacts.iter().skip(1));
    let mut intervals: Vec<f64> = pairs
        .map(|(a, b)| b.time.since(a.time).as_secs_f64())
        .filter(|seconds| *seconds > 0.0)
        .collect();
    if intervals.len() < 3 {
        return None;
    }
    intervals.sort_unstable_by(f64::total_cmp);
    let mut sizes: Vec<f64> = contacts
        .iter()
        .map(|contact| contact.bytes as f64)
        .collect();
    sizes.sort_unstable_by(f64::total_cmp);
    let bars = bars(contacts, begin, end);
    let first = contacts.first()?.time;
    let last = contacts.last()?.time;
    let span = end.since(begin).as_secs_f64().max(1e-9);
    let coverage = (last.since(first).as_secs_f64() / span).min(1.0);
    let mut score = Score {
        total: 0.0,
        intervals: regularity(&intervals, 1.0),
        sizes: regularity(&sizes, 0.0),
        duration: duration(&bars, coverage),
        histogram: evenness(&bars).max(levels(&bars)),
        interval: median(&intervals),
        interval_deviation: deviation(&intervals),
        bytes: median(&sizes),
    };
    score.total = score.intervals * settings.interval_weight
        + score.sizes * settings.size_weight
        + score.duration * settings.duration_weight
        + score.histogram * settings.histogram_weight;
    Some(score)
}

/// Mean of two scores: how symmetric the values are (Bowley), and how close to their median.
fn regularity(sorted: &[f64], otherwise: f64) -> f64 {
    let [low, middle, high] = quartiles(sorted);
    let range = high - low;
    let lopsided = range >= 10.0 && middle > low && middle < high;
    let skew = if lopsided {
        (low + high - 2.0 * middle) / range
    } else {
        0.0
    };
    let close = if middle >= 1.0 {
        ((middle - deviation(sorted)) / middle).max(0.0)
    } else {
        otherwise
    };
    f64::midpoint(1.0 - skew.abs(), close)
}

/// Contacts in each part of the span.
fn bars(contacts: &[Contact], begin: WallTime, end: WallTime) -> [u32; BARS] {
    let mut bars = [0; BARS];
    let span = end.ns_since(begin).max(1);
    for contact in contacts {
        let part = i128::from(contact.time.ns_since(begin)) * BARS as i128 / i128::from(span);
        let part = usize::try_from(part).unwrap_or_default().min(BARS - 1);
        if let Some(bar) = bars.get_mut(part) {
            *bar += 1;
        }
    }
    bars
}

fn filled(bars: &[u32]) -> usize {
    bars.iter().filter(|bar| **bar > 0).count()
}

/// The better of: the share of the span from first to last; the longest run of filled bars.
fn duration(bars: &[u32; BARS], coverage: f64) -> f64 {
    if filled(bars) < BARS_MIN {
        return 0.0;
    }
    let mut longest = 0;
    let mut run = 0;
    // Twice, as a run may go on from the end to the beginning.
    for bar in bars.iter().chain(bars) {
        run = if *bar > 0 { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    let consistency = f64::from(longest.min(24_u32)) / RUN_IDEAL;
    coverage.max(consistency.min(1.0))
}

/// One less the coefficient of variation of the bars.
fn evenness(bars: &[u32; BARS]) -> f64 {
    let heights = bars.map(f64::from);
    let mean = heights.iter().sum::<f64>() / heights.len() as f64;
    if mean <= 0.0 {
        return 0.0;
    }
    let variance = heights
        .iter()
        .map(|height| (height - mean).powi(2))
        .sum::<f64>();
    let deviation = (variance / heights.len() as f64).sqrt();
    (1.0 - deviation / mean).max(0.0)
}

/// Share of the filled bars, but for one outlier, that have one of the two commonest heights.
fn levels(bars: &[u32; BARS]) -> f64 {
    let filled = filled(bars);
    if filled < BIMODAL_MIN {
        return 0.0;
    }
    let highest = bars.iter().max().copied().unwrap_or_default();
    let bucket = (f64::from(highest) * MODE_SHARE).ceil().max(1.0);
    let mut heights: Vec<u64> = bars
        .iter()
        .filter(|bar| **bar > 0)
        .map(|bar| (f64::from(*bar) / bucket).floor().to_bits())
        .collect();
    heights.sort_unstable();
    let mut counts: Vec<usize> = heights.chunk_by(|a, b| a == b).map(<[u64]>::len).collect();
    counts.sort_unstable_by(|a, b| b.cmp(a));
    let common: usize = counts.iter().take(2).sum();
    (common as f64 / (filled - 1).max(1) as f64).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contacts(times: impl Iterator<Item = f64>, bytes: impl Fn(usize) -> u64) -> Vec<Contact> {
        #[expect(clippy::cast_possible_truncation, reason = "seconds of a day")]
        let ns = |seconds: f64| (seconds * 1e9) as i64;
        let contact = |(n, time)| Contact {
            time: WallTime::from_ns(ns(time)),
            bytes: bytes(n),
        };
        times.enumerate().map(contact).collect()
    }

    fn total(contacts: &[Contact], span: i64) -> f64 {
        let end = WallTime::from_ns(span * 1_000_000_000);
        score(contacts, WallTime::default(), end, &Beacon::default())
            .unwrap()
            .total
    }

    #[test]
    fn a_clock_scores_one() {
        let clock = contacts((0..100).map(|n| f64::from(n) * 60.0), |_| 800);
        assert!(total(&clock, 6000) > 0.99, "{}", total(&clock, 6000));
    }

    #[test]
    fn jitter_costs_little() {
        let jitter = |n: i32| f64::from((n * n * 31 + n * 17) % 13) - 6.0;
        let jittered = contacts((0..100).map(|n| f64::from(n) * 60.0 + jitter(n)), |_| 800);
        let score = total(&jittered, 6000);
        assert!((0.85..0.99).contains(&score), "{score}");
    }

    #[test]
    fn people_score_low() {
        // Bursts of a few seconds that become rare, of all sizes.
        let burst = |n: i32| f64::from((n / 10).pow(3) * 5 + n * n % 37);
        let mut browsing = contacts((0..100).map(burst), |n| 300 << (n * n % 17));
        browsing.sort_unstable_by_key(|contact| contact.time);
        assert!(total(&browsing, 6000) < 0.7, "{}", total(&browsing, 6000));
    }

    #[test]
    fn three_contacts_are_none() {
        let few = contacts((0..3).map(f64::from), |_| 1);
        let end = WallTime::from_ns(10);
        assert!(score(&few, WallTime::default(), end, &Beacon::default()).is_none());
    }
}
