//! From bytes to lines, or to the objects of a JSON document.

use std::io::{self, Read};

use memchr::{memchr, memchr_iter, memchr2, memchr3};

/// Longest line that is read, bytes; a longer one is counted and skipped.
pub const LINE_BYTES_MAX: usize = 16 << 20;

/// Bytes that are asked of a reader at a time.
const READ_BYTES: usize = 128 << 10;

/// Where one record ends and the next begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// One record a line.
    Lines,
    /// The objects of a JSON array, or objects that pass over several lines, one after another.
    Objects,
}

/// One record's bytes.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// A line without its end, or an object.
    Bytes(&'a [u8]),
    /// A record of so many bytes, which are more than [`LINE_BYTES_MAX`].
    TooLong(u64),
}

/// Bytes that were read and are not handed out yet. Holds one record of [`LINE_BYTES_MAX`] at most.
#[derive(Debug)]
pub struct LineBuffer {
    bytes: Vec<u8>,
    /// Handed out up to here.
    start: usize,
    /// Searched for an end up to here.
    searched: usize,
    framing: Option<Framing>,
    nesting: Nesting,
    /// Bytes of a record that is too long, so far.
    skipped: Option<u64>,
    /// Line ends before `start`.
    lines: u64,
    /// Lines before the record handed out last.
    line: u64,
}

/// Where in a JSON object the search stands.
#[derive(Clone, Copy, Debug, Default)]
struct Nesting {
    depth: usize,
    in_text: bool,
    escaped: bool,
}

impl LineBuffer {
    /// An empty buffer. Without a framing, the first bytes decide.
    #[must_use]
    pub const fn new(framing: Option<Framing>) -> Self {
        Self {
            bytes: Vec::new(),
            start: 0,
            searched: 0,
            framing,
            nesting: Nesting {
                depth: 0,
                in_text: false,
                escaped: false,
            },
            skipped: None,
            lines: 0,
            line: 0,
        }
    }

    /// Reads once; zero is the end.
    ///
    /// # Errors
    ///
    /// The reader's.
    pub fn fill(&mut self, input: &mut impl Read) -> io::Result<usize> {
        self.compact();
        let held = self.bytes.len();
        let limit = u64::try_from(READ_BYTES).unwrap_or(u64::MAX);
        self.bytes.reserve(READ_BYTES);
        // `read_to_end` on a limited reader fills the spare room without clearing it first.
        input.take(limit).read_to_end(&mut self.bytes)?;
        Ok(self.bytes.len() - held)
    }

    /// Takes bytes that were read elsewhere.
    pub fn push(&mut self, bytes: &[u8]) {
        self.compact();
        self.bytes.extend_from_slice(bytes);
    }

    /// Bytes held that belong to no whole record yet.
    #[must_use]
    pub fn pending(&self) -> u64 {
        let held = u64::try_from(self.bytes.len() - self.start).unwrap_or_default();
        held + self.skipped.unwrap_or_default()
    }

    /// The number of the line in which the record handed out last begins, from 1 on.
    #[must_use]
    pub const fn line(&self) -> u64 {
        self.line + 1
    }

    /// Sets how many lines came before.
    pub const fn set_lines(&mut self, lines: u64) {
        self.lines = lines;
    }

    /// Lines that ended so far.
    #[must_use]
    pub const fn lines(&self) -> u64 {
        self.lines
    }

    /// Forgets what is held, and gives how many bytes that were.
    pub fn discard(&mut self) -> u64 {
        let lost = self.pending();
        *self = Self::new(self.framing);
        lost
    }

    /// The next whole record, if there is one.
    pub fn next_piece(&mut self) -> Option<Piece<'_>> {
        match self.framing() {
            Framing::Lines => self.next_line(),
            Framing::Objects => self.next_object(),
        }
    }

    /// What is left when no more bytes come: a last line without an end.
    pub fn rest(&mut self) -> Option<Piece<'_>> {
        self.line = self.lines;
        if let Some(skipped) = self.skipped.take() {
            let held = u64::try_from(self.bytes.len() - self.start).unwrap_or_default();
            self.start = self.bytes.len();
            return Some(Piece::TooLong(skipped + held));
        }
        let start = self.start;
        self.start = self.bytes.len();
        self.searched = self.start;
        let rest = self.bytes.get(start..)?;
        let nothing = rest.iter().all(u8::is_ascii_whitespace) || rest.is_empty();
        (!nothing).then_some(Piece::Bytes(rest))
    }

    /// Drops what was handed out.
    fn compact(&mut self) {
        if self.start > 0 {
            self.bytes.drain(..self.start);
            self.searched -= self.start;
            self.start = 0;
        }
    }

    /// An array, or an object that goes on behind its first line's end, is a document.
    fn framing(&mut self) -> Framing {
        if let Some(framing) = self.framing {
            return framing;
        }
        let bytes = self.bytes.get(self.start..).unwrap_or_default();
        let mut content = bytes.trim_ascii_start().iter();
        let framing = match (content.next(), content.next()) {
            (None, _) | (Some(b'{'), None) => return Framing::Lines,
            (Some(b'['), _) | (Some(b'{'), Some(b'\n' | b'\r')) => Framing::Objects,
            _ => Framing::Lines,
        };
        self.framing = Some(framing);
        framing
    }

    fn next_line(&mut self) -> Option<Piece<'_>> {
        let unsearched = self.bytes.get(self.searched..)?;
        let Some(found) = memchr(b'\n', unsearched) else {
            self.searched = self.bytes.len();
            self.skip_if_too_long();
            return None;
        };
        let (start, end) = (self.start, self.searched + found);
        self.start = end + 1;
        self.searched = self.start;
        self.line = self.lines;
        self.lines += 1;
        let held = u64::try_from(end - start).unwrap_or_default();
        match self.skipped.take() {
            Some(skipped) => Some(Piece::TooLong(skipped + held)),
            None => {
                let line = self.bytes.get(start..end)?;
                Some(Piece::Bytes(line.strip_suffix(b"\r").unwrap_or(line)))
            }
        }
    }

    fn next_object(&mut self) -> Option<Piece<'_>> {
        if self.nesting.depth == 0 && self.skipped.is_none() {
            let held = self.bytes.get(self.start..)?;
            let between = |byte: &u8| byte.is_ascii_whitespace() || b",[]".contains(byte);
            let skip = held.iter().take_while(|byte| between(byte)).count();
            self.lines += newlines(held.get(..skip)?);
            self.start += skip;
            self.searched = self.start;
            self.line = self.lines;
            if *self.bytes.get(self.start)? != b'{' {
                return self.next_line();
            }
        }
        let Some(end) = self.object_end() else {
            self.searched = self.bytes.len();
            self.skip_if_too_long();
            return None;
        };
        let start = self.start;
        self.start = end;
        self.searched = end;
        let object = self.bytes.get(start..end)?;
        self.lines += newlines(object);
        let held = u64::try_from(object.len()).unwrap_or_default();
        match self.skipped.take() {
            Some(skipped) => Some(Piece::TooLong(skipped + held)),
            None => Some(Piece::Bytes(object)),
        }
    }

    /// Searches on for the brace that closes the object; gives the place behind it.
    fn object_end(&mut self) -> Option<usize> {
        let mut at = self.searched;
        let nesting = &mut self.nesting;
        loop {
            if nesting.escaped {
                self.bytes.get(at)?;
                nesting.escaped = false;
                at += 1;
            }
            let rest = self.bytes.get(at..)?;
            let found = if nesting.in_text {
                memchr2(b'"', b'\\', rest)?
            } else {
                memchr3(b'"', b'{', b'}', rest)?
            };
            let byte = *rest.get(found)?;
            at += found + 1;
            match byte {
                b'\\' => nesting.escaped = true,
                b'"' => nesting.in_text = !nesting.in_text,
                b'{' => nesting.depth += 1,
                _ => {
                    nesting.depth = nesting.depth.saturating_sub(1);
                    if nesting.depth == 0 {
                        return Some(at);
                    }
                }
            }
        }
    }

    fn skip_if_too_long(&mut self) {
        let held = self.bytes.len() - self.start;
        if self.skipped.is_some() || held > LINE_BYTES_MAX {
            let held = u64::try_from(held).unwrap_or_default();
            self.skipped = Some(self.skipped.unwrap_or_default() + held);
            self.bytes.clear();
            self.start = 0;
            self.searched = 0;
        }
    }
}

fn newlines(bytes: &[u8]) -> u64 {
    memchr_iter(b'\n', bytes).fold(0, |count, _| count + 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Feeds `text` in pieces of `step` bytes; gives the records with their lines.
    fn records(text: &[u8], step: usize) -> Vec<(u64, Vec<u8>)> {
        let mut buffer = LineBuffer::new(None);
        let mut found = Vec::new();
        let mut take = |buffer: &mut LineBuffer, rest: bool| loop {
            let piece = if rest {
                buffer.rest()
            } else {
                buffer.next_piece()
            };
            let bytes = match piece {
                None => break,
                Some(Piece::Bytes(bytes)) => bytes.to_vec(),
                Some(Piece::TooLong(bytes)) => format!("too long: {bytes}").into_bytes(),
            };
            found.push((buffer.line(), bytes));
        };
        for mut chunk in text.chunks(step.max(1)) {
            buffer.fill(&mut chunk).unwrap();
            take(&mut buffer, false);
        }
        take(&mut buffer, true);
        found
    }

    #[test]
    fn lines_with_any_end() {
        let expected = vec![
            (1, b"a".to_vec()),
            (2, b"".to_vec()),
            (3, b"b".to_vec()),
            (4, b"c".to_vec()),
        ];
        for step in 1..8 {
            assert_eq!(records(b"a\r\n\nb\nc", step), expected, "{step}");
        }
    }

    #[test]
    fn objects_of_an_array_and_one_behind_another() {
        let text = b"[\n {\"a\": \"}\\\"{\"},\n {\"b\": {}}\n]\n{\n\"c\": 1\n}\nx\n";
        for step in 1..text.len() {
            let found = records(text, step);
            let text: Vec<_> = found
                .iter()
                .map(|(line, bytes)| (*line, str::from_utf8(bytes).unwrap()))
                .collect();
            let expected = [
                (2, r#"{"a": "}\"{"}"#),
                (3, r#"{"b": {}}"#),
                (5, "{\n\"c\": 1\n}"),
                (8, "x"),
            ];
            assert_eq!(text, expected, "{step}");
        }
    }

    #[test]
    fn a_line_beyond_the_limit_is_counted_and_the_next_is_read() {
        let mut text = vec![b'x'; LINE_BYTES_MAX + READ_BYTES];
        let length = text.len();
        text.extend_from_slice(b"\nnext\n");
        let found = records(&text, READ_BYTES);
        let expected = vec![
            (1, format!("too long: {length}").into_bytes()),
            (2, b"next".to_vec()),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn ten_megabytes_are_a_line() {
        let mut text = vec![b'x'; 10 << 20];
        text.push(b'\n');
        let found = records(&text, READ_BYTES);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].1.len(), 10 << 20);
    }

    proptest! {
        #[test]
        fn how_bytes_arrive_does_not_matter(
            text in "[\\[{}\",a\\\\\n\r]{0,60}",
            step in 1_usize..20,
        ) {
            // What decides the framing has to be there at once.
            let text = format!("{{\n{text}");
            prop_assert_eq!(records(text.as_bytes(), step.max(2)), records(text.as_bytes(), 1 << 16));
        }
    }
}
