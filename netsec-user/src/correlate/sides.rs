//! Who attacked whom.

use std::net::IpAddr;

use super::site::Site;
use crate::log::{Alert, Detail, Event, EventDetail, Record, Tuple};

/// The two ends of an alert or notice, by role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sides {
    /// Who is called the attacker; `None` when both ends are local, trusted, or many.
    pub attacker: Option<IpAddr>,
    /// The other end; without an attacker the one that was connected to.
    pub victim: IpAddr,
    /// Who began.
    pub initiator: IpAddr,
}

impl Sides {
    /// Of an alert: the source that the rule names, else who began the flow, else the packet's
    /// sender; and the other end when that one may not be called an attacker.
    #[must_use]
    pub fn of_alert(event: &Event<'_>, alert: &Alert<'_>, site: &Site) -> Option<Self> {
        let tuple = event.initiated().or(event.tuple)?;
        let named = alert.source.zip(alert.target);
        let (suspect, other) = named
            .map_or((tuple.source, tuple.destination), |(source, target)| {
                (source.ip, target.ip)
            });
        Some(Self::of(suspect, other, tuple.source, site))
    }

    /// Of who began a connection and whom it reached.
    #[must_use]
    pub fn of_tuple(tuple: &Tuple, site: &Site) -> Self {
        Self::of(tuple.source, tuple.destination, tuple.source, site)
    }

    /// Of any record that speaks of two ends, or of one: Zeek's notices have their own.
    #[must_use]
    pub fn of_record(record: &Record<'_>, site: &Site) -> Option<Self> {
        match record {
            Record::Event(event) => {
                if let EventDetail::Alert(alert) = &event.detail {
                    return Self::of_alert(event, alert, site);
                }
                event.tuple.map(|tuple| Self::of_tuple(&tuple, site))
            }
            Record::Zeek(zeek) => {
                if let Detail::Notice(notice) = &zeek.detail
                    && let Some(source) = notice.src
                {
                    let other = notice.dst.unwrap_or(source);
                    return Some(Self::of(source, other, source, site));
                }
                zeek.tuple.map(|tuple| Self::of_tuple(&tuple, site))
            }
        }
    }

    fn of(suspect: IpAddr, other: IpAddr, initiator: IpAddr, site: &Site) -> Self {
        let (attacker, victim) = if site.may_be_attacker(suspect) {
            (Some(suspect), other)
        } else if site.may_be_attacker(other) {
            (Some(other), suspect)
        } else {
            (None, other)
        };
        Self {
            attacker,
            victim,
            initiator,
        }
    }

    /// Whom evidence is gathered about: the attacker, else the local end that began.
    #[must_use]
    pub fn offender(&self) -> IpAddr {
        self.attacker.unwrap_or(self.initiator)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::{Decoder, Line, Wanted};

    fn sides(extra: &str, direction: &str, source: &str, destination: &str) -> (String, String) {
        let line = format!(
            r#"{{"timestamp":"2021-06-06T15:59:46Z","event_type":"alert","src_ip":"{source}","src_port":1,"dest_ip":"{destination}","dest_port":2,"proto":"TCP"{direction},"alert":{{"signature_id":7{extra}}}}}"#
        );
        let mut decoder = Decoder::new(Wanted::Alerts);
        let Line::Record(Record::Event(event)) = decoder.decode(line.as_bytes()) else {
            panic!("{line}");
        };
        let EventDetail::Alert(alert) = &event.detail else {
            panic!("an alert");
        };
        let site = Site {
            allow: vec!["198.51.100.0/24".parse().unwrap()],
            ..Site::default()
        };
        let sides = Sides::of_alert(&event, alert, &site).unwrap();
        let attacker = sides
            .attacker
            .map_or_else(|| "-".to_owned(), |a| a.to_string());
        (attacker, sides.victim.to_string())
    }

    #[test]
    fn the_attacker_is_never_local_or_trusted() {
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        let to_client = r#","direction":"to_client""#;
        // An inbound scan, and the server's answer to it.
        assert_eq!(
            sides("", "", "203.0.113.9", "10.0.0.1"),
            pair("203.0.113.9", "10.0.0.1")
        );
        assert_eq!(
            sides("", to_client, "10.0.0.1", "203.0.113.9"),
            pair("203.0.113.9", "10.0.0.1")
        );
        // A local host calls home: the one outside is the attacker.
        assert_eq!(
            sides("", "", "10.0.0.1", "203.0.113.9"),
            pair("203.0.113.9", "10.0.0.1")
        );
        // Both local, or the other end trusted: nobody is.
        assert_eq!(sides("", "", "10.0.0.1", "10.0.0.2"), pair("-", "10.0.0.2"));
        assert_eq!(
            sides("", "", "10.0.0.1", "198.51.100.7"),
            pair("-", "198.51.100.7")
        );
    }

    #[test]
    fn the_rules_own_target_comes_first() {
        let named = r#","source":{"ip":"203.0.113.9"},"target":{"ip":"203.0.113.1"}"#;
        assert_eq!(
            sides(named, "", "203.0.113.1", "203.0.113.9"),
            ("203.0.113.9".to_owned(), "203.0.113.1".to_owned())
        );
    }
}
