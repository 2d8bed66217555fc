//! A file that is being read, whatever its name is by now.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use super::super::decode::Decoder;
use super::super::framing::{Framing, LineBuffer, Piece};
use super::super::place::{At, Place};
use super::super::record::Record;
use super::super::tally::Tally;
use super::TURN_BYTES;
use super::head::{Head, Identity};
use super::position::Position;
use super::siblings::Sibling;
use crate::time::WallTime;

/// Bytes of a Zeek header at most, which is read again when reading goes on behind it.
const HEADER_BYTES: u64 = 64 << 10;

/// A file that is being read.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) file: File,
    pub(super) identity: Identity,
    pub(super) head: Head,
    /// Bytes that were read.
    pub(super) offset: u64,
    pub(super) lines: LineBuffer,
    /// Whether they were counted from the first one on.
    counts_lines: bool,
    decoder: Decoder,
    /// When the last new byte was seen.
    pub(super) active: WallTime,
}

impl Open {
    /// Opens what has the name now, if it is a file. A FIFO would block, a device never end.
    pub(super) fn by_name(path: &Path, decoder: Decoder, now: WallTime) -> io::Result<Self> {
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
            counts_lines: true,
            decoder,
            active: now,
        })
    }

    pub(super) fn new(sibling: Sibling, decoder: Decoder, now: WallTime) -> Self {
        Self {
            file: sibling.file,
            identity: sibling.identity,
            head: sibling.head,
            offset: 0,
            lines: LineBuffer::new(Some(Framing::Lines)),
            counts_lines: true,
            decoder,
            active: now,
        }
    }

    pub(super) fn seek(&mut self, offset: u64) {
        // A regular file can be sought anywhere.
        self.offset = self.file.seek(SeekFrom::Start(offset)).unwrap_or_default();
    }

    /// Begins at the first byte, as the file was emptied.
    pub(super) fn begin_again(&mut self) {
        self.head = Head::default();
        self.counts_lines = true;
        self.seek(0);
    }

    /// Skips what is there, but not a line that is just being written.
    pub(super) fn skip_to_end(&mut self) {
        self.read_header();
        let end = self.file.seek(SeekFrom::End(0)).unwrap_or_default();
        let from = end.saturating_sub(HEADER_BYTES);
        self.seek(from);
        let mut last = Vec::new();
        let read = self.file.by_ref().take(HEADER_BYTES).read_to_end(&mut last);
        let behind_line = read.ok().and_then(|_| memchr::memrchr(b'\n', &last));
        let begins = behind_line.and_then(|place| u64::try_from(place + 1).ok());
        self.seek(begins.map_or(end, |place| from + place));
        // The lines of a long log are not counted only to say where something stands in it.
        self.counts_lines = from == 0;
        if self.counts_lines {
            let lines = memchr::memchr_iter(b'\n', &last).count();
            self.lines
                .set_lines(u64::try_from(lines).unwrap_or_default());
        }
    }

    /// Goes on where reading ended, with Zeek's header in mind.
    pub(super) fn resume(&mut self, saved: &Position) {
        self.read_header();
        self.lines.set_lines(saved.lines.unwrap_or_default());
        self.counts_lines = saved.lines.is_some();
        self.seek(saved.offset);
    }

    /// Tells the decoder the header that stands at the file's beginning.
    fn read_header(&mut self) {
        self.seek(0);
        let mut lines = LineBuffer::new(Some(Framing::Lines));
        let mut beginning = self.file.by_ref().take(HEADER_BYTES);
        while lines.fill(&mut beginning).is_ok_and(|bytes| bytes > 0) {}
        while let Some(Piece::Bytes(line)) = lines.next_piece() {
            if !line.starts_with(b"#") {
                break;
            }
            self.decoder.decode(line);
        }
    }

    /// Whether the file is shorter than what was read of it, or begins differently.
    pub(super) fn was_cut(&mut self) -> io::Result<bool> {
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

    /// Lines before the next record, where they were counted.
    pub(super) fn counted_lines(&self) -> Option<u64> {
        self.counts_lines.then(|| self.lines.lines())
    }

    /// Where the next record begins.
    fn at(&self) -> At {
        match self.counted_lines() {
            Some(lines) => At::Line(lines + 1),
            None => At::Byte(self.offset - self.lines.pending()),
        }
    }

    /// Reads what is new, up to a turn; true when that was not all. `file` is what it is called.
    pub(super) fn read_turn(
        &mut self,
        file: &str,
        now: WallTime,
        tally: &mut Tally,
        each: &mut dyn FnMut(Place<'_>, &Record<'_>) -> io::Result<()>,
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
                let at = self.at();
                let Some(piece) = self.lines.next_piece() else {
                    break;
                };
                let place = Place { file, at };
                tally.take(&mut self.decoder, piece, at, |record| each(place, record))?;
            }
        }
        Ok(true)
    }

    /// Hands on a last line without an end.
    pub(super) fn finish(
        &mut self,
        file: &str,
        tally: &mut Tally,
        each: &mut dyn FnMut(Place<'_>, &Record<'_>) -> io::Result<()>,
    ) -> io::Result<()> {
        let now = self.active;
        while self.read_turn(file, now, tally, each)? {}
        let at = self.at();
        if let Some(piece) = self.lines.rest() {
            let place = Place { file, at };
            tally.take(&mut self.decoder, piece, at, |record| each(place, record))?;
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
