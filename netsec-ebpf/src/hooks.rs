//! The hooks: one match from the engine's verdict to the kernel's action.

use aya_ebpf::bindings::xdp_action::XDP_PASS;
use aya_ebpf::helpers::generated::{bpf_get_smp_processor_id, bpf_jiffies64, bpf_ktime_get_ns};
use aya_ebpf::macros::{classifier, xdp};
use aya_ebpf::programs::{TcContext, XdpContext};
use aya_log_ebpf::debug;
use netsec_common::ABI_VERSION;
use netsec_common::config::ClockReading;
use netsec_common::engine::{Engine, Verdict};
use netsec_common::packet::{Frame, Start};
use netsec_common::ticks::Ticks;

use crate::maps::{self, Cpu};
use crate::packet::XdpBytes;

/// `TC_ACT_OK` of `linux/pkt_cls.h`.
const TC_ACT_OK: i32 = 0;

/// Every received frame.
#[xdp]
pub(crate) fn netsec(ctx: XdpContext) -> u32 {
    match run(&ctx) {
        Some(Verdict::Pass) => XDP_PASS,
        // A map without this CPU: nothing can be counted, and nothing may be dropped for it.
        None => XDP_PASS,
    }
}

#[inline(always)]
fn run(ctx: &XdpContext) -> Option<Verdict> {
    // SAFETY: takes no argument and cannot fail.
    let cpu = unsafe { bpf_get_smp_processor_id() };
    let config = maps::config();
    let row = maps::row(cpu)?;
    let control = maps::control()?;
    let bytes = XdpBytes::new(ctx);
    let share = Cpu::new(cpu, config);
    let frame = Frame {
        wire_bytes: bytes.len(),
        bytes: &bytes,
        start: Start::Ethernet,
    };
    let now = match control.injected() {
        Some(now) => now,
        None => clock(),
    };
    let engine = Engine {
        config,
        control,
        row,
        table: &share,
        samples: &share,
    };
    let verdict = engine.process(&frame, now);
    debug!(ctx, "frame of {} bytes on cpu {}", frame.wire_bytes, cpu);
    Some(verdict)
}

/// Jiffies: the one clock that costs nothing per packet.
#[inline(always)]
fn clock() -> Ticks {
    // SAFETY: takes no argument and cannot fail.
    Ticks(unsafe { bpf_jiffies64() } as u32)
}

/// Reads both clocks at one moment into the `CLOCK` map. User space runs it by
/// `BPF_PROG_TEST_RUN`; it is attached nowhere.
#[classifier]
pub(crate) fn netsec_clock(_ctx: TcContext) -> i32 {
    if let Some(reading) = maps::clock_reading() {
        let now = ClockReading {
            abi_version: ABI_VERSION,
            ticks: clock().0,
            // SAFETY: takes no argument and cannot fail.
            monotonic_ns: unsafe { bpf_ktime_get_ns() },
        };
        // SAFETY: the map value is a `ClockReading`; only a test run of this program writes it.
        unsafe { reading.write(now) };
    }
    TC_ACT_OK
}
