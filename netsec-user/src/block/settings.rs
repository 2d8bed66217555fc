//! What is done with blocks, and when netsec has gone.

use std::path::PathBuf;

use netsec_common::block::{Mode, OnSilence};
use serde::{Deserialize, Serialize};

use super::DeadMan;
use crate::detect::settings::section;
use crate::time::TimeSpan;

/// Whether packets that a block matches are dropped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ModeSetting {
    /// They are left alone.
    #[default]
    Detect,
    /// They are counted.
    DryRun,
    /// They are dropped.
    Enforce,
}

/// What becomes of program and blocks when netsec has gone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnExit {
    /// They go with it, however it ends.
    #[default]
    Detach,
    /// They stay in the kernel, and the next netsec takes them over.
    Keep,
}

/// What holds when netsec has been silent for too long.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SilenceSetting {
    /// Blocks hold until they end.
    #[default]
    Static,
    /// Nothing is dropped.
    Open,
    /// Only what is allowed passes.
    Closed,
}

section! {
    /// Section `[block]`: what is done with blocks, and when netsec has gone.
    BlockSettings {
        /// Packets of blocked sources: `detect` leaves them alone, `dry-run` counts them, `enforce` drops them.
        mode: ModeSetting = ModeSetting::Detect, "Suricata and Zeek, which drop nothing unless told to";
        /// Most entries of each interface's block table; 160 bytes each.
        entries: u32 = 1 << 16, "ours";
        /// Of the packets that an entry drops the first is sampled, and one in so many: `netsec why` shows the latest. 0 is none.
        drop_samples: u32 = 1000, "ours";
        /// When netsec has gone: `detach` takes program and blocks along, `keep` leaves them in the kernel.
        on_exit: OnExit = OnExit::Detach, "ours: a filter that nobody looks after is feared more than none";
        /// Folder of a BPF file system that holds what is kept.
        pins: PathBuf = PathBuf::from("/sys/fs/bpf/netsec"), "bpftool and libxdp, /sys/fs/bpf";
        /// Time without a sign of life of netsec after which `on_silence` holds; 0 is never.
        silence: TimeSpan = TimeSpan::from_secs(0), "ours";
        /// On silence: `static` (blocks hold until they end), `open` (nothing is dropped), `closed` (only the allowlist passes; with --force only).
        on_silence: SilenceSetting = SilenceSetting::Static, "ours";
    }
}

impl BlockSettings {
    /// The dead-man switch.
    #[must_use]
    pub fn dead_man(&self) -> DeadMan {
        let limit = self.silence.get();
        DeadMan {
            limit: (!limit.is_zero()).then_some(limit),
            on_silence: self.on_silence.into(),
        }
    }
}

impl From<ModeSetting> for Mode {
    fn from(setting: ModeSetting) -> Self {
        match setting {
            ModeSetting::Detect => Self::Detect,
            ModeSetting::DryRun => Self::DryRun,
            ModeSetting::Enforce => Self::Enforce,
        }
    }
}

impl From<SilenceSetting> for OnSilence {
    fn from(setting: SilenceSetting) -> Self {
        match setting {
            SilenceSetting::Static => Self::Static,
            SilenceSetting::Open => Self::Open,
            SilenceSetting::Closed => Self::Closed,
        }
    }
}
