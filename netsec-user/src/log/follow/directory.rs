//! All logs of a directory.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::super::decode::Decoder;
use super::super::place::Place;
use super::super::record::Record;
use super::file::{FollowFile, Start};
use super::head::{Head, Identity};
use super::open::identify;
use super::position::Positions;
use crate::time::WallTime;

/// Most logs followed in one directory.
const FILES_MAX: usize = 1024;

/// Follows every file of a directory that is named `*.log`, `*.json` or `*.jsonl`.
#[derive(Debug)]
pub struct FollowDirectory {
    path: PathBuf,
    decoder: Decoder,
    files: BTreeMap<PathBuf, FollowFile>,
    /// New names of files that are followed, or were, by another.
    renamed: BTreeMap<PathBuf, (Identity, Head)>,
    saved: Positions,
    trouble: Option<String>,
}

impl FollowDirectory {
    /// Follows the logs of `path`: those that are there `now` as `start` says, later ones from their
    /// beginning.
    #[must_use]
    pub fn new(
        path: PathBuf,
        start: Start,
        saved: Positions,
        decoder: Decoder,
        now: WallTime,
    ) -> Self {
        let mut directory = Self {
            path,
            decoder,
            files: BTreeMap::new(),
            renamed: BTreeMap::new(),
            saved,
            trouble: None,
        };
        directory.list(start, now);
        directory
    }

    /// Its name.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The logs, by name.
    pub fn files(&self) -> impl Iterator<Item = &FollowFile> {
        self.files.values()
    }

    /// Why it cannot be listed at the moment.
    #[must_use]
    pub fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }

    /// Hands on what is new; true when there is more at once.
    ///
    /// # Errors
    ///
    /// Those of `each`.
    pub fn poll(
        &mut self,
        now: WallTime,
        each: &mut dyn FnMut(Place<'_>, &Record<'_>) -> io::Result<()>,
    ) -> io::Result<bool> {
        self.list(Start::Beginning, now);
        let mut more = false;
        for file in self.files.values_mut() {
            more |= file.poll(now, each)?;
        }
        Ok(more)
    }

    fn list(&mut self, start: Start, now: WallTime) {
        let entries = match fs::read_dir(&self.path) {
            Ok(entries) => entries,
            Err(error) => {
                self.trouble = Some(error.to_string());
                return;
            }
        };
        self.trouble = None;
        let mut paths: Vec<PathBuf> = entries
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| is_log(path) && !self.files.contains_key(path))
            .collect();
        paths.sort();
        for path in paths {
            let Some((identity, head)) = identify(&path) else {
                continue;
            };
            if self
                .renamed
                .get(&path)
                .is_some_and(|(known, _)| *known == identity)
            {
                continue;
            }
            // What a rotation renamed is read on under its old name.
            if self.files.values().any(|file| file.knows(identity, &head)) {
                self.renamed.insert(path, (identity, head));
                continue;
            }
            if self.files.len() >= FILES_MAX {
                self.trouble = Some(format!("more than {FILES_MAX} logs: the rest is not read"));
                break;
            }
            let saved = self.saved.of(&path);
            let file = FollowFile::new(path.clone(), start, &saved, self.decoder.clone(), now);
            self.files.insert(path, file);
        }
    }
}

fn is_log(path: &Path) -> bool {
    let hidden = path
        .file_name()
        .and_then(OsStr::to_str)
        .is_none_or(|name| name.starts_with('.'));
    let extension = path.extension().and_then(OsStr::to_str);
    !hidden && matches!(extension, Some("log" | "json" | "jsonl"))
}

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;
    use std::io::Write as _;

    use super::super::super::decode::Wanted;
    use super::super::QUIET;
    use super::*;

    /// A directory, its follower, and the numbers that were read from its logs.
    struct Rig {
        folder: tempfile::TempDir,
        follower: FollowDirectory,
        now: WallTime,
        seen: Vec<u64>,
    }

    impl Rig {
        fn new(start: Start, before: &[&str]) -> Self {
            let folder = tempfile::tempdir().unwrap();
            for name in before {
                write(&folder.path().join(name), 900..903);
            }
            let decoder = Decoder::new(Wanted::Everything);
            let (path, now) = (folder.path().to_owned(), WallTime::default());
            Self {
                follower: FollowDirectory::new(path, start, Positions::default(), decoder, now),
                folder,
                now,
                seen: Vec::new(),
            }
        }

        fn write(&self, name: &str, numbers: std::ops::Range<u64>) {
            write(&self.folder.path().join(name), numbers);
        }

        fn rename(&self, from: &str, to: &str) {
            let path = |name: &str| self.folder.path().join(name);
            fs::rename(path(from), path(to)).unwrap();
        }

        fn poll(&mut self) {
            let seen = &mut self.seen;
            let mut each = |_: Place<'_>, record: &Record<'_>| {
                seen.push(u64::try_from(record.time().as_ns() / 1_000_000_000).unwrap());
                Ok(())
            };
            while self.follower.poll(self.now, &mut each).unwrap() {}
            self.now = self.now.plus(QUIET);
        }

        fn assert_seen(&mut self, numbers: std::ops::Range<u64>) {
            self.seen.sort_unstable();
            assert_eq!(self.seen, numbers.collect::<Vec<_>>());
            for file in self.follower.files() {
                let tally = file.tally();
                assert_eq!(tally.read, tally.used + tally.ignored() + tally.malformed);
            }
        }
    }

    fn write(path: &Path, numbers: std::ops::Range<u64>) {
        let mut file = OpenOptions::new()
            .append(true)
            .create(true)
            .open(path)
            .unwrap();
        for number in numbers {
            writeln!(
                file,
                "{{\"ts\":{number}.5,\"_path\":\"weird\",\"name\":\"x\"}}"
            )
            .unwrap();
        }
    }

    #[test]
    fn logs_that_are_there_are_followed_from_their_ends_and_new_ones_from_their_beginnings() {
        let mut rig = Rig::new(
            Start::End,
            &["conn.log", "dns.log", "notes.txt", ".hidden.log"],
        );
        rig.write("conn.log", 0..2);
        rig.poll();
        rig.write("dns.log", 2..4);
        rig.write("ssl.log", 4..6);
        rig.write("notes.txt", 100..102);
        rig.write(".hidden.log", 100..102);
        rig.poll();
        rig.assert_seen(0..6);
        assert_eq!(rig.follower.files().count(), 3);
    }

    /// What a rotation makes of a log has a log's name itself.
    #[test]
    fn rotated_logs_are_read_once() {
        let mut rig = Rig::new(Start::Beginning, &[]);
        rig.write("conn.log", 0..300);
        rig.poll();
        for hour in 0..3_u64 {
            rig.rename("conn.log", &format!("conn.2024-04-19-{hour:02}.log"));
            rig.write(
                &format!("conn.2024-04-19-{hour:02}.log"),
                300 + hour * 100..350 + hour * 100,
            );
            rig.write("conn.log", 350 + hour * 100..400 + hour * 100);
            rig.poll();
            rig.poll();
        }
        rig.assert_seen(0..600);
    }
}
