//! What the block table is to hold, as the log of its changes.
//!
//! A row puts entries in or takes them out; what is wanted is what comes of all rows in their order. So a
//! change costs what it changes, a list of a million costs a few hundred rows, and what replaces an entry
//! need not look for it. When most of the log is past, it is written anew.

use std::collections::BTreeMap;

use netsec_common::block::{Action, BlockKey, List, Narrowing, Prefix};
use rusqlite::types::Type;
use rusqlite::{Connection, Row, Transaction, params};

use super::packed::{Packed, unpack};
use super::record::{
    Wanted, from_ns, integer, list, list_number, narrowing, narrowing_numbers, odd, rate, to_ns,
    unsigned,
};
use crate::block::Block;
use crate::time::WallTime;

/// Bytes of packed entries in a row, about.
const ROW_BYTES: usize = 64 << 10;

/// What all entries of a row have in common, as it stands in the columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Terms {
    is_end: bool,
    list: List,
    narrowing: Narrowing,
    rate: Option<u32>,
    decision: u64,
    is_confirmed: bool,
    /// Of what is not confirmed: when it ends once it is.
    later: Option<i64>,
    is_automatic: bool,
    is_trial: bool,
}

/// Appends entries that are wanted from here on, in place of those with the same keys; gives how many.
/// Of several with one key the last counts, if all are of one decision.
pub(super) fn want(
    transaction: &Transaction<'_>,
    wanted: &mut dyn Iterator<Item = &Wanted>,
) -> rusqlite::Result<u64> {
    let rows = wanted.map(|entry| {
        let terms = Terms {
            is_end: false,
            list: entry.block.key.list,
            narrowing: entry.block.key.narrowing,
            rate: rate(entry.block.action),
            decision: entry.block.decision_id,
            is_confirmed: entry.is_confirmed,
            later: to_ns(entry.later).filter(|_| !entry.is_confirmed),
            is_automatic: entry.is_automatic,
            is_trial: entry.is_trial,
        };
        (terms, entry.block.key.prefix, entry.block.until)
    });
    append(transaction, rows)
}

/// Appends that entries are no longer wanted; gives how many.
pub(super) fn end(transaction: &Transaction<'_>, keys: &[BlockKey]) -> rusqlite::Result<u64> {
    let rows = keys.iter().map(|key| {
        let terms = Terms {
            is_end: true,
            list: key.list,
            narrowing: key.narrowing,
            rate: None,
            decision: 0,
            is_confirmed: true,
            later: None,
            is_automatic: false,
            is_trial: false,
        };
        (terms, key.prefix, None)
    });
    append(transaction, rows)
}

/// Entries in all rows.
pub(super) fn count(db: &Connection) -> rusqlite::Result<u64> {
    let sql = "SELECT coalesce(sum(entries), 0) FROM change";
    db.query_row(sql, [], |row| row.get(0)).map(unsigned)
}

/// What is wanted after all changes.
pub(super) fn replay(db: &Connection) -> rusqlite::Result<BTreeMap<BlockKey, Wanted>> {
    let mut select = db.prepare(
        "SELECT is_end, list, protocol, port, rate, decision, is_confirmed, later_ns, is_automatic, \
         is_trial, entries, packed FROM change ORDER BY seq",
    )?;
    let mut rows = select.query([])?;
    let mut wanted = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let terms = read_terms(row)?;
        let (entries, packed): (i64, _) = (row.get(10)?, row.get_ref(11)?.as_blob()?);
        let mut count = 0;
        let unpacked = unpack(packed, |prefix, until| {
            count += 1;
            terms.apply(prefix, until, &mut wanted);
        });
        if unpacked.is_none() || count != entries {
            return Err(odd(11, Type::Blob));
        }
    }
    Ok(wanted)
}

impl Terms {
    fn apply(
        &self,
        prefix: Prefix,
        until: Option<WallTime>,
        wanted: &mut BTreeMap<BlockKey, Wanted>,
    ) {
        let key = BlockKey {
            list: self.list,
            prefix,
            narrowing: self.narrowing,
        };
        if self.is_end {
            wanted.remove(&key);
            return;
        }
        let entry = Wanted {
            block: Block {
                key,
                action: self
                    .rate
                    .map_or(Action::Drop, |packets_per_s| Action::RateLimit {
                        packets_per_s,
                    }),
                decision_id: self.decision,
                until,
            },
            is_confirmed: self.is_confirmed,
            later: if self.is_confirmed {
                until
            } else {
                from_ns(self.later)
            },
            is_automatic: self.is_automatic,
            is_trial: self.is_trial,
        };
        wanted.insert(key, entry);
    }
}

fn read_terms(row: &Row<'_>) -> rusqlite::Result<Terms> {
    Ok(Terms {
        is_end: row.get(0)?,
        list: list(row.get(1)?)?,
        narrowing: narrowing(row.get(2)?, row.get(3)?),
        rate: row.get(4)?,
        decision: unsigned(row.get(5)?),
        is_confirmed: row.get(6)?,
        later: row.get(7)?,
        is_automatic: row.get(8)?,
        is_trial: row.get(9)?,
    })
}

/// Writes entries of the same terms together, whatever order they come in.
fn append(
    transaction: &Transaction<'_>,
    rows: impl Iterator<Item = (Terms, Prefix, Option<WallTime>)>,
) -> rusqlite::Result<u64> {
    let mut open: BTreeMap<Terms, Packed> = BTreeMap::new();
    let mut count = 0;
    for (terms, prefix, until) in rows {
        count += 1;
        let packed = open.entry(terms).or_default();
        packed.push(prefix, until);
        if packed.bytes().len() >= ROW_BYTES {
            insert(transaction, &terms, &std::mem::take(packed))?;
        }
    }
    for (terms, packed) in open.iter().filter(|(_, packed)| packed.entries() > 0) {
        insert(transaction, terms, packed)?;
    }
    Ok(count)
}

fn insert(transaction: &Transaction<'_>, terms: &Terms, packed: &Packed) -> rusqlite::Result<()> {
    let mut insert = transaction.prepare(
        "INSERT INTO change (is_end, list, protocol, port, rate, decision, is_confirmed, later_ns, \
         is_automatic, is_trial, entries, packed) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
    )?;
    let (protocol, port) = narrowing_numbers(terms.narrowing);
    insert.execute(params![
        terms.is_end,
        list_number(terms.list),
        protocol,
        port,
        terms.rate,
        integer(terms.decision),
        terms.is_confirmed,
        terms.later,
        terms.is_automatic,
        terms.is_trial,
        integer(packed.entries()),
        packed.bytes(),
    ])?;
    Ok(())
}
