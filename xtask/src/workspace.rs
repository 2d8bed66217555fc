//! Where things lie in the workspace.

use std::env;
use std::path::{Path, PathBuf};

/// The workspace's root folder.
pub(crate) fn root() -> &'static Path {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest)
}

/// Where cargo puts host builds.
pub(crate) fn host_target() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(own_target, |folder| root().join(folder))
}

/// Build output whose place does not depend on the environment: netsec-user's build script looks
/// for the kernel object here.
pub(crate) fn own_target() -> PathBuf {
    root().join("target")
}

/// The finished kernel object.
pub(crate) fn object() -> PathBuf {
    own_target().join("netsec.bpf.o")
}
