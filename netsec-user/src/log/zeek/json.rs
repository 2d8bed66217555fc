//! Zeek's JSON form: one object a line.

use std::borrow::Cow;
use std::fmt;

use serde::Deserializer as _;
use serde::de::{DeserializeSeed, MapAccess, Visitor};

use super::super::decode::Malformed;
use super::super::eve::Text;
use super::field::Field;
use super::value::Value;

/// No such column.
const ABSENT: u16 = u16::MAX;

/// The fields of one object, in its order.
#[derive(Debug)]
pub(in super::super) struct JsonRow<'a> {
    fields: Vec<(Cow<'a, str>, Value<'a>)>,
    /// For each [`Field`] its place in `fields`.
    places: [u16; Field::COUNT],
}

/// Reads an object.
pub(in super::super) fn parse(line: &[u8]) -> Result<JsonRow<'_>, Malformed> {
    let mut row = JsonRow {
        fields: Vec::with_capacity(24),
        places: [ABSENT; Field::COUNT],
    };
    let mut deserializer = serde_json::Deserializer::from_slice(line);
    let read = deserializer.deserialize_map(Fields(&mut row));
    read.and_then(|()| deserializer.end())
        .map_err(|error| Malformed::json(&error))?;
    Ok(row)
}

impl<'a> JsonRow<'a> {
    pub(super) fn value(&self, field: Field) -> Option<&Value<'a>> {
        let place = *self.places.get(field.index())?;
        self.fields.get(usize::from(place)).map(|(_, value)| value)
    }

    pub(super) fn text(&self, field: Field) -> Option<&str> {
        if let Value::Text(text) = self.value(field)? {
            return Some(text);
        }
        None
    }

    pub(super) fn named(&self, name: &str) -> Option<&Value<'a>> {
        let found = self.fields.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value)
    }

    pub(super) fn fields(&self) -> &[(Cow<'a, str>, Value<'a>)] {
        &self.fields
    }
}

struct Fields<'r, 'a>(&'r mut JsonRow<'a>);

impl<'de> Visitor<'de> for Fields<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(Text(name)) = map.next_key()? {
            let value = map.next_value_seed(OneValue)?;
            if let (Some(field), Ok(place)) = (Field::of(&name), u16::try_from(self.0.fields.len()))
                && let Some(slot) = self.0.places.get_mut(field.index())
            {
                *slot = place;
            }
            self.0.fields.push((name, value));
        }
        Ok(())
    }
}

struct OneValue;

impl<'de> DeserializeSeed<'de> for OneValue {
    type Value = Value<'de>;

    fn deserialize<D: serde::Deserializer<'de>>(self, from: D) -> Result<Value<'de>, D::Error> {
        serde::Deserialize::deserialize(from)
    }
}
