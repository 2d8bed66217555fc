//! A 64-bit word shared between its one writer in the kernel and readers in user space.

#[cfg(not(target_arch = "bpf"))]
use core::sync::atomic::{AtomicU8, AtomicU64, Ordering};

/// One aligned word, read and written whole.
///
/// On the host it is a relaxed atomic. For BPF up to the v3 instruction set LLVM has no relaxed
/// atomic loads, so there it is a volatile access, which the JIT compilers of 64-bit machines turn
/// into the same single instruction.
#[repr(transparent)]
pub struct Word(
    #[cfg(not(target_arch = "bpf"))] AtomicU64,
    #[cfg(target_arch = "bpf")] core::cell::UnsafeCell<u64>,
);

const _: () = assert!(size_of::<Word>() == 8 && align_of::<Word>() == 8);

#[cfg(not(target_arch = "bpf"))]
impl Word {
    /// A word at zero.
    #[inline(always)]
    #[must_use]
    pub const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Reads the word.
    #[inline(always)]
    #[must_use]
    pub fn load(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Writes the word.
    #[inline(always)]
    pub fn store(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }

    /// Adds to the word, which other CPUs may be doing as well.
    #[inline(always)]
    pub fn add(&self, amount: u64) {
        self.0.fetch_add(amount, Ordering::Relaxed);
    }
}

#[cfg(target_arch = "bpf")]
// SAFETY: every access is one aligned 64-bit load or store, which the kernel's CPUs do not tear.
unsafe impl Sync for Word {}

#[cfg(target_arch = "bpf")]
impl Word {
    /// A word at zero.
    #[inline(always)]
    #[must_use]
    pub const fn new() -> Self {
        Self(core::cell::UnsafeCell::new(0))
    }

    /// Reads the word.
    #[inline(always)]
    #[must_use]
    pub fn load(&self) -> u64 {
        // SAFETY: the cell is aligned, initialised and alive.
        unsafe { self.0.get().read_volatile() }
    }

    /// Writes the word.
    #[inline(always)]
    pub fn store(&self, value: u64) {
        // SAFETY: the cell is aligned and alive, and this CPU is its only writer.
        unsafe { self.0.get().write_volatile(value) }
    }

    /// Adds to the word, which other CPUs may be doing as well.
    #[inline(always)]
    pub fn add(&self, amount: u64) {
        // The compiler has no atomic additions for this target, because none of the first BPF version
        // gives a result; this one does not.
        // SAFETY: the cell is aligned, initialised and alive.
        unsafe {
            core::arch::asm!(
                "lock *(u64 *)({at} + 0) += {amount}",
                at = in(reg) self.0.get(),
                amount = in(reg) amount,
                options(nostack, preserves_flags),
            );
        }
    }
}

impl Default for Word {
    fn default() -> Self {
        Self::new()
    }
}

impl core::fmt::Debug for Word {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        core::fmt::Debug::fmt(&self.load(), f)
    }
}

/// A byte that the kernel sets and user space takes back.
#[repr(transparent)]
pub(crate) struct Mark(
    #[cfg(not(target_arch = "bpf"))] AtomicU8,
    #[cfg(target_arch = "bpf")] core::cell::UnsafeCell<u8>,
);

#[cfg(not(target_arch = "bpf"))]
impl Mark {
    /// Not set.
    #[inline(always)]
    pub(crate) const fn new() -> Self {
        Self(AtomicU8::new(0))
    }

    /// Sets it.
    #[inline(always)]
    pub(crate) fn set(&self) {
        self.0.store(1, Ordering::Relaxed);
    }

    /// Whether it was set; it is not any more. What was stored before it was set is seen by what is
    /// loaded from here on.
    #[inline(always)]
    pub(crate) fn take(&self) -> bool {
        self.0.load(Ordering::Relaxed) != 0 && self.0.swap(0, Ordering::SeqCst) != 0
    }
}

#[cfg(target_arch = "bpf")]
// SAFETY: every access is a load or store of one byte.
unsafe impl Sync for Mark {}

#[cfg(target_arch = "bpf")]
impl Mark {
    /// Not set.
    #[inline(always)]
    pub(crate) const fn new() -> Self {
        Self(core::cell::UnsafeCell::new(0))
    }

    /// Sets it.
    #[inline(always)]
    pub(crate) fn set(&self) {
        // SAFETY: the cell is alive.
        unsafe { self.0.get().write_volatile(1) }
    }
}

/// Orders this CPU's earlier stores before its later ones, for a reader on another CPU.
///
/// BPF has no store fence. x86-64 does not reorder stores, so there it is enough to keep the
/// compiler from it; on a weakly ordered CPU a reader could miss a torn slot.
#[inline(always)]
pub(crate) fn publish() {
    #[cfg(target_arch = "bpf")]
    core::sync::atomic::compiler_fence(core::sync::atomic::Ordering::SeqCst);
    #[cfg(not(target_arch = "bpf"))]
    core::sync::atomic::fence(Ordering::Release);
}

/// Orders this CPU's earlier loads before its later ones: the reader's half of [`publish`].
#[inline(always)]
pub(crate) fn observe() {
    #[cfg(target_arch = "bpf")]
    core::sync::atomic::compiler_fence(core::sync::atomic::Ordering::SeqCst);
    #[cfg(not(target_arch = "bpf"))]
    core::sync::atomic::fence(Ordering::Acquire);
}

/// The same number, of which the compiler knows nothing any more. No instruction at all.
///
/// Of a number known to be 0 or 1 it makes addresses by a bitwise or, which the verifiers of 5.10 and 6.1
/// do not follow; a sum they do.
#[inline(always)]
pub(crate) fn opaque(number: usize) -> usize {
    #[cfg(target_arch = "bpf")]
    {
        let mut number = number;
        // SAFETY: no instruction.
        unsafe {
            core::arch::asm!("/* {0} */", inout(reg) number, options(pure, nomem, nostack, preserves_flags));
        }
        number
    }
    #[cfg(not(target_arch = "bpf"))]
    number
}
