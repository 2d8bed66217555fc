//! Positions, kept over a restart.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::Path;

use super::super::super::super::place::Place;
use super::super::super::super::record::Record;
use super::super::super::position::Positions;
use super::{FollowFile, Rig, Start, decoder, line};
use crate::time::WallTime;

#[test]
fn a_restart_goes_on_where_it_was() {
    let mut rig = Rig::new(Start::Beginning);
    rig.write("eve.json", 0..3);
    let last = line(3);
    let (head, tail) = last.split_at(10);
    rig.append("eve.json", head);
    rig.poll();
    rig.restart();
    rig.append("eve.json", tail);
    rig.write("eve.json", 4..6);
    rig.poll();
    rig.assert_seen(0..6);
    assert_eq!(rig.follower.positions()[0].lines, Some(6));
}

#[test]
fn what_was_rotated_while_nobody_looked_is_read_first() {
    let mut rig = Rig::new(Start::Beginning);
    rig.write("eve.json.9", 100..105);
    rig.write("eve.json", 0..3);
    rig.poll();
    rig.restart();
    rig.write("eve.json", 3..5);
    rig.rename("eve.json", "eve.json.2");
    rig.write("eve.json.1", 5..8);
    rig.write("eve.json", 8..9);
    rig.poll();
    rig.poll();
    rig.assert_seen(0..9);
    // Two files are open now; another restart reads neither again.
    rig.restart();
    rig.write("eve.json", 9..10);
    rig.poll();
    assert_eq!(rig.seen, (0..10).collect::<Vec<_>>());
}

#[test]
fn an_inode_given_out_again_does_not_mislead() {
    let mut rig = Rig::new(Start::Beginning);
    rig.write("eve.json", 100..110);
    rig.poll();
    rig.restart();
    // The same inode with other content, and longer than the saved position.
    fs::write(rig.path("eve.json"), (0..20).map(line).collect::<String>()).unwrap();
    rig.seen.clear();
    rig.poll();
    rig.assert_seen(0..20);
    assert_eq!(rig.follower.counts().truncations, 1);
}

#[test]
fn damaged_positions_are_said_and_cost_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().join("state");
    assert_eq!(Positions::load(&state).unwrap(), Positions::new(Vec::new()));
    for damage in ["", "{", "{\"version\":99,\"files\":[]}", "[]"] {
        fs::write(&state, damage).unwrap();
        let error = Positions::load(&state).unwrap_err().to_string();
        assert!(error.contains("no positions in logs"), "{error}");
    }
    assert!(
        Positions::new(Vec::new())
            .save(Path::new("/nowhere/state"))
            .is_err()
    );
}

/// Zeek's header stands in front of what is read after a restart.
#[test]
fn a_header_is_read_again_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("weird.log");
    let header = "#separator \\x09\n#path\tweird\n#fields\tts\tname\n#types\ttime\tstring\n";
    fs::write(&path, format!("{header}1.5\tone\n")).unwrap();
    let mut seen = Vec::new();
    let mut saved = Vec::new();
    for more in ["", "2.5\ttwo\n"] {
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(more.as_bytes()).unwrap();
        let mut follower = FollowFile::new(
            path.clone(),
            Start::Beginning,
            &saved,
            decoder(),
            WallTime::default(),
        );
        let mut each = |_: Place<'_>, record: &Record<'_>| {
            seen.push(record.time().as_ns());
            Ok(())
        };
        follower.poll(WallTime::default(), &mut each).unwrap();
        assert_eq!(follower.tally().malformed, 0);
        saved = follower.positions();
    }
    assert_eq!(seen, [1_500_000_000, 2_500_000_000]);
}

/// Lines are only numbered where all before them were counted; bytes always are.
#[test]
fn a_record_says_where_it_stands() {
    let mut rig = Rig::new(Start::End);
    rig.write("eve.json", 1000..2000);
    let begin = fs::metadata(rig.path("eve.json")).unwrap().len();
    assert!(begin > 64 << 10, "too short to be left uncounted");
    rig.open();
    rig.write("eve.json", 0..2);
    let mut places = Vec::new();
    let mut note = |rig: &mut Rig| {
        let mut each = |place: Place<'_>, _: &Record<'_>| {
            places.push(place.to_string());
            Ok(())
        };
        while rig.follower.poll(rig.now, &mut each).unwrap() {}
    };
    note(&mut rig);
    rig.rename("eve.json", "eve.json.1");
    rig.write("eve.json", 2..4);
    note(&mut rig);
    rig.restart();
    rig.open();
    rig.write("eve.json", 4..5);
    note(&mut rig);
    let file = rig.path("eve.json").display().to_string();
    let second = begin + line(0).len() as u64;
    assert_eq!(
        places,
        [
            format!("{file} at byte {begin}"),
            format!("{file} at byte {second}"),
            format!("{file}:1"),
            format!("{file}:2"),
            format!("{file}:3"),
        ]
    );
    let mut short = Rig::new(Start::End);
    short.write("eve.json", 0..5);
    short.open();
    assert_eq!(short.follower.positions()[0].lines, Some(5));
}
