//! The hooks: one match from the engine's verdict to the kernel's action.

use aya_ebpf::bindings::xdp_action::{XDP_DROP, XDP_PASS};
use aya_ebpf::helpers::generated::{bpf_get_smp_processor_id, bpf_jiffies64, bpf_ktime_get_ns};
use aya_ebpf::macros::{classifier, xdp};
use aya_ebpf::programs::{TcContext, XdpContext};
use aya_log_ebpf::debug;
use netsec_common::ABI_VERSION;
use netsec_common::block::{BlockTable, BlockTime};
use netsec_common::config::{ClockReading, Config, Control};
use netsec_common::engine::{Engine, Verdict};
use netsec_common::packet::{Frame, Start};
use netsec_common::ticks::Ticks;

use crate::inner::{Hook, Receiving, Sending};
use crate::maps::{self, Blocks, Cpu};
use crate::packet::FrameBytes;

/// `TC_ACT_UNSPEC` of `linux/pkt_cls.h`, also `TCX_NEXT`: the next program decides.
const TC_ACT_UNSPEC: i32 = -1;

/// Bytes that hold every header the engine reads in all but odd frames.
const HEADERS_BYTES: u32 = 128;

/// The same with those in two tunnels.
const INNER_HEADERS_BYTES: u32 = 384;

/// Every received frame.
#[xdp]
pub(crate) fn netsec(ctx: XdpContext) -> u32 {
    ingress::<false>(&ctx)
}

/// Every received frame, and what is in its tunnels.
#[xdp]
pub(crate) fn netsec_inner(ctx: XdpContext) -> u32 {
    ingress::<true>(&ctx)
}

#[inline(always)]
fn ingress<const INNER: bool>(ctx: &XdpContext) -> u32 {
    let bytes = FrameBytes::new(ctx.data(), ctx.data_end());
    let frame = Frame {
        wire_bytes: bytes.len(),
        bytes: &bytes,
        start: Start::Ethernet,
        counted_before: false,
    };
    let Some(control) = maps::control() else {
        return XDP_PASS;
    };
    let blocks = Blocks {
        now: match control.injected_block_time() {
            Some(now) => now,
            None => BlockTime(jiffies()),
        },
        cpu: cpu(),
    };
    let hook = Receiving(ctx.ctx);
    match run::<INNER>(&frame, maps::config(), control, &blocks, hook) {
        Some(Verdict::Pass) => {
            debug!(ctx, "frame of {} bytes", frame.wire_bytes);
            XDP_PASS
        }
        // A live entry of the block table matched, the allowlist did not, and blocks are enforced.
        Some(Verdict::Drop) => XDP_DROP,
        // A map without this CPU: nothing can be counted, and nothing may be dropped for it.
        None => XDP_PASS,
    }
}

/// Every sent frame.
#[classifier]
pub(crate) fn netsec_egress(ctx: TcContext) -> i32 {
    egress::<false>(&ctx)
}

/// Every sent frame, and what is in its tunnels.
#[classifier]
pub(crate) fn netsec_egress_inner(ctx: TcContext) -> i32 {
    egress::<true>(&ctx)
}

#[inline(always)]
fn egress<const INNER: bool>(ctx: &TcContext) -> i32 {
    let wire_bytes = ctx.len();
    let headers_bytes = if INNER {
        INNER_HEADERS_BYTES
    } else {
        HEADERS_BYTES
    };
    // Parts of a frame can lie in other pages. A failure leaves the frame as it is, and the parser
    // counts what it misses.
    if ctx.data_end() - ctx.data() < wire_bytes.min(headers_bytes) as usize {
        let _pulled = ctx.pull_data(wire_bytes.min(headers_bytes));
    }
    let bytes = FrameBytes::new(ctx.data(), ctx.data_end());
    let skb = ctx.skb.skb;
    // SAFETY: fields of the context, which is valid while the program runs.
    let (tagged, tag, from) =
        unsafe { ((*skb).vlan_present, (*skb).vlan_tci, (*skb).ingress_ifindex) };
    let config = maps::config();
    let frame = Frame {
        wire_bytes,
        bytes: &bytes,
        start: if tagged == 0 {
            Start::Ethernet
        } else {
            Start::Tagged { tag: tag as u16 }
        },
        counted_before: config.is_watched(from),
    };
    let Some(control) = maps::control() else {
        return TC_ACT_UNSPEC;
    };
    let hook = Sending(skb, frame.start);
    match run::<INNER>(&frame, config, control, &None::<Blocks>, hook) {
        // Without a block table nothing is dropped: what the host itself sends is not netsec's to stop.
        Some(Verdict::Pass | Verdict::Drop) | None => TC_ACT_UNSPEC,
    }
}

#[inline(always)]
fn run<const INNER: bool>(
    frame: &Frame<'_, FrameBytes>,
    config: &Config,
    control: &Control,
    blocks: &impl BlockTable,
    hook: impl Hook,
) -> Option<Verdict> {
    let cpu = cpu();
    let row = maps::row(cpu)?;
    let share = Cpu::<INNER>::new(cpu, config);
    let now = match control.injected() {
        Some(now) => now,
        None => clock(),
    };
    let engine = Engine {
        config,
        control,
        row,
        table: &share,
        blocks,
        samples: &share,
    };
    Some(if INNER {
        engine.process_through(frame, now, &hook.tunnels(now))
    } else {
        engine.process(frame, now)
    })
}

#[inline(always)]
pub(crate) fn cpu() -> u32 {
    // SAFETY: takes no argument and cannot fail.
    unsafe { bpf_get_smp_processor_id() }
}

/// Jiffies: the one clock that costs nothing per packet.
#[inline(always)]
fn clock() -> Ticks {
    Ticks(jiffies() as u32)
}

#[inline(always)]
fn jiffies() -> u64 {
    // SAFETY: takes no argument and cannot fail.
    unsafe { bpf_jiffies64() }
}

/// Reads both clocks at one moment into the `CLOCK` map. User space runs it by
/// `BPF_PROG_TEST_RUN`; it is attached nowhere.
#[classifier]
pub(crate) fn netsec_clock(_ctx: TcContext) -> i32 {
    if let Some(reading) = maps::clock_reading() {
        let block_ticks = jiffies();
        let now = ClockReading {
            abi_version: ABI_VERSION,
            ticks: block_ticks as u32,
            // SAFETY: takes no argument and cannot fail.
            monotonic_ns: unsafe { bpf_ktime_get_ns() },
            block_ticks,
        };
        // SAFETY: the map value is a `ClockReading`; only a test run of this program writes it.
        unsafe { reading.write(now) };
    }
    TC_ACT_UNSPEC
}
