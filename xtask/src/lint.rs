//! `lint`: format, clippy, documentation and the BPF build, all with warnings denied.

use anyhow::{Result, bail};

use crate::process::{self, say};
use crate::{build_ebpf, setup};

/// Runs every check, whatever the earlier ones say, and lists those that failed.
pub(crate) fn run() -> Result<()> {
    let mut failed = Vec::new();
    for (name, result) in [
        ("format", format()),
        ("clippy", clippy()),
        ("clippy of the fuzz targets", fuzz_clippy()),
        ("documentation", documentation()),
        ("BPF", bpf()),
    ] {
        if let Err(error) = result {
            say(&format!("{name}: {}", process::reasons(&error)));
            failed.push(name);
        }
    }
    if !failed.is_empty() {
        bail!("lint: {} failed", failed.join(", "));
    }
    say("lint: no complaints");
    Ok(())
}

fn format() -> Result<()> {
    process::pass_through(process::cargo().args(["fmt", "--all", "--check"]))
}

fn clippy() -> Result<()> {
    process::pass_through(
        process::cargo()
            .args(["clippy", "--locked", "--workspace", "--all-targets"])
            .args(["--", "--deny", "warnings"]),
    )
}

/// They are behind a feature: libFuzzer is built for them, which takes a C++ compiler.
fn fuzz_clippy() -> Result<()> {
    process::pass_through(
        process::cargo()
            .args(["clippy", "--locked", "--package", "netsec-fuzz"])
            .args(["--features", "libfuzzer", "--bins"])
            .args(["--", "--deny", "warnings"]),
    )
}

fn documentation() -> Result<()> {
    process::pass_through(
        process::cargo()
            .env("RUSTDOCFLAGS", "--deny warnings")
            .args(["doc", "--locked", "--workspace", "--no-deps"]),
    )
}

/// The kernel side as the compiler sees it for BPF. Clippy knows it only as the empty host program:
/// no distribution has a clippy that takes the `core` compiled for BPF.
fn bpf() -> Result<()> {
    build_ebpf::check(&setup::tools()?)
}
