//! What user space tells the engine: once at load, and while it runs.

use crate::ABI_VERSION;
use crate::block::BlockTime;
use crate::flow::MappedKeys;
use crate::sample::Sampling;
use crate::ticks::Ticks;
use crate::word::Word;

/// Fixed at load, read-only for the kernel, so that the verifier can drop what is switched off.
///
/// All zero means "not configured": every frame is then passed and counted as unaccounted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Config {
    /// [`ABI_VERSION`] of the user side.
    pub abi_version: u32,
    /// Sets per CPU minus one; the number of sets is a power of two.
    pub set_mask: u32,
    /// Number of CPUs with a share of the flow table.
    pub cpus: u32,
    /// Indices of the watched interfaces, zeros at the end: what they received and the host forwards
    /// is not counted again on its way out.
    pub watched: [u32; WATCHED_MAX],
    /// Keys of the flow hash (NH of RFC 4418), drawn anew at each load.
    pub hash_keys: [u32; 10],
    /// Zero.
    pub reserved: u32,
    /// What follows of `hash_keys` for IPv4.
    pub mapped_keys: MappedKeys,
}

const _: () = assert!(size_of::<Config>() == 104);

/// Most interfaces whose forwarded frames are told apart.
pub const WATCHED_MAX: usize = 8;

impl Config {
    /// For this ABI.
    #[must_use]
    pub const fn new(
        set_mask: u32,
        cpus: u32,
        watched: [u32; WATCHED_MAX],
        hash_keys: [u32; 10],
    ) -> Self {
        Self {
            abi_version: ABI_VERSION,
            set_mask,
            cpus,
            watched,
            hash_keys,
            reserved: 0,
            mapped_keys: MappedKeys::of(&hash_keys),
        }
    }

    /// Whether a frame that came in by the interface with this index has been counted there.
    #[inline(always)]
    #[must_use]
    pub fn is_watched(&self, interface: u32) -> bool {
        interface != 0 && self.watched.contains(&interface)
    }

    /// Whether user space wrote this configuration for this ABI.
    #[inline(always)]
    #[must_use]
    pub const fn is_current(&self) -> bool {
        self.abi_version == ABI_VERSION
    }

    /// The configuration as it stands in memory, for a loader.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; size_of::<Self>()] {
        let mut bytes = [0; size_of::<Self>()];
        let fields = [self.abi_version, self.set_mask, self.cpus];
        let words = fields.iter().chain(&self.watched).chain(&self.hash_keys);
        let words = words.chain([&self.reserved]).map(|word| word.to_ne_bytes());
        let (mapped_sum, factors) = self.mapped_keys.parts();
        let [a, b, c, d, e, f, g, h] = mapped_sum.to_ne_bytes();
        let mapped = [[a, b, c, d], [e, f, g, h]]
            .into_iter()
            .chain(factors.map(u32::to_ne_bytes));
        for (place, word) in bytes.chunks_exact_mut(4).zip(words.chain(mapped)) {
            place.copy_from_slice(&word);
        }
        bytes
    }
}

/// Changed while the engine runs, in a page shared with the kernel.
///
/// Each field is one word, so that every frame sees a consistent setting.
#[derive(Debug, Default)]
#[repr(C, align(64))]
pub struct Control {
    /// Mode in the high half, n in the low one.
    sampling: Word,
    snap_bytes: Word,
    /// [`INJECTED`] and the ticks, or zero for the kernel's own clock.
    time: Word,
    idle_ticks: Word,
    /// Time for the block table, when that is injected; zero for the kernel's own clock.
    block_time: Word,
    reserved: [Word; 3],
}

const _: () = assert!(size_of::<Control>() == 64);

const INJECTED: u64 = 1 << 32;

impl Control {
    /// The sampling in force.
    #[inline(always)]
    #[must_use]
    pub fn sampling(&self) -> Sampling {
        Sampling::from_abi(self.sampling.load())
    }

    /// Sets the sampling, from the next frame on.
    pub fn set_sampling(&self, sampling: Sampling) {
        self.sampling.store(sampling.to_abi());
    }

    /// Most bytes of a frame that a sample carries.
    #[inline(always)]
    #[must_use]
    pub fn snap_bytes(&self) -> u32 {
        (self.snap_bytes.load() & 0xffff_ffff) as u32
    }

    /// Sets the most bytes of a frame that a sample carries.
    pub fn set_snap_bytes(&self, bytes: u32) {
        self.snap_bytes.store(u64::from(bytes));
    }

    /// Ticks without a packet after which a flow ends; 0 is never.
    #[inline(always)]
    #[must_use]
    pub fn idle_ticks(&self) -> u32 {
        (self.idle_ticks.load() & 0xffff_ffff) as u32
    }

    /// Sets the ticks without a packet after which a flow ends; 0 is never.
    pub fn set_idle_ticks(&self, ticks: u32) {
        self.idle_ticks.store(u64::from(ticks));
    }

    /// The injected time, when there is one: capture time in place of the kernel's clock.
    #[inline(always)]
    #[must_use]
    pub fn injected(&self) -> Option<Ticks> {
        let time = self.time.load();
        (time & INJECTED != 0).then_some(Ticks((time & 0xffff_ffff) as u32))
    }

    /// Replaces the kernel's clock by `now`.
    pub fn inject(&self, now: Ticks) {
        self.time.store(INJECTED | u64::from(now.0));
    }

    /// The block table's injected time, when there is one.
    #[inline(always)]
    #[must_use]
    pub fn injected_block_time(&self) -> Option<BlockTime> {
        let time = BlockTime(self.block_time.load());
        (time != BlockTime(0)).then_some(time)
    }

    /// Replaces the block table's clock by `now`.
    pub fn inject_block_time(&self, now: BlockTime) {
        self.block_time.store(now.0);
    }
}

/// The kernel's two clocks read at one moment, by the `netsec_clock` program.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct ClockReading {
    /// [`ABI_VERSION`] of the kernel side.
    pub abi_version: u32,
    /// The engine's clock.
    pub ticks: u32,
    /// `CLOCK_MONOTONIC`, nanoseconds.
    pub monotonic_ns: u64,
    /// The block table's clock: jiffies, of which `ticks` are the low half.
    pub block_ticks: u64,
}

const _: () = assert!(size_of::<ClockReading>() == 24);

impl ClockReading {
    /// Reads what the kernel wrote.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; size_of::<Self>()]) -> Self {
        let [head, monotonic, block] = bytes.as_chunks::<8>().0 else {
            return Self::default();
        };
        let [a, b, c, d, e, f, g, h] = *head;
        Self {
            abi_version: u32::from_ne_bytes([a, b, c, d]),
            ticks: u32::from_ne_bytes([e, f, g, h]),
            monotonic_ns: u64::from_ne_bytes(*monotonic),
            block_ticks: u64::from_ne_bytes(*block),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_is_not_configured() {
        assert!(!Config::default().is_current());
        let control = Control::default();
        assert_eq!(control.sampling(), Sampling::Off);
        assert_eq!((control.snap_bytes(), control.injected()), (0, None));
        assert_eq!(control.idle_ticks(), 0);
        assert_eq!(control.injected_block_time(), None);
    }

    /// Each field at its offset, as the kernel reads the word.
    #[test]
    fn a_configuration_is_loaded_as_it_stands_in_memory() {
        let config = Config {
            abi_version: 1,
            set_mask: 2,
            cpus: 3,
            watched: [4, 5, 6, 7, 8, 9, 10, 11],
            hash_keys: [12, 13, 14, 15, 16, 17, 18, 19, 20, 21],
            reserved: 22,
            mapped_keys: MappedKeys::of(&[0, 0, 3, 0, 5, 7, 4, 0, 0, 0]),
        };
        let bytes = config.to_bytes();
        let (head, mapped) = bytes.as_chunks().0.split_at(22);
        let expected: [u32; 22] = core::array::from_fn(|n| u32::try_from(n).unwrap() + 1);
        assert_eq!(head, expected.map(u32::to_ne_bytes));
        let [low, high, source, destination] = mapped else {
            panic!("{} words", mapped.len());
        };
        assert_eq!([*low, *high].concat(), 35_u64.to_ne_bytes());
        assert_eq!(*source, [3, 0, 0xff, 0xff]);
        assert_eq!(*destination, [4, 0, 0xff, 0xff]);
        assert_eq!(core::mem::offset_of!(Config, mapped_keys), 88);
        assert_eq!(core::mem::offset_of!(Config, cpus), 8);
        assert_eq!(core::mem::offset_of!(Config, hash_keys), 44);
        assert!(config.is_watched(11) && !config.is_watched(12));
        assert!(!Config::default().is_watched(0), "not forwarded");
    }

    #[test]
    fn settings_do_not_touch_one_another() {
        let control = Control::default();
        control.set_sampling(Sampling::OneIn(u32::MAX));
        control.set_snap_bytes(u32::MAX);
        for now in [0, 5, u32::MAX] {
            control.inject(Ticks(now));
            assert_eq!(control.injected(), Some(Ticks(now)));
        }
        assert_eq!(control.idle_ticks(), 0);
        control.set_idle_ticks(u32::MAX - 1);
        assert_eq!(control.sampling(), Sampling::OneIn(u32::MAX));
        assert_eq!(control.snap_bytes(), u32::MAX);
        assert_eq!(control.idle_ticks(), u32::MAX - 1);
        assert_eq!(control.injected(), Some(Ticks(u32::MAX)));
        control.inject_block_time(BlockTime(u64::MAX));
        assert_eq!(control.injected_block_time(), Some(BlockTime(u64::MAX)));
        assert_eq!(control.injected(), Some(Ticks(u32::MAX)));
    }

    #[test]
    fn a_clock_reading_is_read_as_it_was_written() {
        let mut bytes = [0; 24];
        bytes[..4].copy_from_slice(&7_u32.to_ne_bytes());
        bytes[4..8].copy_from_slice(&8_u32.to_ne_bytes());
        bytes[8..16].copy_from_slice(&9_u64.to_ne_bytes());
        bytes[16..].copy_from_slice(&10_u64.to_ne_bytes());
        let expected = ClockReading {
            abi_version: 7,
            ticks: 8,
            monotonic_ns: 9,
            block_ticks: 10,
        };
        assert_eq!(ClockReading::from_bytes(&bytes), expected);
    }
}
