//! JSON objects, cut out of an array or a sequence without reading the whole.

use std::io::{self, BufRead};

/// Longest object that is kept, bytes: CrowdSec's answer to a bouncer's start is one.
const OBJECT_BYTES_MAX: usize = 64 << 20;

/// What was found.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found<'a> {
    /// An object, from brace to brace.
    Object(&'a [u8]),
    /// Something outside of objects that does not belong there: it is skipped up to the next brace.
    Stray(String),
    /// An object longer than [`OBJECT_BYTES_MAX`].
    TooLong,
    /// The input ends inside an object.
    Cut,
}

/// Finds objects one by one.
#[derive(Debug)]
pub(super) struct Objects<R> {
    input: R,
    buffer: Vec<u8>,
    line: u64,
}

/// Where the scan is.
#[derive(Debug, Default)]
struct State {
    depth: u32,
    in_string: bool,
    is_escaped: bool,
}

impl<R: BufRead> Objects<R> {
    pub(super) fn new(input: R) -> Self {
        Self {
            input,
            buffer: Vec::new(),
            line: 1,
        }
    }

    /// The next finding, and the line it begins in; `None` at the end.
    pub(super) fn next(&mut self) -> io::Result<Option<(u64, Found<'_>)>> {
        self.buffer.clear();
        if !self.skip_to_object()? {
            if self.buffer.is_empty() {
                return Ok(None);
            }
            let text = String::from_utf8_lossy(&self.buffer).into_owned();
            return Ok(Some((self.line, Found::Stray(text))));
        }
        let start = self.line;
        let mut state = State::default();
        let mut is_too_long = false;
        loop {
            let chunk = self.input.fill_buf()?;
            if chunk.is_empty() {
                return Ok(Some((start, Found::Cut)));
            }
            let end = chunk.iter().position(|&byte| {
                self.line += u64::from(byte == b'\n');
                state.ends_with(byte)
            });
            let used = end.map_or(chunk.len(), |end| end + 1);
            is_too_long |= self.buffer.len() + used > OBJECT_BYTES_MAX;
            if !is_too_long {
                self.buffer
                    .extend_from_slice(chunk.get(..used).unwrap_or_default());
            }
            self.input.consume(used);
            if end.is_some() {
                break;
            }
        }
        let found = if is_too_long {
            Found::TooLong
        } else {
            Found::Object(&self.buffer)
        };
        Ok(Some((start, found)))
    }

    /// Skips blanks, brackets and commas up to an opening brace. False at the end of the input, or at
    /// a line with something else, of which the buffer then has the beginning.
    fn skip_to_object(&mut self) -> io::Result<bool> {
        const SHOWN_BYTES: usize = 64;
        loop {
            let chunk = self.input.fill_buf()?;
            if chunk.is_empty() {
                return Ok(false);
            }
            let mut used = 0;
            let mut stop = None;
            for &byte in chunk {
                if byte == b'{' {
                    stop = Some(self.buffer.is_empty());
                    break;
                }
                if byte == b'\n' && !self.buffer.is_empty() {
                    stop = Some(false);
                    break;
                }
                used += 1;
                self.line += u64::from(byte == b'\n');
                let belongs = byte.is_ascii_whitespace() || matches!(byte, b'[' | b']' | b',');
                // The byte order mark of UTF-8.
                let is_mark = matches!(byte, 0xef | 0xbb | 0xbf);
                let is_stray = !belongs && !is_mark || !self.buffer.is_empty();
                if is_stray && self.buffer.len() < SHOWN_BYTES {
                    self.buffer.push(byte);
                }
            }
            self.input.consume(used);
            if let Some(is_object) = stop {
                return Ok(is_object);
            }
        }
    }
}

impl State {
    /// Takes a byte, and says whether the object ends with it.
    fn ends_with(&mut self, byte: u8) -> bool {
        if self.in_string {
            if self.is_escaped {
                self.is_escaped = false;
            } else if byte == b'\\' {
                self.is_escaped = true;
            } else if byte == b'"' {
                self.in_string = false;
            }
            return false;
        }
        match byte {
            b'"' => self.in_string = true,
            b'{' => self.depth += 1,
            b'}' => {
                self.depth = self.depth.saturating_sub(1);
                return self.depth == 0;
            }
            _ => {}
        }
        false
    }
}
