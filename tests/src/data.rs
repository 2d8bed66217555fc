//! Captures and expectations that are too large, or not free enough, for the repository.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::bail;

/// Names the directory; without it the one beside the repository is taken.
const DIRECTORY: &str = "NETSEC_TEST_DATA";

/// Each makes a missing directory an error.
const REQUIRED: [&str; 2] = ["CI", "NETSEC_REQUIRE_DATA"];

/// The directory of test data, or `None` when it is not there and need not be: the caller then
/// skips its test, which has been said on standard error.
///
/// # Errors
///
/// When it is missing, and `CI` or `NETSEC_REQUIRE_DATA` is set to something other than nothing.
#[expect(
    clippy::print_stderr,
    reason = "a test that is skipped has to say so, and the harness shows nothing else"
)]
pub fn path() -> anyhow::Result<Option<PathBuf>> {
    let directory = env::var_os(DIRECTORY).map_or_else(beside_repository, PathBuf::from);
    if directory.join("expected").is_dir() {
        return Ok(Some(directory));
    }
    let missing = format!(
        "no test data in {} (set {DIRECTORY} to the directory that holds `corpus` and `expected`)",
        directory.display()
    );
    let set = |name: &&str| env::var_os(name).is_some_and(|value| !value.is_empty());
    if let Some(name) = REQUIRED.iter().find(|name| set(name)) {
        bail!("{missing}; {name} is set, so they are required");
    }
    eprintln!("SKIPPED: {missing}");
    Ok(None)
}

/// A file of the test data by the name that expectations know it by: large ones are kept compressed.
#[must_use]
pub fn file(directory: &Path, name: &str) -> PathBuf {
    let plain = directory.join(name);
    if plain.exists() {
        plain
    } else {
        directory.join(format!("{name}.gz"))
    }
}

fn beside_repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data")
}
