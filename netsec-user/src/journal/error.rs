//! Why the journal cannot be used, and what to do about it.

use std::io;
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

/// Why the journal cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The directory cannot be made.
    #[error("{}: the state directory cannot be made: {reason}\ntry: --state DIR", path.display())]
    Directory {
        /// Which.
        path: PathBuf,
        /// The system's words.
        reason: String,
    },
    /// No room.
    #[error(
        "{}: no space is left on the disk, so decisions are not recorded\n\
         try: free some space there, or --state DIR on another disk", path.display()
    )]
    Full {
        /// The file.
        path: PathBuf,
    },
    /// No permission, or a read-only file system.
    #[error(
        "{}: cannot be opened for writing ({reason})\n\
         try: as root, or --state DIR where this user may write", path.display()
    )]
    ReadOnly {
        /// The file.
        path: PathBuf,
        /// SQLite's words.
        reason: String,
    },
    /// Damaged, or something else's file.
    #[error(
        "{}: damaged, or no journal of netsec's ({reason})\n\
         try: move it away and start anew; the kernel's blocks stay", path.display()
    )]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// SQLite's words.
        reason: String,
    },
    /// Written by a newer netsec.
    #[error(
        "{}: written by a newer netsec (version {version} of its tables; this one knows {})\n\
         try: that netsec, or another --state", path.display(), super::schema::VERSION
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Version of its tables.
        version: i64,
    },
    /// Another process writes to it.
    #[error("{}: another process holds it\ntry: again when that has ended", path.display())]
    Busy {
        /// The file.
        path: PathBuf,
    },
    /// Something else.
    #[error("{}: {source}", path.display())]
    Other {
        /// The file.
        path: PathBuf,
        /// SQLite's error.
        source: rusqlite::Error,
    },
}

impl JournalError {
    pub(super) fn directory(path: &Path, error: &io::Error) -> Self {
        Self::Directory {
            path: path.to_owned(),
            reason: error.to_string(),
        }
    }

    pub(super) fn new(path: &Path, source: rusqlite::Error) -> Self {
        let path = path.to_owned();
        let reason = source.to_string();
        match source.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Full { path },
            Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
                Self::ReadOnly { path, reason }
            }
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                Self::Corrupt { path, reason }
            }
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy { path },
            _ => Self::Other { path, source },
        }
    }
}
