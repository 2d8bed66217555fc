//! Tunnels, opened by functions that the verifier walks by themselves.
//!
//! Each is global, as it is then walked once for whatever it is called with. Called in place, it would
//! be walked for every way through the headers of the frame.

use aya_ebpf::bindings::{__sk_buff, xdp_md};
use aya_ebpf::programs::{TcContext, XdpContext};
use netsec_common::engine::{Engine, Inside, Passage};
use netsec_common::packet::Opening;
use netsec_common::ticks::Ticks;

use crate::hooks::cpu;
use crate::maps::{self, Blocks, Cpu};
use crate::packet::FrameBytes;

/// The context of the program at hand.
#[derive(Clone, Copy)]
pub(crate) enum Hook {
    Ingress(*mut xdp_md),
    Egress(*mut __sk_buff),
}

/// Opens the tunnels of a frame.
pub(crate) struct Tunnels {
    pub(crate) hook: Hook,
    pub(crate) now: Ticks,
}

impl Inside for Tunnels {
    const OPENS: bool = true;

    #[inline(always)]
    fn account(&self, opening: Opening, level: u64) -> Passage {
        let (opening, now) = (opening.to_word(), u64::from(self.now.0));
        Passage::from_word(match self.hook {
            Hook::Ingress(ctx) => netsec_enter(ctx, opening, level, now),
            Hook::Egress(ctx) => netsec_egress_enter(ctx, opening, level, now),
        })
    }
}

/// Accounts the packet in one tunnel of a received frame.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn netsec_enter(ctx: *mut xdp_md, opening: u64, level: u64, now: u64) -> u64 {
    let ctx = XdpContext::new(ctx);
    enter(
        &FrameBytes::new(ctx.data(), ctx.data_end()),
        opening,
        level,
        now,
    )
}

/// Accounts the packet in one tunnel of a sent frame.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn netsec_egress_enter(ctx: *mut __sk_buff, opening: u64, level: u64, now: u64) -> u64 {
    let ctx = TcContext::new(ctx);
    enter(
        &FrameBytes::new(ctx.data(), ctx.data_end()),
        opening,
        level,
        now,
    )
}

#[inline(always)]
fn enter(bytes: &FrameBytes, opening: u64, level: u64, now: u64) -> u64 {
    let cpu = cpu();
    let (Some(opening), Some(control), Some(row)) =
        (Opening::from_word(opening), maps::control(), maps::row(cpu))
    else {
        return 0;
    };
    let config = maps::config();
    let share = Cpu::<true>::new(cpu, config);
    let engine = Engine {
        config,
        control,
        row,
        table: &share,
        blocks: &None::<Blocks>,
        samples: &share,
    };
    engine
        .enter(bytes, opening, level, Ticks(now as u32))
        .to_word()
}
