//! Byte order of a capture, which is that of the machine that wrote it.

use std::array;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Little,
    Big,
}

impl Order {
    #[inline]
    pub(super) const fn u16(self, bytes: [u8; 2]) -> u16 {
        match self {
            Self::Little => u16::from_le_bytes(bytes),
            Self::Big => u16::from_be_bytes(bytes),
        }
    }

    #[inline]
    pub(super) const fn u32(self, bytes: [u8; 4]) -> u32 {
        match self {
            Self::Little => u32::from_le_bytes(bytes),
            Self::Big => u32::from_be_bytes(bytes),
        }
    }

    pub(super) const fn i64(self, bytes: [u8; 8]) -> i64 {
        match self {
            Self::Little => i64::from_le_bytes(bytes),
            Self::Big => i64::from_be_bytes(bytes),
        }
    }

    /// A header's bytes as 32-bit words.
    #[inline]
    pub(super) fn words<const WORDS: usize, const BYTES: usize>(
        self,
        bytes: &[u8; BYTES],
    ) -> [u32; WORDS] {
        const { assert!(BYTES == 4 * WORDS) };
        let (words, _) = bytes.as_chunks::<4>();
        array::from_fn(|i| words.get(i).map_or(0, |word| self.u32(*word)))
    }
}
