//! Bounds-checked access to a frame's bytes.

/// The bytes of a frame, wherever they are: a slice on the host, `data..data_end` in the kernel.
pub trait PacketBytes {
    /// Copies `N` bytes from `offset`, or `None` when the frame ends before.
    ///
    /// `offset` stays under 2¹⁶ in all callers, which the verifier wants to see.
    fn read<const N: usize>(&self, offset: usize) -> Option<[u8; N]>;
}

impl PacketBytes for [u8] {
    #[inline(always)]
    fn read<const N: usize>(&self, offset: usize) -> Option<[u8; N]> {
        self.get(offset..)?.first_chunk().copied()
    }
}

impl PacketBytes for &[u8] {
    #[inline(always)]
    fn read<const N: usize>(&self, offset: usize) -> Option<[u8; N]> {
        (**self).read(offset)
    }
}
