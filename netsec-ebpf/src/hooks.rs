//! The hooks: one match from the engine's verdict to the kernel's action.

use aya_ebpf::bindings::xdp_action::{XDP_DROP, XDP_PASS};
use aya_ebpf::bindings::{__sk_buff, xdp_md};
use aya_ebpf::helpers::generated::bpf_ktime_get_ns;
use aya_ebpf::macros::{classifier, xdp};
use aya_ebpf::programs::{TcContext, XdpContext};
use aya_log_ebpf::debug;
use netsec_common::ABI_VERSION;
use netsec_common::block::{BlockTable, BlockTime};
use netsec_common::config::{ClockReading, Config};
use netsec_common::engine::{Engine, Verdict, pass_known_v4, pass_known_v6};
use netsec_common::packet::{Frame, HeaderBytes as _, PacketBytes as _, Start};
use netsec_common::ticks::Ticks;

use crate::maps::{self, Blocks, Cpu, Filter};
use crate::packet::FrameBytes;

/// `TC_ACT_UNSPEC` of `linux/pkt_cls.h`, also `TCX_NEXT`: the next program decides.
const TC_ACT_UNSPEC: i32 = -1;

/// Bytes that hold every header the engine reads in all but odd frames.
const HEADERS_BYTES: u32 = 128;

/// Every received frame. Nearly all go one of the short ways.
#[xdp]
pub(crate) fn netsec(ctx: XdpContext) -> u32 {
    let bytes = FrameBytes::new(ctx.data(), ctx.data_end());
    let cpu = Cpu::new(maps::config());
    if pass_known_v4(&received(&bytes), maps::config(), &cpu, &Filter, || {
        cpu.rest()
    }) {
        return XDP_PASS;
    }
    if !is_v4(ctx.data(), ctx.data_end()) && netsec_v6(ctx.ctx) != 0 {
        return XDP_PASS;
    }
    netsec_any(ctx.ctx)
}

/// The short way of IPv6: not zero when it was taken. Global, so that it has registers of its own.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn netsec_v6(ctx: *mut xdp_md) -> u32 {
    let ctx = XdpContext::new(ctx);
    let bytes = FrameBytes::new(ctx.data(), ctx.data_end());
    let cpu = Cpu::new(maps::config());
    pass_known_v6(&received(&bytes), maps::config(), &cpu, &Filter, || {
        cpu.rest()
    })
    .into()
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
    let ctx = XdpContext::new(ctx);
    let bytes = FrameBytes::new(ctx.data(), ctx.data_end());
    let frame = received(&bytes);
    let Some(control) = maps::control() else {
        return XDP_PASS;
    };
    let blocks = Blocks {
        now: match control.injected_block_time() {
            Some(now) => now,
            None => BlockTime(maps::jiffies()),
        },
        cpu: maps::cpu(),
    };
    let verdict = run(maps::config(), &blocks, |engine, now| {
        engine.process_any(&frame, now)
    });
    match verdict {
        Some(Verdict::Pass) => {
            debug!(&ctx, "frame of {} bytes", frame.wire_bytes);
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
    let bytes = FrameBytes::new(ctx.data(), ctx.data_end());
    let config = maps::config();
    let (frame, cpu) = (sent(&ctx, &bytes, config), Cpu::new(config));
    if pass_known_v4(&frame, config, &cpu, &None::<Filter>, || cpu.rest()) {
        return TC_ACT_UNSPEC;
    }
    if !is_v4(ctx.data(), ctx.data_end()) && netsec_egress_v6(ctx.skb.skb) != 0 {
        return TC_ACT_UNSPEC;
    }
    netsec_egress_any(ctx.skb.skb) as i32
}

/// As [`netsec_v6`].
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn netsec_egress_v6(skb: *mut __sk_buff) -> u32 {
    let ctx = TcContext::new(skb);
    let bytes = FrameBytes::new(ctx.data(), ctx.data_end());
    let config = maps::config();
    let (frame, cpu) = (sent(&ctx, &bytes, config), Cpu::new(config));
    pass_known_v6(&frame, config, &cpu, &None::<Filter>, || cpu.rest()).into()
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
    let ctx = TcContext::new(skb);
    let wire_bytes = ctx.len();
    // Parts of a frame can lie in other pages. A failure leaves the frame as it is, and the parser
    // counts what it misses.
    if ctx.data_end() - ctx.data() < wire_bytes.min(HEADERS_BYTES) as usize {
        let _pulled = ctx.pull_data(wire_bytes.min(HEADERS_BYTES));
    }
    let bytes = FrameBytes::new(ctx.data(), ctx.data_end());
    let config = maps::config();
    let frame = sent(&ctx, &bytes, config);
    let _verdict = run(config, &None::<Blocks>, |engine, now| {
        engine.process_any(&frame, now)
    });
    // Without a block table nothing is dropped: what the host itself sends is not netsec's to stop.
    TC_ACT_UNSPEC as u32
}

/// Calls with the engine of this CPU, at this moment; `None` when a map lacks this CPU.
#[inline(always)]
fn run<B: BlockTable, R>(
    config: &Config,
    blocks: &B,
    call: impl FnOnce(&Engine<'_, Cpu, B, Cpu>, Ticks) -> R,
) -> Option<R> {
    let share = Cpu::new(config);
    let (control, row, now) = share.rest()?;
    let engine = Engine {
        config,
        control,
        row,
        table: &share,
        blocks,
        samples: &share,
    };
    Some(call(&engine, now))
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
