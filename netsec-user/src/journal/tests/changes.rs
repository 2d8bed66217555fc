//! The log of what is wanted.

use super::*;

#[test]
fn the_last_change_of_an_entry_counts() {
    let directory = TempDir::new().unwrap();
    let mut journal = Journal::open(directory.path()).unwrap();
    let (one, other) = (wanted("192.0.2.1", 1), wanted("192.0.2.2", 1));
    journal.record(&decision(1), &[one, other]).unwrap();
    journal.end(&[one.block.key], &[]).unwrap();
    assert_eq!(all(&journal), [other]);
    let again = Wanted {
        is_automatic: false,
        ..wanted("192.0.2.2", 2)
    };
    journal.want_soon(&[again]).unwrap();
    journal.end(&[one.block.key], &[]).unwrap();
    assert_eq!(all(&journal), [again]);
    journal.catch_up(&[], &[], &mut [one].iter()).unwrap();
    drop(journal);
    assert_eq!(all(&Journal::open(directory.path()).unwrap()), [one]);
}

#[test]
fn a_log_that_is_mostly_past_is_written_anew() {
    let directory = TempDir::new().unwrap();
    let mut journal = Journal::open(directory.path()).unwrap();
    let hosts = |first: u32| -> Vec<Wanted> {
        let host = |n: u32| wanted(&std::net::Ipv4Addr::from_bits(n).to_string(), 1);
        (first..first + 60_000).map(host).collect()
    };
    let (gone, kept) = (hosts(1 << 24), hosts(2 << 24));
    journal.want(&gone, &[]).unwrap();
    journal.want(&kept, &[]).unwrap();
    let keys: Vec<BlockKey> = gone.iter().map(|entry| entry.block.key).collect();
    journal.end(&keys, &[]).unwrap();
    assert!(!journal.is_long(60_000));
    journal.end(&keys, &[]).unwrap();
    assert!(journal.is_long(60_000 - 40_001));
    let mut journal = Journal::open(directory.path()).unwrap();
    assert!(
        journal.is_long(60_000 - 40_001),
        "counted anew at the start"
    );
    journal.catch_up(&[], &[], &mut kept.iter()).unwrap();
    assert!(!journal.is_long(0));
    assert_eq!(all(&journal), kept);
    // Five bytes an entry, and one end in each of the few rows.
    let bytes: i64 = journal
        .db
        .query_row("SELECT sum(length(packed)) FROM change", [], |row| {
            row.get(0)
        })
        .unwrap();
    assert!((300_000..301_000).contains(&bytes), "{bytes}");
}

#[test]
fn a_damaged_row_is_named() {
    let directory = TempDir::new().unwrap();
    let mut journal = Journal::open(directory.path()).unwrap();
    journal
        .record(&decision(1), &[wanted("192.0.2.1", 1)])
        .unwrap();
    for damage in ["packed = x'20c000'", "entries = 2", "list = 7"] {
        let db = &journal.db;
        let saved = "CREATE TEMP TABLE saved AS SELECT * FROM change";
        db.execute_batch(saved).unwrap();
        db.execute(&format!("UPDATE change SET {damage}"), [])
            .unwrap();
        assert!(journal.wanted().is_err(), "{damage}");
        let back = "DELETE FROM change; INSERT INTO change SELECT * FROM saved; DROP TABLE saved";
        db.execute_batch(back).unwrap();
        assert_eq!(all(&journal).len(), 1);
    }
}
