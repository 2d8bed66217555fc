//! The `netsec` command, built for the tests that run it.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use anyhow::{Context as _, anyhow, ensure};
use serde_json::Value;

/// Names a command that is built already, where the tests run without a toolchain.
const BINARY: &str = "NETSEC_BINARY";

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
