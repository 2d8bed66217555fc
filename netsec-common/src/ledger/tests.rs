use super::*;

#[test]
fn one_in_n_is_exact_and_follows_a_smaller_n() {
    let row = Row::new();
    let taken = (0..1000).filter(|_| row.one_in(10)).count();
    assert_eq!(taken, 100);
    assert!(!row.one_in(0));
    while !row.one_in(1000) {}
    let wait = (0..).position(|_| row.one_in(3));
    assert_eq!(wait, Some(3), "a countdown of the old n would take 1000");
}

#[test]
fn snapshot_refuses_a_frame_in_progress() {
    let row = Row::new();
    row.begin();
    row.count(Counter::Frames);
    assert_eq!(row.snapshot(3), None);
    row.count(Counter::Arp);
    row.end();
    let snapshot = row.snapshot(1).unwrap();
    assert_eq!(snapshot.get(Counter::Frames), 1);
    assert_eq!(snapshot.imbalance(), 0);
}

#[test]
fn names_are_unique() {
    for (i, a) in Counter::ALL.iter().enumerate() {
        for b in Counter::ALL.iter().skip(i + 1) {
            assert_ne!(a.name(), b.name());
        }
    }
}

/// A reader beside the writer sees the row between two frames, never within one.
#[test]
fn a_snapshot_beside_the_writer_is_balanced() {
    extern crate std;
    let row = Row::new();
    let frames = if cfg!(miri) { 200 } else { 100_000 };
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for n in 0..frames {
                row.begin();
                row.count(Counter::Frames);
                row.add(Counter::Bytes, 60);
                row.count(if n % 2 == 0 {
                    Counter::Arp
                } else {
                    Counter::FlowPackets
                });
                row.end();
            }
        });
        let mut seen = 0;
        while seen < frames {
            let Some(snapshot) = row.snapshot(1000) else {
                continue;
            };
            assert_eq!(snapshot.imbalance(), 0);
            seen = snapshot.get(Counter::Frames);
            assert_eq!(snapshot.get(Counter::Bytes), seen * 60);
            assert_eq!(snapshot.get(Counter::Arp), seen.div_ceil(2));
        }
    });
}

#[test]
fn snapshots_add_up_and_come_apart_again() {
    let (first, second) = (Row::new(), Row::new());
    first.count(Counter::Frames);
    first.count(Counter::Lldp);
    second.add(Counter::Frames, 3);
    second.add(Counter::TcpTruncated, 2);
    second.count(Counter::NoFlowSet);
    let mut sum = first.read();
    sum.merge(&second.read());
    assert_eq!(sum.get(Counter::Frames), 4);
    assert_eq!((sum.explained(), sum.imbalance()), (4, 0));
    assert_eq!(sum.sum(Class::Malformed), 2);
    assert_eq!(sum.since(&first.read()), second.read());
    assert_eq!(Snapshot::default().since(&first.read()).imbalance(), 0);
}

/// A reader of the ledger map depends on the order, so a counter's value is its place.
#[test]
fn a_counters_value_is_its_place() {
    for (place, counter) in (0..).zip(Counter::ALL) {
        assert_eq!(counter as u32, place);
    }
}

#[test]
fn names_are_metric_names() {
    for counter in Counter::ALL {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        assert!(counter.name().chars().all(plain), "{}", counter.name());
    }
}

#[test]
fn an_imbalance_shows_its_sign() {
    let row = Row::new();
    row.count(Counter::Frames);
    assert_eq!(row.read().imbalance(), 1);
    row.add(Counter::Arp, 3);
    assert_eq!(row.read().imbalance(), -2);
}

/// The kernel counts by distance.
#[test]
fn each_reason_has_its_twin_inside_of_tunnels() {
    let twins = [
        (Class::NotIp, Class::InnerNotIp),
        (Class::Malformed, Class::InnerMalformed),
    ];
    for counter in Counter::ALL {
        let twin = twins.iter().find(|(class, _)| *class == counter.class());
        let Some((_, expected)) = twin else { continue };
        let row = Row::new();
        row.count_inside(counter);
        let moved = row.read();
        let (twin, _) = moved.iter().find(|(_, value)| *value != 0).unwrap();
        assert_eq!(twin.name().strip_prefix("inner_"), Some(counter.name()));
        assert_eq!(twin.class(), *expected);
        assert_eq!((moved.inner_explained(), moved.explained()), (1, 0));
        assert_eq!(moved.inner_imbalance(), -1);
    }
}
