//! `BPF_MAP_LOOKUP_AND_DELETE_BATCH` (bpf(2), Linux 5.6), which aya has no call for.

use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd};

/// The command's number in `enum bpf_cmd` of `linux/bpf.h`.
const LOOKUP_AND_DELETE_BATCH: libc::c_int = 25;

/// Bytes of a peer's flow key and of its counts.
const KEY_BYTES: usize = 16;
const COUNTS_BYTES: usize = 56;

/// Entries of a call. More do not make it faster.
const ENTRIES: u32 = 1 << 16;

/// The part of `union bpf_attr` for batch commands.
#[derive(Default)]
#[repr(C)]
struct Attributes {
    in_batch: u64,
    out_batch: u64,
    keys: u64,
    values: u64,
    count: u32,
    map_fd: u32,
    elem_flags: u64,
    flags: u64,
}

/// Takes all entries out of a hash map, and adds up their packets.
///
/// # Errors
///
/// The kernel's.
pub(crate) fn drain(map: BorrowedFd<'_>) -> io::Result<Drained> {
    let mut keys = vec![[0_u8; KEY_BYTES]; ENTRIES as usize];
    let mut counts = vec![[0_u8; COUNTS_BYTES]; ENTRIES as usize];
    // Where the next call goes on: a bucket.
    let mut place: Option<u64> = None;
    let mut drained = Drained::default();
    loop {
        let mut next = 0_u64;
        let mut attributes = Attributes {
            in_batch: place.as_ref().map_or(0, address),
            out_batch: (&raw mut next).addr() as u64,
            keys: keys.as_mut_ptr().addr() as u64,
            values: counts.as_mut_ptr().addr() as u64,
            count: ENTRIES,
            map_fd: u32::try_from(map.as_raw_fd()).unwrap_or(u32::MAX),
            ..Attributes::default()
        };
        // SAFETY: the attributes are as long as is said, and every pointer in them is to memory that
        // outlives the call and has room for what the kernel writes there.
        let result = unsafe {
            libc::syscall(
                libc::SYS_bpf,
                LOOKUP_AND_DELETE_BATCH,
                &raw mut attributes,
                size_of::<Attributes>(),
            )
        };
        let error = io::Error::last_os_error();
        let is_last = result != 0 && error.raw_os_error() == Some(libc::ENOENT);
        if result != 0 && !is_last {
            return Err(error);
        }
        let taken = counts.get(..attributes.count as usize).unwrap_or_default();
        drained.flows += taken.len() as u64;
        for counts in taken {
            let packets = counts.first_chunk().copied().unwrap_or_default();
            drained.packets += u64::from_ne_bytes(packets);
        }
        if is_last {
            return Ok(drained);
        }
        place = Some(next);
    }
}

/// What was in a map.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Drained {
    pub(crate) flows: u64,
    pub(crate) packets: u64,
}

fn address(word: &u64) -> u64 {
    std::ptr::from_ref(word).addr() as u64
}
