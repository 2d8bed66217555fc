//! What is in the journal, and how it is written in SQLite's types.

use std::net::{IpAddr, Ipv6Addr};

use netsec_common::block::{Action, BlockKey, List, Narrowing, Prefix};
use rusqlite::Row;
use rusqlite::types::Type;

use crate::block::Block;
use crate::time::WallTime;

/// A decision, as it was made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decision {
    /// Its number; no two decisions have the same.
    pub id: u64,
    /// When.
    pub time: WallTime,
    /// What: `block`, `allow`, `import`, `mode`.
    pub kind: String,
    /// Who: a user and how, or a detector.
    pub actor: String,
    /// Why.
    pub reason: String,
    /// The findings and alerts that it rests on.
    pub evidence: Vec<String>,
    /// About which addresses; `None` for a list.
    pub prefix: Option<Prefix>,
    /// Which of their packets, and what becomes of those, in words.
    pub narrowing: String,
    /// How many entries it asked for, as far as that was known.
    pub entries: u64,
    /// Until when; `None` is until it is taken back.
    pub until: Option<WallTime>,
    /// What it cut, by the connections of that moment.
    pub would_cut: String,
    /// The command that takes it back.
    pub undo: String,
    /// Whether it was made while nothing was dropped (mode `detect` or `dry-run`), and so drops nothing.
    pub is_trial: bool,
    /// Whether a detector made it, and no person.
    pub is_automatic: bool,
}

/// What became of a decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Which.
    pub decision: u64,
    /// When.
    pub time: WallTime,
    /// What.
    pub kind: EventKind,
    /// Who.
    pub actor: String,
    /// More of it.
    pub note: String,
    /// Entries that it is about.
    pub entries: u64,
    /// Packets that those had dropped.
    pub packets: u64,
    /// Bytes of those.
    pub bytes: u64,
}

/// What can become of a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EventKind {
    /// Its time was over.
    Expired,
    /// Somebody took it back.
    Removed,
    /// A later decision about the same took its place.
    Replaced,
    /// It was to be confirmed, and was.
    Confirmed,
    /// It was to be confirmed, and was not.
    Reverted,
    /// The kernel refused it.
    Failed,
    /// The kernel's table did not have it, and has it again.
    Repaired,
    /// The kernel's table had it, and the journal did not.
    Adopted,
    /// It was made while nothing was dropped, and from then on blocks are.
    Discarded,
    /// All of its list was put in.
    Imported,
}

/// Every kind, and its name in the file.
const KINDS: [(EventKind, &str); 10] = [
    (EventKind::Expired, "expired"),
    (EventKind::Removed, "removed"),
    (EventKind::Replaced, "replaced"),
    (EventKind::Confirmed, "confirmed"),
    (EventKind::Reverted, "reverted"),
    (EventKind::Failed, "failed"),
    (EventKind::Repaired, "repaired"),
    (EventKind::Adopted, "adopted"),
    (EventKind::Discarded, "discarded"),
    (EventKind::Imported, "imported"),
];

impl EventKind {
    /// Its name, a verb in the past.
    #[must_use]
    pub fn name(self) -> &'static str {
        let found = KINDS.iter().find(|(kind, _)| *kind == self);
        found.map_or("", |(_, name)| name)
    }
}

/// An entry that the block table is to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The entry. Until it is confirmed its end is the time to confirm it by.
    pub block: Block,
    /// Whether it needs no confirmation, or has it.
    pub is_confirmed: bool,
    /// When it ends once it is confirmed; `None` is never.
    pub later: Option<WallTime>,
    /// Whether a detector had it blocked: there may be only so many of those.
    pub is_automatic: bool,
    /// Whether it was made while nothing was dropped: it never drops anything then. What is allowed
    /// is allowed in any mode.
    pub is_trial: bool,
}

pub(super) const SELECT_DECISION: &str = "SELECT id, time_ns, kind, actor, reason, evidence, \
     address, length, narrowing, entries, until_ns, would_cut, undo, is_trial, \
     is_automatic FROM decision";

pub(super) fn read_decision(row: &Row<'_>) -> rusqlite::Result<Decision> {
    let evidence: String = row.get(5)?;
    let bytes: Option<[u8; 16]> = row.get(6)?;
    let prefix = match bytes {
        None => None,
        Some(bytes) => Some(prefix(bytes, row.get(7)?)?),
    };
    Ok(Decision {
        id: unsigned(row.get(0)?),
        time: WallTime::from_ns(row.get(1)?),
        kind: row.get(2)?,
        actor: row.get(3)?,
        reason: row.get(4)?,
        evidence: evidence.lines().map(str::to_owned).collect(),
        prefix,
        narrowing: row.get(8)?,
        entries: unsigned(row.get(9)?),
        until: from_ns(row.get(10)?),
        would_cut: row.get(11)?,
        undo: row.get(12)?,
        is_trial: row.get(13)?,
        is_automatic: row.get(14)?,
    })
}

pub(super) fn read_event(decision: u64, row: &Row<'_>) -> rusqlite::Result<Event> {
    let name: String = row.get(1)?;
    let kind = KINDS.iter().find(|(_, known)| *known == name);
    Ok(Event {
        decision,
        time: WallTime::from_ns(row.get(0)?),
        kind: kind
            .map(|(kind, _)| *kind)
            .ok_or_else(|| odd(1, Type::Text))?,
        actor: row.get(2)?,
        note: row.get(3)?,
        entries: unsigned(row.get(4)?),
        packets: unsigned(row.get(5)?),
        bytes: unsigned(row.get(6)?),
    })
}

/// An entry as versions 1 and 2 kept it, a row each.
pub(super) fn read_wanted(row: &Row<'_>) -> rusqlite::Result<Wanted> {
    let rate: Option<u32> = row.get(5)?;
    Ok(Wanted {
        block: Block {
            key: BlockKey {
                list: list(row.get(0)?)?,
                prefix: prefix(row.get(1)?, row.get(2)?)?,
                narrowing: narrowing(row.get(3)?, row.get(4)?),
            },
            action: rate.map_or(Action::Drop, |packets_per_s| Action::RateLimit {
                packets_per_s,
            }),
            decision_id: unsigned(row.get(6)?),
            until: from_ns(row.get(7)?),
        },
        is_confirmed: row.get(8)?,
        later: from_ns(row.get(9)?),
        is_automatic: row.get(10)?,
        is_trial: row.get(11)?,
    })
}

pub(super) const fn list_number(list: List) -> i64 {
    match list {
        List::Block => 0,
        List::Allow => 1,
    }
}

pub(super) fn list(number: i64) -> rusqlite::Result<List> {
    match number {
        0 => Ok(List::Block),
        1 => Ok(List::Allow),
        _ => Err(odd(0, Type::Integer)),
    }
}

/// Protocol and port; -1 is any.
pub(super) fn narrowing_numbers(narrowing: Narrowing) -> (i64, i64) {
    match narrowing {
        Narrowing::Any => (-1, -1),
        Narrowing::Protocol(protocol) => (protocol.into(), -1),
        Narrowing::Port { protocol, port } => (protocol.into(), port.into()),
    }
}

pub(super) fn narrowing(protocol: i64, port: i64) -> Narrowing {
    match (u8::try_from(protocol), u16::try_from(port)) {
        (Ok(protocol), Ok(port)) => Narrowing::Port { protocol, port },
        (Ok(protocol), Err(_)) => Narrowing::Protocol(protocol),
        (Err(_), _) => Narrowing::Any,
    }
}

/// The address, IPv4-mapped.
pub(super) fn address(prefix: Prefix) -> [u8; 16] {
    match prefix.address() {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
        IpAddr::V6(v6) => v6.octets(),
    }
}

/// The length out of 128.
pub(super) fn length(prefix: Prefix) -> u8 {
    prefix.length() + if prefix.is_v4() { 96 } else { 0 }
}

fn prefix(address: [u8; 16], length: u8) -> rusqlite::Result<Prefix> {
    let address = IpAddr::V6(Ipv6Addr::from(address));
    Prefix::new(address, length).ok_or_else(|| odd(2, Type::Integer))
}

pub(super) const fn rate(action: Action) -> Option<u32> {
    match action {
        Action::Drop => None,
        Action::RateLimit { packets_per_s } => Some(packets_per_s),
    }
}

pub(super) fn to_ns(time: Option<WallTime>) -> Option<i64> {
    time.map(WallTime::as_ns)
}

pub(super) fn from_ns(ns: Option<i64>) -> Option<WallTime> {
    ns.map(WallTime::from_ns)
}

/// A count as SQLite has it: no count here comes near its end.
pub(super) fn integer(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

pub(super) fn unsigned(count: i64) -> u64 {
    u64::try_from(count).unwrap_or_default()
}

pub(super) fn odd(column: usize, kind: Type) -> rusqlite::Error {
    rusqlite::Error::InvalidColumnType(column, "of another netsec".to_owned(), kind)
}
