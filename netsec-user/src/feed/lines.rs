//! Lines of bounded length.

use std::io::{self, BufRead};

use memchr::memchr;

/// Longest line that is kept, bytes.
pub(super) const LINE_BYTES_MAX: usize = 64 << 10;

/// Bytes kept of a line that is too long.
const START_BYTES: usize = 64;

/// Follows the last byte kept of a line that has more.
const MORE: u8 = b' ';

/// A line without its end.
#[derive(Debug)]
pub(super) enum Line<'a> {
    /// As it stands.
    Text(&'a str),
    /// The beginning of one that is too long.
    TooLong(&'a str),
    /// One that is not UTF-8, with what can be read of it.
    NotText(String),
}

/// Reads lines one by one into one buffer.
#[derive(Debug)]
pub(super) struct Lines<R> {
    input: R,
    buffer: Vec<u8>,
    number: u64,
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(input: R) -> Self {
        Self {
            input,
            buffer: Vec::new(),
            number: 0,
        }
    }

    /// The next line and its number; `None` at the end.
    pub(super) fn next(&mut self) -> io::Result<Option<(u64, Line<'_>)>> {
        self.buffer.clear();
        let mut length: usize = 0;
        loop {
            let chunk = match self.input.fill_buf() {
                Ok(chunk) => chunk,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if chunk.is_empty() {
                if length == 0 {
                    return Ok(None);
                }
                break;
            }
            let end = memchr(b'\n', chunk);
            let part = end.map_or(chunk, |end| chunk.get(..end).unwrap_or_default());
            let used = end.map_or(chunk.len(), |end| end + 1);
            let room = LINE_BYTES_MAX.saturating_sub(self.buffer.len());
            let kept = part.get(..part.len().min(room)).unwrap_or_default();
            self.buffer.extend_from_slice(kept);
            length += used;
            let dropped = part.len() > kept.len();
            self.input.consume(used);
            if dropped && self.buffer.len() == LINE_BYTES_MAX {
                self.buffer.push(MORE);
            }
            if end.is_some() {
                break;
            }
        }
        self.number += 1;
        Ok(Some((self.number, self.line())))
    }

    fn line(&self) -> Line<'_> {
        let mut bytes = self.buffer.as_slice();
        if self.number == 1 {
            bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        }
        bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
        if bytes.len() > LINE_BYTES_MAX {
            let start = bytes.get(..START_BYTES).unwrap_or_default();
            return Line::TooLong(start.utf8_chunks().next().map_or("", |chunk| chunk.valid()));
        }
        match str::from_utf8(bytes) {
            Ok(text) => Line::Text(text),
            Err(_) => {
                let start = bytes
                    .get(..bytes.len().min(START_BYTES))
                    .unwrap_or_default();
                Line::NotText(String::from_utf8_lossy(start).into_owned())
            }
        }
    }
}
