//! Embeds the kernel object, where there is one.
//!
//! It is taken from `NETSEC_EBPF_OBJECT`, else from `target/netsec.bpf.o`, where
//! `cargo xtask build-ebpf` puts it. Without either an empty file is embedded, so that the
//! workspace builds, lints and documents with no BPF toolchain; `netsec` then says what to do.

use std::error::Error;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::{env, fs};

const VARIABLE: &str = "NETSEC_EBPF_OBJECT";

fn main() -> Result<(), Box<dyn Error>> {
    let manifest = env::var_os("CARGO_MANIFEST_DIR").ok_or("CARGO_MANIFEST_DIR is not set")?;
    let output = env::var_os("OUT_DIR").ok_or("OUT_DIR is not set")?;
    let workspace = Path::new(&manifest)
        .parent()
        .ok_or("the workspace has no folder")?;
    let (object, bytes) = match env::var_os(VARIABLE) {
        Some(path) => {
            let path = workspace.join(path);
            let bytes = fs::read(&path)
                .map_err(|error| format!("{VARIABLE}={}: {error}", path.display()))?;
            (path, bytes)
        }
        None => usual(workspace),
    };
    fs::write(Path::new(&output).join("netsec.bpf.o"), bytes)?;

    let mut cargo = io::stdout().lock();
    writeln!(cargo, "cargo::rerun-if-env-changed={VARIABLE}")?;
    writeln!(cargo, "cargo::rerun-if-changed={}", object.display())?;
    writeln!(cargo, "cargo::rerun-if-changed=build.rs")?;
    Ok(())
}

/// The object in `target/`, empty when there is none.
fn usual(workspace: &Path) -> (PathBuf, Vec<u8>) {
    let path = workspace.join("target/netsec.bpf.o");
    let bytes = fs::read(&path).unwrap_or_default();
    if bytes.is_empty() {
        // A file that is missing makes cargo build this crate each time; one that is empty is
        // watched. Where it cannot be made, the only cost is that.
        drop(fs::write(&path, []));
    }
    (path, bytes)
}
