//! A BPF file system of a test's own.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use tempfile::TempDir;

/// Mounted in a temporary folder; it and all that is pinned in it go with this value.
#[derive(Debug)]
pub struct BpfFs {
    folder: TempDir,
}

impl BpfFs {
    /// Mounts one.
    ///
    /// # Errors
    ///
    /// The kernel's.
    pub fn mount() -> Result<Self> {
        let folder = TempDir::new()?;
        let flags = MsFlags::empty();
        mount::<_, _, _, str>(Some("bpf"), folder.path(), Some("bpf"), flags, None)
            .context("a BPF file system cannot be mounted")?;
        Ok(Self { folder })
    }

    /// A folder in it, which is not there yet.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Where it is mounted.
    #[must_use]
    pub fn root(&self) -> &Path {
        self.folder.path()
    }
}

impl Drop for BpfFs {
    fn drop(&mut self) {
        // Nothing more can be done about a failure.
        let _failed = umount2(self.folder.path(), MntFlags::MNT_DETACH);
    }
}
