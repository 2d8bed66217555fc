//! The journal, after a time without one.

use std::collections::BTreeSet;

use netsec_common::block::{BlockKey, Mode};

use super::Book;
use crate::block::Enforcer;
use crate::journal::{Journal, JournalError};
use crate::time::WallTime;

impl Book {
    /// Tries to open the journal again, and writes what was decided without it. One that could not be read
    /// at the start is read first: what it wants holds from here on, too.
    pub(super) fn catch_up(&mut self, table: &mut dyn Enforcer, now: WallTime) {
        let Some(directory) = &self.directory else {
            return;
        };
        let Ok(mut journal) = Journal::open(directory) else {
            return;
        };
        if let Some(taken_out) = self.unread.take()
            && let Err(error) = self.learn(&journal, &taken_out, table, now)
        {
            self.unread = Some(taken_out);
            self.trouble = Some(error.to_string());
            return;
        }
        let decisions = self.pending.make_contiguous();
        let said = &self.pending_events;
        match journal.catch_up(decisions, said, &mut self.wanted.values()) {
            Ok(()) => {
                log::info!("the journal can be written again, and is up to date");
                self.journal = Some(journal);
                self.trouble = None;
                self.pending.clear();
                self.pending_events.clear();
            }
            Err(error) => self.trouble = Some(error.to_string()),
        }
    }

    /// Wants what the journal does, but for what has ended or was decided otherwise since.
    fn learn(
        &mut self,
        journal: &Journal,
        taken_out: &BTreeSet<BlockKey>,
        table: &mut dyn Enforcer,
        now: WallTime,
    ) -> Result<(), JournalError> {
        let (wanted, last_id) = (journal.wanted()?, journal.last_id()?);
        self.last_id = self.last_id.max(last_id);
        let (mut learnt, mut failed) = (0, None);
        for (key, entry) in wanted {
            let is_over = entry.block.until.is_some_and(|until| until <= now);
            // What was decided while nothing was dropped never drops anything.
            let is_stale = entry.is_trial && table.mode() == Mode::Enforce;
            if is_over || is_stale || taken_out.contains(&key) {
                continue;
            }
            if let Some(known) = self.wanted.get(&key) {
                // Found in the table: the journal knows more of it.
                if known.block == entry.block {
                    self.set(entry);
                }
                continue;
            }
            match table.insert(&entry.block) {
                Ok(_) => {
                    self.set(entry);
                    learnt += 1;
                }
                Err(error) => failed = Some((key.prefix, error)),
            }
        }
        log::info!("the journal can be read again: {learnt} entries of it are in force");
        if let Some((prefix, error)) = failed {
            log::warn!("{prefix}: {error}");
        }
        Ok(())
    }

    /// Writes the log of what is wanted anew when most of it is past.
    pub(super) fn shorten(&mut self) {
        let wanted = self.wanted.len() as u64;
        if let Some(journal) = &mut self.journal
            && journal.is_long(wanted)
        {
            let written = journal.catch_up(&[], &[], &mut self.wanted.values());
            self.note(written);
        }
    }
}
