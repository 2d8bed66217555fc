//! A compiler that can build for BPF.

use std::env;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

use super::packages;
use crate::process::{self, say};

/// The target that the object is built for.
pub(crate) const TARGET: &str = "bpfel-unknown-none";

/// The oldest compiler that the workspace accepts (`rust-version` of Cargo.toml).
const OLDEST: (u32, u32) = (1, 95);

/// Debian's compiler, and `core` compiled for BPF.
const DEBIAN_PACKAGES: [&str; 3] = ["rustc-web", "cargo-web", "libstd-rust-web-dev-bpf"];

/// How a toolchain comes by `core` for BPF.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Core {
    /// It is installed, compiled.
    Prebuilt,
    /// Its source is installed: `-Z build-std`.
    Source,
}

/// A compiler that can build for BPF.
#[derive(Clone, Debug)]
pub(crate) struct Toolchain {
    pub(crate) rustc: PathBuf,
    pub(crate) cargo: PathBuf,
    pub(crate) sysroot: PathBuf,
    pub(crate) core: Core,
    /// Version, such as `1.96.0`.
    pub(crate) release: String,
    /// Major version of its LLVM: the linker's must be as new.
    pub(crate) llvm: u32,
}

impl fmt::Display for Toolchain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let core = match self.core {
            Core::Prebuilt => "compiled core",
            Core::Source => "core from source",
        };
        let Self {
            rustc,
            release,
            llvm,
            ..
        } = self;
        write!(f, "{} {release} (LLVM {llvm}, {core})", rustc.display())
    }
}

/// Every usable toolchain on this machine, the preferred ones first.
pub(crate) fn present() -> Vec<Toolchain> {
    folders()
        .into_iter()
        .filter_map(|folder| inspect(&folder))
        .collect()
}

/// Installs a toolchain.
pub(crate) fn install() -> Result<Toolchain> {
    say("no compiler here can build for BPF");
    let mut tried = Vec::new();
    for way in [from_packages, from_rustup] {
        match way() {
            Ok(()) => match present().into_iter().next() {
                Some(toolchain) => return Ok(toolchain),
                None => tried.push("installed, but still not usable".to_owned()),
            },
            Err(error) => tried.push(process::reasons(&error)),
        }
    }
    bail!(
        "no compiler for BPF can be had here. What was tried:\n- {}\nNeeded is one of:\n\
         - a nightly with its source: rustup toolchain install nightly --component rust-src\n\
         - Debian: apt-get install {}",
        tried.join("\n- "),
        DEBIAN_PACKAGES.join(" "),
    )
}

fn from_packages() -> Result<()> {
    if !packages::available() {
        bail!("packages: no apt-get here, or no right to use it");
    }
    packages::update()?;
    let [compiler, ..] = DEBIAN_PACKAGES;
    let Some(version) = packages::candidate(compiler) else {
        bail!("packages: this distribution has no {compiler}");
    };
    if version_of(&version).is_none_or(|version| version < OLDEST) {
        bail!("packages: {compiler} is too old: {version}");
    }
    packages::install(&DEBIAN_PACKAGES)
}

fn from_rustup() -> Result<()> {
    let Some(rustup) = process::find("rustup") else {
        bail!("rustup: not installed");
    };
    process::step(
        "rustup toolchain install nightly",
        Command::new(rustup).args([
            "toolchain",
            "install",
            "nightly",
            "--profile",
            "minimal",
            "--component",
            "rust-src",
        ]),
        "check the network; rustup needs its download server",
    )
}

/// Folders with `rustc` and `cargo`: rustup's toolchains, nightlies first, then `PATH`.
pub(crate) fn folders() -> Vec<PathBuf> {
    let home = env::var_os("RUSTUP_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(env::home_dir()?.join(".rustup")));
    let mut rustup: Vec<_> = home
        .and_then(|home| fs::read_dir(home.join("toolchains")).ok())
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
        .collect();
    rustup.sort_by_key(|folder| !folder.to_string_lossy().contains("nightly"));
    let path = env::var_os("PATH").unwrap_or_default();
    rustup.extend(
        env::split_paths(&path)
            .chain([PathBuf::from("/usr/bin")])
            // Beside rustup lie its stand-ins, not compilers.
            .filter(|folder| !folder.join("rustup").exists()),
    );
    let mut seen = Vec::new();
    rustup.retain(|folder| {
        let new = folder.join("rustc").is_file()
            && folder.join("cargo").is_file()
            && !seen.contains(folder);
        seen.push(folder.clone());
        new
    });
    rustup
}

/// Reads a toolchain's version and parts; `None` when it cannot build for BPF.
fn inspect(folder: &Path) -> Option<Toolchain> {
    let rustc = folder.join("rustc");
    let sysroot = PathBuf::from(process::output_of(
        Command::new(&rustc).args(["--print", "sysroot"]),
    )?);
    let library = sysroot.join("lib/rustlib");
    let verbose = process::output_of(Command::new(&rustc).arg("-vV"))?;
    let release = field(&verbose, "release")?;
    let core = if has_compiled_core(&library.join(TARGET).join("lib")) {
        Core::Prebuilt
    } else if release.contains("nightly") && library.join("src/rust/library/core").is_dir() {
        Core::Source
    } else {
        return None;
    };
    if version_of(release)? < OLDEST {
        return None;
    }
    Some(Toolchain {
        cargo: folder.join("cargo"),
        core,
        release: release.to_owned(),
        llvm: field(&verbose, "LLVM version")?
            .split('.')
            .next()?
            .parse()
            .ok()?,
        rustc,
        sysroot,
    })
}

fn has_compiled_core(folder: &Path) -> bool {
    fs::read_dir(folder).is_ok_and(|entries| {
        entries
            .flatten()
            .any(|entry| entry.file_name().to_string_lossy().starts_with("libcore-"))
    })
}

/// The value of a line `name: value`.
pub(crate) fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

/// Major and minor number at the start of a version.
fn version_of(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.split(|c: char| !c.is_ascii_digit()).map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_by_number() {
        assert_eq!(version_of("1.96.0+dfsg1-1~deb12u2"), Some((1, 96)));
        assert_eq!(version_of("1.100.0-nightly"), Some((1, 100)));
        assert!(version_of("1.100.0") > Some(OLDEST));
        assert!(version_of("1.85.0") < Some(OLDEST));
        assert_eq!(version_of("nightly"), None);
    }

    #[test]
    fn oldest_is_the_workspace_rust_version() {
        let manifest = fs::read_to_string(crate::workspace::root().join("Cargo.toml")).unwrap();
        let (major, minor) = OLDEST;
        assert!(manifest.contains(&format!("rust-version = \"{major}.{minor}\"")));
    }

    #[test]
    fn fields_of_verbose_version() {
        let text = "rustc 1.96.0\nrelease: 1.96.0\nLLVM version: 22.1.8";
        assert_eq!(field(text, "release"), Some("1.96.0"));
        assert_eq!(field(text, "LLVM version"), Some("22.1.8"));
        assert_eq!(field(text, "host"), None);
    }
}
