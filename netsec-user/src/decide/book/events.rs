//! Events, for the journal.

use std::collections::BTreeMap;

use netsec_common::block::BlockKey;

use crate::block::{BlockError, BlockState};
use crate::journal::{Event, EventKind, Wanted};
use crate::time::WallTime;

/// An event of no entries.
pub(super) fn event(decision: u64, kind: EventKind, actor: &str, time: WallTime) -> Event {
    Event {
        decision,
        time,
        kind,
        actor: actor.to_owned(),
        note: String::new(),
        entries: 0,
        packets: 0,
        bytes: 0,
    }
}

/// The event of entries that the table refused, if there are any.
pub(super) fn failure(
    wanted: &[Wanted],
    failed: &[(BlockKey, BlockError)],
    time: WallTime,
    actor: &str,
) -> Option<Event> {
    let ((_, error), entry) = (failed.first()?, wanted.first()?);
    Some(Event {
        note: error.to_string(),
        entries: failed.len() as u64,
        ..event(entry.block.decision_id, EventKind::Failed, actor, time)
    })
}

/// One event for each decision that entries were of.
pub(super) fn events(
    taken: &[(Wanted, Option<BlockState>)],
    kind: EventKind,
    actor: &str,
    now: WallTime,
) -> Vec<Event> {
    let mut by_decision: BTreeMap<u64, Event> = BTreeMap::new();
    for (wanted, state) in taken {
        let decision = wanted.block.decision_id;
        let new = || event(decision, kind, actor, now);
        let event = by_decision.entry(decision).or_insert_with(new);
        event.entries += 1;
        event.packets += state.map_or(0, |state| state.packets);
        event.bytes += state.map_or(0, |state| state.bytes);
    }
    by_decision.into_values().collect()
}
