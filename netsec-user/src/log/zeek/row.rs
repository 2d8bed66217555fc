//! One row, whichever form it is in.

mod parse;

use std::borrow::Cow;
use std::net::IpAddr;

use self::parse::{columns, count, flag, in_time, json_ns, json_time, number, unescaped};
use super::super::decode::Malformed;
use super::super::{address, moment};
use super::field::Field;
use super::json::JsonRow;
use super::schema::{Kind, Schema};
use super::value::Value;
use crate::time::WallTime;

/// The columns of one row.
#[derive(Debug)]
pub struct Row<'a>(Columns<'a>);

#[derive(Debug)]
enum Columns<'a> {
    Tabbed {
        schema: &'a Schema,
        line: &'a [u8],
        /// Where each column ends.
        ends: &'a [u32],
    },
    Json(JsonRow<'a>),
}

/// What a column holds, not yet read.
#[derive(Clone, Copy)]
enum Raw<'r, 'a> {
    Bytes(&'a [u8]),
    Json(&'r Value<'a>),
}

impl<'a> Row<'a> {
    /// Cuts a line into the columns of `schema`; `ends` is room that is used again.
    pub(in super::super) fn tabbed(
        schema: &'a Schema,
        line: &'a [u8],
        ends: &'a mut Vec<u32>,
    ) -> Result<Self, Malformed> {
        ends.clear();
        columns(line, schema.separator, ends);
        if ends.len() != schema.names.len() {
            return Err(Malformed::Columns {
                expected: schema.names.len(),
                found: ends.len(),
            });
        }
        Ok(Self(Columns::Tabbed { schema, line, ends }))
    }

    pub(in super::super) const fn json(row: JsonRow<'a>) -> Self {
        Self(Columns::Json(row))
    }

    /// The log's name: as it says itself, else by the columns it has, else empty.
    #[must_use]
    pub fn path(&self) -> Cow<'_, str> {
        let said = match &self.0 {
            Columns::Tabbed { schema, .. } if !schema.path().is_empty() => {
                return Cow::Borrowed(schema.path());
            }
            Columns::Tabbed { .. } => None,
            Columns::Json(row) => row.text(Field::Path),
        };
        said.map_or_else(|| Cow::Borrowed(self.guessed_path()), Cow::Borrowed)
    }

    /// The name of the log that has such columns.
    fn guessed_path(&self) -> &'static str {
        const TELLING: [(Field, &str); 7] = [
            (Field::ConnState, "conn"),
            (Field::QtypeName, "dns"),
            (Field::Query, "dns"),
            (Field::Uri, "http"),
            (Field::AuthAttempts, "ssh"),
            (Field::Note, "notice"),
            (Field::ServerName, "ssl"),
        ];
        let found = TELLING.iter().find(|(field, _)| self.has(*field));
        found.map_or("", |(_, path)| path)
    }

    fn has(&self, field: Field) -> bool {
        match &self.0 {
            Columns::Tabbed { schema, .. } => schema.column(field).is_some(),
            Columns::Json(row) => row.value(field).is_some(),
        }
    }

    /// Names and values of all columns, in order.
    pub fn columns(&self) -> impl Iterator<Item = (&str, Value<'a>)> {
        let (tabbed, json) = match &self.0 {
            Columns::Tabbed { schema, .. } => (Some(schema.names()), None),
            Columns::Json(row) => (None, Some(row.fields())),
        };
        let tabbed = tabbed.into_iter().flatten().enumerate();
        let tabbed = tabbed.map(|(column, name)| (name.as_str(), self.cell(column)));
        let json = json.into_iter().flatten();
        tabbed.chain(json.map(|(name, value)| (name.as_ref(), in_time(name, value))))
    }

    /// The value of a column by its name; `None` when there is no such column.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Value<'a>> {
        match &self.0 {
            Columns::Tabbed { schema, .. } => {
                let by_field = Field::of(name).and_then(|field| schema.column(field));
                let column =
                    by_field.or_else(|| schema.names().iter().position(|known| known == name))?;
                Some(self.cell(column))
            }
            Columns::Json(row) => {
                let by_field = Field::of(name).and_then(|field| row.value(field));
                let found = by_field.or_else(|| row.named(name));
                found.map(|value| in_time(name, value))
            }
        }
    }

    /// A column's bytes in the tab-separated form.
    fn bytes(&self, column: usize) -> Option<&'a [u8]> {
        let Columns::Tabbed { line, ends, .. } = self.0 else {
            return None;
        };
        let start = match column.checked_sub(1) {
            None => 0,
            Some(before) => usize::try_from(*ends.get(before)?).ok()? + 1,
        };
        line.get(start..usize::try_from(*ends.get(column)?).ok()?)
    }

    /// A column of the tab-separated form as its type says.
    fn cell(&self, column: usize) -> Value<'a> {
        let (Columns::Tabbed { schema, .. }, Some(bytes)) = (&self.0, self.bytes(column)) else {
            return Value::Unset;
        };
        if bytes == schema.unset {
            return Value::Unset;
        }
        let kind = schema.types.get(column).copied().unwrap_or(Kind::Text);
        let typed = match kind {
            Kind::Flag => flag(bytes).map(Value::Flag),
            Kind::Count => count(bytes).map(Value::Count),
            Kind::Number => number(bytes).map(Value::Number),
            Kind::Time => moment::epoch(bytes).map(Value::Time),
            Kind::Text if bytes == schema.empty => Some(Value::Text(Cow::Borrowed(""))),
            Kind::Text => None,
            Kind::List { .. } if bytes == schema.empty => Some(Value::List(Vec::new())),
            Kind::List { numbers } => {
                let item = |item: &'a [u8]| {
                    let parsed = numbers.then(|| number(item)).flatten();
                    parsed.map_or_else(|| Value::Text(unescaped(item)), Value::Number)
                };
                let items = bytes.split(|byte| *byte == schema.set_separator);
                Some(Value::List(items.map(item).collect()))
            }
        };
        typed.unwrap_or_else(|| Value::Text(unescaped(bytes)))
    }

    #[inline]
    fn raw(&self, field: Field) -> Option<Raw<'_, 'a>> {
        match &self.0 {
            Columns::Tabbed { schema, .. } => {
                let bytes = self.bytes(schema.column(field)?)?;
                (bytes != schema.unset).then_some(Raw::Bytes(bytes))
            }
            Columns::Json(row) => {
                let value = row.value(field)?;
                (*value != Value::Unset).then_some(Raw::Json(value))
            }
        }
    }

    /// A column as text.
    #[must_use]
    pub fn text(&self, field: Field) -> Option<Cow<'a, str>> {
        match self.raw(field)? {
            Raw::Bytes(bytes) => Some(unescaped(bytes)),
            Raw::Json(Value::Text(text)) => Some(text.clone()),
            Raw::Json(other) => Some(Cow::Owned(other.to_string())),
        }
    }

    /// Hands the bytes of a column to `read`, in the tab-separated form as they stand there.
    #[inline]
    pub(super) fn with_bytes<T>(&self, field: Field, read: impl FnOnce(&[u8]) -> T) -> Option<T> {
        match self.raw(field)? {
            Raw::Bytes(bytes) => Some(read(bytes)),
            Raw::Json(Value::Text(text)) => Some(read(text.as_bytes())),
            Raw::Json(other) => Some(read(other.to_string().as_bytes())),
        }
    }

    /// A column as an address.
    ///
    /// # Errors
    ///
    /// When it holds something else.
    pub fn address(&self, field: Field) -> Result<Option<IpAddr>, Malformed> {
        self.read(field, "an address", |raw| match raw {
            Raw::Bytes(bytes) => address::parse(bytes),
            Raw::Json(Value::Text(text)) => address::parse(text.as_bytes()),
            Raw::Json(_) => None,
        })
    }

    /// A column as a port.
    ///
    /// # Errors
    ///
    /// When it holds something else.
    pub fn port(&self, field: Field) -> Result<Option<u16>, Malformed> {
        self.read(field, "a port", |raw| u16::try_from(raw.count()?).ok())
    }

    /// A column as a count.
    ///
    /// # Errors
    ///
    /// When it holds something else.
    pub fn count(&self, field: Field) -> Result<Option<u64>, Malformed> {
        self.read(field, "a count", |raw| raw.count())
    }

    /// A column as a double.
    ///
    /// # Errors
    ///
    /// When it holds something else.
    pub fn number(&self, field: Field) -> Result<Option<f64>, Malformed> {
        self.read(field, "a number", |raw| match raw {
            Raw::Bytes(bytes) => number(bytes),
            Raw::Json(Value::Number(number)) => Some(*number),
            #[expect(clippy::cast_precision_loss, reason = "asked for as a double")]
            Raw::Json(Value::Count(count)) => Some(*count as f64),
            Raw::Json(_) => None,
        })
    }

    /// A column as `T` or `F`.
    ///
    /// # Errors
    ///
    /// When it holds something else.
    pub fn flag(&self, field: Field) -> Result<Option<bool>, Malformed> {
        self.read(field, "T or F", |raw| match raw {
            Raw::Bytes(bytes) => flag(bytes),
            Raw::Json(Value::Flag(flag)) => Some(*flag),
            Raw::Json(_) => None,
        })
    }

    /// A column as an interval, nanoseconds.
    ///
    /// # Errors
    ///
    /// When it holds something else.
    pub fn interval_ns(&self, field: Field) -> Result<Option<i64>, Malformed> {
        self.read(field, "an interval", |raw| match raw {
            Raw::Bytes(bytes) => moment::decimal_ns(bytes),
            Raw::Json(value) => json_ns(value),
        })
    }

    /// A column as a point in time.
    ///
    /// # Errors
    ///
    /// When it holds something else.
    pub fn time(&self, field: Field) -> Result<Option<WallTime>, Malformed> {
        self.read(field, "a time", |raw| match raw {
            Raw::Bytes(bytes) => moment::epoch(bytes),
            Raw::Json(value) => json_time(value),
        })
    }

    #[inline]
    fn read<T>(
        &self,
        field: Field,
        expected: &'static str,
        parse: impl FnOnce(Raw<'_, 'a>) -> Option<T>,
    ) -> Result<Option<T>, Malformed> {
        let Some(raw) = self.raw(field) else {
            return Ok(None);
        };
        parse(raw).map(Some).ok_or_else(|| {
            let found = self.text(field).unwrap_or_default();
            Malformed::field(field.name(), expected, &found)
        })
    }
}

impl Raw<'_, '_> {
    fn count(self) -> Option<u64> {
        match self {
            Raw::Bytes(bytes) => count(bytes),
            Raw::Json(Value::Count(count)) => Some(*count),
            Raw::Json(_) => None,
        }
    }
}
