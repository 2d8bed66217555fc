//! The distribution's packages, where it is one with `apt-get`.

use std::process::Command;

use anyhow::{Result, bail};

use crate::process::{self, say};

/// Whether packages can be installed here.
pub(crate) fn available() -> bool {
    process::find("apt-get").is_some() && (process::is_root() || process::find("sudo").is_some())
}

/// Reads the list of packages anew.
pub(crate) fn update() -> Result<()> {
    ask_for_rights()?;
    process::step(
        "apt-get update",
        apt_get().arg("update"),
        "check the network and the sources in /etc/apt",
    )
}

/// The version that would be installed, such as `1.96.0+dfsg1-1`.
pub(crate) fn candidate(package: &str) -> Option<String> {
    let policy = process::output_of(Command::new("apt-cache").args(["policy", package]))?;
    parse_candidate(&policy)
}

/// Installs packages.
pub(crate) fn install(packages: &[&str]) -> Result<()> {
    ask_for_rights()?;
    let list = packages.join(" ");
    say(&format!("installing with apt-get: {list}"));
    process::step(
        &format!("apt-get install {}", packages.first().unwrap_or(&"")),
        apt_get()
            .args(["install", "--yes", "--no-install-recommends"])
            .args(packages),
        &format!("try it by hand: apt-get install {list}"),
    )
}

/// `sudo` asks for the password before the progress line hides its prompt.
fn ask_for_rights() -> Result<()> {
    if process::is_root() {
        return Ok(());
    }
    if !Command::new("sudo").arg("--validate").status()?.success() {
        bail!("installing packages needs root: run `sudo -E cargo xtask setup`, or allow sudo");
    }
    Ok(())
}

fn apt_get() -> Command {
    let mut command = process::as_root("env");
    command.args(["DEBIAN_FRONTEND=noninteractive", "apt-get", "--quiet"]);
    // Another installation may be under way.
    command.args(["-o", "DPkg::Lock::Timeout=300"]);
    command
}

fn parse_candidate(policy: &str) -> Option<String> {
    let version = policy
        .lines()
        .find_map(|line| line.trim().strip_prefix("Candidate:"))?
        .trim();
    (version != "(none)").then(|| version.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn candidate_is_read_from_policy() {
        let policy = "rustc:\n  Installed: (none)\n  Candidate: 1.96.0+dfsg1-1\n  Version table:\n";
        assert_eq!(parse_candidate(policy).as_deref(), Some("1.96.0+dfsg1-1"));
        assert_eq!(parse_candidate("x:\n  Candidate: (none)\n"), None);
        assert_eq!(parse_candidate(""), None);
    }
}
