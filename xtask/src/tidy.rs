//! `tidy`: the invariants of ARCHITECTURE.md that a program can check.

mod clocks;
mod layers;
mod leaks;
mod size;
mod source;
mod unsafety;

use std::fs;
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::process::{self, say};
use crate::workspace;
use source::Source;

/// One breach of one rule.
#[derive(Debug, PartialEq, Eq)]
struct Finding {
    path: String,
    /// From 1; 0 is the file as a whole.
    line: usize,
    what: String,
}

impl Finding {
    fn new(source: &Source, line: usize, what: impl Into<String>) -> Self {
        Self {
            path: source.path.clone(),
            line,
            what: what.into(),
        }
    }
}

/// Checks every file that git tracks or would track.
pub(crate) fn run() -> Result<()> {
    let sources = sources()?;
    let findings = check(&sources);
    for Finding { path, line, what } in &findings {
        say(&format!("{path}:{line}: {what}"));
    }
    if !findings.is_empty() {
        bail!("tidy: {} breaches of the rules above", findings.len());
    }
    say(&format!("tidy: {} files, no complaints", sources.len()));
    Ok(())
}

fn check(sources: &[Source]) -> Vec<Finding> {
    let rules = [
        layers::names,
        layers::order,
        unsafety::check,
        clocks::check,
        size::check,
        leaks::check,
    ];
    rules.iter().flat_map(|rule| rule(sources)).collect()
}

fn sources() -> Result<Vec<Source>> {
    let list = process::output_of(Command::new("git").current_dir(workspace::root()).args([
        "ls-files",
        "--cached",
        "--others",
        "--exclude-standard",
    ]))
    .context("tidy reads the list of files from git: `git ls-files` failed")?;
    let mut sources = Vec::new();
    for path in list.lines() {
        let full = workspace::root().join(path);
        // Deleted, but not yet in the index.
        if !full.exists() {
            continue;
        }
        let bytes = fs::read(&full).with_context(|| format!("cannot read {path}"))?;
        // Other files have no lines to speak of.
        if let Ok(text) = String::from_utf8(bytes) {
            sources.push(Source::new(path, text));
        }
    }
    Ok(sources)
}
