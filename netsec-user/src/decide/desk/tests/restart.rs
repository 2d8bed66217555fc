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
