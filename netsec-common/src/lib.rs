//! netsec's packet engine and the ABI between its kernel and user sides.
//!
//! One generic `no_std` code, compiled to BPF for live traffic and to the host for replay, unit
//! tests, fuzzing and Miri. It reads no clock, allocates nothing and names no map: time, block
//! table, flow table, ledger and sample sink are passed in.
//!
//! Data passes through the modules in this order:
//!
//! 1. [`packet`]: frame bytes to a flow key, or the reason why there is none;
//! 2. [`block`]: whether it is dropped;
//! 3. [`flow`]: the set-associative flow cache;
//! 4. [`sample`]: header samples and when to take them;
//! 5. [`ledger`]: the counters, each with one reason;
//! 6. [`engine`]: the five put together, one call per frame;
//! 7. [`config`]: what user space tells the engine at load and while it runs.
//!
//! The feature `fixtures` adds frames with their expected outcome, for tests on the host and in the
//! kernel alike.
#![no_std]
#![cfg_attr(target_arch = "bpf", feature(asm_experimental_arch))]

#[cfg(any(test, feature = "fixtures"))]
extern crate alloc;

pub mod block;
pub mod config;
pub mod engine;
#[cfg(any(test, feature = "fixtures"))]
pub mod fixtures;
pub mod flow;
pub mod ledger;
pub mod packet;
pub mod sample;
pub mod ticks;
mod word;

pub use word::Word;

/// Version of every type shared by the kernel object and user space.
///
/// Raised whenever the size, layout or meaning of one of them changes; a loader refuses an object
/// whose version differs.
pub const ABI_VERSION: u32 = 6;
