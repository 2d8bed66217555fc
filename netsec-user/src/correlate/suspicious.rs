//! Ports that malware and tools for attacks listen on by default.

use std::str::FromStr;

use netsec_common::packet::protocol;

use super::contact::Contact;
use crate::detect::{KnownPorts, SUSPICIOUS_PORTS};

/// A range of responder ports, and why it is of interest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SuspiciousPort {
    /// Only this protocol.
    pub protocol: Option<u8>,
    /// First port.
    pub low: u16,
    /// Last port.
    pub high: u16,
    /// What is known to use it.
    pub why: String,
}

/// A set of such ports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SuspiciousPorts(Vec<SuspiciousPort>);

/// A text that says no ports.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no port: write ports and ranges with commas, such as 4444,udp/53,6660-6669")]
pub struct PortRangeError(String);

impl Default for SuspiciousPorts {
    /// The ports that the detector knows.
    fn default() -> Self {
        let port = |known: KnownPorts| SuspiciousPort {
            protocol: Some(known.protocol),
            low: known.low,
            high: known.high,
            why: known.why.to_owned(),
        };
        Self(SUSPICIOUS_PORTS.into_iter().map(port).collect())
    }
}

impl SuspiciousPorts {
    /// Why a contact is of interest: by the responder's port alone, since the originator's is chosen
    /// by its system.
    #[must_use]
    pub fn reason(&self, contact: &Contact) -> Option<&SuspiciousPort> {
        let port = contact.tuple.destination_port;
        let number = contact.tuple.protocol;
        if !matches!(
            number,
            None | Some(protocol::TCP | protocol::UDP | protocol::SCTP)
        ) {
            return None;
        }
        self.0.iter().find(|known| {
            (known.low..=known.high).contains(&port)
                && (known.protocol.is_none() || number.is_none() || known.protocol == number)
        })
    }

    /// The ports.
    #[must_use]
    pub fn ports(&self) -> &[SuspiciousPort] {
        &self.0
    }
}

impl FromStr for SuspiciousPorts {
    type Err = PortRangeError;

    /// `4444,udp/53,6660-6669`.
    fn from_str(text: &str) -> Result<Self, PortRangeError> {
        let bad = || PortRangeError(text.to_owned());
        let parse = |item: &str| {
            let (number, range) = match item.trim().split_once('/') {
                None => (None, item.trim()),
                Some(("tcp", range)) => (Some(protocol::TCP), range),
                Some(("udp", range)) => (Some(protocol::UDP), range),
                Some(("sctp", range)) => (Some(protocol::SCTP), range),
                Some(_) => return None,
            };
            let (low, high) = range.split_once('-').unwrap_or((range, range));
            let (low, high) = (low.parse().ok()?, high.parse().ok()?);
            (low <= high).then(|| SuspiciousPort {
                protocol: number,
                low,
                high,
                why: "asked for".to_owned(),
            })
        };
        let ports: Option<Vec<_>> = text.split(',').map(parse).collect();
        ports.map(Self).ok_or_else(bad)
    }
}

#[cfg(test)]
mod tests {
    use super::super::contact::Outcome;
    use super::*;
    use crate::log::Tuple;
    use crate::time::WallTime;

    fn contact(protocol: u8, source_port: u16, destination_port: u16) -> Contact {
        Contact {
            time: WallTime::default(),
            tuple: Tuple {
                source: "10.0.0.1".parse().unwrap(),
                source_port,
                destination: "192.0.2.1".parse().unwrap(),
                destination_port,
                protocol: Some(protocol),
            },
            outcome: Outcome::Established,
            state: String::new(),
            sent_bytes: 0,
            received_bytes: 0,
        }
    }

    #[test]
    fn only_the_responders_port_counts() {
        let ports = SuspiciousPorts::default();
        assert!(ports.reason(&contact(6, 40_000, 4444)).is_some());
        assert_eq!(ports.reason(&contact(6, 4444, 443)), None);
        assert_eq!(ports.reason(&contact(17, 40_000, 4444)), None);
        assert_eq!(ports.reason(&contact(1, 8, 4444)), None);
    }

    #[test]
    fn ports_are_read_as_they_are_written() {
        let ports: SuspiciousPorts = "443, udp/53,6660-6669".parse().unwrap();
        assert!(ports.reason(&contact(17, 1, 443)).is_some());
        assert!(ports.reason(&contact(6, 1, 6665)).is_some());
        assert_eq!(ports.reason(&contact(6, 1, 53)), None);
        for wrong in ["", "x", "70000", "9-3", "gre/4", "1,,2"] {
            assert!(wrong.parse::<SuspiciousPorts>().is_err(), "{wrong}");
        }
    }
}
