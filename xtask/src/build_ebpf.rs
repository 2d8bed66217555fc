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

/// A package with one program for BPF.
struct Package {
    name: &'static str,
    binary: &'static str,
}

/// netsec's kernel side.
const KERNEL_SIDE: Package = Package {
    name: "netsec-ebpf",
    binary: "netsec",
};

/// What it is measured against.
const PEERS: Package = Package {
    name: "netsec-bench-ebpf",
    binary: "peers",
};

/// The profile in Cargo.toml.
const PROFILE: &str = "bpf";

const REMEDY: &str = "the kernel side is in netsec-ebpf and netsec-common, its peers in bench/ebpf; `cargo xtask \
     setup` shows the tools";

/// Builds the object and prints its path and SHA-256.
pub(crate) fn run() -> Result<()> {
    let object = build(&setup::tools()?)?;
    let bytes = fs::read(&object).with_context(|| format!("cannot read {}", object.display()))?;
    let digest = Sha256::digest(&bytes);
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    writeln!(io::stdout(), "{hex}  {}", object.display())?;
    Ok(())
}

/// Builds the object, and puts it where netsec-user's build script finds it.
pub(crate) fn build(tools: &Tools) -> Result<PathBuf> {
    build_package(
        tools,
        &KERNEL_SIDE,
        "building the kernel object",
        workspace::object(),
    )
}

/// Builds the programs that netsec is measured against.
pub(crate) fn build_peers(tools: &Tools) -> Result<PathBuf> {
    let object = workspace::own_target().join("peers.bpf.o");
    build_package(tools, &PEERS, "building the peers' object", object)
}

fn build_package(
    tools: &Tools,
    package: &Package,
    title: &str,
    object: PathBuf,
) -> Result<PathBuf> {
    let folder = workspace::own_target().join("ebpf");
    process::step(
        title,
        &mut cargo(tools, "build", package, &folder, &[])?,
        REMEDY,
    )?;
    let built = folder.join(TARGET).join(PROFILE).join(package.binary);
    install(&built, &object)
        .with_context(|| format!("cannot copy {} to {}", built.display(), object.display()))?;
    Ok(object)
}

/// Compiles the kernel side with warnings denied, and keeps nothing of it.
pub(crate) fn check(tools: &Tools) -> Result<()> {
    let folder = workspace::own_target().join("ebpf-check");
    for package in [&KERNEL_SIDE, &PEERS] {
        process::step(
            &format!("checking {} for BPF", package.name),
            &mut cargo(tools, "check", package, &folder, &["-Dwarnings"])?,
            REMEDY,
        )?;
    }
    Ok(())
}

fn cargo(
    tools: &Tools,
    verb: &str,
    package: &Package,
    target: &Path,
    flags: &[&str],
) -> Result<Command> {
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
        // For BPF instructions in line, which are unstable.
        .env("RUSTC_BOOTSTRAP", "1")
        .args([verb, "--locked", "--package", package.name])
        .args(["--profile", PROFILE, "--target", TARGET])
        .arg("--target-dir")
        .arg(target);
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
/// compiler takes the last, so the widest comes first: a distribution's sysroot is `/usr`.
fn remapped(tools: &Tools) -> Vec<(PathBuf, &'static str)> {
    let cargo_home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let cargo_home = cargo_home.or_else(|| Some(env::home_dir()?.join(".cargo")));
    let mut pairs = vec![(tools.toolchain.sysroot.clone(), "/rustc")];
    pairs.extend(cargo_home.map(|home| (home, "/cargo")));
    pairs.push((workspace::root().to_owned(), "/netsec"));
    pairs
}

/// Copies in a way that no reader ever finds half a file, and only what is new: cargo builds
/// netsec-user anew for each change of the file's time.
fn install(from: &Path, to: &Path) -> io::Result<()> {
    let bytes = fs::read(from)?;
    if fs::read(to).is_ok_and(|present| present == bytes) {
        return Ok(());
    }
    let partial = to.with_extension("o.partial");
    fs::write(&partial, bytes)?;
    fs::rename(&partial, to)
}
