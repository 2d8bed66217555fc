//! `build-ebpf`: the kernel object.

use std::env;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use sha2::{Digest as _, Sha256};

use crate::setup::{self, Core, TARGET, Tools};
use crate::{process, workspace};

/// Builds the object and prints its path and SHA-256.
pub(crate) fn run() -> Result<()> {
    let object = build(&setup::tools()?, &[])?;
    let bytes = fs::read(&object).with_context(|| format!("cannot read {}", object.display()))?;
    let digest = Sha256::digest(&bytes);
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    writeln!(io::stdout(), "{hex}  {}", object.display())?;
    Ok(())
}

/// Builds the object, and puts it where netsec-user's build script finds it.
pub(crate) fn build(tools: &Tools, flags: &[&str]) -> Result<PathBuf> {
    process::step(
        "building the kernel object",
        &mut command(tools, flags)?,
        "the kernel side is in netsec-ebpf and netsec-common; `cargo xtask setup` shows the tools",
    )?;
    let built = build_folder().join(TARGET).join("bpf/netsec");
    let object = workspace::object();
    install(&built, &object)
        .with_context(|| format!("cannot copy {} to {}", built.display(), object.display()))?;
    Ok(object)
}

fn build_folder() -> PathBuf {
    workspace::own_target().join("ebpf")
}

fn command(tools: &Tools, flags: &[&str]) -> Result<Command> {
    let toolchain = &tools.toolchain;
    let path = env::var_os("PATH").unwrap_or_default();
    let path = env::join_paths(
        std::iter::once(tools.linker.folder.clone()).chain(env::split_paths(&path)),
    )?;
    let mut command = Command::new(&toolchain.cargo);
    // Set by the cargo and rustup that run this program, for a compiler of another version.
    for name in [
        "RUSTUP_TOOLCHAIN",
        "LD_LIBRARY_PATH",
        "RUSTC_WRAPPER",
        "RUSTFLAGS",
    ] {
        command.env_remove(name);
    }
    command
        .current_dir(workspace::root())
        .env("PATH", path)
        .env("RUSTC", &toolchain.rustc)
        .env(
            "CARGO_ENCODED_RUSTFLAGS",
            rustflags(tools, flags).join("\x1f"),
        )
        // A stable compiler takes the flags of this target only so.
        .env("RUSTC_BOOTSTRAP", "1")
        .args(["build", "--locked", "--package", "netsec-ebpf"])
        .args(["--profile", "bpf", "--target", TARGET])
        .arg("--target-dir")
        .arg(build_folder());
    match toolchain.core {
        Core::Prebuilt => {}
        Core::Source => {
            command.args(["-Z", "build-std=core"]);
        }
    }
    Ok(command)
}

/// The compiler's flags, without the paths of this machine: two checkouts give the same object.
fn rustflags(tools: &Tools, more: &[&str]) -> Vec<String> {
    let mut flags: Vec<String> = [
        "-Ctarget-cpu=v3",
        "-Cdebuginfo=2",
        "-Clink-arg=--btf",
        "-Clinker=bpf-linker",
    ]
    .into_iter()
    .chain(more.iter().copied())
    .map(str::to_owned)
    .collect();
    for (from, to) in remapped(tools) {
        flags.push(format!("--remap-path-prefix={}={to}", from.display()));
    }
    flags
}

/// Folders whose names must not show, and what stands for them. Of several that fit a path the
/// compiler takes the last.
fn remapped(tools: &Tools) -> Vec<(PathBuf, String)> {
    let toolchain = &tools.toolchain;
    let cargo_home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let cargo_home = cargo_home.or_else(|| Some(env::home_dir()?.join(".cargo")));
    let mut pairs: Vec<_> = cargo_home
        .map(|home| (home, "/cargo".to_owned()))
        .into_iter()
        .collect();
    pairs.push((toolchain.sysroot.clone(), "/rustc".to_owned()));
    pairs.push((workspace::root().to_owned(), "/netsec".to_owned()));
    pairs
}

/// Copies in a way that no reader ever finds half a file.
fn install(from: &Path, to: &Path) -> io::Result<()> {
    let partial = to.with_extension("o.partial");
    fs::copy(from, &partial)?;
    fs::rename(&partial, to)
}
