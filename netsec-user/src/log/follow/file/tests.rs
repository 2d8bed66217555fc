mod restart;

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::thread;

use super::super::super::decode::Wanted;
use super::super::position::Positions;
use super::*;

fn decoder() -> Decoder {
    Decoder::new(Wanted::Everything)
}

/// A log with its follower, and the numbers that were read from it.
struct Rig {
    directory: tempfile::TempDir,
    follower: FollowFile,
    /// Where it begins, and from which positions, when it is polled first: files are made before.
    begin: Option<(Start, Vec<Position>)>,
    now: WallTime,
    seen: Vec<u64>,
}

fn line(number: u64) -> String {
    format!(
        "{{\"timestamp\":\"2021-06-06T15:59:46Z\",\"event_type\":\"stats\",\
         \"stats\":{{\"uptime\":{number}}}}}\n"
    )
}

fn number(record: &Record<'_>) -> u64 {
    let Record::Event(event) = record else {
        panic!("an event");
    };
    let crate::log::EventDetail::Stats(stats) = &event.detail else {
        panic!("stats");
    };
    stats.uptime
}

impl Rig {
    fn new(start: Start) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (path, now) = (directory.path().join("eve.json"), WallTime::from_ns(0));
        Self {
            follower: FollowFile::new(path, start, &[], decoder(), now),
            directory,
            begin: Some((start, Vec::new())),
            now,
            seen: Vec::new(),
        }
    }

    fn open(&mut self) {
        if let Some((start, saved)) = self.begin.take() {
            let path = self.path("eve.json");
            self.follower = FollowFile::new(path, start, &saved, decoder(), self.now);
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn append(&self, name: &str, text: &str) {
        let mut options = OpenOptions::new();
        let mut file = options
            .append(true)
            .create(true)
            .open(self.path(name))
            .unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    fn write(&self, name: &str, numbers: std::ops::Range<u64>) {
        self.append(name, &numbers.map(line).collect::<String>());
    }

    fn rename(&self, from: &str, to: &str) {
        fs::rename(self.path(from), self.path(to)).unwrap();
    }

    fn poll(&mut self) {
        self.open();
        let seen = &mut self.seen;
        let mut each = |_: Place<'_>, record: &Record<'_>| {
            seen.push(number(record));
            Ok(())
        };
        while self.follower.poll(self.now, &mut each).unwrap() {}
        self.now = self.now.plus(std::time::Duration::from_millis(200));
    }

    /// Time enough for files renamed away to be let go.
    fn wait(&mut self) {
        self.now = self.now.plus(QUIET);
        self.poll();
    }

    /// The process ends and another begins.
    fn restart(&mut self) {
        let state = self.path("state");
        Positions::new(self.follower.positions())
            .save(&state)
            .unwrap();
        let saved = Positions::load(&state).unwrap();
        let path = self.path("eve.json");
        let saved = saved.of(&path);
        self.begin = Some((Start::End, saved));
    }

    fn assert_seen(&self, numbers: std::ops::Range<u64>) {
        let expected: Vec<_> = numbers.collect();
        // Not all of them: there may be very many.
        let differs = self.seen.iter().zip(&expected).position(|(a, b)| a != b);
        assert_eq!((self.seen.len(), differs), (expected.len(), None));
        let tally = self.follower.tally();
        assert_eq!(tally.read, tally.used + tally.ignored() + tally.malformed);
    }
}

/// A log that is followed from its end: what is written before the first look is new.
#[test]
fn the_end_is_where_the_log_ended_when_it_was_opened() {
    let mut rig = Rig::new(Start::End);
    rig.write("eve.json", 100..103);
    rig.open();
    rig.write("eve.json", 0..2);
    rig.poll();
    rig.assert_seen(0..2);
}

#[test]
fn a_renamed_file_is_read_on_until_its_writer_reopens() {
    let mut rig = Rig::new(Start::Beginning);
    rig.write("eve.json", 0..3);
    rig.poll();
    rig.rename("eve.json", "eve.json.1");
    rig.write("eve.json.1", 3..5);
    rig.poll();
    rig.assert_seen(0..5);
    // logrotate makes the new file at once; the writer goes on in the old one until its signal.
    fs::write(rig.path("eve.json"), "").unwrap();
    rig.poll();
    rig.write("eve.json.1", 5..7);
    rig.poll();
    rig.write("eve.json", 7..9);
    rig.poll();
    rig.wait();
    rig.assert_seen(0..9);
    assert_eq!(rig.follower.counts().rotations, 1);
    assert_eq!(rig.follower.counts().caught_up, 0);
    assert!(rig.follower.leaving.is_empty());
}

#[test]
fn files_that_came_and_went_between_two_looks_are_found() {
    let mut rig = Rig::new(Start::Beginning);
    rig.write("eve.json.1", 100..105);
    rig.write("eve.json", 0..3);
    rig.poll();
    rig.rename("eve.json", "eve.json.4");
    for (name, first) in [("eve.json.3", 3), ("eve.json.2", 6), ("eve.json", 9)] {
        rig.write(name, first..first + 3);
    }
    rig.write("eve.json.2", 100..100);
    rig.poll();
    rig.poll();
    rig.wait();
    rig.seen.sort_unstable();
    rig.assert_seen(0..12);
    assert_eq!(rig.follower.counts().caught_up, 2);
}

#[test]
fn a_truncated_file_is_finished_from_its_copy() {
    let mut rig = Rig::new(Start::Beginning);
    rig.write("eve.json", 0..3);
    rig.poll();
    rig.write("eve.json", 3..6);
    fs::copy(rig.path("eve.json"), rig.path("eve.json.1")).unwrap();
    fs::write(rig.path("eve.json"), line(6)).unwrap();
    rig.poll();
    rig.write("eve.json", 7..9);
    rig.poll();
    rig.assert_seen(0..9);
    let counts = rig.follower.counts();
    assert_eq!(
        (counts.truncations, counts.copies_found, counts.cut_bytes),
        (1, 1, 0)
    );
}

#[test]
fn a_truncation_without_a_copy_is_counted() {
    let mut rig = Rig::new(Start::Beginning);
    rig.write("eve.json", 0..3);
    rig.append("eve.json", "{\"cut");
    rig.poll();
    // Longer than before, so that the length alone does not tell.
    fs::write(rig.path("eve.json"), (10..20).map(line).collect::<String>()).unwrap();
    rig.poll();
    rig.poll();
    assert_eq!(rig.seen, (0..3).chain(10..20).collect::<Vec<_>>());
    let counts = rig.follower.counts();
    assert_eq!(
        (counts.truncations, counts.copies_found, counts.cut_bytes),
        (1, 0, 5)
    );
}

#[test]
fn zero_bytes_of_a_writer_that_kept_its_place_are_stripped() {
    let mut rig = Rig::new(Start::Beginning);
    rig.append("eve.json", &format!("{}{}", "\0".repeat(1000), line(0)));
    rig.write("eve.json", 1..2);
    rig.poll();
    rig.assert_seen(0..2);
    assert_eq!(rig.follower.tally().nul_bytes, 1000);
}

#[test]
fn a_file_deleted_and_made_anew_is_read_from_its_beginning() {
    let mut rig = Rig::new(Start::Beginning);
    rig.poll();
    assert_eq!(rig.follower.trouble(), Some("there is no such file yet"));
    rig.write("eve.json", 0..3);
    rig.poll();
    rig.write("eve.json", 3..4);
    fs::remove_file(rig.path("eve.json")).unwrap();
    rig.poll();
    rig.write("eve.json", 4..6);
    rig.poll();
    rig.poll();
    rig.assert_seen(0..6);
    assert_eq!(rig.follower.trouble(), None);
}

#[test]
fn a_directory_a_fifo_and_no_permission_are_waited_out() {
    let mut rig = Rig::new(Start::Beginning);
    fs::create_dir(rig.path("eve.json")).unwrap();
    rig.poll();
    assert_eq!(rig.follower.trouble(), Some("it is no regular file"));
    fs::remove_dir(rig.path("eve.json")).unwrap();
    nix::unistd::mkfifo(&rig.path("eve.json"), nix::sys::stat::Mode::S_IRUSR).unwrap();
    rig.poll();
    // Opening it is a look, too.
    assert_eq!(rig.follower.counts().errors, 3);
    fs::remove_file(rig.path("eve.json")).unwrap();
    let mut options = OpenOptions::new();
    options
        .create(true)
        .append(true)
        .mode(0o000)
        .open(rig.path("eve.json"))
        .unwrap();
    rig.poll();
    // Root reads it all the same.
    let refused = !nix::unistd::geteuid().is_root();
    assert_eq!(rig.follower.counts().errors, 3 + u64::from(refused));
    fs::remove_file(rig.path("eve.json")).unwrap();
    rig.write("eve.json", 0..2);
    rig.poll();
    rig.poll();
    rig.assert_seen(0..2);
}

#[test]
fn a_partial_line_waits_for_its_end() {
    let mut rig = Rig::new(Start::Beginning);
    let (head, tail) = (line(0), line(1));
    let (first, rest) = tail.split_at(30);
    rig.append("eve.json", &format!("{head}{first}"));
    rig.poll();
    rig.assert_seen(0..1);
    rig.append("eve.json", rest);
    rig.poll();
    rig.assert_seen(0..2);
    assert_eq!(rig.follower.tally().malformed, 0);
}

#[test]
fn the_last_line_of_a_rotated_file_needs_no_end() {
    let mut rig = Rig::new(Start::Beginning);
    rig.append("eve.json", line(0).trim_end());
    rig.poll();
    rig.rename("eve.json", "eve.json.1");
    rig.write("eve.json", 1..2);
    rig.poll();
    rig.wait();
    rig.seen.sort_unstable();
    rig.assert_seen(0..2);
}

#[test]
fn long_lines_and_bytes_that_are_no_text_stop_nothing() {
    let mut rig = Rig::new(Start::Beginning);
    let long = format!("{}{}", line(0).trim_end(), " ".repeat(10 << 20));
    rig.append("eve.json", &format!("{long}\n"));
    let mut file = OpenOptions::new()
        .append(true)
        .open(rig.path("eve.json"))
        .unwrap();
    file.write_all(b"{\"event_type\":\"stats\",\"timestamp\":\"\xff\xfe\"}\n\0\0\0\n")
        .unwrap();
    rig.write("eve.json", 1..2);
    rig.poll();
    rig.assert_seen(0..2);
    let tally = rig.follower.tally();
    assert_eq!((tally.read, tally.malformed, tally.blank), (4, 1, 1));
}

#[test]
fn the_end_is_behind_the_last_whole_line() {
    let mut rig = Rig::new(Start::End);
    rig.write("eve.json", 100..103);
    let last = line(0);
    let (head, tail) = last.split_at(20);
    rig.append("eve.json", head);
    rig.poll();
    rig.assert_seen(0..0);
    rig.append("eve.json", tail);
    rig.write("eve.json", 1..3);
    rig.poll();
    rig.assert_seen(0..3);
}

/// A writer rotates 100 times by rename while the follower reads: nothing lost, nothing twice.
#[test]
fn rotations_under_load_lose_nothing() {
    let lines: u64 = std::env::var("NETSEC_ROTATION_LINES")
        .ok()
        .and_then(|lines| lines.parse().ok())
        .unwrap_or(1_000_000);
    let mut rig = Rig::new(Start::Beginning);
    let path = rig.path("eve.json");
    // What was rotated before the first look is left alone: look before there is anything.
    rig.poll();
    let writer = thread::spawn(move || {
        let per_file = lines / 100;
        for file in 0..100 {
            let name = |number: u64| path.with_file_name(format!("eve.json.{number}"));
            for number in (1..file).rev() {
                let _kept = fs::rename(name(number), name(number + 1));
            }
            if file > 0 {
                fs::rename(&path, name(1)).unwrap();
            }
            let out = File::create(&path).unwrap();
            let mut out = io::BufWriter::with_capacity(4096, out);
            for number in file * per_file..(file + 1) * per_file {
                out.write_all(line(number).as_bytes()).unwrap();
            }
            out.flush().unwrap();
        }
    });
    while !writer.is_finished() {
        rig.poll();
    }
    writer.join().unwrap();
    for _ in 0..SEARCHES {
        rig.poll();
    }
    rig.wait();
    rig.seen.sort_unstable();
    rig.assert_seen(0..lines / 100 * 100);
    assert!(rig.follower.counts().rotations + rig.follower.counts().caught_up >= 50);
}
