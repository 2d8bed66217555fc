//! Running other programs: one line for each, its time, and what to do when it fails.

use std::env;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, IsTerminal as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use crate::workspace;

/// How often a terminal's progress line is redrawn.
const REDRAW: Duration = Duration::from_millis(200);

/// Lines of a failed program's output that are repeated in the error.
const TAIL_LINES: usize = 25;

/// Prints a line for the person at the terminal.
///
/// Standard output stays free for what a verb is asked for, such as the object's path.
pub(crate) fn say(line: &str) {
    // Nobody is left to be told that standard error is closed.
    drop(writeln!(io::stderr(), "{line}"));
}

/// An error and its causes, without the trace of calls that the environment may ask for.
pub(crate) fn reasons(error: &anyhow::Error) -> String {
    let reasons: Vec<_> = error.chain().map(ToString::to_string).collect();
    reasons.join("\n  because ")
}

/// Runs a program to its end with its output in a log file, showing one line of progress.
///
/// # Errors
///
/// When it cannot be started or fails: its command line, the end of its output, and `remedy`.
pub(crate) fn step(title: &str, command: &mut Command, remedy: &str) -> Result<()> {
    let run = watch(title, command).context(remedy.to_owned())?;
    if run.status.success() {
        say(&format!("  {title}: done in {:.1} s", run.seconds));
        return Ok(());
    }
    bail!("{}\n{remedy}", run.failure(title, command));
}

/// A program that ran to its end.
pub(crate) struct Run {
    pub(crate) status: ExitStatus,
    /// What it printed.
    pub(crate) output: String,
    pub(crate) seconds: f64,
    log: PathBuf,
}

impl Run {
    /// Its command line and the end of its output, for an error.
    pub(crate) fn failure(&self, title: &str, command: &Command) -> String {
        format!(
            "{title} failed after {:.1} s ({}): `{}`\n\n{}\n\nwhole output: {}",
            self.seconds,
            self.status,
            line_of(command),
            tail(&self.output, TAIL_LINES),
            self.log.display(),
        )
    }
}

/// Runs a program to its end, however that is, with its output in a log file, showing one line of
/// progress.
///
/// # Errors
///
/// When it cannot be started: its command line.
pub(crate) fn watch(title: &str, command: &mut Command) -> Result<Run> {
    let log = log_path(title);
    let clock = Stopwatch::start();
    let status = run_logged(title, command, &log, &clock)
        .with_context(|| format!("cannot run `{}`", line_of(command)))?;
    let output = fs::read(&log).unwrap_or_default();
    Ok(Run {
        status,
        output: String::from_utf8_lossy(&output).into_owned(),
        seconds: clock.seconds(),
        log,
    })
}

/// Runs a program to its end with its output passed through.
///
/// # Errors
///
/// When it cannot be started or fails.
pub(crate) fn pass_through(command: &mut Command) -> Result<()> {
    say(&format!("$ {}", line_of(command)));
    let status = command
        .status()
        .with_context(|| format!("cannot run `{}`", line_of(command)))?;
    if !status.success() {
        bail!("`{}` failed ({status})", line_of(command));
    }
    Ok(())
}

/// What a program prints, without the end of line; `None` when it is missing or fails.
pub(crate) fn output_of(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim_end().to_owned())
}

/// Whether this process may do everything.
pub(crate) fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|me| me.uid() == 0)
}

/// A program run with root's rights: by `sudo` unless this process has them.
///
/// `sudo` is told to keep the environment.
pub(crate) fn as_root(program: impl AsRef<OsStr>) -> Command {
    if is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("sudo");
    command.arg("--preserve-env").arg(program);
    command
}

/// The first program of this name in `PATH`.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?)
        .map(|folder| folder.join(program))
        .find(|path| path.is_file())
}

/// The cargo that runs this program.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(workspace::root());
    command
}

/// The same, for builds that embed the kernel object just built: whatever the environment names
/// could be stale.
pub(crate) fn cargo_with_object() -> Command {
    let mut command = cargo();
    command.env_remove("NETSEC_EBPF_OBJECT");
    command
}

/// A command line as a person would type it.
pub(crate) fn line_of(command: &Command) -> String {
    let words: Vec<_> = std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(OsStr::to_string_lossy)
        .collect();
    words.join(" ")
}

fn log_path(title: &str) -> PathBuf {
    let name: String = title
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .collect();
    workspace::own_target()
        .join("xtask")
        .join(format!("{name}.log"))
}

fn run_logged(
    title: &str,
    command: &mut Command,
    log: &Path,
    clock: &Stopwatch,
) -> Result<ExitStatus> {
    if let Some(folder) = log.parent() {
        fs::create_dir_all(folder)?;
    }
    let file = File::create(log)?;
    let mut child = command
        .stdin(Stdio::null())
        .stdout(file.try_clone()?)
        .stderr(file)
        .spawn()?;
    if !io::stderr().is_terminal() {
        say(&format!("  {title} ..."));
        return Ok(child.wait()?);
    }
    loop {
        if let Some(status) = child.try_wait()? {
            redraw("");
            return Ok(status);
        }
        redraw(&format!("  {title}: {:.0} s", clock.seconds()));
        thread::sleep(REDRAW);
    }
}

/// Replaces the terminal's current line.
fn redraw(line: &str) {
    let mut terminal = io::stderr().lock();
    drop(write!(terminal, "\r\x1b[K{line}").and_then(|()| terminal.flush()));
}

/// The last `lines` lines of a text.
fn tail(text: &str, lines: usize) -> String {
    let all: Vec<_> = text.lines().collect();
    let from = all.len().saturating_sub(lines);
    all.get(from..).unwrap_or_default().join("\n")
}

/// Time since a step began.
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    #[expect(
        clippy::disallowed_methods,
        reason = "a person who waits for a build wants to know how long; no traffic is timed here"
    )]
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn seconds(&self) -> f64 {
        self.0.elapsed().as_secs_f64()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tail_keeps_the_last_lines() {
        assert_eq!(tail("a\nb\nc\n", 2), "b\nc");
        assert_eq!(tail("a\n", 2), "a");
        assert_eq!(tail("", 2), "");
    }

    #[test]
    fn a_failed_step_tells_command_output_and_remedy() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo out; echo err >&2; exit 3"]);
        let error = step("unit test of a failing step", &mut command, "try again").unwrap_err();
        let text = reasons(&error);
        for part in ["sh -c", "out\nerr", "exit status: 3", "try again"] {
            assert!(text.contains(part), "{part:?} is missing from {text}");
        }
    }

    #[test]
    fn a_missing_program_is_named() {
        let error = step(
            "unit test",
            &mut Command::new("no-such-program"),
            "install it",
        )
        .unwrap_err();
        assert!(reasons(&error).contains("no-such-program"));
    }
}
