use std::env;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};

use netsec_common::block::{Action, List, Narrowing};
use tempfile::TempDir;

use super::*;
use crate::block::Block;

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
    }
}

fn all(journal: &Journal) -> Vec<Wanted> {
    let mut found = Vec::new();
    journal.wanted(&mut |wanted| found.push(wanted)).unwrap();
    found
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
    assert_eq!(journal.offences(net, WallTime::default()).unwrap(), 2);
    assert_eq!(
        journal
            .offences(net, WallTime::from_ns(1_000_000_002))
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
