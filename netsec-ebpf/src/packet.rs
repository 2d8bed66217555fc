//! The one place that touches packet memory.

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
        if at + N > self.end {
            return None;
        }
        // SAFETY: `at..at + N` lies inside `data..data_end`, as the verifier checks once more.
        Some(unsafe { (at as *const [u8; N]).read_unaligned() })
    }
}
