//! `netsec detach`.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::Args;
use netsec_user::api::pinned::kept;
use netsec_user::source::kernel::PinFolder;

use crate::output::line;

/// Where a netsec that has gone left what it kept.
#[derive(Debug, Args)]
pub(crate) struct KeptArgs {
    /// Folder of a BPF file system that holds what was kept (--on-exit keep)
    #[arg(
        long,
        value_name = "DIR",
        env = "NETSEC_PINS",
        default_value = "/sys/fs/bpf/netsec"
    )]
    pub(crate) pins: PathBuf,
}

/// Arguments of `detach`.
#[derive(Debug, Args)]
pub(crate) struct DetachArgs {
    /// Interface; may be given several times [default: all that were kept]
    #[arg(short, long = "interface", value_name = "IF")]
    interfaces: Vec<String>,
    #[command(flatten)]
    kept: KeptArgs,
}

pub(crate) fn detach(args: &DetachArgs) -> Result<()> {
    let there = kept(&args.kept.pins);
    for name in &args.interfaces {
        if !there.contains(name) {
            anyhow::bail!(
                "{name}: nothing is kept there in {}",
                args.kept.pins.display()
            );
        }
    }
    if there.is_empty() {
        return line(&format!("nothing is kept in {}", args.kept.pins.display()));
    }
    for name in &there {
        if args.interfaces.is_empty() || args.interfaces.contains(name) {
            let path: &Path = &args.kept.pins.join(name);
            let folder = PinFolder::open(path)?;
            folder
                .remove()
                .with_context(|| format!("{} cannot be removed", path.display()))?;
            line(&format!(
                "{name}: detached, nothing is dropped there any more"
            ))?;
        }
    }
    Ok(())
}
