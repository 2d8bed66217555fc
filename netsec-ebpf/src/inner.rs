//! Tunnels, opened by functions that the verifier walks by themselves.
//!
//! Each is global, as it is then walked once for whatever it is called with. Called in place, it would
//! be walked for every way through the headers of the frame.

use aya_ebpf::bindings::{__sk_buff, xdp_md};
use aya_ebpf::programs::{TcContext, XdpContext};
use netsec_common::engine::{Engine, Inside, Passage};
use netsec_common::packet::{Frame, Opening, Start};
use netsec_common::ticks::Ticks;

use crate::blocks::Blocks;
use crate::maps::{self, Cpu};
use crate::packet::FrameBytes;

/// Tells a tag of VLAN 0 from none.
const TAGGED: u64 = 1 << 16;

/// What a program was called with.
pub(crate) trait Hook {
    type Tunnels: Inside;

    /// The tunnels of its frame, at the time of the frame.
    fn tunnels(self, now: Ticks) -> Self::Tunnels;
}

/// A frame is received.
pub(crate) struct Receiving(pub(crate) *mut xdp_md);

impl Hook for Receiving {
    type Tunnels = Received;

    #[inline(always)]
    fn tunnels(self, now: Ticks) -> Received {
        Received { ctx: self.0, now }
    }
}

/// A frame that begins so is sent.
pub(crate) struct Sending(pub(crate) *mut __sk_buff, pub(crate) Start);

impl Hook for Sending {
    type Tunnels = Sent;

    #[inline(always)]
    fn tunnels(self, now: Ticks) -> Sent {
        Sent {
            ctx: self.0,
            start: self.1,
            now,
        }
    }
}

/// The tunnels of a received frame.
pub(crate) struct Received {
    ctx: *mut xdp_md,
    now: Ticks,
}

impl Inside for Received {
    const OPENS: bool = true;

    #[inline(always)]
    fn account(&self, opening: Opening, level: u64) -> Passage {
        let (opening, now) = (opening.to_word(), u64::from(self.now.0));
        Passage::from_word(netsec_enter(self.ctx, opening, level, now))
    }
}

/// The tunnels of a sent frame. That has no block to meet, and more ways to begin, so that its
/// outermost packet is accounted by a function too.
pub(crate) struct Sent {
    ctx: *mut __sk_buff,
    start: Start,
    now: Ticks,
}

impl Inside for Sent {
    const OPENS: bool = true;

    #[inline(always)]
    fn account(&self, opening: Opening, level: u64) -> Passage {
        let (opening, now) = (opening.to_word(), u64::from(self.now.0));
        Passage::from_word(netsec_egress_enter(self.ctx, opening, level, now))
    }

    #[inline(always)]
    fn outermost(&self) -> Option<Passage> {
        let tag = match self.start {
            Start::Tagged { tag } => TAGGED | u64::from(tag),
            Start::Ethernet | Start::Network { .. } => 0,
        };
        let word = netsec_egress_outermost(self.ctx, tag, self.now.0.into());
        Some(Passage::from_word(word))
    }
}

/// Does with the engine of this CPU, without a block table, what gives a [`Passage`]. A macro, as the
/// compiler makes functions of closures, and their stack comes on top.
macro_rules! with_engine {
    (|$engine:ident| $work:expr) => {{
        let cpu = maps::cpu();
        let (Some(control), Some(row)) = (maps::control(), maps::row(cpu)) else {
            return 0;
        };
        let config = maps::config();
        let share = Cpu::<true>::new(config);
        let $engine = Engine {
            config,
            control,
            row,
            table: &share,
            blocks: &None::<Blocks>,
            samples: &share,
        };
        $work.to_word()
    }};
}

/// Accounts the packet in one tunnel of a received frame.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn netsec_enter(ctx: *mut xdp_md, opening: u64, level: u64, now: u64) -> u64 {
    let ctx = XdpContext::new(ctx);
    let bytes = FrameBytes::new(ctx.data(), ctx.data_end());
    let Some(opening) = Opening::from_word(opening) else {
        return 0;
    };
    with_engine!(|engine| engine.enter(&bytes, opening, level, Ticks(now as u32)))
}

/// Accounts the packet in one tunnel of a sent frame.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn netsec_egress_enter(ctx: *mut __sk_buff, opening: u64, level: u64, now: u64) -> u64 {
    let ctx = TcContext::new(ctx);
    let bytes = FrameBytes::new(ctx.data(), ctx.data_end());
    let Some(opening) = Opening::from_word(opening) else {
        return 0;
    };
    with_engine!(|engine| engine.enter(&bytes, opening, level, Ticks(now as u32)))
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
    with_engine!(|engine| engine.outermost(&frame, Ticks(now as u32)))
}
