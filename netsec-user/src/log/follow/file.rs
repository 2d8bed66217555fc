//! One log by its name.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use super::super::decode::Decoder;
use super::super::framing::{Framing, LineBuffer, Piece};
use super::super::record::Record;
use super::super::tally::Tally;
use super::head::{Head, Identity};
use super::position::Position;
use super::siblings::{self, Sibling};
use super::{QUIET, TURN_BYTES};
use crate::time::WallTime;

/// Files renamed away that are read on at the same time.
const LEAVING_MAX: usize = 16;
/// Files that were read to their end and are remembered, so as not to be read again.
const DONE_MAX: usize = 4096;
/// Looks after a rotation at which files are searched for that came and went: while names move on, a
/// directory's listing may miss one.
const SEARCHES: u32 = 25;
/// Bytes of a Zeek header at most, which is read again when reading goes on behind it.
const HEADER_BYTES: u64 = 64 << 10;

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
    start: Start,
    decoder_like: fn() -> Decoder,
    current: Option<Open>,
    /// Renamed away, and perhaps still written to.
    leaving: VecDeque<Open>,
    done: VecDeque<(Identity, Head)>,
    tally: Tally,
    counts: FollowCounts,
    /// The first look is over.
    looked: bool,
    /// Searches still to make.
    searches: u32,
    saved: Vec<Position>,
    trouble: Option<String>,
}

/// A file that is being read.
#[derive(Debug)]
struct Open {
    file: File,
    identity: Identity,
    head: Head,
    /// Bytes that were read.
    offset: u64,
    lines: LineBuffer,
    decoder: Decoder,
    /// When the last new byte was seen.
    active: WallTime,
}

impl FollowFile {
    /// Follows `path`, from the `saved` positions on in files that are still there under any name.
    #[must_use]
    pub fn new(
        path: PathBuf,
        start: Start,
        saved: Vec<Position>,
        decoder: fn() -> Decoder,
    ) -> Self {
        Self {
            path,
            start,
            decoder_like: decoder,
            current: None,
            leaving: VecDeque::new(),
            done: VecDeque::new(),
            tally: Tally::default(),
            counts: FollowCounts::default(),
            looked: false,
            searches: 0,
            saved,
            trouble: None,
        }
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
        if !self.looked {
            return self.saved.clone();
        }
        let position = |open: &Open| Position {
            path: self.path.clone(),
            identity: open.identity,
            head: open.head,
            offset: open.offset - open.lines.pending(),
            lines: open.lines.lines(),
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
        each: &mut dyn FnMut(&Record<'_>) -> io::Result<()>,
    ) -> io::Result<bool> {
        let first = !self.looked;
        if first {
            self.begin(now);
        }
        let mut more = false;
        for open in &mut self.leaving {
            more |= open.read_turn(now, &mut self.tally, each)?;
        }
        if let Some(open) = &mut self.current {
            match open.was_cut() {
                Ok(false) => {}
                Ok(true) => self.truncated(now, each)?,
                Err(error) => self.note(&error),
            }
        }
        if let Some(open) = &mut self.current {
            more |= open.read_turn(now, &mut self.tally, each)?;
        }
        if !more && !first {
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
    fn begin(&mut self, now: WallTime) {
        self.looked = true;
        let siblings = siblings::of(&self.path);
        let saved = std::mem::take(&mut self.saved);
        let mut current = self.open_current(now);
        if saved.is_empty() {
            self.remember(&siblings);
            if let (Start::End, Some(open)) = (self.start, &mut current) {
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
            let mut open = Open::new(sibling, (self.decoder_like)(), now);
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
            let open = Open::new(sibling, (self.decoder_like)(), now);
            self.leaving.push_back(open);
        }
    }

    /// Reads the rest from the copy that `copytruncate` made, if it is there, and begins anew.
    fn truncated(
        &mut self,
        now: WallTime,
        each: &mut dyn FnMut(&Record<'_>) -> io::Result<()>,
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
            while open.read_turn(now, &mut self.tally, each)? {}
            open.file = emptied;
            self.done.push_back((copy.identity, copy.head));
        }
        self.counts.cut_bytes += open.lines.discard();
        open.head = Head::default();
        open.seek(0);
        Ok(())
    }

    /// Lets go of files that were renamed away and are quiet, with their last line, even without an
    /// end.
    fn let_go(
        &mut self,
        now: WallTime,
        each: &mut dyn FnMut(&Record<'_>) -> io::Result<()>,
    ) -> io::Result<()> {
        while let Some(open) = self.leaving.front() {
            let quiet = now.since(open.active) >= QUIET;
            if !quiet && self.leaving.len() <= LEAVING_MAX {
                break;
            }
            let Some(mut open) = self.leaving.pop_front() else {
                break;
            };
            open.finish(&mut self.tally, each)?;
            let head = Head::read(&open.file, u64::MAX).unwrap_or(open.head);
            self.done.push_back((open.identity, head));
        }
        let excess = self.done.len().saturating_sub(DONE_MAX);
        self.done.drain(..excess);
        Ok(())
    }

    fn open_current(&mut self, now: WallTime) -> Option<Open> {
        match Open::by_name(&self.path, (self.decoder_like)(), now) {
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

impl Open {
    /// Opens what has the name now, if it is a file. A FIFO would block, a device never end.
    fn by_name(path: &Path, decoder: Decoder, now: WallTime) -> io::Result<Self> {
        let file = OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
            .open(path)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::other("it is no regular file"));
        }
        Ok(Self {
            identity: Identity::of(&metadata),
            head: Head::read(&file, u64::MAX)?,
            file,
            offset: 0,
            lines: LineBuffer::new(Some(Framing::Lines)),
            decoder,
            active: now,
        })
    }

    fn new(sibling: Sibling, decoder: Decoder, now: WallTime) -> Self {
        Self {
            file: sibling.file,
            identity: sibling.identity,
            head: sibling.head,
            offset: 0,
            lines: LineBuffer::new(Some(Framing::Lines)),
            decoder,
            active: now,
        }
    }

    fn seek(&mut self, offset: u64) {
        // A regular file can be sought anywhere.
        self.offset = self.file.seek(SeekFrom::Start(offset)).unwrap_or_default();
    }

    /// Skips what is there, but not a line that is just being written.
    fn skip_to_end(&mut self) {
        self.read_header();
        let end = self.file.seek(SeekFrom::End(0)).unwrap_or_default();
        let from = end.saturating_sub(HEADER_BYTES);
        self.seek(from);
        let mut last = Vec::new();
        let read = self.file.by_ref().take(HEADER_BYTES).read_to_end(&mut last);
        let behind_line = read.ok().and_then(|_| memchr::memrchr(b'\n', &last));
        let begins = behind_line.and_then(|place| u64::try_from(place + 1).ok());
        self.seek(begins.map_or(end, |place| from + place));
    }

    /// Goes on where reading ended, with Zeek's header in mind.
    fn resume(&mut self, saved: &Position) {
        self.read_header();
        self.lines.set_lines(saved.lines);
        self.seek(saved.offset);
    }

    /// Tells the decoder the header that stands at the file's beginning.
    fn read_header(&mut self) {
        self.seek(0);
        let mut lines = LineBuffer::new(Some(Framing::Lines));
        let mut beginning = self.file.by_ref().take(HEADER_BYTES);
        while lines.fill(&mut beginning).is_ok_and(|bytes| bytes > 0) {}
        while let Some(Piece::Bytes(line)) = lines.next() {
            if !line.starts_with(b"#") {
                break;
            }
            self.decoder.decode(line);
        }
    }

    /// Whether the file is shorter than what was read of it, or begins differently.
    fn was_cut(&mut self) -> io::Result<bool> {
        let length = self.file.metadata()?.len();
        if length < self.offset {
            return Ok(true);
        }
        if self.head.bytes > 0 && !self.head.is_of(&self.file)? {
            return Ok(true);
        }
        if !self.head.is_whole() && length > self.head.bytes {
            self.head = Head::read(&self.file, u64::MAX)?;
        }
        Ok(false)
    }

    /// Reads what is new, up to a turn; true when that was not all.
    fn read_turn(
        &mut self,
        now: WallTime,
        tally: &mut Tally,
        each: &mut dyn FnMut(&Record<'_>) -> io::Result<()>,
    ) -> io::Result<bool> {
        let mut read = 0;
        while read < TURN_BYTES {
            let Ok(filled) = self.lines.fill(&mut self.file) else {
                return Ok(false);
            };
            let filled = u64::try_from(filled).unwrap_or_default();
            if filled == 0 {
                return Ok(false);
            }
            read += filled;
            self.offset += filled;
            self.active = now;
            loop {
                let line = self.lines.lines() + 1;
                let Some(piece) = self.lines.next() else {
                    break;
                };
                tally.take(&mut self.decoder, piece, line, |record| each(record))?;
            }
        }
        Ok(true)
    }

    /// Hands on a last line without an end.
    fn finish(
        &mut self,
        tally: &mut Tally,
        each: &mut dyn FnMut(&Record<'_>) -> io::Result<()>,
    ) -> io::Result<()> {
        let now = self.active;
        while self.read_turn(now, tally, each)? {}
        let line = self.lines.lines() + 1;
        if let Some(piece) = self.lines.rest() {
            tally.take(&mut self.decoder, piece, line, |record| each(record))?;
        }
        Ok(())
    }
}

/// Whether there is a file of this name that can be told apart, for a directory's listing.
pub(super) fn identify(path: &Path) -> Option<(Identity, Head)> {
    let metadata = fs::symlink_metadata(path).ok()?;
    if !metadata.is_file() {
        return None;
    }
    let file = File::open(path).ok()?;
    Some((Identity::of(&metadata), Head::read(&file, u64::MAX).ok()?))
}

#[cfg(test)]
mod tests;
