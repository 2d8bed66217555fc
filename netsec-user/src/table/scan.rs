//! A table row by row.

use std::io::{self, Read as _};
use std::ops::ControlFlow;

use csv::{ByteRecord, StringRecord};

use super::input::{Input, TableError};
use super::sniff::{Form, SNIFFED, sniff};
use crate::log::{Decoder, EveFlow, Event, EventDetail, LogReader, Record, Value, Wanted, Zeek};
use crate::packet::names;

/// Columns of a flow record, Suricata's or netsec's own.
const EVE_COLUMNS: [&str; 13] = [
    "start",
    "src_ip",
    "src_port",
    "dest_ip",
    "dest_port",
    "proto",
    "duration",
    "pkts_toserver",
    "pkts_toclient",
    "bytes_toserver",
    "bytes_toclient",
    "state",
    "tcp_flags",
];

/// Columns of Zeek's `conn.log`: those that every version has.
const CONN_COLUMNS: [&str; 15] = [
    "ts",
    "id.orig_h",
    "id.orig_p",
    "id.resp_h",
    "id.resp_p",
    "proto",
    "service",
    "duration",
    "orig_bytes",
    "resp_bytes",
    "conn_state",
    "orig_pkts",
    "orig_ip_bytes",
    "resp_pkts",
    "resp_ip_bytes",
];

/// What a scan met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scanned {
    /// The form, for people: `csv with a header, delimiter ","`.
    pub form: String,
    /// Names of the columns.
    pub columns: Vec<String>,
    /// Rows handed on.
    pub rows: u64,
    /// Rows that could not be read, or had another number of cells than the first.
    pub malformed: u64,
    /// The first such row, and what is wrong with it.
    pub first_malformed: Option<String>,
    /// Records of a log that are of another kind.
    pub ignored: u64,
}

/// Hands on every row of a table with the names of its columns, until `each` says to stop.
///
/// # Errors
///
/// When the input cannot be read further or is no text, or `each` fails.
pub fn scan(
    input: &Input,
    each: impl FnMut(&[String], &StringRecord) -> io::Result<ControlFlow<()>>,
) -> Result<Scanned, TableError> {
    let mut start = Vec::new();
    let read = input.reader()?.take(SNIFFED).read_to_end(&mut start);
    read.map_err(|source| input.failed(source))?;
    // Read as text it would have rows, and scores that mean nothing.
    if let Some(offset) = start.iter().position(|byte| *byte == 0) {
        return Err(TableError::NotText {
            file: input.name().to_owned(),
            offset,
        });
    }
    match sniff(&start) {
        Form::Log => log(input, each),
        Form::Delimited { delimiter, header } => delimited(input, delimiter, header, each),
    }
}

fn delimited(
    input: &Input,
    delimiter: u8,
    header: bool,
    mut each: impl FnMut(&[String], &StringRecord) -> io::Result<ControlFlow<()>>,
) -> Result<Scanned, TableError> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter)
        .from_reader(input.reader()?);
    let shown = char::from(delimiter).escape_default();
    let with = if header { "with" } else { "without" };
    let mut scanned = Scanned::new(format!("text {with} a header, delimiter `{shown}`"));
    let mut record = ByteRecord::new();
    while reader
        .read_byte_record(&mut record)
        .map_err(|error| input.failed(error.into()))?
    {
        let line = record.position().map_or(0, csv::Position::line);
        let row = StringRecord::from_byte_record_lossy(std::mem::take(&mut record));
        if scanned.columns.is_empty() {
            scanned.columns = column_names(&row, header);
            if header {
                continue;
            }
        }
        if row.len() != scanned.columns.len() {
            let (has, wants) = (row.len(), scanned.columns.len());
            scanned.reject(|| format!("line {line} has {has} cells instead of {wants}"));
            continue;
        }
        scanned.rows += 1;
        if each(&scanned.columns, &row)
            .map_err(TableError::Output)?
            .is_break()
        {
            break;
        }
    }
    scanned.checked(input)
}

/// The header's names, each once; or `column1` and so on.
fn column_names(row: &StringRecord, header: bool) -> Vec<String> {
    let mut names: Vec<String> = Vec::with_capacity(row.len());
    for (at, cell) in row.iter().enumerate() {
        let name = if header { cell.trim() } else { "column" };
        if header && !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        } else {
            names.push(format!("{name}{}", at + 1));
        }
    }
    names
}

fn log(
    input: &Input,
    mut each: impl FnMut(&[String], &StringRecord) -> io::Result<ControlFlow<()>>,
) -> Result<Scanned, TableError> {
    let decoder = Decoder::new(Wanted::Everything);
    let mut reader = LogReader::new(input.name(), input.reader()?, decoder)?;
    let mut scanned = Scanned::new(String::new());
    reader.for_each(|_line, record| {
        let Some((form, columns, row)) = cells(record, &scanned.columns) else {
            scanned.ignored += 1;
            return Ok(ControlFlow::Continue(()));
        };
        if scanned.columns.is_empty() {
            (scanned.form, scanned.columns) = (form, columns);
        } else if scanned.form != form {
            scanned.ignored += 1;
            return Ok(ControlFlow::Continue(()));
        }
        scanned.rows += 1;
        each(&scanned.columns, &row)
    })?;
    let tally = reader.tally();
    scanned.malformed = tally.malformed;
    let first = tally.samples.first();
    scanned.first_malformed = first.map(|bad| format!("{}: {}", bad.at, bad.reason));
    scanned.checked(input)
}

/// The kind of a record, its columns and its cells; `columns` are those known already.
fn cells(record: &Record<'_>, columns: &[String]) -> Option<(String, Vec<String>, StringRecord)> {
    let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    match record {
        Record::Event(event) => {
            let EventDetail::Flow(flow) = &event.detail else {
                return None;
            };
            Some((
                "flow records".to_owned(),
                owned(&EVE_COLUMNS),
                eve_row(event, flow),
            ))
        }
        Record::Zeek(zeek) => {
            let path = zeek.path();
            let columns = match (&*path, columns) {
                ("conn", _) => owned(&CONN_COLUMNS),
                (_, []) => zeek
                    .row
                    .columns()
                    .map(|(name, _)| name.to_owned())
                    .collect(),
                (_, known) => known.to_vec(),
            };
            let row = zeek_row(zeek, &columns);
            Some((format!("Zeek's {path}.log"), columns, row))
        }
    }
}

fn zeek_row(zeek: &Zeek<'_>, columns: &[String]) -> StringRecord {
    let values: Vec<_> = zeek.row.columns().collect();
    columns
        .iter()
        .map(|column| {
            let found = values.iter().find(|(name, _)| name == column);
            match found {
                None | Some((_, Value::Unset)) => String::new(),
                Some((_, value)) => value.to_string(),
            }
        })
        .collect()
}

fn eve_row(event: &Event<'_>, flow: &EveFlow<'_>) -> StringRecord {
    let tuple = event.tuple;
    let text = |text: Option<String>| text.unwrap_or_default();
    let duration = flow
        .start
        .zip(flow.end)
        .map(|(start, end)| end.since(start).as_secs_f64());
    let row: [String; 13] = [
        flow.start.unwrap_or(event.time).to_string(),
        text(tuple.map(|tuple| tuple.source.to_string())),
        text(tuple.map(|tuple| tuple.source_port.to_string())),
        text(tuple.map(|tuple| tuple.destination.to_string())),
        text(tuple.map(|tuple| tuple.destination_port.to_string())),
        text(event.protocol.map(protocol)),
        text(duration.map(|seconds| seconds.to_string())),
        flow.pkts_toserver.to_string(),
        flow.pkts_toclient.to_string(),
        flow.bytes_toserver.to_string(),
        flow.bytes_toclient.to_string(),
        text(flow.state.as_deref().map(str::to_owned)),
        text(
            flow.flags
                .map(|flags| format!("0x{:02x}", flags.to_server | flags.to_client)),
        ),
    ];
    row.iter().collect()
}

/// An IP protocol's name, or its number.
fn protocol(number: u8) -> String {
    names::protocol(number).map_or_else(|| number.to_string(), str::to_owned)
}

impl Scanned {
    const fn new(form: String) -> Self {
        Self {
            form,
            columns: Vec::new(),
            rows: 0,
            malformed: 0,
            first_malformed: None,
            ignored: 0,
        }
    }

    fn reject(&mut self, why: impl FnOnce() -> String) {
        self.malformed += 1;
        self.first_malformed.get_or_insert_with(why);
    }

    fn checked(self, input: &Input) -> Result<Self, TableError> {
        if self.rows == 0 {
            let file = input.name().to_owned();
            return Err(TableError::Empty { file });
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &str) -> (Scanned, Vec<Vec<String>>) {
        let input = Input::of_bytes("test".to_owned(), text.as_bytes().to_vec());
        let mut rows = Vec::new();
        let scanned = scan(&input, |_, row| {
            rows.push(row.iter().map(str::to_owned).collect());
            Ok(ControlFlow::Continue(()))
        });
        (scanned.unwrap(), rows)
    }

    #[test]
    fn quoted_cells_and_short_rows() {
        let (scanned, rows) = rows("a;b\n\"x;1\";2\n3\n4;5\n");
        assert_eq!(scanned.columns, ["a", "b"]);
        assert_eq!(rows, [["x;1", "2"], ["4", "5"]]);
        assert_eq!((scanned.rows, scanned.malformed), (2, 1));
        let why = scanned.first_malformed.unwrap();
        assert_eq!(why, "line 3 has 1 cells instead of 2");
    }

    #[test]
    fn without_a_header_columns_are_numbered() {
        let (scanned, rows) = rows("1,2\n3,4\n");
        assert_eq!(scanned.columns, ["column1", "column2"]);
        assert_eq!(rows.len(), 2);
    }

    #[test]
    fn names_that_occur_twice_are_told_apart() {
        assert_eq!(rows("a,a\n1,2\n").0.columns, ["a", "a2"]);
    }

    #[test]
    fn nothing_to_score_is_an_error() {
        let input = Input::of_bytes("x.csv".to_owned(), b"a,b\n".to_vec());
        let error = scan(&input, |_, _| Ok(ControlFlow::Continue(()))).unwrap_err();
        assert!(
            error.to_string().starts_with("x.csv holds no rows"),
            "{error}"
        );
    }
}
