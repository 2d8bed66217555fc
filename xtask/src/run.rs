//! `run`: builds everything and becomes `netsec`.

use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::process::say;
use crate::{build_ebpf, process, setup, workspace};

/// The verb of a command line that names none.
const DEFAULT_VERB: &str = "run";

/// What asks for words only.
const WORDS_ONLY: [&str; 5] = ["help", "-h", "--help", "-V", "--version"];

/// Builds the object and the command, then replaces this process by `netsec`.
///
/// Returns only when something went wrong.
pub(crate) fn run(args: Vec<OsString>) -> Result<()> {
    build_ebpf::build(&setup::tools()?)?;
    process::pass_through(
        process::cargo_with_object()
            .args(["build", "--release", "--locked"])
            .args(["--package", "netsec-user", "--bin", "netsec"]),
    )?;
    let netsec = workspace::host_target().join("release/netsec");
    let args = with_verb(args, &verbs(&netsec)?);
    let mut command = if needs_root(&args) {
        process::as_root(&netsec)
    } else {
        Command::new(&netsec)
    };
    command.args(args);
    say(&format!("$ {}", process::line_of(&command)));
    // Signals and the exit status are netsec's from here on.
    let error = command.exec();
    Err(error).with_context(|| format!("cannot run `{}`", process::line_of(&command)))
}

/// The verbs that the command just built knows.
fn verbs(netsec: &Path) -> Result<Vec<String>> {
    let mut command = Command::new(netsec);
    command.arg("__verbs");
    let list = process::output_of(&mut command)
        .with_context(|| format!("`{}` failed", process::line_of(&command)))?;
    Ok(list.lines().map(str::to_owned).collect())
}

/// Puts [`DEFAULT_VERB`] before arguments that do not begin with a verb.
fn with_verb(mut args: Vec<OsString>, verbs: &[String]) -> Vec<OsString> {
    let is_named = args.first().is_some_and(|first| {
        verbs.iter().any(|verb| first == verb.as_str())
            || WORDS_ONLY.iter().any(|&word| first == word)
    });
    if !is_named {
        args.insert(0, DEFAULT_VERB.into());
    }
    args
}

/// Only live traffic takes privileges, and asking about it does not.
fn needs_root(args: &[OsString]) -> bool {
    args.first().is_some_and(|verb| verb == DEFAULT_VERB)
        && !args
            .iter()
            .any(|arg| WORDS_ONLY.iter().any(|&word| arg == word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<OsString> {
        line.split_whitespace().map(OsString::from).collect()
    }

    #[test]
    fn a_missing_verb_is_run() {
        let verbs = ["run".to_owned(), "replay".to_owned()];
        for (given, meant) in [
            ("", "run"),
            ("-i eth0", "run -i eth0"),
            ("run -i eth0", "run -i eth0"),
            ("replay x.pcap", "replay x.pcap"),
            ("--help", "--help"),
            ("help run", "help run"),
        ] {
            assert_eq!(with_verb(words(given), &verbs), words(meant), "{given:?}");
        }
    }

    #[test]
    fn only_live_traffic_needs_root() {
        assert!(needs_root(&words("run -i eth0")));
        assert!(!needs_root(&words("run --help")));
        assert!(!needs_root(&words("replay x.pcap")));
        assert!(!needs_root(&words("--version")));
    }
}
