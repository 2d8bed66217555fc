//! The tables, and their version.

use rusqlite::{Connection, Transaction};

use super::changes;
use super::record::{Wanted, read_wanted};

/// Version of the tables below, `PRAGMA user_version`.
pub(super) const VERSION: i64 = 3;

/// `nets`, which file(1) and SQLite's own tools show.
const APPLICATION: i64 = 0x6e65_7473;

/// The log of what is wanted: see [`changes`].
const CHANGE: &str = "
CREATE TABLE change (
    seq INTEGER PRIMARY KEY,
    is_end INTEGER NOT NULL,
    list INTEGER NOT NULL,
    protocol INTEGER NOT NULL,
    port INTEGER NOT NULL,
    rate INTEGER,
    decision INTEGER NOT NULL,
    is_confirmed INTEGER NOT NULL,
    later_ns INTEGER,
    is_automatic INTEGER NOT NULL,
    is_trial INTEGER NOT NULL,
    entries INTEGER NOT NULL,
    packed BLOB NOT NULL
) STRICT;
";

const TABLES: &str = "
CREATE TABLE decision (
    id INTEGER PRIMARY KEY,
    time_ns INTEGER NOT NULL,
    kind TEXT NOT NULL,
    actor TEXT NOT NULL,
    reason TEXT NOT NULL,
    evidence TEXT NOT NULL,
    address BLOB,
    length INTEGER,
    narrowing TEXT NOT NULL,
    entries INTEGER NOT NULL,
    until_ns INTEGER,
    would_cut TEXT NOT NULL,
    undo TEXT NOT NULL,
    is_trial INTEGER NOT NULL,
    is_automatic INTEGER NOT NULL
) STRICT;
CREATE INDEX decision_prefix ON decision (address, length);
CREATE TABLE event (
    seq INTEGER PRIMARY KEY,
    decision INTEGER NOT NULL,
    time_ns INTEGER NOT NULL,
    kind TEXT NOT NULL,
    actor TEXT NOT NULL,
    note TEXT NOT NULL,
    entries INTEGER NOT NULL,
    packets INTEGER NOT NULL,
    bytes INTEGER NOT NULL
) STRICT;
CREATE INDEX event_decision ON event (decision);
CREATE TRIGGER decision_stays BEFORE DELETE ON decision BEGIN SELECT RAISE(ABORT, 'history only grows'); END;
CREATE TRIGGER decision_holds BEFORE UPDATE ON decision BEGIN SELECT RAISE(ABORT, 'history only grows'); END;
CREATE TRIGGER event_stays BEFORE DELETE ON event BEGIN SELECT RAISE(ABORT, 'history only grows'); END;
CREATE TRIGGER event_holds BEFORE UPDATE ON event BEGIN SELECT RAISE(ABORT, 'history only grows'); END;
";

/// What version 1 lacked. It does not say which of its decisions were trials: they count as enforced,
/// as an upgrade must not let anybody in who is blocked. Who was automatic is told by who decided.
const FROM_1: &str = "
ALTER TABLE decision ADD COLUMN is_trial INTEGER NOT NULL DEFAULT 0;
ALTER TABLE wanted ADD COLUMN is_automatic INTEGER NOT NULL DEFAULT 0;
ALTER TABLE wanted ADD COLUMN is_trial INTEGER NOT NULL DEFAULT 0;
UPDATE wanted SET is_automatic = 1 WHERE list = 0 AND decision IN
    (SELECT id FROM decision WHERE kind = 'block' AND (actor LIKE 'finding %' OR actor LIKE 'alert %'));
";

/// What version 2 lacked: it did not say which decisions were a detector's (which counts for a minute only),
/// and kept what is wanted in a row for each entry.
const FROM_2: &str = "
ALTER TABLE decision ADD COLUMN is_automatic INTEGER NOT NULL DEFAULT 0;
";

/// Makes the tables of an empty file, and gives the version of the file's.
pub(super) fn prepare(db: &mut Connection) -> rusqlite::Result<i64> {
    let version: i64 = db.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if version > VERSION {
        return Ok(version);
    }
    let checked: String = db.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if checked != "ok" {
        return Err(rusqlite::Error::SqliteFailure(
            rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT),
            Some(checked),
        ));
    }
    db.query_row("PRAGMA journal_mode = WAL", [], |row| {
        row.get::<_, String>(0)
    })?;
    db.execute_batch("PRAGMA synchronous = FULL")?;
    if version < VERSION {
        let transaction = db.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        // Another process may have made them in the meantime.
        let version: i64 = transaction.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        let tables: i64 =
            transaction.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
        let is_ours = match version {
            0 if tables == 0 => {
                transaction.execute_batch(TABLES)?;
                transaction.execute_batch(CHANGE)?;
                transaction.pragma_update(None, "application_id", APPLICATION)?;
                true
            }
            1 => {
                transaction.execute_batch(FROM_1)?;
                from_2(&transaction)?;
                true
            }
            2 => {
                from_2(&transaction)?;
                true
            }
            _ => false,
        };
        if is_ours {
            transaction.pragma_update(None, "user_version", VERSION)?;
        }
        transaction.commit()?;
    }
    Ok(VERSION)
}

fn from_2(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    transaction.execute_batch(FROM_2)?;
    transaction.execute_batch(CHANGE)?;
    let mut select = transaction.prepare(
        "SELECT list, address, length, protocol, port, rate, decision, until_ns, is_confirmed, \
         later_ns, is_automatic, is_trial FROM wanted",
    )?;
    let wanted: Vec<Wanted> = select
        .query_map([], read_wanted)?
        .collect::<rusqlite::Result<_>>()?;
    changes::want(transaction, &mut wanted.iter())?;
    drop(select);
    transaction.execute_batch("DROP TABLE wanted")
}
