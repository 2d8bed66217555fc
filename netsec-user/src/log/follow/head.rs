//! What tells one file from another with the same name or inode.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};

use serde::{Deserialize, Serialize};

/// Bytes at the beginning of a file that tell it from others: a time is among them in every log.
const HEAD_BYTES: usize = 256;

/// A file on a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Identity {
    /// Device.
    pub device: u64,
    /// Inode, which is given out again after the file is deleted.
    pub inode: u64,
}

impl Identity {
    /// The file that these are the properties of.
    #[must_use]
    pub fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
        }
    }
}

/// The first bytes of a file, hashed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Head {
    /// How many bytes are hashed.
    pub bytes: u64,
    hash: u64,
}

impl Head {
    /// Of a file's beginning, as far as it goes now, `most` bytes at most.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub fn read(file: &File, most: u64) -> io::Result<Self> {
        let mut buffer = [0; HEAD_BYTES];
        let most = usize::try_from(most).unwrap_or(HEAD_BYTES).min(HEAD_BYTES);
        let mut filled = 0;
        while let Some(room) = buffer.get_mut(filled..most).filter(|room| !room.is_empty()) {
            let at = u64::try_from(filled).unwrap_or_default();
            match file.read_at(room, at)? {
                0 => break,
                count => filled += count,
            }
        }
        let bytes = buffer.get(..filled).unwrap_or_default();
        Ok(Self {
            bytes: u64::try_from(filled).unwrap_or_default(),
            hash: fnv_1a(bytes),
        })
    }

    /// Whether a file begins with these bytes. A head of nothing tells no file apart.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub fn is_of(&self, file: &File) -> io::Result<bool> {
        Ok(self.bytes > 0 && Self::read(file, self.bytes)? == *self)
    }

    /// Whether it is of as many bytes as are ever hashed: then it tells files apart by itself.
    pub(super) fn is_whole(&self) -> bool {
        usize::try_from(self.bytes).unwrap_or(HEAD_BYTES) >= HEAD_BYTES
    }
}

/// FNV-1a, 64 bits (<http://www.isthe.com/chongo/tech/comp/fnv/>): stable between versions, and
/// nobody gains by a collision.
fn fnv_1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_head_is_of_the_file_however_it_grew() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        fs::write(&path, "first").unwrap();
        let head = Head::read(&File::open(&path).unwrap(), u64::MAX).unwrap();
        fs::write(&path, "first and more").unwrap();
        assert!(head.is_of(&File::open(&path).unwrap()).unwrap());
        fs::write(&path, "firsT and more").unwrap();
        assert!(!head.is_of(&File::open(&path).unwrap()).unwrap());
        fs::write(&path, "fir").unwrap();
        assert!(!head.is_of(&File::open(&path).unwrap()).unwrap());
        assert!(!Head::default().is_of(&File::open(&path).unwrap()).unwrap());
    }

    #[test]
    fn the_hash_is_fnv() {
        assert_eq!(fnv_1a(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv_1a(b"foobar"), 0x8594_4171_f739_67e8);
    }
}
