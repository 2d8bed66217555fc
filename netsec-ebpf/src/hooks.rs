//! The hooks: one match from the engine's verdict to the kernel's action.

use aya_ebpf::bindings::xdp_action::{XDP_ABORTED, XDP_DROP, XDP_PASS};
use aya_ebpf::bindings::{__sk_buff, xdp_md};
use aya_ebpf::helpers::generated::bpf_ktime_get_ns;
use aya_ebpf::macros::{classifier, xdp};
use aya_ebpf::programs::{TcContext, XdpContext};
use aya_log_ebpf::debug;
use netsec_common::ABI_VERSION;
use netsec_common::block::BlockTable;
use netsec_common::config::{ClockReading, Config};
use netsec_common::engine::{Engine, Verdict, process_known_v4, process_known_v6};
use netsec_common::packet::{Frame, HeaderBytes as _, PacketBytes as _, Start};

use crate::blocks::{Blocks, Filter, block_time};
use crate::inner::{Hook, Receiving, Sending};
use crate::maps::{self, Cpu};
use crate::packet::FrameBytes;

/// `TC_ACT_UNSPEC` of `linux/pkt_cls.h`, also `TCX_NEXT`: the next program decides.
const TC_ACT_UNSPEC: i32 = -1;

/// A short way left the frame alone: `XDP_ABORTED`, which netsec never answers.
const NOT_TAKEN: u32 = XDP_ABORTED;

/// Bytes that hold every header the engine reads in all but odd frames.
const HEADERS_BYTES: u32 = 128;

/// The same with those in two tunnels.
const INNER_HEADERS_BYTES: u32 = 384;

/// Every received frame. Nearly all go one of the short ways.
#[xdp]
pub(crate) fn netsec(ctx: XdpContext) -> u32 {
    let mut action = netsec_v4(ctx.ctx);
    if action == NOT_TAKEN && !is_v4(ctx.data(), ctx.data_end()) {
        action = netsec_v6(ctx.ctx);
    }
    if action == NOT_TAKEN {
        action = netsec_any(ctx.ctx);
    }
    action
}

/// Every received frame, and what is in its tunnels.
#[xdp]
pub(crate) fn netsec_inner(ctx: XdpContext) -> u32 {
    ingress::<true>(&ctx)
}

/// The short way of IPv4: an action, or [`NOT_TAKEN`]. A function, so that its stack is not held while
/// the long way runs: one after the other and rounded up, as older kernels do, they exceed 512 bytes.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn netsec_v4(ctx: *mut xdp_md) -> u32 {
    let ctx = XdpContext::new(ctx);
    let bytes = FrameBytes::new(ctx.data(), ctx.data_end());
    let cpu = Cpu::<false>::new(maps::config());
    let rest = || cpu.rest();
    action(process_known_v4(
        &received(&bytes),
        maps::config(),
        &cpu,
        &Filter,
        rest,
    ))
}

/// The short way of IPv6; as [`netsec_v4`].
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn netsec_v6(ctx: *mut xdp_md) -> u32 {
    let ctx = XdpContext::new(ctx);
    let bytes = FrameBytes::new(ctx.data(), ctx.data_end());
    let cpu = Cpu::<false>::new(maps::config());
    let rest = || cpu.rest();
    action(process_known_v6(
        &received(&bytes),
        maps::config(),
        &cpu,
        &Filter,
        rest,
    ))
}

/// What a short way's verdict means to XDP.
#[inline(always)]
const fn action(verdict: Option<Verdict>) -> u32 {
    match verdict {
        Some(Verdict::Pass) => XDP_PASS,
        Some(Verdict::Drop) => XDP_DROP,
        None => NOT_TAKEN,
    }
}

/// Whether a frame is seen at once to be IPv4, so that the short way of IPv6 is not for it.
#[inline(always)]
fn is_v4(start: usize, end: usize) -> bool {
    FrameBytes::new(start, end)
        .header::<14>(0)
        .is_some_and(|header| header.be16::<12>() == 0x0800)
}

/// What XDP gives of a frame.
#[inline(always)]
fn received(bytes: &FrameBytes) -> Frame<'_, FrameBytes> {
    Frame {
        wire_bytes: bytes.len(),
        bytes,
        start: Start::Ethernet,
        counted_before: false,
    }
}

/// A received frame, the long way. Global, so that the verifier walks it once and not for each reason
/// that a frame has to be here.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn netsec_any(ctx: *mut xdp_md) -> u32 {
    ingress::<false>(&XdpContext::new(ctx))
}

#[inline(always)]
fn ingress<const INNER: bool>(ctx: &XdpContext) -> u32 {
    let bytes = FrameBytes::new(ctx.data(), ctx.data_end());
    let frame = received(&bytes);
    let Some(now) = block_time() else {
        return XDP_PASS;
    };
    let blocks = Blocks {
        now,
        cpu: maps::cpu(),
    };
    let hook = Receiving(ctx.ctx);
    match run::<INNER>(&frame, maps::config(), &blocks, hook) {
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

/// Every sent frame. Nearly all go one of the short ways.
#[classifier]
pub(crate) fn netsec_egress(ctx: TcContext) -> i32 {
    if netsec_egress_v4(ctx.skb.skb) != 0 {
        return TC_ACT_UNSPEC;
    }
    if !is_v4(ctx.data(), ctx.data_end()) && netsec_egress_v6(ctx.skb.skb) != 0 {
        return TC_ACT_UNSPEC;
    }
    netsec_egress_any(ctx.skb.skb) as i32
}

/// As [`netsec_v4`].
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn netsec_egress_v4(skb: *mut __sk_buff) -> u32 {
    let ctx = TcContext::new(skb);
    let bytes = FrameBytes::new(ctx.data(), ctx.data_end());
    let config = maps::config();
    let (frame, cpu) = (sent(&ctx, &bytes, config), Cpu::<false>::new(config));
    process_known_v4(&frame, config, &cpu, &None::<Filter>, || cpu.rest())
        .is_some()
        .into()
}

/// As [`netsec_v6`].
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn netsec_egress_v6(skb: *mut __sk_buff) -> u32 {
    let ctx = TcContext::new(skb);
    let bytes = FrameBytes::new(ctx.data(), ctx.data_end());
    let config = maps::config();
    let (frame, cpu) = (sent(&ctx, &bytes, config), Cpu::<false>::new(config));
    process_known_v6(&frame, config, &cpu, &None::<Filter>, || cpu.rest())
        .is_some()
        .into()
}

/// What TC gives of a frame.
#[inline(always)]
fn sent<'a>(ctx: &TcContext, bytes: &'a FrameBytes, config: &Config) -> Frame<'a, FrameBytes> {
    let skb = ctx.skb.skb;
    // SAFETY: fields of the context, which is valid while the program runs.
    let (tagged, tag, from) =
        unsafe { ((*skb).vlan_present, (*skb).vlan_tci, (*skb).ingress_ifindex) };
    Frame {
        wire_bytes: ctx.len(),
        bytes,
        start: if tagged == 0 {
            Start::Ethernet
        } else {
            Start::Tagged { tag: tag as u16 }
        },
        counted_before: config.is_watched(from),
    }
}

/// A sent frame, the long way; as [`netsec_any`].
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn netsec_egress_any(skb: *mut __sk_buff) -> u32 {
    egress::<false>(&TcContext::new(skb)) as u32
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
    let config = maps::config();
    let frame = sent(ctx, &bytes, config);
    let hook = Sending(ctx.skb.skb, frame.start);
    match run::<INNER>(&frame, config, &None::<Blocks>, hook) {
        // Without a block table nothing is dropped: what the host itself sends is not netsec's to stop.
        Some(Verdict::Pass | Verdict::Drop) | None => TC_ACT_UNSPEC,
    }
}

/// Calls with the engine of this CPU, at this moment; `None` when a map lacks this CPU.
#[inline(always)]
fn run<const INNER: bool>(
    frame: &Frame<'_, FrameBytes>,
    config: &Config,
    blocks: &impl BlockTable,
    hook: impl Hook,
) -> Option<Verdict> {
    let share = Cpu::<INNER>::new(config);
    let (control, row, now) = share.rest()?;
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
        engine.process_any(frame, now)
    })
}

/// Reads both clocks at one moment into the `CLOCK` map. User space runs it by
/// `BPF_PROG_TEST_RUN`; it is attached nowhere.
#[classifier]
pub(crate) fn netsec_clock(_ctx: TcContext) -> i32 {
    if let Some(reading) = maps::clock_reading() {
        let block_ticks = maps::jiffies();
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
