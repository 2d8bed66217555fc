//! The one place that touches packet memory.
//!
//! Sums and loads are written as instructions. The compiler takes BPF for a machine that cannot
//! read unaligned words, and would read 40 single bytes for an IPv6 header; the kernel allows
//! unaligned words in packets wherever the CPU does. The compiler also likes to move a bounds check
//! over to the other side of its comparison, and the verifier refuses arithmetic on `data_end`.

use core::arch::asm;

use netsec_common::packet::{HeaderBytes, OFFSET_LIMIT, PacketBytes};

/// `data..data_end` of a frame at a hook.
pub(crate) struct FrameBytes {
    start: usize,
    end: usize,
}

impl FrameBytes {
    #[inline(always)]
    pub(crate) const fn new(start: usize, end: usize) -> Self {
        Self { start, end }
    }

    #[inline(always)]
    pub(crate) fn len(&self) -> u32 {
        (self.end - self.start) as u32
    }
}

impl PacketBytes for FrameBytes {
    type Header<'a, const N: usize> = FrameHeader<N>;

    #[inline(always)]
    fn header<const N: usize>(&self, offset: usize) -> Option<FrameHeader<N>> {
        if offset > OFFSET_LIMIT {
            return None;
        }
        let at = self.start + offset;
        let mut past = at;
        // SAFETY: an addition.
        unsafe {
            asm!(
                "{past} += {n}",
                past = inout(reg) past,
                n = const N,
                options(pure, nomem, nostack, preserves_flags),
            );
        }
        (past <= self.end).then_some(FrameHeader { at })
    }

    #[inline(always)]
    fn merge<const BITS: u32>(&self, value: usize) -> usize {
        let mut zero = self.end;
        // A frame's length has no bits so high, but the verifier does not know: to it, the low bits
        // of the sum can be anything, whatever the value was. A sum, because before Linux 6.10 it
        // follows no other operation by a value that it does not know.
        // SAFETY: a subtraction and a shift.
        unsafe {
            asm!(
                "{zero} -= {start}",
                "{zero} >>= {shift}",
                zero = inout(reg) zero,
                start = in(reg) self.start,
                shift = const 64 - BITS,
                options(pure, nomem, nostack, preserves_flags),
            );
        }
        (value + zero) & ((1 << BITS) - 1)
    }

    #[inline(always)]
    fn settle(mut value: u64) -> u64 {
        // Without any instruction, two lines of the source would have the same place in the program,
        // which the kernel refuses.
        // SAFETY: a copy.
        unsafe {
            asm!("{0} = {0}", inout(reg) value, options(pure, nomem, nostack, preserves_flags));
        }
        value
    }
}

/// `N` bytes at an address that was checked against `data_end`.
#[derive(Clone, Copy)]
pub(crate) struct FrameHeader<const N: usize> {
    at: usize,
}

/// Loads one word of the named width, at a constant place in the header, into a `u64`.
macro_rules! field {
    ($header:expr, $width:literal, $bytes:literal) => {{
        const { assert!(AT + $bytes <= N, "the field lies inside the header") };
        let value: u64;
        // SAFETY: `at..at + N` lies inside the frame, as the verifier checks once more, and the
        // field inside of that.
        unsafe {
            asm!(
                concat!("{value} = *(", $width, " *)({at} + {offset})"),
                value = lateout(reg) value,
                at = in(reg) $header.at,
                offset = const AT,
                options(pure, readonly, nostack, preserves_flags),
            );
        }
        value
    }};
}

impl<const N: usize> HeaderBytes for FrameHeader<N> {
    #[inline(always)]
    fn byte<const AT: usize>(self) -> u8 {
        field!(self, "u8", 1) as u8
    }

    #[inline(always)]
    fn be16<const AT: usize>(self) -> u16 {
        u16::from_be(field!(self, "u16", 2) as u16)
    }

    #[inline(always)]
    fn word32<const AT: usize>(self) -> u32 {
        field!(self, "u32", 4) as u32
    }

    #[inline(always)]
    fn word64<const AT: usize>(self) -> u64 {
        field!(self, "u64", 8)
    }
}
