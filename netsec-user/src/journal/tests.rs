use std::env;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};

use netsec_common::block::{Action, List, Narrowing};
use tempfile::TempDir;

use super::*;
use crate::block::Block;

mod changes;

/// Names the directory that a child of [`nothing_acknowledged_is_lost`] writes to.
const CHILD: &str = "NETSEC_TEST_JOURNAL_CHILD";

fn decision(id: u64) -> Decision {
    Decision {
        id,
        time: WallTime::from_ns(1_000_000_000 + i64::try_from(id).unwrap()),
        kind: "block".into(),
        actor: "root, by hand".into(),
        reason: "scan".into(),
        evidence: vec!["f-1".into(), "f-2".into()],
        prefix: Some("192.0.2.0/24".parse().unwrap()),
        narrowing: "drop".into(),
        entries: 1,
        until: Some(WallTime::from_ns(5_000_000_000)),
        would_cut: "nothing".into(),
        undo: "netsec block del 192.0.2.0/24".into(),
        is_trial: id.is_multiple_of(2),
        is_automatic: id.is_multiple_of(3),
    }
}

fn wanted(prefix: &str, id: u64) -> Wanted {
    Wanted {
        block: Block {
            key: BlockKey {
                list: List::Block,
                prefix: prefix.parse().unwrap(),
                narrowing: Narrowing::Port {
                    protocol: 6,
                    port: 22,
                },
            },
            action: Action::RateLimit { packets_per_s: 7 },
            decision_id: id,
            until: Some(WallTime::from_ns(5_000_000_000)),
        },
        is_confirmed: false,
        later: None,
        is_automatic: true,
        is_trial: false,
    }
}

fn all(journal: &Journal) -> Vec<Wanted> {
    journal.wanted().unwrap().into_values().collect()
}

#[test]
fn what_is_written_is_read_after_a_restart() {
    let directory = TempDir::new().unwrap();
    let mut journal = Journal::open(directory.path()).unwrap();
    journal
        .record(
            &decision(1),
            &[wanted("192.0.2.0/24", 1), wanted("2001:db8::/32", 1)],
        )
        .unwrap();
    journal.record(&decision(2), &[]).unwrap();
    drop(journal);
    let mut journal = Journal::open(directory.path()).unwrap();
    assert_eq!(journal.decision(1).unwrap(), Some(decision(1)));
    assert_eq!(journal.decision(9).unwrap(), None);
    assert_eq!(journal.last_id().unwrap(), 2);
    let inside = "192.0.2.77".parse().unwrap();
    assert_eq!(journal.about(inside).unwrap(), [decision(2), decision(1)]);
    assert!(
        journal
            .about("192.0.3.1".parse().unwrap())
            .unwrap()
            .is_empty()
    );
    let net = "192.0.2.0/24".parse().unwrap();
    let ever = WallTime::default();
    assert_eq!(journal.offences(net, ever, true).unwrap(), 2);
    assert_eq!(journal.offences(net, ever, false).unwrap(), 1);
    assert_eq!(
        journal
            .offences(net, WallTime::from_ns(1_000_000_002), true)
            .unwrap(),
        1
    );
    let mut found = all(&journal);
    found.sort_by_key(|wanted| wanted.block.key);
    assert_eq!(found.len(), 2);
    let key = wanted("192.0.2.0/24", 1).block.key;
    assert!(found.contains(&wanted("192.0.2.0/24", 1)));
    let event = Event {
        decision: 1,
        time: WallTime::from_ns(7),
        kind: EventKind::Expired,
        actor: "netsec".into(),
        note: String::new(),
        entries: 1,
        packets: 12,
        bytes: 1200,
    };
    journal.end(&[key], std::slice::from_ref(&event)).unwrap();
    assert_eq!(journal.events(1).unwrap(), [event]);
    assert_eq!(all(&journal).len(), 1);
}

/// The tables of version 1, with a block of a person's and one of a detector's.
const VERSION_1: &str = "
CREATE TABLE decision (id INTEGER PRIMARY KEY, time_ns INTEGER NOT NULL, kind TEXT NOT NULL,
    actor TEXT NOT NULL, reason TEXT NOT NULL, evidence TEXT NOT NULL, address BLOB, length INTEGER,
    narrowing TEXT NOT NULL, entries INTEGER NOT NULL, until_ns INTEGER, would_cut TEXT NOT NULL,
    undo TEXT NOT NULL) STRICT;
CREATE TABLE event (seq INTEGER PRIMARY KEY, decision INTEGER NOT NULL, time_ns INTEGER NOT NULL,
    kind TEXT NOT NULL, actor TEXT NOT NULL, note TEXT NOT NULL, entries INTEGER NOT NULL,
    packets INTEGER NOT NULL, bytes INTEGER NOT NULL) STRICT;
CREATE TABLE wanted (list INTEGER NOT NULL, address BLOB NOT NULL, length INTEGER NOT NULL,
    protocol INTEGER NOT NULL, port INTEGER NOT NULL, rate INTEGER, decision INTEGER NOT NULL,
    until_ns INTEGER, is_confirmed INTEGER NOT NULL, later_ns INTEGER,
    PRIMARY KEY (list, address, length, protocol, port)) STRICT, WITHOUT ROWID;
CREATE TRIGGER decision_holds BEFORE UPDATE ON decision BEGIN SELECT RAISE(ABORT, 'history'); END;
INSERT INTO decision VALUES (1, 1, 'block', 'root, by hand', '', '', NULL, NULL, '', 1, NULL, '', '');
INSERT INTO decision VALUES (2, 1, 'block', 'finding scan', '', '', NULL, NULL, '', 1, NULL, '', '');
INSERT INTO wanted VALUES (0, x'00000000000000000000ffffc0000201', 128, -1, -1, NULL, 1, NULL, 1, NULL);
INSERT INTO wanted VALUES (0, x'00000000000000000000ffffc0000202', 128, -1, -1, NULL, 2, NULL, 1, NULL);
PRAGMA user_version = 1;
";

#[test]
fn a_journal_of_version_1_goes_on() {
    let directory = TempDir::new().unwrap();
    let db = Connection::open(directory.path().join(FILE)).unwrap();
    db.execute_batch(VERSION_1).unwrap();
    drop(db);
    for _ in 0..2 {
        let journal = Journal::open(directory.path()).unwrap();
        assert!(!journal.decision(2).unwrap().unwrap().is_automatic);
        let marks = |entry: &Wanted| {
            let id = entry.block.decision_id;
            (id, entry.is_automatic, entry.is_trial)
        };
        let found: Vec<_> = all(&journal).iter().map(marks).collect();
        assert_eq!(found, [(1, false, false), (2, true, false)]);
        assert!(!journal.decision(2).unwrap().unwrap().is_trial);
    }
}

/// What version 2 added to version 1.
const VERSION_2: &str = "
ALTER TABLE decision ADD COLUMN is_trial INTEGER NOT NULL DEFAULT 0;
ALTER TABLE wanted ADD COLUMN is_automatic INTEGER NOT NULL DEFAULT 0;
ALTER TABLE wanted ADD COLUMN is_trial INTEGER NOT NULL DEFAULT 0;
INSERT INTO wanted VALUES (0, x'00000000000000000000ffffc6336400', 120, 6, 22, 7, 2, 50, 0, 90, 1, 0);
INSERT INTO wanted VALUES (1, x'20010db8000000000000000000000000', 32, -1, -1, NULL, 1, 60, 1, 60, 0, 0);
PRAGMA user_version = 2;
";

#[test]
fn a_journal_of_version_2_goes_on() {
    let directory = TempDir::new().unwrap();
    let db = Connection::open(directory.path().join(FILE)).unwrap();
    db.execute_batch(VERSION_1).unwrap();
    db.execute_batch(VERSION_2).unwrap();
    drop(db);
    let at = |ns| Some(WallTime::from_ns(ns));
    let allowed = Wanted {
        block: Block {
            key: BlockKey {
                list: List::Allow,
                narrowing: Narrowing::Any,
                ..wanted("2001:db8::/32", 1).block.key
            },
            action: Action::Drop,
            decision_id: 1,
            until: at(60),
        },
        is_confirmed: true,
        later: at(60),
        is_automatic: false,
        is_trial: false,
    };
    let unconfirmed = Wanted {
        block: Block {
            until: at(50),
            ..wanted("198.51.100.0/24", 2).block
        },
        later: at(90),
        ..wanted("198.51.100.0/24", 2)
    };
    for _ in 0..2 {
        let mut journal = Journal::open(directory.path()).unwrap();
        let found = all(&journal);
        assert_eq!(found.len(), 4);
        assert!(
            found.contains(&allowed) && found.contains(&unconfirmed),
            "{found:?}"
        );
        journal
            .record(&decision(journal.last_id().unwrap() + 1), &[])
            .unwrap();
    }
}

#[test]
fn automatic_decisions_of_the_last_minute() {
    let directory = TempDir::new().unwrap();
    let mut journal = Journal::open(directory.path()).unwrap();
    for id in 1..=9 {
        journal.record(&decision(id), &[]).unwrap();
    }
    let times = |since: i64, limit| -> Vec<i64> {
        let since = WallTime::from_ns(1_000_000_000 + since);
        let found = journal.automatic_since(since, limit).unwrap();
        found
            .iter()
            .map(|time| time.as_ns() - 1_000_000_000)
            .collect()
    };
    assert_eq!(times(0, 10), [3, 6, 9]);
    assert_eq!(times(6, 10), [6, 9]);
    assert_eq!(times(0, 2), [6, 9]);
}

#[test]
fn history_only_grows() {
    let directory = TempDir::new().unwrap();
    let mut journal = Journal::open(directory.path()).unwrap();
    journal.record(&decision(1), &[]).unwrap();
    for sql in ["DELETE FROM decision", "UPDATE decision SET reason = ''"] {
        assert!(journal.db.execute(sql, []).is_err(), "{sql}");
    }
    assert!(journal.record(&decision(1), &[]).is_err());
}

#[test]
fn damage_and_a_newer_version_are_named() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join(FILE);
    drop(Journal::open(directory.path()).unwrap());
    let opened = || Journal::open(directory.path());
    let db = Connection::open(&path).unwrap();
    db.execute_batch("PRAGMA user_version = 99").unwrap();
    drop(db);
    assert!(matches!(
        opened(),
        Err(JournalError::Newer { version: 99, .. })
    ));
    fs::write(
        &path,
        b"this is a text, and no journal of anything at all\n".repeat(100),
    )
    .unwrap();
    let error = opened().unwrap_err();
    assert!(matches!(error, JournalError::Corrupt { .. }), "{error}");
    assert!(error.to_string().contains("try: move it away"), "{error}");
    // A file of no bytes is a new journal.
    fs::write(&path, b"").unwrap();
    opened().unwrap();
}

#[test]
fn a_damaged_page_is_found_at_start() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join(FILE);
    let mut journal = Journal::open(directory.path()).unwrap();
    for id in 1..500 {
        journal
            .record(&decision(id), &[wanted("192.0.2.0/24", id)])
            .unwrap();
    }
    drop(journal);
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 4096].fill(0xa5);
    fs::write(&path, bytes).unwrap();
    let error = Journal::open(directory.path()).unwrap_err();
    assert!(matches!(error, JournalError::Corrupt { .. }), "{error}");
}

#[test]
fn a_place_that_cannot_be_written_is_named() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("file");
    fs::write(&file, b"").unwrap();
    let error = Journal::open(&file.join("below")).unwrap_err();
    assert!(matches!(error, JournalError::Directory { .. }), "{error}");
    if nix::unistd::geteuid().is_root() {
        return;
    }
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o500)).unwrap();
    let error = Journal::open(directory.path()).unwrap_err();
    assert!(matches!(error, JournalError::ReadOnly { .. }), "{error}");
}

/// The child: writes decisions, and says each that was acknowledged.
#[test]
#[expect(clippy::print_stdout, reason = "the parent reads it")]
fn child_that_is_killed() {
    let Some(directory) = env::var_os(CHILD) else {
        return;
    };
    let mut journal = Journal::open(directory.as_ref()).unwrap();
    for id in journal.last_id().unwrap() + 1.. {
        let prefix = std::net::Ipv4Addr::from_bits(u32::try_from(id).unwrap());
        journal
            .record(&decision(id), &[wanted(&prefix.to_string(), id)])
            .unwrap();
        println!("acknowledged {id}");
    }
}

#[test]
fn nothing_acknowledged_is_lost() {
    let directory = TempDir::new().unwrap();
    let mut last = 0;
    for round in 1..=20 {
        let mut child = Command::new(env::current_exe().unwrap())
            .args([
                "journal::tests::child_that_is_killed",
                "--exact",
                "--nocapture",
            ])
            .env(CHILD, directory.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut heard = 0;
        for line in lines {
            let line = line.unwrap();
            let Some((_, id)) = line.split_once("acknowledged ") else {
                continue;
            };
            last = id.parse().unwrap();
            heard += 1;
            if heard == 3 * round {
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();
        let journal = Journal::open(directory.path()).unwrap();
        let check: String = journal
            .db
            .query_row("PRAGMA integrity_check", [], |row| row.get(0))
            .unwrap();
        assert_eq!(check, "ok");
        let found = journal.last_id().unwrap();
        assert!(found >= last, "{found} of {last}");
        assert_eq!(all(&journal).len() as u64, found);
    }
    assert!(last > 600, "{last}");
}
