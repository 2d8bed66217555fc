//! What `run` does with blocks.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use clap::{Args, ValueEnum};
use netsec_user::block::{BlockSettings, ModeSetting, OnExit, SilenceSetting};
use netsec_user::time::TimeSpan;

use crate::args::duration;
use crate::block::SOCKET;
use crate::exit::UsageError;

/// What `run` does with blocks. What is not given is as the settings file says.
#[derive(Debug, Args)]
pub(crate) struct EnforceArgs {
    /// Enforce blocks: the same as --mode enforce
    #[arg(long, conflicts_with = "enforcement")]
    enforce: bool,
    /// Whether packets that a block matches are left alone, counted only, or dropped [default: detect]
    #[arg(long = "mode", value_name = "MODE")]
    enforcement: Option<ModeName>,
    /// Most entries of each interface's block table [default: 65536]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1 << 24))]
    block_entries: Option<u32>,
    /// What becomes of program and blocks when netsec ends, however it does [default: detach]
    #[arg(long, value_name = "WHAT")]
    on_exit: Option<OnExitName>,
    /// Folder of a BPF file system for what is kept [default: /sys/fs/bpf/netsec]
    #[arg(long, value_name = "DIR", env = "NETSEC_PINS")]
    pins: Option<PathBuf>,
    /// Time without a sign of life of netsec after which --on-silence holds; 0 is never [default: 0]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    silence: Option<Duration>,
    /// What holds when netsec has been silent for too long [default: static]
    #[arg(long, value_name = "WHAT")]
    on_silence: Option<SilenceName>,
    /// Mean it: --on-silence closed cuts off everybody who is not allowed
    #[arg(long)]
    force: bool,
    /// Where to listen for the other commands
    #[arg(long, value_name = "FILE", env = "NETSEC_SOCKET", default_value = SOCKET)]
    pub(crate) socket: PathBuf,
}

impl EnforceArgs {
    /// The settings, with those of the command line over them.
    ///
    /// # Errors
    ///
    /// [`UsageError`] for `closed` without `--force`.
    pub(crate) fn settings(&self, mut settings: BlockSettings) -> Result<BlockSettings> {
        if self.enforce {
            settings.mode = ModeSetting::Enforce;
        } else if let Some(mode) = self.enforcement {
            settings.mode = mode.into();
        }
        if let Some(entries) = self.block_entries {
            settings.entries = entries;
        }
        if let Some(on_exit) = self.on_exit {
            settings.on_exit = on_exit.into();
        }
        if let Some(pins) = &self.pins {
            settings.pins.clone_from(pins);
        }
        if let Some(silence) = self.silence {
            settings.silence = TimeSpan::from_secs(silence.as_secs());
        }
        if let Some(on_silence) = self.on_silence {
            settings.on_silence = on_silence.into();
        }
        let is_closed = settings.on_silence == SilenceSetting::Closed;
        if is_closed && !settings.silence.get().is_zero() && !self.force {
            let text = "on silence closed: should netsec ever hang, everybody who is not on the \
                allowlist is cut off, you among them\ntry: --force if that is meant";
            return Err(UsageError(text.to_owned()).into());
        }
        Ok(settings)
    }
}

/// Whether blocks are enforced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ModeName {
    /// Packets are left alone
    Detect,
    /// What would be dropped is counted
    DryRun,
    /// What is blocked is dropped
    Enforce,
}

impl From<ModeName> for ModeSetting {
    fn from(name: ModeName) -> Self {
        match name {
            ModeName::Detect => Self::Detect,
            ModeName::DryRun => Self::DryRun,
            ModeName::Enforce => Self::Enforce,
        }
    }
}

/// What becomes of program and blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum OnExitName {
    /// They go with netsec: traffic flows
    Detach,
    /// They stay in the kernel; the next netsec takes them over
    Keep,
}

impl From<OnExitName> for OnExit {
    fn from(name: OnExitName) -> Self {
        match name {
            OnExitName::Detach => Self::Detach,
            OnExitName::Keep => Self::Keep,
        }
    }
}

/// What holds on silence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum SilenceName {
    /// Blocks hold until they end
    Static,
    /// Nothing is dropped
    Open,
    /// Only what is allowed passes; needs --force
    Closed,
}

impl From<SilenceName> for SilenceSetting {
    fn from(name: SilenceName) -> Self {
        match name {
            SilenceName::Static => Self::Static,
            SilenceName::Open => Self::Open,
            SilenceName::Closed => Self::Closed,
        }
    }
}
