//! The `netsec` command, built for the tests that run it.

use std::env;
use std::ffi::{OsStr, OsString};
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{self, Command, Output, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use anyhow::{Context as _, anyhow, ensure};
use serde_json::Value;

/// Names a command that is built already, where the tests run without a toolchain.
const BINARY: &str = "NETSEC_BINARY";

/// Numbers the commands.
static STARTED: AtomicU32 = AtomicU32::new(0);

/// Where the `netsec` command is. The first call of a test program builds it, in the profile of the
/// tests, unless `NETSEC_BINARY` names one.
///
/// # Errors
///
/// When it cannot be built.
pub fn netsec() -> anyhow::Result<PathBuf> {
    static BUILT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let built = BUILT.get_or_init(|| match env::var_os(BINARY) {
        Some(path) => Ok(path.into()),
        None => build().map_err(|error| format!("{error:#}")),
    });
    built.clone().map_err(|error| anyhow!(error))
}

/// Runs `netsec` with these bytes as its standard input, in an environment without settings for
/// colours and logs.
///
/// # Errors
///
/// When it cannot be built or started.
pub fn run<I: AsRef<OsStr>>(
    args: impl IntoIterator<Item = I>,
    stdin: &[u8],
) -> anyhow::Result<Output> {
    let mut child = command(args)?
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let pipe = child.stdin.take().context("no stdin")?;
    thread::scope(|scope| {
        // A command that stops early leaves some unread.
        scope.spawn(move || { &pipe }.write_all(stdin));
        Ok(child.wait_with_output()?)
    })
}

/// The `netsec` command with arguments, not yet started.
///
/// # Errors
///
/// When it cannot be built.
pub fn command<I: AsRef<OsStr>>(args: impl IntoIterator<Item = I>) -> anyhow::Result<Command> {
    let mut command = Command::new(netsec()?);
    command.args(args);
    // Sensors of several tests run at a time.
    let number = STARTED.fetch_add(1, Ordering::Relaxed);
    let own = env::temp_dir().join(format!("netsec-test-{}-{number}", process::id()));
    command.env("NETSEC_SOCKET", own.with_extension("sock"));
    command.env("NETSEC_STATE_DIR", own);
    for name in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "RUST_LOG"] {
        command.env_remove(name);
    }
    Ok(command)
}

fn build() -> anyhow::Result<PathBuf> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let built = Command::new(cargo)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["build", "--locked", "--package=netsec-user", "--bin=netsec"])
        .arg(format!("--profile={}", profile()?))
        .arg("--message-format=json-render-diagnostics")
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .context("cannot start cargo")?;
    ensure!(
        built.status.success(),
        "netsec cannot be built ({}); set {BINARY} to one that is",
        built.status
    );
    str::from_utf8(&built.stdout)?
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .find_map(|message| Some(PathBuf::from(message.get("executable")?.as_str()?)))
        .context("cargo names no executable")
}

/// The profile that the running test was built in: tests are in `target/<profile>/deps`, and the
/// directory of the profiles `dev` and `test` is `debug`.
fn profile() -> anyhow::Result<String> {
    let test = env::current_exe()?;
    let directory = test.parent().and_then(|deps| deps.parent()?.file_name());
    let name = directory.and_then(|name| name.to_str());
    let name = name.with_context(|| format!("no profile in {}", test.display()))?;
    Ok(if name == "debug" { "dev" } else { name }.to_owned())
}
