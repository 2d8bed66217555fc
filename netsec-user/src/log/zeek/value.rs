//! Values of columns, in either form.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::time::WallTime;

/// A column's value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    /// Not set.
    Unset,
    /// `T` or `F`.
    Flag(bool),
    /// A count or a port.
    Count(u64),
    /// A number that is no count: an interval in seconds, a double, a negative integer.
    Number(f64),
    /// A point in time.
    Time(WallTime),
    /// Text, an address, an enumerated name.
    Text(Cow<'a, str>),
    /// A set or a vector.
    List(Vec<Self>),
}

impl Serialize for Value<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Unset => serializer.serialize_unit(),
            Self::Flag(flag) => serializer.serialize_bool(*flag),
            Self::Count(count) => serializer.serialize_u64(*count),
            Self::Number(number) => serializer.serialize_f64(*number),
            Self::Time(time) => serializer.collect_str(time),
            Self::Text(text) => serializer.serialize_str(text),
            Self::List(items) => serializer.collect_seq(items),
        }
    }
}

impl fmt::Display for Value<'_> {
    /// As a cell of a table: unset is `-`, a list has commas, control characters are replaced, since
    /// a log's text was often chosen by an attacker and a terminal obeys it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unset => f.write_str("-"),
            Self::Flag(flag) => f.write_str(if *flag { "T" } else { "F" }),
            Self::Count(count) => write!(f, "{count}"),
            Self::Number(number) => write!(f, "{number}"),
            Self::Time(time) => write!(f, "{time}"),
            Self::Text(text) => text.chars().try_for_each(|c| {
                fmt::Write::write_char(f, if c.is_control() { '\u{fffd}' } else { c })
            }),
            Self::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        f.write_str(",")?;
                    }
                    item.fmt(f)?;
                }
                Ok(())
            }
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Value<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value<'de>, E> {
        Ok(Value::Unset)
    }

    fn visit_bool<E: Error>(self, flag: bool) -> Result<Value<'de>, E> {
        Ok(Value::Flag(flag))
    }

    fn visit_u64<E: Error>(self, count: u64) -> Result<Value<'de>, E> {
        Ok(Value::Count(count))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Value<'de>, E> {
        #[expect(clippy::cast_precision_loss, reason = "shown, not counted")]
        let number = number as f64;
        Ok(Value::Number(number))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Value<'de>, E> {
        Ok(Value::Number(number))
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Value<'de>, E> {
        Ok(Value::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value<'de>, E> {
        Ok(Value::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value<'de>, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Value::List(items))
    }

    /// Zeek flattens records; an object here is another program's and has no cell.
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value<'de>, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Value::Unset)
    }
}
