//! Scalars of EVE's lines.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;
use std::ops::Deref;

use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserialize, Deserializer};

use super::super::tuple::protocol_number;
use super::super::{address, moment};
use crate::time::WallTime;

/// Text, borrowed from the line when nothing in it is escaped.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Text<'a>(pub Cow<'a, str>);

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(TextVisitor)
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Text<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Text<'de>, E> {
        Ok(Text(Cow::Borrowed(text)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Text<'de>, E> {
        Ok(Text(Cow::Owned(text.to_owned())))
    }
}

/// A scalar that is read from a text by a function.
macro_rules! from_text {
    ($(#[$doc:meta])* $name:ident($type:ty), $expected:literal, $parse:expr) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) struct $name(pub(super) $type);

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct OneText;

                impl Visitor<'_> for OneText {
                    type Value = $name;

                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str($expected)
                    }

                    fn visit_str<E: Error>(self, text: &str) -> Result<$name, E> {
                        let parse: fn(&str) -> Option<$type> = $parse;
                        parse(text)
                            .map($name)
                            .ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
                    }
                }

                deserializer.deserialize_str(OneText)
            }
        }
    };
}

from_text!(
    /// A time with an offset that has no colon.
    Time(WallTime),
    "a time such as 2026-11-23T01:31:02.114123+0000",
    |text| moment::iso(text.as_bytes())
);
from_text!(
    /// An address; IPv6 is written without compression.
    Address(IpAddr),
    "an IP address",
    |text| address::parse(text.as_bytes())
);
from_text!(
    /// TCP flags in hexadecimal.
    Hex(u8),
    "two hexadecimal digits",
    |text| u8::from_str_radix(text, 16).ok()
);

/// An IP protocol, by name or by number in a text or not; `None` for a name that is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Protocol(pub(super) Option<u8>);

impl<'de> Deserialize<'de> for Protocol {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameOrNumber;

        impl Visitor<'_> for NameOrNumber {
            type Value = Protocol;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a protocol's name or number")
            }

            fn visit_str<E: Error>(self, name: &str) -> Result<Protocol, E> {
                Ok(Protocol(protocol_number(name)))
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Protocol, E> {
                Ok(Protocol(u8::try_from(number).ok()))
            }
        }

        deserializer.deserialize_any(NameOrNumber)
    }
}
