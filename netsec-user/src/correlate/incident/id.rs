//! Names of incidents.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use crate::finding::mix;
use crate::time::WallTime;

/// Hexadecimal digits of a name.
const DIGITS: usize = 13;

/// The name of an incident: `i` and 13 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct IncidentId(u64);

/// A text that names no incident.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no incident: they are called i and {DIGITS} hexadecimal digits")]
pub struct NoIncidentId(String);

impl IncidentId {
    /// Of an offender, and of the time of the evidence that came first.
    pub(super) fn new(offender: IpAddr, begin: WallTime) -> Self {
        let segments = match offender {
            IpAddr::V4(v4) => v4.to_ipv6_mapped().segments(),
            IpAddr::V6(v6) => v6.segments(),
        };
        let words = segments.into_iter().map(u64::from);
        let hash = words.chain([begin.as_ns().cast_unsigned()]).fold(0, mix);
        Self(hash >> (64 - 4 * DIGITS))
    }
}

impl fmt::Display for IncidentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "i{:0DIGITS$x}", self.0)
    }
}

impl FromStr for IncidentId {
    type Err = NoIncidentId;

    fn from_str(text: &str) -> Result<Self, NoIncidentId> {
        let digits = text.strip_prefix('i').filter(|digits| {
            digits.len() == DIGITS && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
        });
        let number = digits.and_then(|digits| u64::from_str_radix(digits, 16).ok());
        number
            .map(Self)
            .ok_or_else(|| NoIncidentId(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_as_it_is_written() {
        for (address, ns) in [("10.0.0.1", 5), ("2001:db8::1", 5), ("10.0.0.1", 6)] {
            let id = IncidentId::new(address.parse().unwrap(), WallTime::from_ns(ns));
            assert_eq!(id.to_string().parse(), Ok(id));
            assert_eq!(id.to_string().len(), 14);
        }
        for wrong in [
            "",
            "i",
            "5",
            "i123",
            "10.0.0.1",
            "ixyzxyzxyzxyzx",
            "i+23456789abcd",
        ] {
            assert!(wrong.parse::<IncidentId>().is_err(), "{wrong}");
        }
    }
}
