//! `fuzz`: runs the fuzz targets, each for a while.

mod report;
mod tools;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::process::{self, say};
use crate::workspace;
use report::Report;
use tools::Compiler;

/// The targets, as `fuzz/Cargo.toml` names them.
pub(crate) const TARGETS: [&str; 6] = [
    "engine",
    "differential",
    "capture",
    "filter",
    "log",
    "packet",
];

/// Most megabytes that a target may allocate at once: twice a capture's largest block, since the
/// buffer that holds one grows by doubling.
const ALLOCATION_MB: u32 = 32;

/// Most megabytes that a target may use, the sanitizer's own included.
const MEMORY_MB: u32 = 1024;

/// Seconds after which an input has hung.
const INPUT_SECONDS: u32 = 10;

/// Makes a target write its seeds to a folder before it reads its corpus.
const SEEDS_FOLDER: &str = "NETSEC_FUZZ_SEEDS";

/// Builds the targets and runs these, or all, for so many seconds each.
///
/// # Errors
///
/// When a target cannot be built or run, and when an input was found that breaks one.
pub(crate) fn run(seconds: u32, targets: &[String]) -> Result<()> {
    let compiler = tools::compiler()?;
    say(&format!("fuzzing with {compiler}"));
    tools::build(&compiler)?;
    let named: Vec<_> = if targets.is_empty() {
        TARGETS.to_vec()
    } else {
        targets.iter().map(String::as_str).collect()
    };
    let mut executions = 0;
    let mut findings = Vec::new();
    for target in named {
        let report = fuzz(&compiler, target, seconds)?;
        say(&format!("  {target}: {report}"));
        executions += report.executions;
        if report.finding.is_some() {
            findings.push(target);
        }
    }
    if !findings.is_empty() {
        bail!("fuzz: findings in {}", findings.join(", "));
    }
    say(&format!(
        "fuzz: {executions} executions in all, no findings"
    ));
    Ok(())
}

fn fuzz(compiler: &Compiler, target: &str, seconds: u32) -> Result<Report> {
    let fuzz = workspace::root().join("fuzz");
    let corpus = fuzz.join("corpus").join(target);
    let artifacts = fuzz.join("artifacts").join(target);
    for folder in [&corpus, &artifacts] {
        fs::create_dir_all(folder)
            .with_context(|| format!("cannot make the folder {}", folder.display()))?;
    }
    let program = compiler.program(target);
    let mut command = Command::new(&program);
    command
        .current_dir(workspace::root())
        .env(SEEDS_FOLDER, &corpus)
        .arg(relative(&corpus))
        .arg(format!(
            "-artifact_prefix={}/",
            relative(&artifacts).display()
        ))
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-malloc_limit_mb={ALLOCATION_MB}"))
        .arg(format!("-rss_limit_mb={MEMORY_MB}"))
        .arg(format!("-timeout={INPUT_SECONDS}"))
        .arg("-print_final_stats=1");
    let dictionary = fuzz.join("dictionaries").join(format!("{target}.dict"));
    if dictionary.is_file() {
        command.arg(format!("-dict={}", relative(&dictionary).display()));
    }
    let title = format!("fuzz {target}");
    let run = process::watch(&title, &mut command)?;
    match report::read(&run.output, relative(&program)) {
        Some(report) if run.status.success() || report.finding.is_some() => Ok(report),
        _ => bail!(run.failure(&title, &command)),
    }
}

/// The path from the workspace's root, where commands are said to be run.
fn relative(path: &Path) -> PathBuf {
    path.strip_prefix(workspace::root())
        .unwrap_or(path)
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_target_of_the_manifest_is_run() {
        let manifest = fs::read_to_string(workspace::root().join("fuzz/Cargo.toml")).unwrap();
        let names: Vec<_> = manifest
            .split("[[bin]]")
            .skip(1)
            .filter_map(|bin| bin.split('"').nth(1))
            .collect();
        assert_eq!(names, TARGETS);
    }
}
