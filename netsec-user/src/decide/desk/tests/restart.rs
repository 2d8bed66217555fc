//! What holds of decisions when netsec is started again, in another mode too.

use tempfile::TempDir;

use super::*;

fn host(address: &str) -> Prefix {
    Prefix::host(address.parse().unwrap())
}

fn names(found: &[(String, u64)]) -> Vec<(&str, u64)> {
    found
        .iter()
        .map(|(prefix, id)| (prefix.as_str(), *id))
        .collect()
}

/// What is tried in a dry run, on what is enforced and beside it.
fn try_out(bench: &mut Bench, request: &BlockRequest) {
    // What is enforced is as it was, whatever would be done.
    let stronger = bench.decide("192.0.2.2", Proof::Given);
    assert!(
        matches!(stronger, Err(DeskError::Standing { id: 2, .. })),
        "{stronger:?}"
    );
    let longer = bench.desk().block(host("192.0.2.1"), request);
    assert!(
        matches!(longer, Err(DeskError::Enforced { id: 1, .. })),
        "{longer:?}"
    );
    let part = [(host("192.0.2.1"), None), (host("192.0.2.5"), None)];
    let list = bench.desk().begin_import(List::Block, request);
    let imported = bench.desk().import(list, List::Block, &part, request);
    assert_eq!((imported.entries, imported.refused.len()), (1, 1));
    bench.desk().block(host("192.0.2.3"), request).unwrap();
    drop(bench.decide("192.0.2.4", Proof::Given));
    bench.desk().allow(host("192.0.2.9"), request).unwrap();
    assert_eq!(bench.blocked().len(), 5);
}

/// From enforce to a dry run and back.
#[test]
fn what_a_dry_run_decided_is_never_enforced() {
    let folder = TempDir::new().unwrap();
    let (folder, settings) = (folder.path(), DecideSettings::default());
    let start = |mode, now| Bench::start(folder, settings.clone(), mode, now);
    let request = BlockRequest {
        lifetime: Some(Duration::from_secs(3600)),
        ..BlockRequest::default()
    };

    let mut bench = start(Mode::Enforce, WallTime::from_ns(1_000_000_000_000));
    bench.desk().block(host("192.0.2.1"), &request).unwrap();
    let limit = bench.decide("192.0.2.2", Proof::None).unwrap();
    assert!(is_limit(&limit));
    let enforced = [("192.0.2.1", 1), ("192.0.2.2", 2)];
    assert_eq!(names(&bench.blocked()), enforced);

    for mode in [Mode::DryRun, Mode::Detect] {
        let mut bench = start(mode, bench.now);
        assert_eq!(names(&bench.blocked())[..2], enforced, "they are counted");
        try_out(&mut bench, &request);
    }

    let mut bench = start(Mode::Enforce, bench.now);
    assert_eq!(names(&bench.blocked()), enforced);
    assert_eq!(bench.state.book.count(List::Block), 2);
    assert_eq!(
        bench.state.book.count(List::Allow),
        1,
        "allowed in any mode"
    );
    let events = |bench: &Bench, prefix| {
        let decision = bench
            .state
            .book
            .about(host(prefix))
            .first()
            .cloned()
            .unwrap();
        assert!(decision.is_trial);
        bench.state.book.events(decision.id)
    };
    for trial in ["192.0.2.3", "192.0.2.4"] {
        let kinds: Vec<_> = events(&bench, trial)
            .iter()
            .map(|event| event.kind)
            .collect();
        assert_eq!(kinds.last(), Some(&EventKind::Discarded), "{kinds:?}");
    }
    // Nor does it make the first block longer.
    let first = bench.decide("192.0.2.4", Proof::Given).unwrap();
    assert_eq!((first.offences, seconds(&first, &bench)), (0, 600));
    assert_eq!(bench.decide("192.0.2.2", Proof::Given).unwrap().offences, 0);
}

/// The same where the table stays in the kernel, and where the mode changes while netsec runs.
#[test]
fn what_a_dry_run_left_in_the_table_is_taken_out_before_anything_is_dropped() {
    let mut bench = Bench::new(DecideSettings::default());
    bench.table.set_mode(Mode::DryRun);
    bench.decide(SOURCE, Proof::Given).unwrap();
    // The journal is lost; the next netsec finds the table as it was.
    bench.state = State::new(Book::open(None), Policy::default());
    let found = bench
        .state
        .book
        .restore(&mut bench.table, Mode::Enforce, bench.now);
    assert_eq!((found.adopted, found.discarded), (1, 1));
    assert!(bench.blocked().is_empty());

    bench.decide(SOURCE, Proof::Given).unwrap();
    assert_eq!(bench.desk().set_mode(Mode::Enforce), 1);
    assert!(bench.blocked().is_empty());
    bench.decide(SOURCE, Proof::Given).unwrap();
    for mode in [Mode::DryRun, Mode::Enforce] {
        assert_eq!(bench.desk().set_mode(mode), 0);
        assert_eq!(bench.blocked().len(), 1);
    }
    bench.state = State::new(Book::open(None), Policy::default());
    let found = bench
        .state
        .book
        .restore(&mut bench.table, Mode::Enforce, bench.now);
    assert_eq!(
        (found.adopted, found.discarded),
        (1, 0),
        "that one was enforced"
    );
}

#[test]
fn automatic_blocks_from_before_a_restart_count_as_long_as_they_hold() {
    let folder = TempDir::new().unwrap();
    let settings = DecideSettings {
        automatic_total: 3,
        ..DecideSettings::default()
    };
    let start = |now| Bench::start(folder.path(), settings.clone(), Mode::Enforce, now);
    let mut bench = start(WallTime::from_ns(1_000_000_000_000));
    for number in 1..=2 {
        bench
            .decide(&format!("198.51.100.{number}"), Proof::Given)
            .unwrap();
    }
    bench
        .desk()
        .block(host("192.0.2.1"), &BlockRequest::default())
        .unwrap();

    let mut bench = start(bench.now);
    assert_eq!(bench.state.book.automatic(), 2, "not the person's");
    bench.decide("198.51.100.3", Proof::Given).unwrap();
    let fourth = bench.decide("198.51.100.4", Proof::Given);
    assert!(matches!(fourth, Err(DeskError::Capped(_))), "{fourth:?}");

    let mut bench = start(bench.now.plus(Duration::from_secs(601)));
    assert_eq!(bench.state.book.automatic(), 0, "all of them are over");
    bench.decide("198.51.100.4", Proof::Given).unwrap();
}

#[test]
fn a_restart_does_not_lift_the_cap_of_a_minute() {
    let folder = TempDir::new().unwrap();
    let settings = DecideSettings {
        automatic_per_minute: 2,
        ..DecideSettings::default()
    };
    let start = |now| Bench::start(folder.path(), settings.clone(), Mode::Enforce, now);
    let mut bench = start(WallTime::from_ns(1_000_000_000_000));
    bench.decide("198.51.100.1", Proof::Given).unwrap();
    bench.wait(30);
    bench.decide("198.51.100.2", Proof::Given).unwrap();
    bench
        .desk()
        .block(host("192.0.2.1"), &BlockRequest::default())
        .unwrap();

    let mut bench = start(bench.now.plus(Duration::from_secs(29)));
    let third = bench.decide("198.51.100.3", Proof::Given);
    assert!(matches!(third, Err(DeskError::Capped(_))), "{third:?}");
    bench.wait(1);
    bench.decide("198.51.100.3", Proof::Given).unwrap();

    // A clock that was set back by an hour.
    let mut bench = start(bench.now.plus_ns(-3_600_000_000_000));
    bench.decide("198.51.100.4", Proof::Given).unwrap();
}

/// A noon, and an hour later.
const NOON: WallTime = WallTime::from_ns(1_764_504_000_000_000_000);
const ONE: WallTime = NOON.plus_ns(3_600_000_000_000);

fn hours(hours: u64) -> BlockRequest {
    BlockRequest {
        lifetime: Some(Duration::from_secs(3600 * hours)),
        ..BlockRequest::default()
    }
}

/// At noon: blocks for some hours, in a journal.
fn at_noon(state: &Path) -> Bench {
    let mut bench = Bench::start(state, DecideSettings::default(), Mode::Enforce, NOON);
    for (number, lifetime) in [(1, 5), (2, 5), (3, 1), (4, 5)] {
        let prefix = host(&format!("192.0.2.{number}"));
        bench.desk().block(prefix, &hours(lifetime)).unwrap();
    }
    bench.desk().allow(host("192.0.2.9"), &hours(5)).unwrap();
    bench
}

/// The journal is there again; what it wants holds again, but for what was decided otherwise meanwhile.
#[test]
fn a_journal_that_could_not_be_read_at_the_start_loses_nothing() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    let Bench { table, .. } = at_noon(folder);
    let (file, aside) = (folder.join("journal.sqlite"), folder.join("aside"));
    std::fs::rename(&file, &aside).unwrap();
    std::fs::write(&file, "no journal\n".repeat(1000)).unwrap();

    // The table was kept, but for one entry.
    let mut bench = Bench::open(Some(folder), DecideSettings::default());
    (bench.table, bench.now) = (table, ONE);
    let key = BlockKey {
        list: List::Block,
        prefix: host("192.0.2.1"),
        narrowing: Narrowing::Any,
    };
    bench.table.remove(&key).unwrap();
    bench.state.restore(&mut bench.table, Mode::Enforce, ONE);
    assert!(bench.state.book.trouble().is_some());
    let kept = [("192.0.2.2", 2), ("192.0.2.4", 4)];
    assert_eq!(names(&bench.blocked()), kept);
    let mut desk = bench.desk();
    desk.remove(List::Block, host("192.0.2.2"), "root").unwrap();
    let [again, new] = ["192.0.2.4", "192.0.2.5"].map(|address| {
        let blocked = desk.block(host(address), &hours(1)).unwrap();
        blocked.id.unwrap()
    });
    bench.wait(1);
    assert!(bench.state.book.trouble().is_some());

    std::fs::rename(&aside, &file).unwrap();
    bench.wait(1);
    let book = &bench.state.book;
    assert_eq!((book.trouble(), book.count(List::Allow)), (None, 1));
    for id in [4, again] {
        let about = book.decision(id).and_then(|decision| decision.prefix);
        assert_eq!(about, Some(host("192.0.2.4")));
    }
    let expected = [("192.0.2.1", 1), ("192.0.2.4", again), ("192.0.2.5", new)];
    assert_eq!(names(&bench.blocked()), expected);

    let settings = DecideSettings::default();
    let mut bench = Bench::start(folder, settings, Mode::Enforce, bench.now);
    assert_eq!(names(&bench.blocked()), expected);
    let next = bench.desk().block(host("192.0.2.6"), &hours(1)).unwrap();
    assert_eq!(next.id, Some(new + 1));
}
