//! What is wanted, kept in three places: here, in the journal, and in the block table.
//!
//! A decision goes to the table first, as the disk takes longer than a packet should, and counts as made
//! when it is in the journal. Without a
//! journal (a full disk, a damaged file) the sensor goes on: what was decided is kept here, counted,
//! and written as soon as the journal can be opened again.

mod catch_up;
mod events;
mod lookup;
mod upkeep;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::{Path, PathBuf};

use netsec_common::block::{Action, BlockKey, List, Narrowing, Prefix};

use crate::block::{Block, BlockError, BlockState, Enforcer};
use crate::journal::{Decision, Event, EventKind, Journal, JournalError, Wanted};
use crate::time::WallTime;

use self::events::{event, events, failure};
pub use self::upkeep::{Drift, Restored, Verification};

/// Decision number of what the guard keeps on the kernel's allowlist.
pub(super) const GUARD: u64 = 0;

/// Most decisions, and most events, kept for a journal that cannot be written; what there is no room for
/// is counted.
const PENDING_MAX: usize = 10_000;

/// Who decided what holds for an entry, and what it did.
#[derive(Clone, Debug)]
pub struct Standing {
    /// What is wanted.
    pub wanted: Wanted,
    /// What the table has; `None` when it lacks it.
    pub state: Option<BlockState>,
    /// The decision; `None` when the journal has none.
    pub decision: Option<Decision>,
}

/// What is wanted.
#[derive(Debug, Default)]
pub struct Book {
    wanted: BTreeMap<BlockKey, Wanted>,
    /// Kept on the kernel's allowlist by the guard; `None` before it was asked.
    protected: Option<BTreeSet<Prefix>>,
    /// Keys that a detector had blocked.
    automatic: BTreeSet<BlockKey>,
    /// Changes of the operator's allowlist.
    allow_changes: u64,
    journal: Option<Journal>,
    directory: Option<PathBuf>,
    /// Why there is no journal.
    trouble: Option<String>,
    /// Of a journal that could not be read at the start: what was taken out since, which it may still want.
    unread: Option<BTreeSet<BlockKey>>,
    /// Decisions that are not in the journal.
    pending: VecDeque<Decision>,
    pending_events: Vec<Event>,
    events_lost: u64,
    last_id: u64,
    /// Where the upkeep goes on: repairing, ending, sweeping.
    cursor: Option<BlockKey>,
    expire_cursor: Option<BlockKey>,
    swept: usize,
    /// Whether all that the table holds is known here.
    is_restored: bool,
    repaired: u64,
}

impl Book {
    /// Reads the journal in a directory; without one nothing outlives the process. A journal that
    /// cannot be used is said in [`Self::trouble`].
    #[must_use]
    pub fn open(directory: Option<&Path>) -> Self {
        let mut book = Self {
            directory: directory.map(Path::to_owned),
            ..Self::default()
        };
        if let Some(directory) = directory
            && let Err(error) = book.read(directory)
        {
            book.trouble = Some(error.to_string());
            book.unread = Some(BTreeSet::new());
        }
        book
    }

    fn read(&mut self, directory: &Path) -> Result<(), JournalError> {
        let journal = Journal::open(directory)?;
        let wanted = journal.wanted()?;
        self.last_id = self.last_id.max(journal.last_id()?);
        let automatic = wanted.iter().filter(|(_, entry)| entry.is_automatic);
        self.automatic = automatic.map(|(key, _)| *key).collect();
        self.wanted = wanted;
        self.journal = Some(journal);
        Ok(())
    }

    /// Why decisions are not recorded at the moment.
    #[must_use]
    pub fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }

    /// Decisions and events that are not in the journal (yet); 0 when there is to be none.
    #[must_use]
    pub fn unrecorded(&self) -> u64 {
        if self.directory.is_none() {
            return 0;
        }
        self.events_lost + (self.pending.len() + self.pending_events.len()) as u64
    }

    /// Entries that the table had lost and has again, or had and nobody wanted.
    #[must_use]
    pub const fn repaired(&self) -> u64 {
        self.repaired
    }

    /// The number of the next decision. Those in a journal that could not be read are not known: what is
    /// decided meanwhile is numbered by the clock, in milliseconds, which they do not reach.
    pub(super) fn next_id(&mut self, now: WallTime) -> u64 {
        if self.unread.is_some() {
            let ms = u64::try_from(now.as_ns() / 1_000_000).unwrap_or_default();
            self.last_id = self.last_id.max(ms);
        }
        self.last_id += 1;
        self.last_id
    }

    /// Whether this is wanted.
    pub(super) fn get(&self, key: &BlockKey) -> Option<&Wanted> {
        self.wanted.get(key)
    }

    /// Records a decision, then puts what it wants into the table. Gives what the table refused.
    pub(super) fn put(
        &mut self,
        table: &mut dyn Enforcer,
        decision: Decision,
        wanted: &[Wanted],
    ) -> Vec<(BlockKey, BlockError)> {
        let mut events = self.replaced(wanted, &decision);
        let (entered, failed) = self.enter(table, wanted);
        let recorded = match &mut self.journal {
            None => false,
            Some(journal) => {
                let written = journal.record(&decision, &entered);
                self.note(written)
            }
        };
        let (time, actor) = (decision.time, decision.actor.clone());
        if !recorded {
            self.keep(decision);
        }
        events.extend(failure(wanted, &failed, time, &actor));
        self.say(&[], events);
        failed
    }

    /// Adds more of a list to its decision. It is on the disk by the next event.
    pub(super) fn put_more(
        &mut self,
        table: &mut dyn Enforcer,
        wanted: &[Wanted],
        now: WallTime,
        actor: &str,
    ) -> Vec<(BlockKey, BlockError)> {
        let (entered, failed) = self.enter(table, wanted);
        if let Some(journal) = &mut self.journal {
            let written = journal.want_soon(&entered);
            self.note(written);
        }
        let event = failure(wanted, &failed, now, actor);
        self.say(&[], event.into_iter().collect());
        failed
    }

    /// Says that all of a list is in.
    pub(super) fn imported(&mut self, id: u64, entries: u64, actor: &str, now: WallTime) {
        let event = event(id, EventKind::Imported, actor, now);
        self.say(&[], vec![Event { entries, ..event }]);
    }

    /// Puts entries into the table; gives those that are in, and those that it refused.
    fn enter(
        &mut self,
        table: &mut dyn Enforcer,
        wanted: &[Wanted],
    ) -> (Vec<Wanted>, Vec<(BlockKey, BlockError)>) {
        let (mut entered, mut failed) = (Vec::new(), Vec::new());
        for entry in wanted {
            let key = entry.block.key;
            match table.insert(&entry.block) {
                Ok(_) => {
                    entered.push(*entry);
                    self.set(*entry);
                }
                Err(error) => failed.push((key, error)),
            }
        }
        (entered, failed)
    }

    /// Takes entries out of the table, and says what they did.
    pub(super) fn take(
        &mut self,
        table: &mut dyn Enforcer,
        keys: &[BlockKey],
        kind: EventKind,
        actor: &str,
        now: WallTime,
    ) -> Vec<(Wanted, Option<BlockState>)> {
        let mut taken = Vec::new();
        for key in keys {
            let Some(wanted) = self.unset(key) else {
                continue;
            };
            if let Some(taken_out) = &mut self.unread {
                taken_out.insert(*key);
            }
            taken.push((wanted, table.remove(key)));
        }
        let events = events(&taken, kind, actor, now);
        self.say(keys, events);
        taken
    }

    /// Makes what a decision wants last as long as it was to.
    pub(super) fn confirm(
        &mut self,
        table: &mut dyn Enforcer,
        id: u64,
        actor: &str,
        now: WallTime,
    ) -> Vec<Wanted> {
        let is_open = |entry: &&Wanted| entry.block.decision_id == id && !entry.is_confirmed;
        let confirmed: Vec<Wanted> = self
            .wanted
            .values()
            .filter(is_open)
            .map(|entry| Wanted {
                block: Block {
                    until: entry.later,
                    ..entry.block
                },
                is_confirmed: true,
                ..*entry
            })
            .collect();
        // They are in the table, so that it refuses none.
        drop(self.enter(table, &confirmed));
        let event = Event {
            entries: confirmed.len() as u64,
            ..event(id, EventKind::Confirmed, actor, now)
        };
        if !confirmed.is_empty()
            && let Some(journal) = &mut self.journal
        {
            let written = journal.want(&confirmed, std::slice::from_ref(&event));
            self.note(written);
        }
        confirmed
    }

    /// Wants an entry.
    fn set(&mut self, entry: Wanted) {
        let key = entry.block.key;
        if self.wanted.insert(key, entry).is_none() {
            self.allow_changes += u64::from(key.list == List::Allow);
        }
        if entry.is_automatic {
            self.automatic.insert(key);
        } else {
            self.automatic.remove(&key);
        }
    }

    /// Wants an entry no longer.
    fn unset(&mut self, key: &BlockKey) -> Option<Wanted> {
        let entry = self.wanted.remove(key)?;
        self.allow_changes += u64::from(key.list == List::Allow);
        self.automatic.remove(key);
        Some(entry)
    }

    /// Keeps a decision that is not in the journal, in place of the oldest when there are too many.
    fn keep(&mut self, decision: Decision) {
        if self.pending.len() >= PENDING_MAX {
            self.pending.pop_front();
            self.events_lost += 1;
        }
        self.pending.push_back(decision);
    }

    /// The events of what a decision takes the place of.
    fn replaced(&self, wanted: &[Wanted], by: &Decision) -> Vec<Event> {
        let old = wanted.iter().filter_map(|entry| {
            let old = self.wanted.get(&entry.block.key)?;
            Some((*old, None))
        });
        let mut events = events(
            &old.collect::<Vec<_>>(),
            EventKind::Replaced,
            &by.actor,
            by.time,
        );
        for event in &mut events {
            event.note = format!("by decision {}", by.id);
        }
        events
    }

    /// Writes events to the journal, and takes keys out of it.
    fn say(&mut self, keys: &[BlockKey], events: Vec<Event>) {
        if keys.is_empty() && events.is_empty() {
            return;
        }
        if let Some(journal) = &mut self.journal {
            let written = journal.end(keys, &events);
            if self.note(written) {
                return;
            }
        }
        if self.directory.is_none() {
            return;
        }
        let room = PENDING_MAX.saturating_sub(self.pending_events.len());
        self.events_lost += events.len().saturating_sub(room) as u64;
        self.pending_events.extend(events.into_iter().take(room));
    }

    /// Notes whether the journal could be written.
    fn note(&mut self, written: Result<(), JournalError>) -> bool {
        match written {
            Ok(()) => true,
            Err(error) => {
                let text = error.to_string();
                log::warn!("{text}; blocks go on without it");
                self.trouble = Some(text);
                self.journal = None;
                false
            }
        }
    }
}

/// An entry of the kernel's allowlist that the guard wants.
fn guard_block(prefix: Prefix) -> Block {
    Block {
        key: BlockKey {
            list: List::Allow,
            prefix,
            narrowing: Narrowing::Any,
        },
        action: Action::Drop,
        decision_id: GUARD,
        until: None,
    }
}

#[cfg(test)]
mod tests;
