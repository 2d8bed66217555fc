//! Keeping table, journal and book the same.

use std::collections::BTreeSet;
use std::ops::Bound;
use std::time::Duration;

use netsec_common::block::{BlockKey, List, Mode, Prefix};

use super::events::events;
use super::{Book, GUARD, guard_block};
use crate::block::{Block, BlockState, Enforcer};
use crate::journal::{Event, EventKind, Journal, Wanted};
use crate::time::WallTime;

/// Entries compared with the table at a time: about a millisecond.
const SLICE: usize = 2_000;

/// Ends are kept in ticks of the kernel's clock in the table.
const TOLERANCE: Duration = Duration::from_secs(1);

/// Who is named in the events of this module.
const ACTOR: &str = "netsec";

/// How the table differs from what is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drift {
    /// The table lacks it.
    Missing,
    /// Nobody wants it.
    Unwanted,
    /// Action, decision or end differ.
    Differs,
}

/// What became of blocks at the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Restored {
    /// Put into the table, from the journal.
    pub restored: usize,
    /// Found in the table only, and kept.
    pub adopted: usize,
    /// Made while nothing was dropped, and so not enforced.
    pub discarded: usize,
}

/// What a comparison found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verification {
    /// Entries compared.
    pub compared: u64,
    /// What differs.
    pub drift: Vec<(BlockKey, Drift)>,
}

impl Book {
    /// Puts all that is wanted into the table at the start, and takes over what the table holds that
    /// nobody knows of: a block in force is never lost for want of its record. What was made while
    /// nothing was dropped is discarded when `mode`, which is to hold from here on, drops.
    pub fn restore(&mut self, table: &mut dyn Enforcer, mode: Mode, now: WallTime) -> Restored {
        let mut adopted: Vec<(Wanted, Option<BlockState>)> = Vec::new();
        // As long as the earlier netsec dropped nothing, this did not either.
        let was_trial = table.mode() != Mode::Enforce;
        let wanted = &self.wanted;
        table.visit(&mut |state| {
            let block = state.block;
            let is_live = block.until.is_none_or(|until| until > now);
            if is_live && block.decision_id != GUARD && !wanted.contains_key(&block.key) {
                let entry = Wanted {
                    block,
                    is_confirmed: true,
                    later: block.until,
                    is_automatic: false,
                    is_trial: was_trial && block.key.list == List::Block,
                };
                adopted.push((entry, Some(*state)));
            }
        });
        let entries: Vec<Wanted> = adopted.iter().map(|(entry, _)| *entry).collect();
        for entry in &entries {
            self.last_id = self.last_id.max(entry.block.decision_id);
            self.wanted.insert(entry.block.key, *entry);
        }
        if let Some(journal) = &mut self.journal
            && !entries.is_empty()
        {
            let said = events(&adopted, EventKind::Adopted, ACTOR, now);
            let written = journal.want(&entries, &said);
            self.note(written);
        }
        self.expire(table, now, usize::MAX);
        let discarded = match mode {
            Mode::Enforce => self.discard_trials(table, now),
            Mode::Detect | Mode::DryRun => 0,
        };
        let mut restored = 0;
        for entry in self.wanted.values() {
            if table
                .get(&entry.block.key)
                .is_none_or(|s| differs(&entry.block, &s))
            {
                restored += usize::from(table.insert(&entry.block).is_ok());
            }
        }
        Restored {
            restored,
            adopted: entries.len(),
            discarded,
        }
    }

    /// Takes back what was made while nothing was dropped: from here on it would be.
    pub(in crate::decide) fn discard_trials(
        &mut self,
        table: &mut dyn Enforcer,
        now: WallTime,
    ) -> usize {
        let trials = self.wanted.values().filter(|entry| entry.is_trial);
        let keys: Vec<BlockKey> = trials.map(|entry| entry.block.key).collect();
        self.take(table, &keys, EventKind::Discarded, ACTOR, now)
            .len()
    }

    /// Keeps the guard's addresses on the kernel's allowlist.
    pub fn protect(&mut self, table: &mut dyn Enforcer, prefixes: impl Iterator<Item = Prefix>) {
        let prefixes: BTreeSet<Prefix> = prefixes.collect();
        // The table may be that of an earlier netsec, on a host that had other addresses.
        let former = self.protected.take().unwrap_or_else(|| guarded(table));
        for gone in former.difference(&prefixes) {
            let key = guard_block(*gone).key;
            // The operator may have allowed the same.
            if !self.wanted.contains_key(&key) {
                table.remove(&key);
            }
        }
        for prefix in prefixes.iter() {
            let block = guard_block(*prefix);
            if !self.wanted.contains_key(&block.key)
                && table.get(&block.key).is_none()
                && let Err(error) = table.insert(&block)
            {
                log::warn!("{prefix} cannot be put on the kernel's allowlist: {error}");
            }
        }
        self.protected = Some(prefixes);
    }

    /// What is due every second: ends what is over, compares a part of the table, and tries a journal
    /// again that could not be written.
    pub fn tick(&mut self, table: &mut dyn Enforcer, now: WallTime) {
        self.expire(table, now, SLICE);
        self.repair(table, now);
        if self.trouble.is_some() {
            self.catch_up();
        }
    }

    /// Compares all of the table with what is wanted.
    #[must_use]
    pub fn verify(&self, table: &dyn Enforcer, now: WallTime) -> Verification {
        let mut found = Verification::default();
        for (key, entry) in &self.wanted {
            if entry.block.until.is_some_and(|until| until <= now) {
                continue;
            }
            found.compared += 1;
            match table.get(key) {
                None => found.drift.push((*key, Drift::Missing)),
                Some(state) if differs(&entry.block, &state) => {
                    found.drift.push((*key, Drift::Differs));
                }
                Some(_) => {}
            }
        }
        table.visit(&mut |state| {
            let key = state.block.key;
            let is_live = state.block.until.is_none_or(|until| until > now);
            let is_guards = state.block.decision_id == GUARD;
            if is_live && !is_guards && !self.wanted.contains_key(&key) {
                found.drift.push((key, Drift::Unwanted));
            }
        });
        found
    }

    /// Takes out what is over, with the counts that the table had.
    ///
    /// The table knows what it held; so many entries are looked at for what it did not.
    fn expire(&mut self, table: &mut dyn Enforcer, now: WallTime, count: usize) {
        let mut over: Vec<(Wanted, Option<BlockState>)> = Vec::new();
        let mut seen = BTreeSet::new();
        table.reap(now, &mut |state| {
            let key = state.block.key;
            if let Some(wanted) = self.wanted.get(&key)
                && wanted
                    .block
                    .until
                    .is_some_and(|until| until <= now.plus(TOLERANCE))
            {
                seen.insert(key);
                over.push((*wanted, Some(*state)));
            }
        });
        let is_over = |wanted: &&Wanted| wanted.block.until.is_some_and(|until| until <= now);
        let missed = self.slice(count).filter(is_over);
        over.extend(
            missed
                .filter(|wanted| !seen.contains(&wanted.block.key))
                .map(|wanted| (*wanted, None)),
        );
        if over.is_empty() {
            return;
        }
        let keys: Vec<BlockKey> = over.iter().map(|(wanted, _)| wanted.block.key).collect();
        for key in &keys {
            self.wanted.remove(key);
            self.automatic.remove(key);
        }
        let (confirmed, open): (Vec<_>, Vec<_>) = over
            .into_iter()
            .partition(|(wanted, _)| wanted.is_confirmed);
        let mut said: Vec<Event> = events(&confirmed, EventKind::Expired, ACTOR, now);
        said.extend(events(&open, EventKind::Reverted, ACTOR, now));
        for (wanted, _) in &open {
            let prefix = wanted.block.key.prefix;
            log::info!("{prefix}: not confirmed in time, so it is as it was");
        }
        self.say(&keys, said);
    }

    /// The entries that the upkeep is at.
    fn slice(&self, count: usize) -> impl Iterator<Item = &Wanted> {
        let start = self.cursor.map_or(Bound::Unbounded, Bound::Excluded);
        let entries = self.wanted.range((start, Bound::Unbounded));
        entries.take(count).map(|(_, wanted)| wanted)
    }

    /// Puts back what the table lost.
    fn repair(&mut self, table: &mut dyn Enforcer, now: WallTime) {
        let slice: Vec<Wanted> = self.slice(SLICE).copied().collect();
        self.cursor = slice
            .last()
            .filter(|_| slice.len() == SLICE)
            .map(|wanted| wanted.block.key);
        let mut repaired: Vec<(Wanted, Option<BlockState>)> = Vec::new();
        for wanted in slice {
            let block = &wanted.block;
            let is_live = block.until.is_none_or(|until| until > now);
            let has = table
                .get(&block.key)
                .is_some_and(|state| !differs(block, &state));
            if is_live && !has && table.insert(block).is_ok() {
                log::warn!(
                    "{} was not in the kernel's table as decided, and is again",
                    block.key.prefix
                );
                repaired.push((wanted, None));
            }
        }
        self.repaired += repaired.len() as u64;
        let said = events(&repaired, EventKind::Repaired, ACTOR, now);
        self.say(&[], said);
    }

    fn catch_up(&mut self) {
        let Some(directory) = &self.directory else {
            return;
        };
        let Ok(mut journal) = Journal::open(directory) else {
            return;
        };
        let decisions = self.pending.make_contiguous();
        let said = &self.pending_events;
        if journal
            .catch_up(decisions, said, &mut self.wanted.values())
            .is_ok()
        {
            log::info!("the journal can be written again, and is up to date");
            self.journal = Some(journal);
            self.trouble = None;
            self.pending.clear();
            self.pending_events.clear();
        }
    }
}

/// What the guard has on the kernel's allowlist.
fn guarded(table: &dyn Enforcer) -> BTreeSet<Prefix> {
    let mut found = BTreeSet::new();
    table.visit(&mut |state| {
        let key = state.block.key;
        if key.list == List::Allow && state.block.decision_id == GUARD {
            found.insert(key.prefix);
        }
    });
    found
}

fn differs(block: &Block, state: &BlockState) -> bool {
    let near = match (block.until, state.block.until) {
        (None, None) => true,
        (Some(wanted), Some(found)) => wanted.since(found).max(found.since(wanted)) <= TOLERANCE,
        (None, Some(_)) | (Some(_), None) => false,
    };
    let is_same =
        block.decision_id == state.block.decision_id && block.action == state.block.action;
    !near || !is_same
}
