//! The short way: plain packets of flows that have a slot, or of blocked sources, with nothing else to do.
//!
//! Nearly every packet of a busy link is of the first kind, and of a flood that is stopped of the second.
//! Everything is looked at before anything is written, so that a frame can still go the long way, which
//! does the same and all the rest.
//!
//! What is needed is asked for as late as can be: the kernel side has few registers and little stack,
//! and each map is a call.

use super::{Verdict, is_question};
use crate::block::{BlockTable, PlainSuspect, suspect};
use crate::config::{Config, Control};
use crate::flow::{FlowTable, Known, Observation, Place, flow_hash, flow_hash_v4};
use crate::ledger::Row;
use crate::packet::plain::Plain;
use crate::packet::{Frame, PacketBytes};
use crate::sample::Sampling;
use crate::ticks::Ticks;

/// What is needed last: the control page, this CPU's row of the ledger, and the time.
pub type Rest<'a> = (&'a Control, &'a Row, Ticks);

/// Counts a plain packet of IPv4 and adds it to its flow, or drops it, if that is all there is to do.
///
/// When `None`, nothing was done.
#[inline(always)]
pub fn process_known_v4<'a, P: PacketBytes, T: FlowTable, B: BlockTable>(
    frame: &Frame<'_, P>,
    config: &Config,
    table: &T,
    blocks: &B,
    rest: impl FnOnce() -> Option<Rest<'a>>,
) -> Option<Verdict> {
    if frame.counted_before || !config.is_current() {
        return None;
    }
    Plain::read_v4(frame).and_then(|packet| {
        let hash = flow_hash_v4(&packet.key, &config.hash_keys, &config.mapped_keys);
        let place = Place::of_hash(P::settle(hash), config);
        take(&packet, place, table, blocks, rest)
    })
}

/// The same for IPv6. Each version has a way of its own, in which the constant halves of IPv4-mapped
/// addresses are constants.
#[inline(always)]
pub fn process_known_v6<'a, P: PacketBytes, T: FlowTable, B: BlockTable>(
    frame: &Frame<'_, P>,
    config: &Config,
    table: &T,
    blocks: &B,
    rest: impl FnOnce() -> Option<Rest<'a>>,
) -> Option<Verdict> {
    if frame.counted_before || !config.is_current() {
        return None;
    }
    Plain::read_v6(frame).and_then(|packet| {
        let hash = flow_hash(&packet.key, &config.hash_keys);
        let place = Place::of_hash(P::settle(hash), config);
        take(&packet, place, table, blocks, rest)
    })
}

#[inline(always)]
fn take<'a, T: FlowTable, B: BlockTable>(
    packet: &Plain,
    place: Place,
    table: &T,
    blocks: &B,
    rest: impl FnOnce() -> Option<Rest<'a>>,
) -> Option<Verdict> {
    if let Some(suspect) = suspect(blocks, &packet.key) {
        let plain = PlainSuspect::new(suspect, packet.kind(), packet.wire_bytes());
        let (control, row, _) = rest()?;
        let is_sampled = matches!(control.sampling(), Sampling::OneIn(_) | Sampling::All);
        return (!is_sampled && blocks.drop_plain(&plain, row)).then_some(Verdict::Drop);
    }
    let flow = Known::find(table, place, &packet.key)?;
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
    row.count_plain(packet.kind(), packet.wire_bytes().into());
    flow.add(seen);
    row.touch(place.set);
    row.end();
    Some(Verdict::Pass)
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
