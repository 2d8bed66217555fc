//! A BPF array map in this process's memory.

use std::io;
use std::marker::PhantomData;
use std::num::NonZeroUsize;
use std::os::fd::AsFd;
use std::ptr::NonNull;

use netsec_common::Word;
use netsec_common::block::{Aside, BlockControl, Bucket, EntrySlot};
use netsec_common::config::Control;
use netsec_common::flow::FlowSet;
use netsec_common::ledger::Row;
use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};

/// What can be shared with the kernel: types made of [`Word`](netsec_common::Word) alone.
///
/// # Safety
///
/// Every bit pattern is a value, all access goes through atomics, and the size is a multiple of
/// eight, so that array elements lie without gaps.
pub(super) unsafe trait SharedEntry {}

// SAFETY: an array of `Word`.
unsafe impl SharedEntry for Control {}
// SAFETY: an array of `Word`.
unsafe impl SharedEntry for Row {}
// SAFETY: an array of slots, each an array of `Word`.
unsafe impl SharedEntry for FlowSet {}
// SAFETY: `Word` itself.
unsafe impl SharedEntry for Word {}
// SAFETY: made of `Word`s.
unsafe impl SharedEntry for BlockControl {}
// SAFETY: made of `Word`s.
unsafe impl SharedEntry for Bucket {}
// SAFETY: made of `Word`s.
unsafe impl SharedEntry for EntrySlot {}
// SAFETY: three `Word`s, 24 bytes.
unsafe impl SharedEntry for Aside {}

/// All elements of a `BPF_F_MMAPABLE` array.
pub(super) struct Shared<T> {
    start: NonNull<T>,
    entries: usize,
    mapped_bytes: NonZeroUsize,
    _entries: PhantomData<T>,
}

// SAFETY: the mapping belongs to no thread, and its elements are atomics.
unsafe impl<T: SharedEntry> Send for Shared<T> {}

impl<T: SharedEntry> Shared<T> {
    /// Maps the first `entries` elements of an array.
    pub(super) fn map(array: impl AsFd, entries: usize, protection: ProtFlags) -> io::Result<Self> {
        let bytes = entries
            .checked_mul(size_of::<T>())
            .and_then(|bytes| bytes.checked_next_multiple_of(PAGE_BYTES))
            .and_then(NonZeroUsize::new)
            .ok_or(io::ErrorKind::InvalidInput)?;
        // SAFETY: a new mapping at an address of the kernel's choice; the kernel refuses a length
        // beyond the array.
        let start = unsafe { mmap(None, bytes, protection, MapFlags::MAP_SHARED, array, 0) }?;
        Ok(Self {
            start: start.cast(),
            entries,
            mapped_bytes: bytes,
            _entries: PhantomData,
        })
    }

    /// The first element; there is one, or nothing could be mapped.
    pub(super) const fn first(&self) -> &T {
        // SAFETY: as for `as_slice`; a mapping of no element is refused.
        unsafe { self.start.as_ref() }
    }

    pub(super) const fn as_slice(&self) -> &[T] {
        // SAFETY: the mapping holds `entries` elements, page-aligned and initialised by the kernel,
        // for as long as `self` lives; `SharedEntry` says that others may write to them meanwhile.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.entries) }
    }
}

/// The kernel rounds the length up to its page size; a larger page only makes this smaller than
/// what is mapped.
const PAGE_BYTES: usize = 4096;

impl<T> Drop for Shared<T> {
    fn drop(&mut self) {
        // SAFETY: `start` and `mapped_bytes` are those of the mapping, and no slice outlives `self`.
        let unmapped = unsafe { munmap(self.start.cast(), self.mapped_bytes.get()) };
        debug_assert!(unmapped.is_ok(), "a mapping of our own can be unmapped");
    }
}
