//! One module reads clocks; everything else is given the time.

use super::Finding;
use super::source::Source;

/// Crates in which time is passed in. Build commands and tests may wait for things.
const CRATES: [&str; 3] = ["netsec-common/src", "netsec-ebpf/src", "netsec-user/src"];

/// The one place.
const PLACE: &str = "netsec-user/src/time.rs";

/// Types whose `now` reads a clock.
const CLOCKS: [&str; 4] = ["SystemTime", "Instant", "Timestamp", "Zoned"];

pub(super) fn check(sources: &[Source]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for source in sources {
        if source.path == PLACE || !CRATES.iter().any(|c| source.within(c).is_some()) {
            continue;
        }
        for window in source.tokens().windows(3) {
            if let [(line, clock), (_, "::"), (_, "now")] = window
                && CLOCKS.contains(clock)
            {
                let what = format!("`{clock}::now` outside {PLACE}: take the time as an argument");
                findings.push(Finding::new(source, *line, what));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(path: &str, text: &str) -> usize {
        check(&[Source::new(path, text.to_owned())]).len()
    }

    #[test]
    fn a_clock_elsewhere_is_found() {
        for text in [
            "Instant::now()",
            "std::time::SystemTime\n::now()",
            "jiff::Timestamp::now()",
        ] {
            assert_eq!(findings("netsec-user/src/summary.rs", text), 1, "{text}");
            assert_eq!(findings(PLACE, text), 0, "{text}");
            assert_eq!(findings("xtask/src/process.rs", text), 0, "{text}");
        }
    }

    #[test]
    fn other_names_are_no_clocks() {
        for text in ["// Instant::now()", "WallTime::now()", "Instant::from(x)"] {
            assert_eq!(findings("netsec-user/src/summary.rs", text), 0, "{text}");
        }
    }
}
