//! Figures by name, in the order in which they are read.

use std::borrow::Cow;

use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};

/// One figure.
#[derive(Clone, Debug, PartialEq)]
pub enum Figure {
    /// A count.
    Count(u64),
    /// A measure: its unit stands in its name. Rounded to six decimals when written; `null` when it
    /// is no number.
    Number(f64),
    /// A text without control characters.
    Text(String),
    /// Several texts.
    List(Vec<String>),
    /// Whether something is so.
    Flag(bool),
}

/// Figures by name. A name has one figure; setting it again replaces it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Evidence(Vec<(Cow<'static, str>, Figure)>);

impl Evidence {
    /// No figures.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// With a count.
    #[must_use]
    pub fn count(self, name: &'static str, count: u64) -> Self {
        self.with(name, Figure::Count(count))
    }

    /// With a measure.
    #[must_use]
    pub fn number(self, name: &'static str, number: f64) -> Self {
        self.with(name, Figure::Number(number))
    }

    /// With a text; control characters are escaped.
    #[must_use]
    pub fn text(self, name: &'static str, text: &str) -> Self {
        self.with(name, Figure::Text(printable(text)))
    }

    /// With several texts; control characters are escaped.
    #[must_use]
    pub fn list(self, name: &'static str, texts: impl IntoIterator<Item = String>) -> Self {
        let texts = texts.into_iter().map(|text| printable(&text)).collect();
        self.with(name, Figure::List(texts))
    }

    /// With a yes or a no.
    #[must_use]
    pub fn flag(self, name: &'static str, flag: bool) -> Self {
        self.with(name, Figure::Flag(flag))
    }

    /// With a figure under a name that is not known before.
    #[must_use]
    pub fn with(mut self, name: impl Into<Cow<'static, str>>, figure: Figure) -> Self {
        let name = name.into();
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some((_, place)) => *place = figure,
            None => self.0.push((name, figure)),
        }
        self
    }

    /// The figure of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Figure> {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map(|(_, figure)| figure)
    }

    /// Names and figures in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Figure)> {
        self.0.iter().map(|(name, figure)| (&**name, figure))
    }
}

impl Serialize for Evidence {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, figure) in self.iter() {
            map.serialize_entry(name, figure)?;
        }
        map.end()
    }
}

impl Serialize for Figure {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Count(count) => serializer.serialize_u64(*count),
            Self::Number(number) => serializer.serialize_f64((number * 1e6).round() / 1e6),
            Self::Text(text) => serializer.serialize_str(text),
            Self::List(texts) => serializer.collect_seq(texts),
            Self::Flag(flag) => serializer.serialize_bool(*flag),
        }
    }
}

/// No control character reaches a terminal through a finding.
fn printable(text: &str) -> String {
    if text.chars().any(char::is_control) {
        text.escape_debug().to_string()
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_keep_their_order_and_are_replaced_by_name() {
        let evidence = Evidence::new()
            .count("ports", 3)
            .number("seconds", 1.234_567_89)
            .text("domain", "a\u{1b}[31m")
            .list("samples", ["x".to_owned(), "y".to_owned()])
            .flag("forged", true)
            .count("ports", 4);
        assert_eq!(
            serde_json::to_string(&evidence).unwrap(),
            r#"{"ports":4,"seconds":1.234568,"domain":"a\\u{1b}[31m","samples":["x","y"],"forged":true}"#
        );
        assert_eq!(evidence.get("ports"), Some(&Figure::Count(4)));
        assert_eq!(evidence.get("hosts"), None);
    }

    #[test]
    fn what_is_no_number_is_null() {
        let evidence = Evidence::new().number("ratio", f64::INFINITY);
        assert_eq!(
            serde_json::to_string(&evidence).unwrap(),
            r#"{"ratio":null}"#
        );
    }
}
