//! The maps, and the engine's view of them.

use core::arch::asm;

use aya_ebpf::bindings::{BPF_F_MMAPABLE, BPF_RB_NO_WAKEUP};
use aya_ebpf::btf_maps::{Array, ArrayOfMaps, RingBuf};
use aya_ebpf::helpers::generated::{bpf_get_smp_processor_id, bpf_jiffies64, bpf_ktime_get_ns};
use aya_ebpf::macros::btf_map;
use netsec_common::config::{ClockReading, Config, Control, WATCHED_MAX};
use netsec_common::engine::Rest;
use netsec_common::flow::{FlowRecord, FlowSet, FlowTable, MappedKeys, WAYS};
use netsec_common::ledger::Row;
use netsec_common::packet::{Frame, HeaderBytes as _, PacketBytes};
use netsec_common::sample::{Delivery, Fate, SampleHeader, SampleSink};
use netsec_common::ticks::Ticks;

use crate::packet::FrameBytes;

/// User space replaces sizes and ring buffers; these hold for the object as compiled.
const TEMPLATE_RING_BYTES: usize = 4096;
pub(crate) const MMAPABLE: usize = BPF_F_MMAPABLE as usize;
const NO_WAKEUP: u64 = BPF_RB_NO_WAKEUP as u64;

/// Read-only for the kernel: user space writes it before the object is loaded.
#[unsafe(no_mangle)]
static CONFIG: Config = Config {
    abi_version: 0,
    set_mask: 0,
    cpus: 0,
    watched: [0; WATCHED_MAX],
    hash_keys: [0; 10],
    reserved: 0,
    mapped_keys: MappedKeys::of(&[0; 10]),
};

#[btf_map]
static CONTROL: Array<Control, 1, MMAPABLE> = Array::new();

#[btf_map]
static CLOCK: Array<ClockReading, 1> = Array::new();

#[btf_map]
static LEDGER: Array<Row, 1, MMAPABLE> = Array::new();

#[btf_map]
static FLOWS: Array<FlowSet, 1, MMAPABLE> = Array::new();

#[btf_map]
static RECORDS: ArrayOfMaps<RingBuf<FlowRecord, TEMPLATE_RING_BYTES>, 1> = ArrayOfMaps::new();

#[btf_map]
static PACKETS: ArrayOfMaps<RingBuf<SampleHeader, TEMPLATE_RING_BYTES>, 1> = ArrayOfMaps::new();

/// The configuration where it lies: a copy of the hash keys would not fit in registers.
#[inline(always)]
pub(crate) fn config() -> &'static Config {
    let mut config = &raw const CONFIG;
    // SAFETY: no instruction at all, but the compiler may not conclude what user space wrote from
    // what stands above; the address is that of a static.
    unsafe {
        asm!("/* {0} */", inout(reg) config, options(pure, nomem, nostack, preserves_flags));
        &*config
    }
}

#[inline(always)]
pub(crate) fn control() -> Option<&'static Control> {
    CONTROL.get(0)
}

#[inline(always)]
pub(crate) fn row(cpu: u32) -> Option<&'static Row> {
    LEDGER.get(cpu)
}

#[inline(always)]
pub(crate) fn clock_reading() -> Option<*mut ClockReading> {
    CLOCK.get_ptr_mut(0)
}

/// One CPU's share of the maps; with `TUNNELS`, flows in tunnels are among those of the table.
pub(crate) struct Cpu<const TUNNELS: bool> {
    number: u32,
    first_set: u32,
}

impl<const TUNNELS: bool> Cpu<TUNNELS> {
    /// Of the CPU that the program runs on.
    #[inline(always)]
    pub(crate) fn new(config: &Config) -> Self {
        let number = cpu();
        Self {
            number,
            first_set: number * (config.set_mask + 1),
        }
    }

    /// What else the engine needs, and the time; `None` when a map lacks this CPU.
    #[inline(always)]
    pub(crate) fn rest(&self) -> Option<Rest<'static>> {
        let control = control()?;
        let row = row(self.number)?;
        let now = match control.injected() {
            Some(now) => now,
            None => Ticks(jiffies() as u32),
        };
        Some((control, row, now))
    }
}

/// The CPU that the program runs on.
#[inline(always)]
pub(crate) fn cpu() -> u32 {
    // SAFETY: takes no argument and cannot fail.
    unsafe { bpf_get_smp_processor_id() }
}

/// Jiffies: the one clock that costs nothing per packet.
#[inline(always)]
pub(crate) fn jiffies() -> u64 {
    // SAFETY: takes no argument and cannot fail.
    unsafe { bpf_jiffies64() }
}

impl<const TUNNELS: bool> FlowTable for Cpu<TUNNELS> {
    const TUNNELS: bool = TUNNELS;

    #[inline(always)]
    fn set(&self, index: u32) -> Option<&FlowSet> {
        FLOWS.get(self.first_set + index)
    }

    #[inline(always)]
    fn first_slot(&self) -> u32 {
        self.first_set * WAYS as u32
    }

    #[inline(always)]
    fn export(&self, record: &FlowRecord) -> Delivery {
        let Some(mut entry) = RECORDS
            .get(self.number)
            .and_then(|ring| ring.reserve_untyped::<FlowRecord>(0))
        else {
            return Delivery::Lost;
        };
        entry.write(*record);
        entry.submit(NO_WAKEUP);
        Delivery::Sent
    }
}

/// Ring records come in a few fixed sizes, because the verifier wants to know each at load.
#[repr(C)]
struct Sample<const BYTES: usize> {
    header: SampleHeader,
    bytes: [u8; BYTES],
}

impl<const TUNNELS: bool> SampleSink<FrameBytes> for Cpu<TUNNELS> {
    #[inline(always)]
    fn sample(&self, frame: &Frame<'_, FrameBytes>, captured: u32, fate: Fate) -> Delivery {
        match captured {
            0..=64 => self.sample_sized::<64>(frame, captured, fate),
            65..=192 => self.sample_sized::<192>(frame, captured, fate),
            _ => self.sample_sized::<384>(frame, captured.min(384), fate),
        }
    }
}

impl<const TUNNELS: bool> Cpu<TUNNELS> {
    #[inline(always)]
    fn sample_sized<const BYTES: usize>(
        &self,
        frame: &Frame<'_, FrameBytes>,
        captured: u32,
        fate: Fate,
    ) -> Delivery {
        let Some(mut entry) = PACKETS
            .get(self.number)
            .and_then(|ring| ring.reserve_untyped::<Sample<BYTES>>(0))
        else {
            return Delivery::Lost;
        };
        let sample = entry.as_mut_ptr();
        // SAFETY: `sample` points to a reserved record of this type that nobody else sees yet.
        unsafe {
            (&raw mut (*sample).header).write(SampleHeader::new(
                bpf_ktime_get_ns(),
                frame.wire_bytes,
                frame.start,
                captured,
                fate,
            ));
            copy(frame.bytes, captured as usize, &mut (*sample).bytes);
        }
        entry.submit(NO_WAKEUP);
        Delivery::Sent
    }
}

/// Copies the first `length` bytes, rounded up to whole words where the frame has them.
///
/// `bpf_xdp_load_bytes` would do it on 5.18 and later; the oldest supported kernel is 5.10. Every
/// place written is bounded by `BYTES` alone: the verifier does not remember what the compiler
/// knows of `length`.
#[inline(always)]
fn copy<const BYTES: usize>(from: &FrameBytes, length: usize, to: &mut [u8; BYTES]) {
    for (index, word) in to.as_chunks_mut::<8>().0.iter_mut().enumerate() {
        let at = index * 8;
        if at >= length {
            return;
        }
        match from.header::<8>(at) {
            Some(bytes) => *word = bytes.word64::<0>().to_ne_bytes(),
            // The verifier does not take a check of the frame's first byte alone.
            None if at == 0 => return,
            None => return copy_end(from, at, word),
        }
    }
}

/// Copies what the frame has of its last, partial word: four, two and one bytes.
#[inline(always)]
fn copy_end(from: &FrameBytes, at: usize, word: &mut [u8; 8]) {
    let [w0, w1, w2, w3, w4, w5, w6, _] = word;
    match from.header::<4>(at) {
        Some(four) => {
            [*w0, *w1, *w2, *w3] = four.word32::<0>().to_ne_bytes();
            copy_pair(from, at + 4, [w4, w5, w6]);
        }
        None => copy_pair(from, at, [w0, w1, w2]),
    }
}

#[inline(always)]
fn copy_pair(from: &FrameBytes, at: usize, [b0, b1, b2]: [&mut u8; 3]) {
    match from.header::<2>(at) {
        Some(two) => {
            [*b0, *b1] = two.be16::<0>().to_be_bytes();
            if let Some(one) = from.header::<1>(at + 2) {
                *b2 = one.byte::<0>();
            }
        }
        None => {
            if let Some(one) = from.header::<1>(at) {
                *b0 = one.byte::<0>();
            }
        }
    }
}
