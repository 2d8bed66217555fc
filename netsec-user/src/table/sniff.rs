//! What form a text has, by its beginning.

use std::net::IpAddr;

/// Bytes looked at.
pub(super) const SNIFFED: u64 = 1 << 16;

/// Lines looked at.
const LINES: usize = 20;

/// Separators, the likeliest first.
const DELIMITERS: [u8; 4] = *b",;\t|";

/// How to read a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Zeek's or EVE's lines.
    Log,
    /// Cells between delimiters.
    Delimited { delimiter: u8, header: bool },
}

/// The form of a text that begins so.
pub(super) fn sniff(start: &[u8]) -> Form {
    let start = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start);
    let trimmed = start.trim_ascii_start();
    if [&b"{"[..], b"#separator", b"#fields"]
        .iter()
        .any(|mark| trimmed.starts_with(mark))
    {
        return Form::Log;
    }
    let delimiter = delimiter(start);
    Form::Delimited {
        delimiter,
        header: has_header(start, delimiter),
    }
}

/// The delimiter that splits the first lines into the same number of cells, more than one; a comma
/// where none does.
fn delimiter(start: &[u8]) -> u8 {
    let agreement = |delimiter: u8| {
        let rows = first_rows(start, delimiter);
        let cells = rows.first().map_or(0, csv::StringRecord::len);
        let alike = rows.iter().filter(|row| row.len() == cells).count();
        if cells < 2 { 0 } else { alike * 1000 + cells }
    };
    // The first of the best: `max_by_key` would give the last.
    let best = DELIMITERS.into_iter().rev().max_by_key(|d| agreement(*d));
    best.unwrap_or(b',')
}

/// Whether the first row names the columns: no cell of it is a number, an address or empty.
fn has_header(start: &[u8], delimiter: u8) -> bool {
    let rows = first_rows(start, delimiter);
    rows.first().is_some_and(|row| {
        row.iter().all(|cell| {
            let cell = cell.trim();
            !cell.is_empty() && cell.parse::<f64>().is_err() && cell.parse::<IpAddr>().is_err()
        })
    })
}

fn first_rows(start: &[u8], delimiter: u8) -> Vec<csv::StringRecord> {
    csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter)
        .from_reader(start)
        .byte_records()
        .map_while(Result::ok)
        .take(LINES)
        .map(csv::StringRecord::from_byte_record_lossy)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delimiters_and_headers() {
        let delimited = |delimiter, header| Form::Delimited { delimiter, header };
        for (text, form) in [
            ("a,b\n1,2\n", delimited(b',', true)),
            ("1,2\n3,4\n", delimited(b',', false)),
            ("a;b\n1,5;2,5\n3,1;4,2\n", delimited(b';', true)),
            ("a\tb c\n1\t2\n", delimited(b'\t', true)),
            ("10.0.0.1|x\n10.0.0.2|y\n", delimited(b'|', false)),
            ("\"a,b\";\"c\"\n\"1,2\";3\n", delimited(b';', true)),
            ("bytes\n17\n", delimited(b',', true)),
            ("{\"event_type\":\"flow\"}\n", Form::Log),
            ("#separator \\x09\n", Form::Log),
        ] {
            assert_eq!(sniff(text.as_bytes()), form, "{text:?}");
        }
    }
}
