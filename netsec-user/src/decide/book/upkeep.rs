//! Keeping table, journal and book the same.

use std::collections::BTreeSet;
use std::ops::Bound;
use std::time::Duration;

use netsec_common::block::{BlockKey, List, Mode, Prefix};

use super::events::events;
use super::{Book, GUARD, guard_block};
use crate::block::{Block, BlockState, Enforcer};
use crate::journal::{Event, EventKind, Wanted};
use crate::time::WallTime;

/// Wanted entries compared with the table in a second: a few milliseconds.
const SLICE: usize = 20_000;

/// Entries looked at in a second for whether they have ended, about two milliseconds, and removed if so, which
/// takes less than a tenth of a second. In the kernel they end in time all the same.
const ENDING: usize = 50_000;

/// Entries of the table looked at in a second for whether anybody wants them: half a microsecond each, as each is a
/// line of memory of its own, and so is what is known of it.
const SWEPT: u32 = 20_000;

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
        let mut over = Vec::new();
        let wanted = &self.wanted;
        table.visit(&mut |state| {
            let block = state.block;
            if block.decision_id == GUARD || wanted.contains_key(&block.key) {
                return;
            }
            if block.until.is_some_and(|until| until <= now) {
                over.push(block.key);
            } else {
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
        for key in over {
            table.remove(&key);
        }
        let entries: Vec<Wanted> = adopted.iter().map(|(entry, _)| *entry).collect();
        for entry in &entries {
            self.last_id = self.last_id.max(entry.block.decision_id);
            self.set(*entry);
        }
        if let Some(journal) = &mut self.journal
            && !entries.is_empty()
        {
            let said = events(&adopted, EventKind::Adopted, ACTOR, now);
            let written = journal.want(&entries, &said);
            self.note(written);
        }
        self.is_restored = true;
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

    /// What is due every second: ends what is over, compares a part of what is wanted and a part of the table
    /// with each other, and tries a journal again that could not be written.
    pub fn tick(&mut self, table: &mut dyn Enforcer, now: WallTime) {
        self.expire(table, now, ENDING);
        self.repair(table, now);
        self.sweep(table);
        if self.trouble.is_some() {
            self.catch_up(table, now);
        } else {
            self.shorten();
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

    /// Takes out what is over, with the counts that the table had; so many entries are looked at.
    fn expire(&mut self, table: &mut dyn Enforcer, now: WallTime, count: usize) {
        let is_over = |wanted: &Wanted| wanted.block.until.is_some_and(|until| until <= now);
        let slice = self.behind(self.expire_cursor).take(count);
        let (mut last, mut looked_at) = (None, 0);
        let mut ended: Vec<Wanted> = Vec::new();
        for wanted in slice {
            looked_at += 1;
            last = Some(wanted.block.key);
            if is_over(wanted) {
                ended.push(*wanted);
            }
        }
        self.expire_cursor = last.filter(|_| looked_at == count);
        let take = |wanted: Wanted| (wanted, table.remove(&wanted.block.key));
        let over: Vec<(Wanted, Option<BlockState>)> = ended.into_iter().map(take).collect();
        if over.is_empty() {
            return;
        }
        let keys: Vec<BlockKey> = over.iter().map(|(wanted, _)| wanted.block.key).collect();
        for key in &keys {
            self.unset(key);
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

    /// The entries behind a key, in the order of keys.
    fn behind(&self, key: Option<BlockKey>) -> impl Iterator<Item = &Wanted> {
        let start = key.map_or(Bound::Unbounded, Bound::Excluded);
        let entries = self.wanted.range((start, Bound::Unbounded));
        entries.map(|(_, wanted)| wanted)
    }

    /// Takes out of the table what nobody wants. Without [`Self::restore`] it may be that nobody knows of it.
    fn sweep(&mut self, table: &mut dyn Enforcer) {
        if !self.is_restored {
            return;
        }
        let parts = table.usage().capacity.div_ceil(SWEPT).max(1) as usize;
        self.swept = (self.swept + 1) % parts;
        let mut strays = BTreeSet::new();
        table.visit_part(self.swept, parts, &mut |state| {
            let key = state.block.key;
            if state.block.decision_id != GUARD && !self.wanted.contains_key(&key) {
                strays.insert(key);
            }
        });
        for key in strays {
            table.remove(&key);
            let prefix = key.prefix;
            log::warn!("{prefix} was in the kernel's table, and nobody wants it: removed");
            self.repaired += 1;
        }
    }

    /// Puts back what the table lost.
    fn repair(&mut self, table: &mut dyn Enforcer, now: WallTime) {
        let slice: Vec<Wanted> = self.behind(self.cursor).take(SLICE).copied().collect();
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
