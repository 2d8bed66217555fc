//! Flow counters with a block list as others write them.

use core::arch::asm;

use aya_ebpf::bindings::xdp_action::{XDP_DROP, XDP_PASS};
use aya_ebpf::btf_maps::lpm_trie;
use aya_ebpf::btf_maps::{HashMap, LpmTrie, LruHashMap};
use aya_ebpf::helpers::generated::bpf_ktime_get_ns;
use aya_ebpf::macros::{btf_map, xdp};
use aya_ebpf::programs::XdpContext;

use crate::packet::{self, Key};

/// What is counted of a flow: 56 bytes.
#[repr(C)]
struct Counts {
    packets: u64,
    bytes: u64,
    first_ns: u64,
    last_ns: u64,
    reserved: [u64; 3],
}

/// User space sets the sizes.
#[btf_map]
static OBVIOUS_FLOWS: LruHashMap<Key, Counts, 1> = LruHashMap::new();
#[btf_map]
static GOOD_FLOWS: LruHashMap<Key, Counts, 1> = LruHashMap::new();
#[btf_map]
static HASH_FLOWS: HashMap<Key, Counts, 1> = HashMap::new();

/// Blocked prefixes.
#[btf_map]
static OBVIOUS_BLOCKED: LpmTrie<[u8; 4], u32, 1> = LpmTrie::new();
/// Blocked addresses.
#[btf_map]
static GOOD_BLOCKED: HashMap<u32, u32, 1> = HashMap::new();

/// Adds a packet to its flow in a map of either kind.
macro_rules! count {
    ($flows:ident, $key:expr, $bytes:expr) => {{
        // SAFETY: takes no argument and cannot fail.
        let now = unsafe { bpf_ktime_get_ns() };
        match $flows.get_ptr_mut(&$key) {
            // SAFETY: the map's value, which stays one for as long as the program runs.
            Some(counts) => unsafe { Counts::add(counts, $bytes, now) },
            None => {
                // Full, or taken by another CPU in between: the packet is not counted.
                let _lost = $flows.insert(&$key, Counts::new($bytes, now), 0);
            }
        }
    }};
}
/// The obvious program: prefixes in an LPM trie, flows in an LRU hash.
#[xdp]
pub(crate) fn obvious(ctx: XdpContext) -> u32 {
    let Some((key, bytes)) = packet::parse(&ctx) else {
        return XDP_PASS;
    };
    let source = lpm_trie::Key::new(32, key.source.to_ne_bytes());
    if OBVIOUS_BLOCKED.get(&source).is_some() {
        return XDP_DROP;
    }
    count!(OBVIOUS_FLOWS, key, bytes);
    XDP_PASS
}

/// A good program: addresses in a hash, flows in an LRU hash.
#[xdp]
pub(crate) fn good(ctx: XdpContext) -> u32 {
    let Some((key, bytes)) = packet::parse(&ctx) else {
        return XDP_PASS;
    };
    if GOOD_BLOCKED.get_ptr(key.source).is_some() {
        return XDP_DROP;
    }
    count!(GOOD_FLOWS, key, bytes);
    XDP_PASS
}

/// Flows in a hash that evicts nothing, for reading them.
#[xdp]
pub(crate) fn hash(ctx: XdpContext) -> u32 {
    if let Some((key, bytes)) = packet::parse(&ctx) {
        count!(HASH_FLOWS, key, bytes);
    }
    XDP_PASS
}

impl Counts {
    #[inline(always)]
    const fn new(bytes: u64, now: u64) -> Self {
        Self {
            packets: 1,
            bytes,
            first_ns: now,
            last_ns: now,
            reserved: [0; 3],
        }
    }

    /// Adds a packet to counts in a map, which other CPUs may be adding to.
    ///
    /// # Safety
    ///
    /// `counts` points to a map's value.
    #[inline(always)]
    unsafe fn add(counts: *mut Self, bytes: u64, now: u64) {
        // SAFETY: the fields are aligned words in the value. For this target the compiler knows no
        // atomic addition, so they are written as instructions.
        unsafe {
            add_word(&raw mut (*counts).packets, 1);
            add_word(&raw mut (*counts).bytes, bytes);
            (&raw mut (*counts).last_ns).write_volatile(now);
        }
    }
}

/// Adds to a word in one step.
///
/// # Safety
///
/// `word` is aligned and points into a map's value.
#[inline(always)]
unsafe fn add_word(word: *mut u64, amount: u64) {
    // SAFETY: as the caller promises.
    unsafe {
        asm!(
            "lock *(u64 *)({word} + 0) += {amount}",
            word = in(reg) word,
            amount = in(reg) amount,
            options(nostack, preserves_flags),
        );
    }
}
