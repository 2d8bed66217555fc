//! Bounds-checked access to a frame's bytes.

/// Offsets from here on are refused: the kernel's verifier tracks a packet pointer only while its
/// variable part stays under 2¹⁶. Only crafted headers lie so deep.
pub const OFFSET_LIMIT: usize = 0x7fff;

/// The bytes of a frame, wherever they are: a slice on the host, `data..data_end` in the kernel.
pub trait PacketBytes {
    /// `N` bytes that lie inside the frame.
    type Header<'a, const N: usize>: HeaderBytes
    where
        Self: 'a;

    /// The `N` bytes from `offset`, or `None` when the frame ends before, or past [`OFFSET_LIMIT`].
    ///
    /// One bounds check serves all fields of a header.
    fn header<const N: usize>(&self, offset: usize) -> Option<Self::Header<'_, N>>;

    /// The same value, which is below 2 to the power of `BITS`.
    ///
    /// Where paths meet that came by different values, the verifier walks what follows once for each
    /// of them. The kernel's bytes make it forget the difference.
    #[inline(always)]
    fn merge<const BITS: u32>(&self, value: usize) -> usize {
        debug_assert!(value >> BITS == 0, "{value} has more than {BITS} bits");
        value
    }

    /// The same value, computed here.
    ///
    /// The compiler moves a sum to where it is needed. With a call in between, the kernel side would
    /// carry all its parts through the stack, which is small.
    #[inline(always)]
    #[must_use]
    fn settle(value: u64) -> u64 {
        value
    }
}

/// The fields of a header whose bounds were checked. A place beyond its end does not compile.
///
/// Fields are read where they lie: copied to an array first, they would pass through the BPF stack
/// in pieces of other sizes than they are read in, at ten cycles a piece.
pub trait HeaderBytes: Copy {
    /// The byte at `AT`.
    fn byte<const AT: usize>(self) -> u8;

    /// 16 bits at `AT` in network order, as a number.
    fn be16<const AT: usize>(self) -> u16;

    /// 32 bits at `AT` in memory order.
    fn word32<const AT: usize>(self) -> u32;

    /// 64 bits at `AT` in memory order.
    fn word64<const AT: usize>(self) -> u64;
}

/// A header in host memory.
#[derive(Clone, Copy, Debug)]
pub struct SliceHeader<'a, const N: usize>(&'a [u8; N]);

impl<const N: usize> SliceHeader<'_, N> {
    #[inline(always)]
    fn field<const AT: usize, const WIDTH: usize>(self) -> [u8; WIDTH] {
        const { assert!(AT + WIDTH <= N, "the field lies inside the header") };
        match self.0.split_at(AT).1.first_chunk() {
            Some(field) => *field,
            None => [0; WIDTH],
        }
    }
}

impl<const N: usize> HeaderBytes for SliceHeader<'_, N> {
    #[inline(always)]
    fn byte<const AT: usize>(self) -> u8 {
        let [byte] = self.field::<AT, 1>();
        byte
    }

    #[inline(always)]
    fn be16<const AT: usize>(self) -> u16 {
        u16::from_be_bytes(self.field::<AT, 2>())
    }

    #[inline(always)]
    fn word32<const AT: usize>(self) -> u32 {
        u32::from_ne_bytes(self.field::<AT, 4>())
    }

    #[inline(always)]
    fn word64<const AT: usize>(self) -> u64 {
        u64::from_ne_bytes(self.field::<AT, 8>())
    }
}

impl PacketBytes for &[u8] {
    type Header<'a, const N: usize>
        = SliceHeader<'a, N>
    where
        Self: 'a;

    #[inline(always)]
    fn header<const N: usize>(&self, offset: usize) -> Option<SliceHeader<'_, N>> {
        if offset > OFFSET_LIMIT {
            return None;
        }
        self.get(offset..)?.first_chunk().map(SliceHeader)
    }
}
