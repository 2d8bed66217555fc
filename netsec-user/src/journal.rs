//! The history of decisions, in SQLite: who, why, by what evidence, until when, and what became of it.
//!
//! Two tables only ever grow (triggers refuse anything else): `decision` and `event`. The third, `change`,
//! is the log of what the block table is to hold.
//!
//! A decision is acknowledged when it is on the disk. It is in the kernel a moment before: an `fsync`
//! takes longer than the rest together. What is killed in between leaves an entry in a kept table that
//! nothing explains, which the next start adopts. The write-ahead log with `synchronous = FULL` has one
//! `fsync` for each transaction: what was acknowledged survives a crash of the machine, not only of the
//! process. The parts of a list are acknowledged together, at its end.

mod changes;
mod error;
mod packed;
mod record;
mod schema;

use std::collections::BTreeMap;
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use netsec_common::block::{BlockKey, Prefix};
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

pub use self::error::JournalError;
pub use self::record::{Decision, Event, EventKind, Wanted};
use self::record::{address, integer, length, read_decision, to_ns, unsigned};
use crate::time::WallTime;

/// The file's name in the state directory.
const FILE: &str = "journal.sqlite";

/// How long another process may hold the journal: longer than any transaction takes.
const BUSY: Duration = Duration::from_secs(2);

/// So many entries that are past are left in the log of changes before it is written anew.
const PAST_MAX: u64 = 100_000;

/// Most decisions and events given of one address or decision.
const HISTORY_MAX: u32 = 100;

/// The journal, open for writing.
#[derive(Debug)]
pub struct Journal {
    db: Connection,
    path: PathBuf,
    /// Entries in the log of changes, past ones among them.
    logged: u64,
}

impl Journal {
    /// Opens the journal in a directory, making both if need be.
    ///
    /// # Errors
    ///
    /// When it cannot be read or written, is damaged, or is of a newer netsec. The file is left as it
    /// is then.
    pub fn open(directory: &Path) -> Result<Self, JournalError> {
        let path = directory.join(FILE);
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .map_err(|error| JournalError::directory(directory, &error))?;
        let open = || -> rusqlite::Result<(Connection, i64)> {
            let mut db = Connection::open(&path)?;
            db.busy_timeout(BUSY)?;
            let version = schema::prepare(&mut db)?;
            Ok((db, version))
        };
        let (db, version) = open().map_err(|error| JournalError::new(&path, error))?;
        if version > schema::VERSION {
            return Err(JournalError::Newer { path, version });
        }
        let logged = changes::count(&db).map_err(|error| JournalError::new(&path, error))?;
        Ok(Self { db, path, logged })
    }

    /// Writes a decision and what it wants, whole or not at all.
    ///
    /// # Errors
    ///
    /// When it is not on the disk.
    pub fn record(&mut self, decision: &Decision, wanted: &[Wanted]) -> Result<(), JournalError> {
        self.transact(|transaction| {
            insert_decision(transaction, decision)?;
            changes::want(transaction, &mut wanted.iter())
        })
    }

    /// Adds to what a recorded decision wants, or changes it.
    ///
    /// # Errors
    ///
    /// When it is not on the disk.
    pub fn want(&mut self, wanted: &[Wanted], events: &[Event]) -> Result<(), JournalError> {
        self.transact(|transaction| {
            insert_events(transaction, events)?;
            changes::want(transaction, &mut wanted.iter())
        })
    }

    /// As [`Self::want`], without waiting for the disk: a later transaction does that for this one, too.
    /// A crash of the machine before it loses these entries, and damages nothing.
    ///
    /// # Errors
    ///
    /// When it is not written.
    pub fn want_soon(&mut self, wanted: &[Wanted]) -> Result<(), JournalError> {
        let set = |journal: &Self, level| journal.db.pragma_update(None, "synchronous", level);
        set(self, "NORMAL").map_err(|error| self.error(error))?;
        let written = self.want(wanted, &[]);
        set(self, "FULL").map_err(|error| self.error(error))?;
        written
    }

    /// Takes out what is not wanted any more, and says what became of it.
    ///
    /// # Errors
    ///
    /// When it is not on the disk.
    pub fn end(&mut self, keys: &[BlockKey], events: &[Event]) -> Result<(), JournalError> {
        self.transact(|transaction| {
            insert_events(transaction, events)?;
            changes::end(transaction, keys)
        })
    }

    /// Brings the journal up to date after a time without one: all that was decided meanwhile, and all
    /// that is wanted.
    ///
    /// # Errors
    ///
    /// When it is not on the disk.
    pub fn catch_up(
        &mut self,
        decisions: &[Decision],
        events: &[Event],
        wanted: &mut dyn Iterator<Item = &Wanted>,
    ) -> Result<(), JournalError> {
        let past = self.logged;
        self.transact(|transaction| {
            for decision in decisions {
                insert_decision(transaction, decision)?;
            }
            insert_events(transaction, events)?;
            transaction.execute("DELETE FROM change", [])?;
            changes::want(transaction, wanted)
        })?;
        self.logged -= past;
        Ok(())
    }

    /// Whether most of the log of changes is past, when so many entries are wanted: a start reads all of it.
    /// [`Self::catch_up`] writes it anew.
    #[must_use]
    pub const fn is_long(&self, wanted: u64) -> bool {
        self.logged > 2 * wanted + PAST_MAX
    }

    /// All that the block table is to hold.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub fn wanted(&self) -> Result<BTreeMap<BlockKey, Wanted>, JournalError> {
        changes::replay(&self.db).map_err(|error| self.error(error))
    }

    /// A decision by its number.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub fn decision(&self, id: u64) -> Result<Option<Decision>, JournalError> {
        let sql = format!("{} WHERE id = ?1", record::SELECT_DECISION);
        self.db
            .prepare(&sql)
            .and_then(|mut select| select.query_row([integer(id)], read_decision).optional())
            .map_err(|error| self.error(error))
    }

    /// The decisions about prefixes that hold all of `prefix`, the latest first; those that came with
    /// a list are not among them.
    ///
    /// # Errors
    ///
    /// When they cannot be read.
    pub fn about(&self, prefix: Prefix) -> Result<Vec<Decision>, JournalError> {
        let sql = format!(
            "{} WHERE address = ?1 AND length = ?2 ORDER BY id DESC LIMIT {HISTORY_MAX}",
            record::SELECT_DECISION
        );
        let read = || -> rusqlite::Result<Vec<Decision>> {
            let mut found = Vec::new();
            let mut select = self.db.prepare(&sql)?;
            for shorter in (0..=prefix.length()).filter_map(|n| Prefix::new(prefix.address(), n)) {
                let rows =
                    select.query_map(params![address(shorter), length(shorter)], read_decision)?;
                for decision in rows {
                    found.push(decision?);
                }
            }
            found.sort_by_key(|decision| std::cmp::Reverse(decision.id));
            Ok(found)
        };
        read().map_err(|error| self.error(error))
    }

    /// How often exactly this prefix was blocked since a point in time, trials counted or not.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub fn offences(
        &self,
        prefix: Prefix,
        since: WallTime,
        with_trials: bool,
    ) -> Result<u32, JournalError> {
        self.db
            .prepare(
                "SELECT count(*) FROM decision WHERE address = ?1 AND length = ?2 \
                 AND kind = 'block' AND time_ns >= ?3 AND (?4 OR NOT is_trial)",
            )
            .and_then(|mut select| {
                let (address, length) = (address(prefix), length(prefix));
                let columns = params![address, length, since.as_ns(), with_trials];
                select.query_row(columns, |row| row.get(0))
            })
            .map_err(|error| self.error(error))
    }

    /// When the latest automatic decisions since a point in time were made, up to `limit` of them, the
    /// earliest first.
    ///
    /// # Errors
    ///
    /// When they cannot be read.
    pub fn automatic_since(
        &self,
        since: WallTime,
        limit: usize,
    ) -> Result<Vec<WallTime>, JournalError> {
        let read = || -> rusqlite::Result<Vec<WallTime>> {
            let sql = "SELECT time_ns, is_automatic FROM decision ORDER BY id DESC";
            let mut select = self.db.prepare(sql)?;
            let mut rows = select.query([])?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                let time = WallTime::from_ns(row.get(0)?);
                if time < since || found.len() >= limit {
                    break;
                }
                if row.get(1)? {
                    found.push(time);
                }
            }
            found.reverse();
            Ok(found)
        };
        read().map_err(|error| self.error(error))
    }

    /// What became of a decision, in the order of time.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub fn events(&self, decision: u64) -> Result<Vec<Event>, JournalError> {
        let read = || -> rusqlite::Result<Vec<Event>> {
            let mut select = self.db.prepare(&format!(
                "SELECT time_ns, kind, actor, note, entries, packets, bytes FROM event \
                 WHERE decision = ?1 ORDER BY seq DESC LIMIT {HISTORY_MAX}"
            ))?;
            let rows =
                select.query_map([integer(decision)], |row| record::read_event(decision, row))?;
            let mut events: Vec<Event> = rows.collect::<rusqlite::Result<_>>()?;
            events.reverse();
            Ok(events)
        };
        read().map_err(|error| self.error(error))
    }

    /// The highest number given to a decision; 0 before the first.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub fn last_id(&self) -> Result<u64, JournalError> {
        self.db
            .query_row("SELECT coalesce(max(id), 0) FROM decision", [], |row| {
                row.get(0)
            })
            .map(unsigned)
            .map_err(|error| self.error(error))
    }

    /// Does all of it or nothing; `work` gives the entries that it has logged.
    fn transact(
        &mut self,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<u64>,
    ) -> Result<(), JournalError> {
        let done = self.db.transaction().and_then(|transaction| {
            let logged = work(&transaction)?;
            transaction.commit()?;
            Ok(logged)
        });
        self.logged += done.map_err(|error| JournalError::new(&self.path, error))?;
        Ok(())
    }

    fn error(&self, error: rusqlite::Error) -> JournalError {
        JournalError::new(&self.path, error)
    }
}

fn insert_decision(transaction: &Transaction<'_>, decision: &Decision) -> rusqlite::Result<()> {
    let evidence = decision.evidence.join("\n");
    let mut insert = transaction.prepare(
        "INSERT INTO decision (id, time_ns, kind, actor, reason, evidence, address, length, \
         narrowing, entries, until_ns, would_cut, undo, is_trial, is_automatic) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
    )?;
    insert.execute(params![
        integer(decision.id),
        decision.time.as_ns(),
        decision.kind,
        decision.actor,
        decision.reason,
        evidence,
        decision.prefix.map(address),
        decision.prefix.map(length),
        decision.narrowing,
        integer(decision.entries),
        to_ns(decision.until),
        decision.would_cut,
        decision.undo,
        decision.is_trial,
        decision.is_automatic,
    ])?;
    Ok(())
}

fn insert_events(transaction: &Transaction<'_>, events: &[Event]) -> rusqlite::Result<()> {
    let mut insert = transaction.prepare(
        "INSERT INTO event (decision, time_ns, kind, actor, note, entries, packets, bytes) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?;
    for event in events {
        insert.execute(params![
            integer(event.decision),
            event.time.as_ns(),
            event.kind.name(),
            event.actor,
            event.note,
            integer(event.entries),
            integer(event.packets),
            integer(event.bytes),
        ])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
