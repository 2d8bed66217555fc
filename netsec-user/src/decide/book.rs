//! What is wanted, kept in three places: here, in the journal, and in the block table.
//!
//! A decision goes to the table first, as the disk takes longer than a packet should, and counts as made
//! when it is in the journal. Without a
//! journal (a full disk, a damaged file) the sensor goes on: what was decided is kept here, counted,
//! and written as soon as the journal can be opened again.

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
    journal: Option<Journal>,
    directory: Option<PathBuf>,
    /// Why there is no journal.
    trouble: Option<String>,
    /// Decisions that are not in the journal.
    pending: VecDeque<Decision>,
    pending_events: Vec<Event>,
    events_lost: u64,
    last_id: u64,
    /// Where the upkeep goes on.
    cursor: Option<BlockKey>,
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
        }
        book
    }

    fn read(&mut self, directory: &Path) -> Result<(), JournalError> {
        let journal = Journal::open(directory)?;
        let wanted = &mut self.wanted;
        let automatic = &mut self.automatic;
        journal.wanted(&mut |entry| {
            if entry.is_automatic {
                automatic.insert(entry.block.key);
            }
            wanted.insert(entry.block.key, entry);
        })?;
        self.last_id = self.last_id.max(journal.last_id()?);
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

    /// Entries that the table had lost and has again.
    #[must_use]
    pub const fn repaired(&self) -> u64 {
        self.repaired
    }

    /// Entries on a list.
    #[must_use]
    pub fn count(&self, list: List) -> usize {
        self.wanted.keys().filter(|key| key.list == list).count()
    }

    /// Blocks in force that a detector asked for.
    #[must_use]
    pub fn automatic(&self) -> usize {
        self.automatic.len()
    }

    /// The operator's allowlist.
    pub fn allowed(&self) -> impl Iterator<Item = Prefix> {
        let allowed = |key: &&BlockKey| key.list == List::Allow;
        self.wanted.keys().filter(allowed).map(|key| key.prefix)
    }

    /// The number of the next decision.
    pub(super) const fn next_id(&mut self) -> u64 {
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
                    self.wanted.insert(key, *entry);
                    if entry.is_automatic {
                        self.automatic.insert(key);
                    } else {
                        self.automatic.remove(&key);
                    }
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
            let Some(wanted) = self.wanted.remove(key) else {
                continue;
            };
            self.automatic.remove(key);
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
