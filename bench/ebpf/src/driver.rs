//! Gives each packet of a test run its flow, then hands it to the program under test.

use aya_ebpf::bindings::xdp_action::{XDP_ABORTED, XDP_DROP, XDP_PASS};
use aya_ebpf::btf_maps::{Array, DevMap, ProgramArray};
use aya_ebpf::macros::{btf_map, xdp};
use aya_ebpf::programs::XdpContext;

use crate::packet::Flow;

/// Most flows in the table: 2²⁰.
const FLOWS_MAX: usize = 1 << 20;

/// What the driver does: four words, written by user space between runs.
#[repr(C)]
struct State {
    /// Packets so far; the next packet's place in the table.
    packets: u64,
    /// Entries of the table minus one, a power of two minus one.
    mask: u64,
    /// Which program of [`PROGRAMS`] gets the packet.
    program: u64,
    /// Not zero: the table is not read, and every packet is a new flow.
    fresh: u64,
}

#[btf_map]
static STATE: Array<State, 1> = Array::new();

/// Source address in the low half, both ports in the high one, each as it stands in the packet.
#[btf_map]
static TABLE: Array<u64, FLOWS_MAX> = Array::new();

#[btf_map]
static PROGRAMS: ProgramArray<32> = ProgramArray::new();

/// Where live frames go.
#[btf_map]
static PORTS: DevMap<1> = DevMap::new();

/// Writes the next flow into an IPv4 packet and calls the program under test.
#[xdp]
pub(crate) fn driver(ctx: XdpContext) -> u32 {
    if let Some(program) = next_flow(&ctx) {
        // SAFETY: this program has nothing to release.
        unsafe { PROGRAMS.tail_call(&ctx, program) };
    }
    // Reached only when there is no such program: the caller sees that nothing was measured.
    XDP_ABORTED
}

/// Writes the next flow into an IPv4 packet and sends it to the first port.
#[xdp]
pub(crate) fn generator(ctx: XdpContext) -> u32 {
    match next_flow(&ctx) {
        Some(_) => PORTS.redirect(0, 0).unwrap_or(XDP_ABORTED),
        None => XDP_ABORTED,
    }
}

/// Sees nothing and drops everything: the least that a receiver can do.
#[xdp]
pub(crate) fn sink(_ctx: XdpContext) -> u32 {
    XDP_DROP
}

/// Does nothing.
#[xdp]
pub(crate) fn empty(_ctx: XdpContext) -> u32 {
    XDP_PASS
}

#[inline(always)]
fn next_flow(ctx: &XdpContext) -> Option<u32> {
    let state = STATE.get_ptr_mut(0)?;
    // SAFETY: the map's only element; a test run has one CPU, and nobody else writes meanwhile.
    let state = unsafe { &mut *state };
    let packet = state.packets;
    state.packets = packet + 1;
    let flow = if state.fresh == 0 {
        *TABLE.get((packet & state.mask) as u32)?
    } else {
        fresh(packet)
    };
    Flow::write(ctx, flow)?;
    Some(state.program as u32)
}

/// A flow for each number under 2⁴⁰: addresses far apart, no two alike.
#[inline(always)]
fn fresh(number: u64) -> u64 {
    let address = (number as u32).wrapping_mul(0x9e37_79b1);
    u64::from(address) | (number >> 32 & 0xff) << 40 | 0x0104 << 48
}
