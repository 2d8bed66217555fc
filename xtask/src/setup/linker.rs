//! bpf-linker: links LLVM bitcode to a BPF object and makes the BTF.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

use super::packages;
use super::toolchain::Toolchain;
use crate::{process, workspace};

/// The version that is installed, and the oldest that is used when found.
const VERSION: (u32, u32, u32) = (0, 13, 0);

/// The LLVM versions that this bpf-linker can be built with.
const LLVM: [u32; 3] = [21, 22, 23];

/// A bpf-linker that can read what the toolchain writes.
#[derive(Clone, Debug)]
pub(crate) struct Linker {
    /// The folder it lies in.
    pub(crate) folder: PathBuf,
    version: String,
}

impl fmt::Display for Linker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.folder.join("bpf-linker");
        write!(f, "{} ({})", path.display(), self.version)
    }
}

/// A linker on this machine that fits the toolchain: an own one, else the one in `PATH`.
pub(crate) fn present(toolchain: &Toolchain) -> Option<Linker> {
    suitable_llvm(toolchain)
        .map(|llvm| own_root(llvm).join("bin"))
        .chain(process::find("bpf-linker").and_then(|path| Some(path.parent()?.to_owned())))
        .find_map(|folder| inspect(&folder, toolchain))
}

/// Builds a linker for the toolchain under `target/`.
pub(crate) fn install(toolchain: &Toolchain) -> Result<Linker> {
    let llvm = llvm_with_headers(toolchain)?;
    let root = own_root(llvm);
    let build = workspace::own_target().join("bpf-tools/build");
    let (major, minor, patch) = VERSION;
    process::step(
        &format!("cargo install bpf-linker (LLVM {llvm})"),
        process::cargo()
            .env("LLVM_PREFIX", llvm_prefix(llvm))
            .env_remove("RUSTFLAGS")
            .arg("install")
            .arg("bpf-linker")
            .args(["--version", &format!("{major}.{minor}.{patch}")])
            .args(["--locked", "--no-default-features"])
            .args(["--features", &format!("llvm-{llvm}")])
            .arg("--root")
            .arg(&root)
            .arg("--target-dir")
            .arg(&build),
        "it needs a C compiler, and crates.io or a mirror that cargo is configured for",
    )?;
    // Some 200 MB that nobody needs again; leaving them behind does no harm.
    drop(fs::remove_dir_all(&build));
    match inspect(&root.join("bin"), toolchain) {
        Some(linker) => Ok(linker),
        None => bail!(
            "bpf-linker was built into {} but does not run",
            root.display()
        ),
    }
}

/// An LLVM as new as the toolchain's, with headers, installed where it is missing.
fn llvm_with_headers(toolchain: &Toolchain) -> Result<u32> {
    let has_headers = |llvm: u32| llvm_prefix(llvm).join("include/llvm-c/Core.h").is_file();
    let packages_of = |llvm: u32| [format!("llvm-{llvm}-dev"), format!("libpolly-{llvm}-dev")];
    if let Some(llvm) = suitable_llvm(toolchain).find(|&llvm| has_headers(llvm)) {
        return Ok(llvm);
    }
    if packages::available() {
        packages::update()?;
        let offered = suitable_llvm(toolchain)
            .find(|&llvm| packages::candidate(&packages_of(llvm)[0]).is_some());
        if let Some(llvm) = offered {
            let [headers, polly] = packages_of(llvm);
            packages::install(&[
                &headers,
                &polly,
                "libzstd-dev",
                "zlib1g-dev",
                "gcc",
                "libc6-dev",
            ])?;
            return Ok(llvm);
        }
    }
    let wanted: Vec<_> = suitable_llvm(toolchain)
        .map(|llvm| format!("llvm-{llvm}-dev"))
        .collect();
    bail!(
        "bpf-linker needs the headers of an LLVM at least as new as rustc's ({}): install {}, \
         or put a bpf-linker built with one in PATH",
        toolchain.llvm,
        if wanted.is_empty() {
            "an older rustc".to_owned()
        } else {
            wanted.join(" or ")
        },
    )
}

/// The LLVM versions that can read the toolchain's bitcode, nearest first.
fn suitable_llvm(toolchain: &Toolchain) -> impl Iterator<Item = u32> + use<> {
    let oldest = toolchain.llvm;
    LLVM.into_iter().filter(move |&llvm| llvm >= oldest)
}

/// Where Debian and its relatives put an LLVM.
fn llvm_prefix(llvm: u32) -> PathBuf {
    PathBuf::from(format!("/usr/lib/llvm-{llvm}"))
}

fn own_root(llvm: u32) -> PathBuf {
    workspace::own_target().join(format!("bpf-tools/llvm-{llvm}"))
}

fn inspect(folder: &Path, _toolchain: &Toolchain) -> Option<Linker> {
    let version = process::output_of(Command::new(folder.join("bpf-linker")).arg("--version"))?;
    (parse_version(&version)? >= VERSION).then(|| Linker {
        folder: folder.to_owned(),
        version,
    })
}

/// The version in `bpf-linker 0.13.0`.
fn parse_version(text: &str) -> Option<(u32, u32, u32)> {
    let version = text.split_whitespace().nth(1)?;
    let mut numbers = version.split(['.', '-']).map(str::parse);
    Some((
        numbers.next()?.ok()?,
        numbers.next()?.ok()?,
        numbers.next()?.ok()?,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_is_read_and_compared() {
        assert_eq!(parse_version("bpf-linker 0.13.0"), Some((0, 13, 0)));
        assert!(parse_version("bpf-linker 0.9.15\n") < Some(VERSION));
        assert!(parse_version("bpf-linker 0.14.1-rc.1") > Some(VERSION));
        assert_eq!(parse_version("bpf-linker"), None);
    }
}
