//! CSV with a header. A record is one line: a quote that is not closed must cost that line, and not
//! the rest of the list.

use std::borrow::Cow;

use super::InvalidReason;

/// Names of the column that holds the address, as lists have them.
const ADDRESS: [&str; 16] = [
    "ip",
    "ips",
    "ip_address",
    "ipaddress",
    "address",
    "addr",
    "src_ip",
    "source_ip",
    "dst_ip",
    "network",
    "net",
    "prefix",
    "cidr",
    "range",
    "ip_range",
    "value",
];

const DURATION: [&str; 2] = ["duration", "ttl"];

const REASON: [&str; 6] = [
    "reason",
    "scenario",
    "comment",
    "description",
    "category",
    "threat",
];

/// Where things are in a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Columns {
    address: usize,
    duration: Option<usize>,
    reason: Option<usize>,
    separator: char,
}

/// What is used of a record.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Record<'a> {
    pub(super) address: Cow<'a, str>,
    pub(super) duration: Option<Cow<'a, str>>,
    pub(super) reason: Option<Cow<'a, str>>,
}

impl Columns {
    /// Reads a header; `None` for a line that names no column for addresses.
    pub(super) fn from_header(text: &str) -> Option<Self> {
        let separator = [',', ';', '\t', '|']
            .into_iter()
            .max_by_key(|&separator| text.matches(separator).count())?;
        let names: Vec<String> = fields(text, separator)
            .map(|name| name.trim().to_ascii_lowercase())
            .collect();
        let find = |wanted: &[&str]| {
            let position = |name: &&str| names.iter().position(|column| column == name);
            wanted.iter().find_map(position)
        };
        Some(Self {
            address: find(&ADDRESS)?,
            duration: find(&DURATION),
            reason: find(&REASON),
            separator,
        })
    }

    pub(super) fn record<'a>(&self, text: &'a str) -> Result<Record<'a>, InvalidReason> {
        let mut record = Record {
            address: Cow::Borrowed(""),
            duration: None,
            reason: None,
        };
        let mut found = false;
        for (column, field) in fields(text, self.separator).enumerate() {
            if column == self.address {
                record.address = field;
                found = true;
            } else if Some(column) == self.duration {
                record.duration = Some(field);
            } else if Some(column) == self.reason {
                record.reason = Some(field);
            }
        }
        if found {
            Ok(record)
        } else {
            Err(InvalidReason::NoColumn {
                column: self.address + 1,
            })
        }
    }
}

/// The fields of a line (RFC 4180, but for line breaks in quotes).
fn fields(text: &str, separator: char) -> impl Iterator<Item = Cow<'_, str>> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let (field, after) = match text.trim_start_matches(' ').strip_prefix('"') {
            Some(quoted) => quoted_field(quoted, separator),
            None => match text.split_once(separator) {
                Some((field, after)) => (Cow::Borrowed(field), Some(after)),
                None => (Cow::Borrowed(text), None),
            },
        };
        rest = after;
        Some(field)
    })
}

/// The field behind an opening quote, and what follows its separator.
fn quoted_field(text: &str, separator: char) -> (Cow<'_, str>, Option<&str>) {
    let mut field = Cow::Borrowed("");
    let mut rest = text;
    loop {
        let Some((part, after)) = rest.split_once('"') else {
            field += rest;
            return (field, None);
        };
        field += part;
        match after.strip_prefix('"') {
            Some(after) => {
                field += "\"";
                rest = after;
            }
            None => return (field, after.split_once(separator).map(|(_, after)| after)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &str) -> Vec<String> {
        fields(text, ',').map(Cow::into_owned).collect()
    }

    #[test]
    fn quotes_hold_separators_and_quotes() {
        assert_eq!(split("a,b,,c"), ["a", "b", "", "c"]);
        assert_eq!(split(r#""a,b", "say ""x""",c"#), ["a,b", r#"say "x""#, "c"]);
        assert_eq!(split(r#"a,"open,b"#), ["a", "open,b"]);
        assert_eq!(split(""), [""]);
        assert_eq!(split(r#""a"x,b"#), ["a", "b"]);
    }

    #[test]
    fn a_header_names_its_columns() {
        let columns = Columns::from_header("Duration,Scope,Value,Reason").unwrap();
        let record = columns.record("4h,ip,192.0.2.1,bad").unwrap();
        assert_eq!(record.address, "192.0.2.1");
        assert_eq!(record.duration.as_deref(), Some("4h"));
        assert_eq!(record.reason.as_deref(), Some("bad"));
        assert!(Columns::from_header("ip").is_some());
        assert!(Columns::from_header("first_seen;dst_ip;port").is_some());
        assert_eq!(Columns::from_header("192.0.2.1,malware"), None);
        assert_eq!(
            columns.record("4h,ip").unwrap_err(),
            InvalidReason::NoColumn { column: 3 }
        );
    }
}
