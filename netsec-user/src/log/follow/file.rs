//! One log by its name.

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::super::decode::Decoder;
use super::super::place::Place;
use super::super::record::Record;
use super::super::tally::Tally;
use super::QUIET;
use super::head::{Head, Identity};
use super::open::Open;
use super::position::Position;
use super::siblings::{self, Sibling};
use crate::time::WallTime;

/// Files renamed away that are read on at the same time.
const LEAVING_MAX: usize = 16;
/// Files that were read to their end and are remembered, so as not to be read again.
const DONE_MAX: usize = 4096;
/// Looks after a rotation at which files are searched for that came and went: while names move on, a
/// directory's listing may miss one.
const SEARCHES: u32 = 25;
/// Where a log is read from that has no position yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// From its first byte.
    Beginning,
    /// From where it ends now. A file that appears later is read from its first byte.
    End,
}

/// What happened to a log beside lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FollowCounts {
    /// Another file took its name.
    pub rotations: u64,
    /// Files found that had come and gone between two looks.
    pub caught_up: u64,
    /// It became shorter, or other than it was.
    pub truncations: u64,
    /// Truncations after which what was not read yet was found in a copy.
    pub copies_found: u64,
    /// Bytes of lines without an end that a truncation took away.
    pub cut_bytes: u64,
    /// Looks at which nothing had the name.
    pub missing: u64,
    /// Looks at which it could not be opened or read, or was no file.
    pub errors: u64,
}

/// Follows one log by its name.
#[derive(Debug)]
pub struct FollowFile {
    path: PathBuf,
    /// The same, for people.
    name: String,
    /// Copied for each file.
    fresh: Decoder,
    current: Option<Open>,
    /// Renamed away, and perhaps still written to.
    leaving: VecDeque<Open>,
    done: VecDeque<(Identity, Head)>,
    tally: Tally,
    counts: FollowCounts,
    /// Searches still to make.
    searches: u32,
    trouble: Option<String>,
}

impl FollowFile {
    /// Follows `path`, from the `saved` positions on in files that are still there under any name.
    /// What there is `now` is looked at now; it is read by [`poll`](Self::poll).
    #[must_use]
    pub fn new(
        path: PathBuf,
        start: Start,
        saved: &[Position],
        decoder: Decoder,
        now: WallTime,
    ) -> Self {
        let mut file = Self {
            name: path.display().to_string(),
            path,
            fresh: decoder,
            current: None,
            leaving: VecDeque::new(),
            done: VecDeque::new(),
            tally: Tally::default(),
            counts: FollowCounts::default(),
            searches: 0,
            trouble: None,
        };
        file.begin(start, saved, now);
        file
    }

    /// Its name.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What became of its lines.
    #[must_use]
    pub const fn tally(&self) -> &Tally {
        &self.tally
    }

    /// What happened to it.
    #[must_use]
    pub const fn counts(&self) -> FollowCounts {
        self.counts
    }

    /// Why it cannot be read at the moment.
    #[must_use]
    pub fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }

    /// Whether it reads this file, or has read it. A file that begins as another does is a copy of
    /// it.
    #[must_use]
    pub fn knows(&self, identity: Identity, head: &Head) -> bool {
        let mut open = self.leaving.iter().chain(&self.current);
        let is_open = open
            .any(|open| open.identity == identity || open.head.is_whole() && open.head == *head);
        is_open || self.is_done(identity, head)
    }

    /// How far it was read, in whole lines: a position for each file that is open.
    #[must_use]
    pub fn positions(&self) -> Vec<Position> {
        let position = |open: &Open| Position {
            path: self.path.clone(),
            identity: open.identity,
            head: open.head,
            offset: open.offset - open.lines.pending(),
            lines: open.counted_lines(),
        };
        self.leaving
            .iter()
            .chain(&self.current)
            .map(position)
            .collect()
    }

    /// Hands on what is new; true when there is more at once.
    ///
    /// # Errors
    ///
    /// Those of `each`. What is wrong with the file is counted, see [`trouble`](Self::trouble).
    pub fn poll(
        &mut self,
        now: WallTime,
        each: &mut dyn FnMut(Place<'_>, &Record<'_>) -> io::Result<()>,
    ) -> io::Result<bool> {
        let mut more = false;
        for open in &mut self.leaving {
            more |= open.read_turn(&self.name, now, &mut self.tally, each)?;
        }
        if let Some(open) = &mut self.current {
            match open.was_cut() {
                Ok(false) => {}
                Ok(true) => self.truncated(now, each)?,
                Err(error) => self.note(&error),
            }
        }
        if let Some(open) = &mut self.current {
            more |= open.read_turn(&self.name, now, &mut self.tally, each)?;
        }
        if !more {
            self.look(now);
            if self.searches > 0 {
                self.searches -= 1;
                self.catch_up(now);
            }
            self.let_go(now, each)?;
        }
        Ok(more)
    }

    /// The first look: goes on at the saved positions, or begins as was asked.
    fn begin(&mut self, start: Start, saved: &[Position], now: WallTime) {
        let siblings = siblings::of(&self.path);
        let mut current = self.open_current(now);
        if saved.is_empty() {
            self.remember(&siblings);
            if let (Start::End, Some(open)) = (start, &mut current) {
                open.skip_to_end();
            }
            self.current = current;
            return;
        }
        let mut resumed = false;
        if let Some(open) = &mut current
            && let Some(position) = saved.iter().find(|position| position.is_in(&open.file))
        {
            open.resume(position);
            resumed = true;
        }
        let positions: Vec<Option<&Position>> = siblings
            .iter()
            .map(|sibling| saved.iter().find(|position| position.is_in(&sibling.file)))
            .collect();
        // What was rotated while nobody looked has another name, and others may have come after it.
        let last = positions.iter().rposition(Option::is_some);
        self.counts.rotations += u64::from(!resumed);
        self.counts.truncations += u64::from(!resumed && last.is_none());
        for (index, (sibling, position)) in siblings.into_iter().zip(positions).enumerate() {
            let is_new = !resumed && last.is_some_and(|last| index > last);
            if position.is_none() && !is_new {
                self.done.push_back((sibling.identity, sibling.head));
                continue;
            }
            let mut open = Open::new(sibling, self.fresh.clone(), now);
            match position {
                Some(position) => open.resume(position),
                None => self.counts.caught_up += 1,
            }
            self.leaving.push_back(open);
        }
        self.current = current;
    }

    /// Looks whether another file has the name.
    fn look(&mut self, now: WallTime) {
        let named = fs::metadata(&self.path).map(|metadata| Identity::of(&metadata));
        let open = self.current.as_ref().map(|open| open.identity);
        if open.is_some() && named.ok() == open {
            return;
        }
        let Some(new) = self.open_current(now) else {
            return;
        };
        let Some(old) = &self.current else {
            self.current = Some(new);
            self.searches = SEARCHES;
            return;
        };
        if old.identity == new.identity {
            return;
        }
        self.counts.rotations += 1;
        self.searches = SEARCHES;
        if let Some(old) = self.current.replace(new) {
            self.leaving.push_back(old);
        }
        self.catch_up(now);
    }

    /// Finds files that had the name between two looks: rotated ones that nobody knows.
    fn catch_up(&mut self, now: WallTime) {
        for sibling in siblings::of(&self.path) {
            if sibling.bytes == 0 || self.knows(sibling.identity, &sibling.head) {
                continue;
            }
            self.counts.caught_up += 1;
            let open = Open::new(sibling, self.fresh.clone(), now);
            self.leaving.push_back(open);
        }
    }

    /// Reads the rest from the copy that `copytruncate` made, if it is there, and begins anew.
    fn truncated(
        &mut self,
        now: WallTime,
        each: &mut dyn FnMut(Place<'_>, &Record<'_>) -> io::Result<()>,
    ) -> io::Result<()> {
        let Some(open) = &mut self.current else {
            return Ok(());
        };
        self.counts.truncations += 1;
        let copy = siblings::of(&self.path).into_iter().rev().find(|sibling| {
            sibling.bytes >= open.offset && open.head.is_of(&sibling.file).unwrap_or(false)
        });
        if let Some(copy) = copy {
            self.counts.copies_found += 1;
            let emptied = std::mem::replace(&mut open.file, copy.file);
            open.seek(open.offset);
            while open.read_turn(&self.name, now, &mut self.tally, each)? {}
            open.file = emptied;
            self.done.push_back((copy.identity, copy.head));
        }
        self.counts.cut_bytes += open.lines.discard();
        open.begin_again();
        Ok(())
    }

    /// Lets go of files that were renamed away and are quiet, with their last line, even without an
    /// end.
    fn let_go(
        &mut self,
        now: WallTime,
        each: &mut dyn FnMut(Place<'_>, &Record<'_>) -> io::Result<()>,
    ) -> io::Result<()> {
        while let Some(open) = self.leaving.front() {
            let quiet = now.since(open.active) >= QUIET;
            if !quiet && self.leaving.len() <= LEAVING_MAX {
                break;
            }
            let Some(mut open) = self.leaving.pop_front() else {
                break;
            };
            open.finish(&self.name, &mut self.tally, each)?;
            let head = Head::read(&open.file, u64::MAX).unwrap_or(open.head);
            self.done.push_back((open.identity, head));
        }
        let excess = self.done.len().saturating_sub(DONE_MAX);
        self.done.drain(..excess);
        Ok(())
    }

    fn open_current(&mut self, now: WallTime) -> Option<Open> {
        match Open::by_name(&self.path, self.fresh.clone(), now) {
            Ok(open) => {
                self.trouble = None;
                Some(open)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.counts.missing += 1;
                self.trouble = Some("there is no such file yet".to_owned());
                None
            }
            Err(error) => {
                self.note(&error);
                None
            }
        }
    }

    fn note(&mut self, error: &io::Error) {
        self.counts.errors += 1;
        self.trouble = Some(error.to_string());
    }

    fn remember(&mut self, siblings: &[Sibling]) {
        let known = siblings
            .iter()
            .map(|sibling| (sibling.identity, sibling.head));
        self.done.extend(known);
    }

    fn is_done(&self, identity: Identity, head: &Head) -> bool {
        let mut done = self.done.iter();
        done.any(|(known, known_head)| {
            known_head == head && (*known == identity || head.is_whole())
        })
    }
}

#[cfg(test)]
mod tests;
