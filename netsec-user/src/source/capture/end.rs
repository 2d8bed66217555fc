//! How a capture ended.

use thiserror::Error;

use super::FRAME_BYTES_MAX;
use super::ng::{BLOCK_BYTES_MAX, INTERFACES_MAX};

/// How a capture ended. All frames before the end were delivered, whatever the reason.
///
/// Offsets are bytes of the capture from 0; of the uncompressed one, if it is compressed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// After a whole record.
    Complete,
    /// In the middle of a record.
    Truncated {
        /// Where the record begins.
        offset: u64,
        /// Bytes that the record, or its header when not even that is whole, has to have.
        needed: u64,
        /// Bytes of it that are there; the file ends at `offset + had`.
        had: u64,
    },
    /// At a record that cannot be right, so that what follows cannot be found.
    Damaged {
        /// Where the record begins; for [`Damage::Gzip`] where the uncompressed data ends.
        offset: u64,
        /// What is wrong with it.
        damage: Damage,
    },
}

/// What is wrong with a record.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Damage {
    /// The frame is longer than any frame, or than the block it is in.
    #[error(
        "a frame of {bytes} bytes does not fit in its record (largest frame: {FRAME_BYTES_MAX})"
    )]
    FrameLength {
        /// The captured length as stated.
        bytes: u32,
    },
    /// The pcapng block is shorter than its fixed part, or absurdly long.
    #[error("a block of type {kind:#x} has {bytes} bytes (largest: {BLOCK_BYTES_MAX})")]
    BlockLength {
        /// The block's type.
        kind: u32,
        /// The total length as stated.
        bytes: u32,
    },
    /// The two lengths around a pcapng block differ.
    #[error("a block has {leading} bytes by the length before it, {trailing} by the one after it")]
    BlockTrailer {
        /// The length before the block.
        leading: u32,
        /// The length after the block.
        trailing: u32,
    },
    /// The pcapng section has a byte-order magic that is neither.
    #[error("a section's byte-order magic is {magic:#010x}, neither 0x1a2b3c4d nor 0x4d3c2b1a")]
    ByteOrder {
        /// The magic, read as little-endian.
        magic: u32,
    },
    /// The pcapng section is of a version that is not known.
    #[error("a section is of version {major}.{minor}, and only 1.0 and 1.2 are known")]
    Version {
        /// Major version.
        major: u16,
        /// Minor version.
        minor: u16,
    },
    /// The packet is of an interface that its pcapng section does not describe.
    #[error("a packet is of interface {interface}, but its section describes {described}")]
    Interface {
        /// The interface as stated, from 0.
        interface: u32,
        /// How many the section has described so far.
        described: usize,
    },
    /// The pcapng file describes more interfaces than any host has.
    #[error("more than {INTERFACES_MAX} interfaces are described")]
    Interfaces,
    /// The compressed data is cut or wrong.
    #[error("{reason}, at byte {position} of the compressed file")]
    Gzip {
        /// Bytes of the compressed file before the cut; after damage, where it was noticed.
        position: u64,
        /// What is wrong.
        reason: String,
    },
}

impl End {
    /// Whether everything that was captured is in the file.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        matches!(self, Self::Complete)
    }
}

impl std::fmt::Display for End {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Complete => f.write_str("complete"),
            Self::Truncated {
                offset,
                needed,
                had,
            } => write!(
                f,
                "cut short at byte {}: the record at byte {offset} needs {needed} bytes and has {had}; \
                 all frames before it were read",
                offset.saturating_add(*had)
            ),
            Self::Damaged { offset, damage } => write!(
                f,
                "damaged at byte {offset}: {damage}; all frames before it were read"
            ),
        }
    }
}
