//! Rows of named values in the form that was asked for.

use std::io::{self, Write};

use serde::Serializer as _;
use serde::ser::SerializeMap as _;

use crate::log::Value;

/// Rows that are held back to find how wide the columns are.
const MEASURED_ROWS: usize = 256;
/// A wider cell moves what stands behind it, and is never cut.
const WIDTH_MAX: usize = 48;

/// The form of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowForm {
    /// Columns for people, nothing cut.
    Table,
    /// One JSON object a row.
    JsonLines,
    /// RFC 4180, with a header.
    Csv,
    /// Zeek's form, with its header.
    Tsv,
}

/// Writes rows. The columns are those asked for, else those of the first row; Zeek's form has a new
/// header when they change.
#[derive(Debug)]
pub struct RowWriter<W: Write> {
    out: W,
    form: RowForm,
    fields: Option<Vec<String>>,
    columns: Vec<String>,
    path: String,
    /// Rows of a table whose columns have no width yet.
    held: Vec<Vec<String>>,
    widths: Vec<usize>,
    line: Vec<u8>,
}

impl<W: Write> RowWriter<W> {
    /// Writes to `out`; `fields` are the columns wanted, in their order.
    pub const fn new(out: W, form: RowForm, fields: Option<Vec<String>>) -> Self {
        Self {
            out,
            form,
            fields,
            columns: Vec::new(),
            path: String::new(),
            held: Vec::new(),
            widths: Vec::new(),
            line: Vec::new(),
        }
    }

    /// Writes a row of the log `path`, whose values are `row`, in order.
    ///
    /// # Errors
    ///
    /// The writer's.
    pub fn row(&mut self, path: &str, row: &[(&str, Value<'_>)]) -> io::Result<()> {
        if self.form == RowForm::JsonLines {
            return self.json(row);
        }
        self.choose_columns(path, row)?;
        let cells: Vec<&Value<'_>> = self
            .columns
            .iter()
            .map(|name| {
                let found = row.iter().find(|(known, _)| is_same(known, name));
                found.map_or(&Value::Unset, |(_, value)| value)
            })
            .collect();
        match self.form {
            RowForm::Table | RowForm::JsonLines => {
                let cells = cells.iter().map(ToString::to_string).collect();
                self.table_row(cells)
            }
            RowForm::Csv => {
                let cells: Vec<String> = cells.iter().map(|value| csv_cell(value)).collect();
                self.csv(&cells)
            }
            RowForm::Tsv => {
                self.line.clear();
                for (index, value) in cells.iter().enumerate() {
                    if index > 0 {
                        self.line.push(b'\t');
                    }
                    write_tsv(&mut self.line, value);
                }
                self.line.push(b'\n');
                self.out.write_all(&self.line)
            }
        }
    }

    /// Writes what was held back.
    ///
    /// # Errors
    ///
    /// The writer's.
    pub fn finish(&mut self) -> io::Result<()> {
        self.release()?;
        self.out.flush()
    }

    /// The writer, once finished.
    pub const fn get_mut(&mut self) -> &mut W {
        &mut self.out
    }

    fn choose_columns(&mut self, path: &str, row: &[(&str, Value<'_>)]) -> io::Result<()> {
        let tsv = self.form == RowForm::Tsv;
        let same = self.columns.len() == row.len()
            && self
                .columns
                .iter()
                .zip(row)
                .all(|(known, (name, _))| known == name);
        let known = !self.columns.is_empty() && (self.fields.is_some() || !tsv || same);
        if known && (path == self.path || !tsv) {
            return Ok(());
        }
        self.path = path.to_owned();
        self.columns = match &self.fields {
            Some(fields) => fields.clone(),
            None => row.iter().map(|(name, _)| (*name).to_owned()).collect(),
        };
        match self.form {
            RowForm::Csv => {
                let columns = self.columns.clone();
                self.csv(&columns)
            }
            RowForm::Tsv => self.tsv_header(row),
            RowForm::Table | RowForm::JsonLines => {
                self.held.push(self.columns.clone());
                Ok(())
            }
        }
    }

    fn json(&mut self, row: &[(&str, Value<'_>)]) -> io::Result<()> {
        self.line.clear();
        let mut serializer = serde_json::Serializer::new(&mut self.line);
        let mut object = serializer.serialize_map(None)?;
        match &self.fields {
            None => {
                for (name, value) in row.iter().filter(|(_, value)| *value != Value::Unset) {
                    object.serialize_entry(name, value)?;
                }
            }
            Some(fields) => {
                for name in fields {
                    if let Some((_, value)) = row.iter().find(|(known, _)| is_same(known, name)) {
                        object.serialize_entry(name, value)?;
                    }
                }
            }
        }
        object.end()?;
        self.line.push(b'\n');
        self.out.write_all(&self.line)
    }

    fn csv(&mut self, cells: &[String]) -> io::Result<()> {
        let mut writer = csv::WriterBuilder::new().from_writer(&mut self.line);
        writer.write_record(cells)?;
        drop(writer);
        self.out.write_all(&self.line)?;
        self.line.clear();
        Ok(())
    }

    fn tsv_header(&mut self, row: &[(&str, Value<'_>)]) -> io::Result<()> {
        let kind = |name: &String| {
            let found = row.iter().find(|(known, _)| is_same(known, name));
            match found.map(|(_, value)| value) {
                Some(Value::Flag(_)) => "bool",
                Some(Value::Count(_)) => "count",
                Some(Value::Number(_)) => "double",
                Some(Value::Time(_)) => "time",
                Some(Value::List(_)) => "vector[string]",
                Some(Value::Unset | Value::Text(_)) | None => "string",
            }
        };
        let types: Vec<&str> = self.columns.iter().map(kind).collect();
        writeln!(
            self.out,
            "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n\
             #path\t{}\n#fields\t{}\n#types\t{}",
            self.path,
            self.columns.join("\t"),
            types.join("\t")
        )
    }

    fn table_row(&mut self, cells: Vec<String>) -> io::Result<()> {
        if !self.widths.is_empty() {
            return self.write_cells(&cells);
        }
        self.held.push(cells);
        if self.held.len() > MEASURED_ROWS {
            self.release()?;
        }
        Ok(())
    }

    fn release(&mut self) -> io::Result<()> {
        let held = std::mem::take(&mut self.held);
        for row in &held {
            self.widths.resize(row.len().max(self.widths.len()), 0);
            for (width, cell) in self.widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count().min(WIDTH_MAX));
            }
        }
        held.iter().try_for_each(|row| self.write_cells(row))
    }

    fn write_cells(&mut self, cells: &[String]) -> io::Result<()> {
        self.line.clear();
        for (index, cell) in cells.iter().enumerate() {
            self.line.extend_from_slice(cell.as_bytes());
            if index + 1 < cells.len() {
                let width = self.widths.get(index).copied().unwrap_or_default();
                let padding = width.saturating_sub(cell.chars().count()) + 2;
                self.line.extend(std::iter::repeat_n(b' ', padding));
            }
        }
        self.line.push(b'\n');
        self.out.write_all(&self.line)
    }
}

/// `id_resp_p` is asked for where the shell or a database takes no dots.
fn is_same(known: &str, name: &str) -> bool {
    known == name
        || known.len() == name.len()
            && known
                .bytes()
                .zip(name.bytes())
                .all(|(a, b)| a == b || a == b'.' && b == b'_')
}

/// An unset cell is empty in CSV. A text that a spreadsheet would run as a formula is quoted with an
/// apostrophe (OWASP, CSV injection).
fn csv_cell(value: &Value<'_>) -> String {
    match value {
        Value::Unset => String::new(),
        Value::Text(text) if text.starts_with(['=', '+', '-', '@', '\t', '\r']) => {
            format!("'{text}")
        }
        Value::Text(text) => text.to_string(),
        Value::Flag(_) | Value::Count(_) | Value::Number(_) | Value::Time(_) | Value::List(_) => {
            value.to_string()
        }
    }
}

fn write_tsv(line: &mut Vec<u8>, value: &Value<'_>) {
    match value {
        Value::Time(time) => {
            let us = time.as_ns().div_euclid(1000);
            let (seconds, us) = (us.div_euclid(1_000_000), us.rem_euclid(1_000_000));
            line.extend_from_slice(format!("{seconds}.{us:06}").as_bytes());
        }
        Value::Text(text) if text.is_empty() => line.extend_from_slice(b"(empty)"),
        Value::Text(text) => escape(line, text, false),
        Value::List(items) if items.is_empty() => line.extend_from_slice(b"(empty)"),
        Value::List(items) => {
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    line.push(b',');
                }
                escape(line, &item.to_string(), true);
            }
        }
        Value::Unset | Value::Flag(_) | Value::Count(_) | Value::Number(_) => {
            line.extend_from_slice(value.to_string().as_bytes());
        }
    }
}

/// As Zeek escapes: what would end the cell, and texts that stand for something else.
fn escape(line: &mut Vec<u8>, text: &str, in_list: bool) {
    let whole = matches!(text, "-" | "(empty)") || text.starts_with('#');
    for (index, byte) in text.bytes().enumerate() {
        let reserved = byte < b' ' || byte == b'\\' || byte == 0x7f || in_list && byte == b',';
        if reserved || whole && index == 0 {
            line.extend_from_slice(format!("\\x{byte:02x}").as_bytes());
        } else {
            line.push(byte);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;
    use crate::time::WallTime;

    fn text(text: &str) -> Value<'_> {
        Value::Text(Cow::Borrowed(text))
    }

    fn written(form: RowForm, fields: Option<&str>) -> String {
        let fields = fields.map(|names| names.split(',').map(str::to_owned).collect());
        let mut writer = RowWriter::new(Vec::new(), form, fields);
        let time = Value::Time(WallTime::from_ns(1_713_484_847_780_173_000));
        let one = [
            ("ts", time.clone()),
            ("id.resp_p", Value::Count(4444)),
            ("note", text("=a,\t#")),
        ];
        let other = [
            ("ts", time),
            ("id.resp_p", Value::Unset),
            ("note", text("-")),
        ];
        writer.row("conn", &one).unwrap();
        writer.row("conn", &other).unwrap();
        writer.finish().unwrap();
        String::from_utf8(writer.get_mut().clone()).unwrap()
    }

    #[test]
    fn forms() {
        assert_eq!(
            written(RowForm::Table, Some("id_resp_p,note")),
            "id_resp_p  note\n4444       =a,\u{fffd}#\n-          -\n"
        );
        assert_eq!(
            written(RowForm::JsonLines, None),
            "{\"ts\":\"2024-04-19T00:00:47.780173Z\",\"id.resp_p\":4444,\"note\":\"=a,\\t#\"}\n\
             {\"ts\":\"2024-04-19T00:00:47.780173Z\",\"note\":\"-\"}\n"
        );
        assert_eq!(
            written(RowForm::Csv, None),
            "ts,id.resp_p,note\n2024-04-19T00:00:47.780173Z,4444,\"'=a,\t#\"\n\
             2024-04-19T00:00:47.780173Z,,'-\n"
        );
    }

    #[test]
    fn zeeks_form_is_read_back() {
        let rows = written(RowForm::Tsv, None);
        assert!(
            rows.ends_with("1713484847.780173\t4444\t=a,\\x09#\n1713484847.780173\t-\t\\x2d\n")
        );
        let mut decoder = crate::log::Decoder::new(crate::log::Wanted::Everything);
        let mut notes = Vec::new();
        for line in rows.lines() {
            if let crate::log::Line::Record(crate::log::Record::Zeek(zeek)) =
                decoder.decode(line.as_bytes())
            {
                notes.push(zeek.row.get("note").unwrap().to_string());
            }
        }
        assert_eq!(notes, ["=a,\u{fffd}#", "-"]);
    }
}
