//! Tunnels, opened by functions that the verifier walks by themselves.
//!
//! Each is global, as it is then walked once for whatever it is called with. Called in place, it would
//! be walked for every way through the headers of the frame.

use aya_ebpf::bindings::{__sk_buff, xdp_md};
use aya_ebpf::programs::{TcContext, XdpContext};
use netsec_common::engine::{Engine, Inside, Passage};
use netsec_common::packet::{Frame, Opening, Start};
use netsec_common::ticks::Ticks;

use crate::hooks::cpu;
use crate::maps::{self, Blocks, Cpu};
use crate::packet::FrameBytes;

/// The context of the program at hand.
#[derive(Clone, Copy)]
pub(crate) enum Hook {
    Ingress(*mut xdp_md),
    /// With what the frame begins with.
    Egress(*mut __sk_buff, Start),
}

/// Tells a tag of VLAN 0 from none.
const TAGGED: u64 = 1 << 16;

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
            Hook::Egress(ctx, _) => netsec_egress_enter(ctx, opening, level, now),
        })
    }

    /// A frame that is sent has no block to meet, and more ways to begin.
    #[inline(always)]
    fn outermost(&self) -> Option<Passage> {
        let Hook::Egress(ctx, start) = self.hook else {
            return None;
        };
        let tag = match start {
            Start::Tagged { tag } => TAGGED | u64::from(tag),
            Start::Ethernet | Start::Network { .. } => 0,
        };
        let word = netsec_egress_outermost(ctx, tag, self.now.0.into());
        Some(Passage::from_word(word))
    }
}

/// Accounts the outermost packet of a sent frame.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn netsec_egress_outermost(ctx: *mut __sk_buff, tag: u64, now: u64) -> u64 {
    let ctx = TcContext::new(ctx);
    let bytes = FrameBytes::new(ctx.data(), ctx.data_end());
    let frame = Frame {
        bytes: &bytes,
        wire_bytes: ctx.len(),
        start: if tag & TAGGED == 0 {
            Start::Ethernet
        } else {
            Start::Tagged { tag: tag as u16 }
        },
        counted_before: false,
    };
    let passage = with_engine(|engine| engine.outermost(&frame, Ticks(now as u32)));
    passage.map_or(0, Passage::to_word)
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
    let Some(opening) = Opening::from_word(opening) else {
        return 0;
    };
    let passage = with_engine(|engine| engine.enter(bytes, opening, level, Ticks(now as u32)));
    passage.map_or(0, Passage::to_word)
}

/// The engine of this CPU, without a block table.
#[inline(always)]
fn with_engine<T>(
    work: impl FnOnce(&Engine<'_, Cpu<true>, Option<Blocks>, Cpu<true>>) -> T,
) -> Option<T> {
    let cpu = cpu();
    let config = maps::config();
    let share = Cpu::<true>::new(cpu, config);
    let engine = Engine {
        config,
        control: maps::control()?,
        row: maps::row(cpu)?,
        table: &share,
        blocks: &None,
        samples: &share,
    };
    Some(work(&engine))
}
