//! The short way: plain packets of flows that have a slot, with nothing else to do.
//!
//! Nearly every packet of a busy link is one. Everything is looked at before anything is written, so
//! that a frame can still go the long way, which does the same and all the rest.
//!
//! What is needed is asked for as late as can be: the kernel side has few registers and little stack,
//! and each map is a call.

use super::is_question;
use crate::block::{BlockTable, suspect};
use crate::config::{Config, Control};
use crate::flow::{FlowTable, Known, Observation, Place};
use crate::ledger::{Counter, Row};
use crate::packet::plain::Plain;
use crate::packet::{Frame, PacketBytes};
use crate::sample::Sampling;
use crate::ticks::Ticks;

/// What is needed last: the control page, this CPU's row of the ledger, and the time.
pub type Rest<'a> = (&'a Control, &'a Row, Ticks);

/// Counts a plain packet of IPv4 and adds it to its flow, if that is all there is to do: it passes
/// then.
///
/// When false, nothing was done.
#[inline(always)]
pub fn pass_known_v4<'a, P: PacketBytes, T: FlowTable, B: BlockTable>(
    frame: &Frame<'_, P>,
    config: &Config,
    table: &T,
    blocks: &B,
    rest: impl FnOnce() -> Option<Rest<'a>>,
) -> bool {
    let packet = Plain::read_v4(frame, config);
    packet.is_some_and(|packet| add(&packet, config, table, blocks, rest).is_some())
}

/// The same for IPv6. Each version has a way of its own, in which the constant halves of IPv4-mapped
/// addresses are constants.
#[inline(always)]
pub fn pass_known_v6<'a, P: PacketBytes, T: FlowTable, B: BlockTable>(
    frame: &Frame<'_, P>,
    config: &Config,
    table: &T,
    blocks: &B,
    rest: impl FnOnce() -> Option<Rest<'a>>,
) -> bool {
    let packet = Plain::read_v6(frame, config);
    packet.is_some_and(|packet| add(&packet, config, table, blocks, rest).is_some())
}

#[inline(always)]
fn add<'a, T: FlowTable, B: BlockTable>(
    packet: &Plain,
    config: &Config,
    table: &T,
    blocks: &B,
    rest: impl FnOnce() -> Option<Rest<'a>>,
) -> Option<()> {
    if suspect(blocks, &packet.key).is_some() {
        return None;
    }
    let place = Place::of_hash(packet.hash, config);
    let flow = Known::find(table.set(place.set)?, place, &packet.key)?;
    let (control, row, now) = rest()?;
    let seen = Observation {
        now,
        bytes: packet.wire_bytes(),
        tcp_flags: packet.tcp_flags(),
    };
    if flow.packets() < unsampled_from(control, packet)? || flow.ends(seen, control.idle_ticks()) {
        return None;
    }
    row.begin();
    count(row, packet);
    flow.add(seen);
    row.end();
    Some(())
}

#[inline(always)]
fn count(row: &Row, packet: &Plain) {
    let bytes = u64::from(packet.wire_bytes());
    row.count(Counter::Frames);
    row.add(Counter::Bytes, bytes);
    row.count(packet.version());
    row.count(packet.transport());
    if packet.is_tagged() {
        row.count(Counter::Vlan);
    }
    row.count(Counter::FlowPackets);
    row.add(Counter::FlowBytes, bytes);
}

/// How many packets a flow must have had for the next one not to be sampled; `None` when more than
/// that has to be known.
#[inline(always)]
fn unsampled_from(control: &Control, packet: &Plain) -> Option<u32> {
    match control.sampling() {
        Sampling::Off => Some(0),
        Sampling::FirstOfFlow(n) => Some(n),
        Sampling::FirstAndQuestions(n) => (!is_question(&packet.key)).then_some(n),
        Sampling::OneIn(_) | Sampling::All => None,
    }
}
