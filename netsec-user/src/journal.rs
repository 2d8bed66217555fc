//! The history of decisions, in SQLite: who, why, by what evidence, until when, and what became of it.
//!
//! Two tables only ever grow (triggers refuse anything else): `decision` and `event`. The third,
//! `wanted`, is what the block table is to hold at the moment.
//!
//! A decision is acknowledged when it is on the disk. It is in the kernel a moment before: an `fsync`
//! takes longer than the rest together. What is killed in between leaves an entry in a kept table that
//! nothing explains, which the next start adopts. The write-ahead log with `synchronous = FULL` has one
//! `fsync` for each transaction: what was acknowledged survives a crash of the machine, not only of the
//! process. The parts of a list are acknowledged together, at its end.

mod error;
mod record;
mod schema;

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use netsec_common::block::{BlockKey, Prefix};
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

pub use self::error::JournalError;
pub use self::record::{Decision, Event, EventKind, Wanted};
use self::record::{address, integer, key_columns, length, read_decision, read_wanted, to_ns};
use crate::time::WallTime;

/// The file's name in the state directory.
const FILE: &str = "journal.sqlite";

/// How long another process may hold the journal: longer than any transaction takes.
const BUSY: Duration = Duration::from_secs(2);

/// Most decisions and events given of one address or decision.
const HISTORY_MAX: u32 = 100;

/// The journal, open for writing.
#[derive(Debug)]
pub struct Journal {
    db: Connection,
    path: PathBuf,
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
        Ok(Self { db, path })
    }

    /// Writes a decision and what it wants, whole or not at all.
    ///
    /// # Errors
    ///
    /// When it is not on the disk.
    pub fn record(&mut self, decision: &Decision, wanted: &[Wanted]) -> Result<(), JournalError> {
        self.transact(|transaction| {
            insert_decision(transaction, decision)?;
            insert_wanted(transaction, &mut wanted.iter())
        })
    }

    /// Adds to what a recorded decision wants, or changes it.
    ///
    /// # Errors
    ///
    /// When it is not on the disk.
    pub fn want(&mut self, wanted: &[Wanted], events: &[Event]) -> Result<(), JournalError> {
        self.transact(|transaction| {
            insert_wanted(transaction, &mut wanted.iter())?;
            insert_events(transaction, events)
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
            let mut delete = transaction.prepare(
                "DELETE FROM wanted WHERE list = ?1 AND address = ?2 AND length = ?3 \
                 AND protocol = ?4 AND port = ?5",
            )?;
            for key in keys {
                delete.execute(key_columns(key))?;
            }
            insert_events(transaction, events)
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
        self.transact(|transaction| {
            for decision in decisions {
                insert_decision(transaction, decision)?;
            }
            insert_events(transaction, events)?;
            transaction.execute("DELETE FROM wanted", [])?;
            insert_wanted(transaction, wanted)
        })
    }

    /// Shows all that the block table is to hold, in the order of keys.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub fn wanted(&self, visitor: &mut dyn FnMut(Wanted)) -> Result<(), JournalError> {
        let mut read = || -> rusqlite::Result<()> {
            let mut select = self.db.prepare(
                "SELECT list, address, length, protocol, port, rate, decision, until_ns, \
                 is_confirmed, later_ns, is_automatic, is_trial FROM wanted",
            )?;
            let mut rows = select.query([])?;
            while let Some(row) = rows.next()? {
                visitor(read_wanted(row)?);
            }
            Ok(())
        };
        read().map_err(|error| self.error(error))
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
            .map(from_id)
            .map_err(|error| self.error(error))
    }

    fn transact(
        &mut self,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<()>,
    ) -> Result<(), JournalError> {
        let done = self.db.transaction().and_then(|transaction| {
            work(&transaction)?;
            transaction.commit()
        });
        done.map_err(|error| JournalError::new(&self.path, error))
    }

    fn error(&self, error: rusqlite::Error) -> JournalError {
        JournalError::new(&self.path, error)
    }
}

fn from_id(id: i64) -> u64 {
    u64::try_from(id).unwrap_or_default()
}

fn insert_decision(transaction: &Transaction<'_>, decision: &Decision) -> rusqlite::Result<()> {
    let evidence = decision.evidence.join("\n");
    let mut insert = transaction.prepare(
        "INSERT INTO decision (id, time_ns, kind, actor, reason, evidence, address, length, \
         narrowing, entries, until_ns, would_cut, undo, is_trial) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
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
    ])?;
    Ok(())
}

fn insert_wanted(
    transaction: &Transaction<'_>,
    wanted: &mut dyn Iterator<Item = &Wanted>,
) -> rusqlite::Result<()> {
    let mut insert = transaction.prepare(
        "INSERT OR REPLACE INTO wanted (list, address, length, protocol, port, rate, decision, \
         until_ns, is_confirmed, later_ns, is_automatic, is_trial) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
    )?;
    for wanted in wanted {
        let (list, address, length, protocol, port) = key_columns(&wanted.block.key);
        insert.execute(params![
            list,
            address,
            length,
            protocol,
            port,
            record::rate(wanted.block.action),
            integer(wanted.block.decision_id),
            to_ns(wanted.block.until),
            wanted.is_confirmed,
            to_ns(wanted.later),
            wanted.is_automatic,
            wanted.is_trial,
        ])?;
    }
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
