//! What fuzzing takes: cargo-fuzz, a compiler, and the sanitizer where the compiler has it.

use std::env;
use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

use crate::process::{self, say};
use crate::{setup, workspace};

/// The version of cargo-fuzz that is installed and used.
const VERSION: &str = "0.13.2";

/// A compiler for the targets.
pub(super) struct Compiler {
    folder: PathBuf,
    release: String,
    /// The target that it builds for by default.
    host: String,
    sanitizer: Sanitizer,
}

/// What watches the targets' use of memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sanitizer {
    Address,
    /// For compilers that are not nightlies: nothing.
    None,
}

impl Compiler {
    /// The program of a target.
    pub(super) fn program(&self, target: &str) -> PathBuf {
        let folder = target_folder().join(&self.host).join("release");
        folder.join(target)
    }
}

impl fmt::Display for Compiler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sanitizer = match self.sanitizer {
            Sanitizer::Address => "address sanitizer",
            Sanitizer::None => "no sanitizer",
        };
        write!(f, "rustc {} ({sanitizer})", self.release)
    }
}

/// A nightly with its address sanitizer, else any compiler.
///
/// # Errors
///
/// When there is none: what to install.
pub(super) fn compiler() -> Result<Compiler> {
    let mut present: Vec<_> = setup::folders()
        .into_iter()
        .filter_map(|folder| inspect(&folder))
        .collect();
    present.sort_by_key(|compiler| compiler.sanitizer == Sanitizer::None);
    let Some(best) = present.into_iter().next() else {
        bail!("no Rust compiler here; fuzzing is best with: rustup toolchain install nightly");
    };
    if best.sanitizer == Sanitizer::None {
        say(
            "no nightly compiler here, so no address sanitizer: wrong uses of memory go unseen, and \
             large allocations (rustup toolchain install nightly)",
        );
    }
    Ok(best)
}

/// Builds every target.
pub(super) fn build(compiler: &Compiler) -> Result<()> {
    let cargo_fuzz = cargo_fuzz()?;
    let sanitizer = match compiler.sanitizer {
        Sanitizer::Address => "address",
        Sanitizer::None => "none",
    };
    process::step(
        "cargo fuzz build",
        Command::new(cargo_fuzz)
            .current_dir(workspace::root())
            .env("PATH", path_with(&compiler.folder))
            // cargo-fuzz adds to them, and those of a linter or a BPF build do not belong here.
            .env_remove("RUSTFLAGS")
            .env_remove("CARGO_ENCODED_RUSTFLAGS")
            // Of the workspace's release profile; it would double the time and change nothing found.
            .env("CARGO_PROFILE_RELEASE_LTO", "off")
            .args(["build", "--fuzz-dir", "fuzz", "--features", "libfuzzer"])
            .args(["--sanitizer", sanitizer])
            .args(["--target", &compiler.host])
            .arg("--target-dir")
            .arg(target_folder()),
        "it needs a C++ compiler: apt-get install g++",
    )
}

/// Reads a toolchain's version and whether it can sanitize; `None` when it does not run.
fn inspect(folder: &Path) -> Option<Compiler> {
    let rustc = folder.join("rustc");
    let verbose = process::output_of(Command::new(&rustc).arg("-vV"))?;
    let host = setup::field(&verbose, "host")?;
    let release = setup::field(&verbose, "release")?;
    let sysroot = process::output_of(Command::new(&rustc).args(["--print", "sysroot"]))?;
    let library = Path::new(&sysroot)
        .join("lib/rustlib")
        .join(host)
        .join("lib");
    let sanitizer = if release.contains("nightly") && has_sanitizer(&library) {
        Sanitizer::Address
    } else {
        Sanitizer::None
    };
    Some(Compiler {
        folder: folder.to_owned(),
        release: release.to_owned(),
        host: host.to_owned(),
        sanitizer,
    })
}

fn has_sanitizer(library: &Path) -> bool {
    fs::read_dir(library).is_ok_and(|entries| {
        entries
            .flatten()
            .any(|entry| entry.file_name().to_string_lossy().contains("_rt.asan"))
    })
}

/// The own cargo-fuzz, installed where it is missing.
fn cargo_fuzz() -> Result<PathBuf> {
    let root = workspace::own_target().join("cargo-fuzz");
    let program = root.join("bin/cargo-fuzz");
    let version = process::output_of(Command::new(&program).arg("--version"));
    if version.is_some_and(|version| version.ends_with(VERSION)) {
        return Ok(program);
    }
    process::step(
        "cargo install cargo-fuzz",
        process::cargo()
            .env_remove("RUSTFLAGS")
            .args(["install", "cargo-fuzz", "--locked"])
            .args(["--version", VERSION])
            .arg("--root")
            .arg(&root),
        "it needs crates.io or a mirror that cargo is configured for",
    )?;
    Ok(program)
}

/// `PATH` with a toolchain's folder before all others: cargo-fuzz runs the `cargo` it finds there.
fn path_with(folder: &Path) -> OsString {
    let path = env::var_os("PATH").unwrap_or_default();
    let mut joined = folder.as_os_str().to_owned();
    joined.push(":");
    joined.push(path);
    joined
}

/// Away from the usual one, which other flags would empty each time.
fn target_folder() -> PathBuf {
    workspace::own_target().join("fuzz")
}
