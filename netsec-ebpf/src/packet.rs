//! The one place that touches packet memory.
//!
//! Sums and loads are written as instructions. The compiler takes BPF for a machine that cannot
//! read unaligned words, and would read 40 single bytes for an IPv6 header; the kernel allows
//! unaligned words in packets wherever the CPU does. The compiler also likes to move a bounds check
//! over to the other side of its comparison, and the verifier refuses arithmetic on `data_end`.

use core::arch::asm;

use aya_ebpf::programs::XdpContext;
use netsec_common::packet::PacketBytes;

/// `data..data_end` of a frame at the XDP hook.
pub(crate) struct XdpBytes {
    start: usize,
    end: usize,
}

/// Offsets from here on are refused before they reach the verifier, which tracks a packet pointer
/// only while its variable part stays under 2¹⁶. No header the engine reads lies so deep.
const OFFSET_LIMIT: usize = 0x7fff;

impl XdpBytes {
    #[inline(always)]
    pub(crate) fn new(ctx: &XdpContext) -> Self {
        Self {
            start: ctx.data(),
            end: ctx.data_end(),
        }
    }

    #[inline(always)]
    pub(crate) fn len(&self) -> u32 {
        (self.end - self.start) as u32
    }
}

impl PacketBytes for XdpBytes {
    #[inline(always)]
    fn read<const N: usize>(&self, offset: usize) -> Option<[u8; N]> {
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
        if past > self.end {
            return None;
        }
        // SAFETY: `at..at + N` lies inside `data..data_end`, as the verifier checks once more.
        Some(unsafe { load(at) })
    }
}

/// Loads one word of the named width into a `u64`.
macro_rules! word {
    ($width:literal, $at:expr) => {{
        let value: u64;
        asm!(
            concat!("{value} = *(", $width, " *)({at} + 0)"),
            value = lateout(reg) value,
            at = in(reg) $at,
            options(pure, readonly, nostack, preserves_flags),
        );
        value
    }};
}

/// Reads `N` bytes in words as large as possible.
///
/// # Safety
///
/// `at..at + N` is readable.
#[inline(always)]
unsafe fn load<const N: usize>(mut at: usize) -> [u8; N] {
    let mut bytes = [0; N];
    let (words, rest) = bytes.as_chunks_mut::<8>();
    let (halves, rest) = rest.as_chunks_mut::<4>();
    let (quarters, rest) = rest.as_chunks_mut::<2>();
    for word in words {
        // SAFETY: the caller's promise; `at` moves with the place written, which ends after `N`.
        *word = unsafe { word!("u64", at) }.to_ne_bytes();
        at += 8;
    }
    for half in halves {
        // SAFETY: as above.
        *half = (unsafe { word!("u32", at) } as u32).to_ne_bytes();
        at += 4;
    }
    for quarter in quarters {
        // SAFETY: as above.
        *quarter = (unsafe { word!("u16", at) } as u16).to_ne_bytes();
        at += 2;
    }
    for byte in rest {
        // SAFETY: as above.
        *byte = unsafe { word!("u8", at) } as u8;
        at += 1;
    }
    bytes
}
