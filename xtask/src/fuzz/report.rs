//! What a run of libFuzzer says about itself.

use std::fmt;
use std::path::PathBuf;

/// One run of one target.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Report {
    /// Inputs run, those of the corpus included.
    pub(super) executions: u64,
    /// Inputs a second.
    rate: u64,
    /// Edges of the program that the corpus reached, and that are reached at the end.
    edges: (u64, u64),
    /// Inputs that the corpus has gained.
    added: u64,
    /// The input that breaks the target, if there is one.
    pub(super) finding: Option<Finding>,
}

/// An input that breaks a target.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Finding {
    /// The file with the input.
    artifact: String,
    /// What the target said.
    reason: String,
    /// The target.
    program: PathBuf,
}

/// Reads libFuzzer's output; `None` when it did not come to an end of its own.
pub(super) fn read(output: &str, program: PathBuf) -> Option<Report> {
    let statistic = |name: &str| {
        let line = output.lines().rfind(|line| line.starts_with(name))?;
        line.rsplit_once(' ')?.1.parse().ok()
    };
    let mut edges = output.lines().filter_map(edges_of);
    let first = edges.next().unwrap_or_default();
    Some(Report {
        executions: statistic("stat::number_of_executed_units:")?,
        rate: statistic("stat::average_exec_per_sec:")?,
        edges: (first, edges.next_back().unwrap_or(first)),
        added: statistic("stat::new_units_added:")?,
        finding: finding(output, program),
    })
}

/// The edges in a line `#123 INITED cov: 45 ft: …`; nothing in one that was printed before the
/// whole corpus was run.
fn edges_of(line: &str) -> Option<u64> {
    let mut words = line.strip_prefix('#')?.split_whitespace().skip(1);
    if words.next()? == "READ" {
        return None;
    }
    words.find(|&word| word == "cov:")?;
    words.next()?.parse().ok()
}

fn finding(output: &str, program: PathBuf) -> Option<Finding> {
    let (_, artifact) = output.split_once("Test unit written to ")?;
    let reasons = ["panicked at", "ERROR: "];
    let mut lines = output.lines();
    let reason = lines.find(|line| reasons.iter().any(|mark| line.contains(mark)));
    let detail = lines.next().unwrap_or_default();
    Some(Finding {
        artifact: artifact.lines().next()?.to_owned(),
        reason: format!("{}\n    {detail}", reason.unwrap_or_default()),
        program,
    })
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            executions,
            rate,
            edges: (before, after),
            added,
            finding,
        } = self;
        write!(
            f,
            "{executions} executions, {rate}/s, edges {before} to {after}, corpus +{added}, "
        )?;
        match finding {
            None => f.write_str("0 findings"),
            Some(Finding {
                artifact,
                reason,
                program,
            }) => write!(
                f,
                "a finding: {artifact}\n    {reason}\n    again with: {} {artifact}",
                program.display()
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const END: &str = "stat::number_of_executed_units: 1234\n\
        stat::average_exec_per_sec:     617\n\
        stat::new_units_added:          5\n\
        stat::slowest_unit_time_sec:    0\n";

    fn report(output: &str) -> String {
        read(output, PathBuf::from("target/fuzz/engine"))
            .unwrap()
            .to_string()
    }

    #[test]
    fn a_quiet_run_is_summed_up() {
        let output = format!(
            "#1\tREAD units: 3 cov: 10\n#3\tINITED cov: 20 ft: 21 corp: 2/5b\n\
             #9\tNEW    cov: 25 ft: 30 corp: 3/6b\n#1234\tDONE   cov: 31 ft: 40 corp: 9/9b\n{END}"
        );
        assert_eq!(
            report(&output),
            "1234 executions, 617/s, edges 20 to 31, corpus +5, 0 findings"
        );
    }

    #[test]
    fn a_finding_is_told_with_its_reason_and_how_to_see_it_again() {
        let output = format!(
            "#3\tINITED cov: 20 ft: 21\nthread '<unnamed>' panicked at fuzz/src/engine.rs:1:2:\n\
             left is not right\n==1== ERROR: libFuzzer: deadly signal\n\
             artifact_prefix='a/'; Test unit written to a/crash-1\nBase64: AA==\n{END}"
        );
        let report = report(&output);
        for part in [
            "a finding: a/crash-1\n",
            "engine.rs:1:2:\n    left is not right\n",
            "again with: target/fuzz/engine a/crash-1",
        ] {
            assert!(report.contains(part), "{part:?} is missing from {report}");
        }
    }

    #[test]
    fn a_run_without_an_end_is_no_report() {
        let output = "#3\tINITED cov: 20 ft: 21\nTest unit written to a/crash-1\n";
        assert_eq!(read(output, PathBuf::new()), None);
        assert_eq!(read("", PathBuf::new()), None);
    }
}
