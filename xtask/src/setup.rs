//! `setup`: a compiler with the BPF target, and bpf-linker.
//!
//! What is already there is used. Otherwise the distribution's packages are tried, then rustup.
//! Nothing is remembered between runs: each run looks again, which takes a few process starts.

mod linker;
mod packages;
mod toolchain;

use anyhow::{Result, bail};

use crate::process::{self, say};
pub(crate) use linker::Linker;
pub(crate) use toolchain::{Core, TARGET, Toolchain, field, folders};

/// What a BPF build needs.
pub(crate) struct Tools {
    pub(crate) toolchain: Toolchain,
    pub(crate) linker: Linker,
}

/// Gets the tools and says which they are.
pub(crate) fn run() -> Result<()> {
    let tools = tools()?;
    say(&format!("ready: {}; {}", tools.toolchain, tools.linker));
    Ok(())
}

/// The tools, installed where they are missing.
///
/// # Errors
///
/// When they can be had from nowhere: what was tried, and what to install by hand.
pub(crate) fn tools() -> Result<Tools> {
    let present = toolchain::present();
    for toolchain in &present {
        if let Some(linker) = linker::present(toolchain) {
            return Ok(Tools {
                toolchain: toolchain.clone(),
                linker,
            });
        }
    }
    let candidates = if present.is_empty() {
        vec![toolchain::install()?]
    } else {
        present
    };
    let mut refusals = Vec::new();
    for toolchain in candidates {
        match linker::install(&toolchain) {
            Ok(linker) => return Ok(Tools { toolchain, linker }),
            Err(error) => refusals.push(format!("for {toolchain}: {}", process::reasons(&error))),
        }
    }
    bail!("no bpf-linker\n{}", refusals.join("\n"))
}
