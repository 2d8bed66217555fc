//! A window on the capture, in which every record is contiguous.

use std::io::{self, Read as _};

use super::end::{Damage, End};
use super::input::Input;

/// Large enough for any frame, and small enough for a core's own cache.
const BUFFER_BYTES: usize = 512 * 1024;

/// Why there is no next record.
pub(super) enum Stop {
    End(End),
    Read(io::Error),
}

/// The bytes from the next record on, as far as they were read.
pub(super) struct Buffer {
    input: Input,
    bytes: Vec<u8>,
    /// Where the next record begins in `bytes`.
    start: usize,
    /// Where the bytes that were read end.
    end: usize,
    /// Where the next record begins in the capture.
    offset: u64,
}

impl Buffer {
    pub(super) fn new(input: Input) -> Self {
        Self {
            input,
            bytes: vec![0; BUFFER_BYTES],
            start: 0,
            end: 0,
            offset: 0,
        }
    }

    /// Where the next record begins in the capture.
    pub(super) const fn offset(&self) -> u64 {
        self.offset
    }

    /// Bytes of the file that were used.
    pub(super) fn position_bytes(&self) -> u64 {
        self.input.position_bytes()
    }

    /// Makes sure that `bytes` bytes of the next record are at hand.
    #[inline]
    pub(super) fn need(&mut self, bytes: usize) -> Result<(), Stop> {
        if self.end - self.start >= bytes {
            return Ok(());
        }
        self.fill(bytes)
    }

    /// Copies `N` bytes from `at` in the next record.
    #[inline]
    pub(super) fn peek<const N: usize>(&mut self, at: usize) -> Result<[u8; N], Stop> {
        self.need(at + N)?;
        match self.bytes.get(self.start + at..).map(<[u8]>::first_chunk) {
            Some(Some(bytes)) => Ok(*bytes),
            _ => Err(self.shortage(at + N)),
        }
    }

    /// The first `bytes` bytes of the next record, which have to be at hand.
    pub(super) fn record(&self, bytes: usize) -> &[u8] {
        self.bytes
            .get(self.start..self.start + bytes)
            .unwrap_or_default()
    }

    /// Moves on by `whole` bytes, which have to be at hand; gives the place of what lies `at` bytes
    /// into them, for [`Buffer::taken`].
    #[inline]
    pub(super) fn take(&mut self, whole: usize, at: usize) -> usize {
        let place = self.start + at;
        self.start += whole;
        self.offset += whole as u64;
        place
    }

    /// `bytes` bytes of what was moved over last.
    #[inline]
    pub(super) fn taken(&self, place: usize, bytes: usize) -> &[u8] {
        self.bytes.get(place..place + bytes).unwrap_or_default()
    }

    /// Says that the next record is damaged.
    #[cold]
    pub(super) const fn damaged(&self, damage: Damage) -> Stop {
        Stop::End(End::Damaged {
            offset: self.offset,
            damage,
        })
    }

    #[cold]
    fn fill(&mut self, bytes: usize) -> Result<(), Stop> {
        self.bytes.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        if self.bytes.len() < bytes {
            self.bytes.resize(bytes, 0);
        }
        while self.end < bytes {
            let room = self.bytes.get_mut(self.end..).unwrap_or_default();
            match self.input.read(room) {
                Ok(0) => return Err(self.shortage(bytes)),
                Ok(read) => self.end += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if self.input.is_gzip_damage(&error) => {
                    return Err(self.gzip_damage(&error));
                }
                Err(error) => return Err(Stop::Read(error)),
            }
        }
        Ok(())
    }

    fn shortage(&self, needed: usize) -> Stop {
        let had = self.end - self.start;
        Stop::End(if had == 0 {
            End::Complete
        } else {
            End::Truncated {
                offset: self.offset,
                needed: needed as u64,
                had: had as u64,
            }
        })
    }

    fn gzip_damage(&self, error: &io::Error) -> Stop {
        let reason = if error.kind() == io::ErrorKind::UnexpectedEof {
            "the gzip stream is cut short".to_owned()
        } else {
            error.to_string()
        };
        Stop::End(End::Damaged {
            offset: self.offset + (self.end - self.start) as u64,
            damage: Damage::Gzip {
                position: self.input.position_bytes(),
                reason,
            },
        })
    }
}
