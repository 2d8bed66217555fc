//! The header of Zeek's tab-separated form.

use memchr::memchr;

use super::field::Field;

/// What the header says: the columns of the rows that follow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schema {
    pub(super) separator: u8,
    pub(super) set_separator: u8,
    pub(super) empty: Vec<u8>,
    pub(super) unset: Vec<u8>,
    path: String,
    pub(super) names: Vec<String>,
    pub(super) types: Vec<Kind>,
    /// For each [`Field`] the column, or `u16::MAX`.
    columns: [u16; Field::COUNT],
}

/// What a column's values are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Flag,
    Count,
    Number,
    Time,
    Text,
    /// A set or vector of numbers, or of anything else.
    List {
        numbers: bool,
    },
}

/// What a header line was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Directive {
    /// Understood, or a comment.
    Taken,
    /// A header line that says nothing sensible.
    Bad(&'static str),
}

impl Default for Schema {
    fn default() -> Self {
        Self {
            separator: b'\t',
            set_separator: b',',
            empty: b"(empty)".to_vec(),
            unset: b"-".to_vec(),
            path: String::new(),
            names: Vec::new(),
            types: Vec::new(),
            columns: [u16::MAX; Field::COUNT],
        }
    }
}

impl Schema {
    /// Takes a line that begins with `#`. A header may come again in the middle of a file.
    pub(in super::super) fn take(&mut self, line: &[u8]) -> Directive {
        if let Some(value) = line.strip_prefix(b"#separator ") {
            let Some(separator) = escaped_byte(value) else {
                return Directive::Bad("its separator is not one character");
            };
            *self = Self {
                separator,
                ..Self::default()
            };
            return Directive::Taken;
        }
        let Some(end) = memchr(self.separator, line) else {
            return Directive::Taken;
        };
        let (name, value) = (
            line.get(1..end).unwrap_or_default(),
            line.get(end + 1..).unwrap_or_default(),
        );
        match name {
            b"set_separator" => match value {
                [one] => self.set_separator = *one,
                _ => return Directive::Bad("its set separator is not one character"),
            },
            b"empty_field" => self.empty = value.to_vec(),
            b"unset_field" => self.unset = value.to_vec(),
            b"path" => self.path = String::from_utf8_lossy(value).into_owned(),
            b"fields" => return self.set_names(value),
            b"types" => {
                let types = value.split(|byte| *byte == self.separator).map(Kind::of);
                self.types = types.collect();
                if self.types.len() != self.names.len() {
                    self.types.clear();
                    return Directive::Bad("it has more or fewer types than columns");
                }
            }
            _ => {}
        }
        Directive::Taken
    }

    /// Takes the line of names itself, as the writer's option `tsv` has it, without `#fields`.
    pub(in super::super) fn set_names(&mut self, names: &[u8]) -> Directive {
        self.names.clear();
        self.types.clear();
        self.columns = [u16::MAX; Field::COUNT];
        for (index, name) in names.split(|byte| *byte == self.separator).enumerate() {
            let name = String::from_utf8_lossy(name).into_owned();
            if let (Some(field), Ok(index)) = (Field::of(&name), u16::try_from(index))
                && let Some(column) = self.columns.get_mut(field.index())
            {
                *column = index;
            }
            self.names.push(name);
        }
        if self.column(Field::Ts).is_none() {
            return Directive::Bad("it has no column `ts`");
        }
        Directive::Taken
    }

    /// Whether rows can be read with it.
    pub(in super::super) const fn is_ready(&self) -> bool {
        !self.names.is_empty()
    }

    /// The log's name, such as `conn`; empty when the header does not say.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The columns' names, in order.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    #[inline]
    pub(super) fn column(&self, field: Field) -> Option<usize> {
        let column = *self.columns.get(field.index())?;
        (column != u16::MAX).then_some(usize::from(column))
    }
}

impl Kind {
    fn of(name: &[u8]) -> Self {
        let is_number =
            |name: &[u8]| matches!(name, b"count" | b"port" | b"int" | b"double" | b"interval");
        match name {
            b"bool" => Self::Flag,
            b"count" | b"port" => Self::Count,
            b"int" | b"double" | b"interval" => Self::Number,
            b"time" => Self::Time,
            _ => match inner(name) {
                Some(of) => Self::List {
                    numbers: is_number(of),
                },
                None => Self::Text,
            },
        }
    }
}

/// `string` of `set[string]` or `vector[string]`.
fn inner(name: &[u8]) -> Option<&[u8]> {
    let open = memchr(b'[', name)?;
    name.get(open + 1..)?.strip_suffix(b"]")
}

/// `\x09`, or the character itself.
fn escaped_byte(value: &[u8]) -> Option<u8> {
    match value {
        [byte] => Some(*byte),
        [b'\\', b'x', digits @ ..] => u8::from_str_radix(str::from_utf8(digits).ok()?, 16).ok(),
        _ => None,
    }
}

/// Whether a line is a bare row of names, as the writer's option `tsv` has it.
pub(in super::super) fn looks_like_names(line: &[u8]) -> bool {
    let is_name = |name: &[u8]| {
        name.first()
            .is_some_and(|b| b.is_ascii_alphabetic() || *b == b'_')
            && name
                .iter()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.'))
    };
    let mut names = line.split(|byte| *byte == b'\t');
    memchr(b'\t', line).is_some() && names.clone().any(|name| name == b"ts") && names.all(is_name)
}
