//! Where reading goes on after a restart.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::head::{Head, Identity};

/// Of the file's format.
const VERSION: u32 = 1;

/// How far one log was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// Name under which it is followed.
    pub path: PathBuf,
    /// The file that had the name.
    pub identity: Identity,
    /// Its first bytes.
    pub head: Head,
    /// Bytes of whole lines that were read.
    pub offset: u64,
    /// Lines that were read, where they were counted from the file's first one on.
    pub lines: Option<u64>,
}

impl Position {
    /// Whether it is a position in this file, under whatever name: by the file's beginning, as an
    /// inode is given out again and a copy has another.
    pub(super) fn is_in(&self, file: &File) -> bool {
        let long_enough = file.metadata().is_ok_and(|now| now.len() >= self.offset);
        long_enough && self.head.is_of(file).unwrap_or(false)
    }
}

/// How far logs were read, kept in one small file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Positions {
    version: u32,
    files: Vec<Position>,
}

/// Why positions could not be kept or read.
#[derive(Debug, thiserror::Error)]
pub enum PositionError {
    /// The file cannot be read or written.
    #[error("{file}: positions in logs cannot be kept")]
    Io {
        /// The file.
        file: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It is damaged, or of a later version.
    #[error("{file}: no positions in logs ({why}); logs are followed from where they are now")]
    Damaged {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        why: String,
    },
}

impl Positions {
    /// Of these logs.
    #[must_use]
    pub const fn new(files: Vec<Position>) -> Self {
        Self {
            version: VERSION,
            files,
        }
    }

    /// Reads the file; none yet is no position.
    ///
    /// # Errors
    ///
    /// When it is there and cannot be read.
    pub fn load(file: &Path) -> Result<Self, PositionError> {
        let damaged = |why: String| PositionError::Damaged {
            file: file.to_owned(),
            why,
        };
        let bytes = match fs::read(file) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::new(vec![])),
            Err(source) => {
                let file = file.to_owned();
                return Err(PositionError::Io { file, source });
            }
        };
        let read: Self =
            serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
        if read.version > VERSION {
            let why = format!("of version {}, later than {VERSION}", read.version);
            return Err(damaged(why));
        }
        Ok(read)
    }

    /// Writes the file as a whole: a crash leaves the one before or this one.
    ///
    /// # Errors
    ///
    /// When it cannot be written; the one before is untouched then.
    pub fn save(&self, file: &Path) -> Result<(), PositionError> {
        let write = || -> io::Result<()> {
            let new = file.with_extension("new");
            let mut out = File::create(&new)?;
            out.write_all(&serde_json::to_vec_pretty(self)?)?;
            out.sync_all()?;
            fs::rename(&new, file)
        };
        write().map_err(|source| PositionError::Io {
            file: file.to_owned(),
            source,
        })
    }

    /// The positions in the files of a log.
    #[must_use]
    pub fn of(&self, path: &Path) -> Vec<Position> {
        let of = self.files.iter().filter(|position| position.path == path);
        of.cloned().collect()
    }
}
