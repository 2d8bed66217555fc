//! Which alerts would lead to a block, and why the others would not. Nothing is blocked here.

use std::net::IpAddr;

use serde::Deserialize;

use super::row::{AlertRow, Row};
use super::site::Site;

/// Rules on which alerts lead to a block. All that are given have to hold; without any nothing is
/// proposed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PolicySettings {
    /// Alerts of this severity or a worse one; 1 is the worst.
    pub severity: Option<u8>,
    /// Alerts of these classes, in the words of Suricata's `classification.config`.
    pub categories: Vec<String>,
    /// These signatures, whatever their severity and class.
    pub sids: Vec<u64>,
    /// Never these signatures.
    pub except_sids: Vec<u64>,
    /// Propose blocks of sources that nobody answered, whose address may thus be forged.
    pub one_way: bool,
    /// How long a block would hold, seconds; zero is an hour.
    pub block_seconds: u32,
}

/// A block that would be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    /// Whom.
    pub address: IpAddr,
    /// For how long, seconds.
    pub seconds: u32,
    /// By which rule.
    pub rule: String,
}

/// Why an alert leads to no block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, thiserror::Error)]
pub enum Spared {
    /// It speaks of the capture: no rule can make it a reason.
    #[error("noise")]
    Noise,
    /// Its signature is excepted.
    #[error("excepted signature")]
    Excepted,
    /// No rule matches.
    #[error("no rule matches")]
    NoRule,
    /// There are no addresses.
    #[error("no addresses")]
    NoAddresses,
    /// Both ends are local, trusted, or of many hosts.
    #[error("no end is outside")]
    NobodyOutside,
    /// Nobody answered the source, so that its address may be forged.
    #[error("one-way traffic, the source may be forged")]
    OneWay,
    /// Whether anybody answered is not known.
    #[error("no evidence of two-way traffic")]
    Unknown,
    /// Suricata has dropped the packet itself.
    #[error("dropped by Suricata")]
    Dropped,
}

/// The rules, ready to be asked.
#[derive(Clone, Debug)]
pub struct Policy {
    settings: PolicySettings,
}

impl Policy {
    /// From settings.
    #[must_use]
    pub const fn new(settings: PolicySettings) -> Self {
        Self { settings }
    }

    /// What an alert leads to. `two_way` is what is known of its connection from elsewhere: whether
    /// both sides spoke.
    ///
    /// # Errors
    ///
    /// Why it leads to nothing.
    pub fn judge(
        &self,
        row: &Row,
        alert: &AlertRow,
        two_way: Option<bool>,
        site: &Site,
    ) -> Result<Proposal, Spared> {
        if alert.noise.is_some() {
            return Err(Spared::Noise);
        }
        if self.settings.except_sids.contains(&alert.sid) {
            return Err(Spared::Excepted);
        }
        let rule = self.rule(alert).ok_or(Spared::NoRule)?;
        if alert.dropped {
            return Err(Spared::Dropped);
        }
        let sides = row.sides.ok_or(Spared::NoAddresses)?;
        let address = sides.attacker.ok_or(Spared::NobodyOutside)?;
        if !site.may_be_attacker(address) {
            return Err(Spared::NobodyOutside);
        }
        let counted = alert.packets.map(|(there, back)| there > 0 && back > 0);
        match two_way.or(counted) {
            _ if self.settings.one_way => {}
            Some(true) => {}
            Some(false) => return Err(Spared::OneWay),
            None => return Err(Spared::Unknown),
        }
        let seconds = match self.settings.block_seconds {
            0 => 3600,
            seconds => seconds,
        };
        Ok(Proposal {
            address,
            seconds,
            rule,
        })
    }

    fn rule(&self, alert: &AlertRow) -> Option<String> {
        let settings = &self.settings;
        if settings.sids.contains(&alert.sid) {
            return Some(format!("sid {}", alert.sid));
        }
        if settings.severity.is_none() && settings.categories.is_empty() {
            return None;
        }
        let mut rule = Vec::new();
        if let Some(limit) = settings.severity {
            if alert.severity > limit {
                return None;
            }
            rule.push(format!("severity {} <= {limit}", alert.severity));
        }
        if !settings.categories.is_empty() {
            let category = alert.category.as_deref()?;
            let known = settings.categories.iter();
            known
                .clone()
                .find(|known| known.eq_ignore_ascii_case(category))?;
            rule.push(format!("category {category}"));
        }
        Some(rule.join(" and "))
    }
}

#[cfg(test)]
mod tests {
    use super::super::row::{Origin, Says};
    use super::super::sides::Sides;
    use super::*;
    use crate::time::WallTime;

    fn judge(
        settings: PolicySettings,
        source: &str,
        change: impl FnOnce(&mut AlertRow),
    ) -> Result<Proposal, Spared> {
        let site = Site::default();
        let tuple = tuple(source);
        let mut alert = AlertRow {
            gid: 1,
            sid: 2_001_219,
            signature: "ET SCAN".to_owned(),
            category: Some("Attempted Information Leak".to_owned()),
            severity: 2,
            noise: None,
            dropped: false,
            packets: Some((3, 2)),
        };
        change(&mut alert);
        let row = Row {
            time: WallTime::default(),
            until: WallTime::default(),
            origin: Origin::Eve,
            kind: "alert".to_owned(),
            tuple: Some(tuple),
            sides: Some(Sides::of_tuple(&tuple, &site)),
            community_id: None,
            id: None,
            says: Says::Other,
        };
        Policy::new(settings).judge(&row, &alert, None, &site)
    }

    fn tuple(source: &str) -> crate::log::Tuple {
        crate::log::Tuple {
            source: source.parse().unwrap(),
            source_port: 1,
            destination: "10.0.0.1".parse().unwrap(),
            destination_port: 22,
            protocol: Some(6),
        }
    }

    fn severe() -> PolicySettings {
        PolicySettings {
            severity: Some(2),
            ..PolicySettings::default()
        }
    }

    #[test]
    fn rules_decide() {
        let outside = "203.0.113.9";
        let by = |settings| judge(settings, outside, |_| {}).map(|proposal| proposal.rule);
        assert_eq!(by(severe()), Ok("severity 2 <= 2".to_owned()));
        assert_eq!(by(PolicySettings::default()), Err(Spared::NoRule));
        let strict = PolicySettings {
            severity: Some(1),
            sids: vec![2_001_219],
            ..severe()
        };
        assert_eq!(by(strict.clone()), Ok("sid 2001219".to_owned()));
        let excepted = PolicySettings {
            except_sids: vec![2_001_219],
            ..strict
        };
        assert_eq!(by(excepted), Err(Spared::Excepted));
        let category = PolicySettings {
            categories: vec!["attempted information leak".to_owned()],
            ..PolicySettings::default()
        };
        assert!(by(category).is_ok());
    }

    #[test]
    fn noise_forgeries_and_locals_are_spared_whatever_the_rules() {
        let all = PolicySettings {
            severity: Some(255),
            sids: vec![2_200_073],
            ..PolicySettings::default()
        };
        let outside = "203.0.113.9";
        let noise = judge(all.clone(), outside, |alert| {
            alert.sid = 2_200_073;
            alert.noise = Some("checksum");
        });
        assert_eq!(noise, Err(Spared::Noise));
        let one_way = judge(all.clone(), outside, |alert| alert.packets = Some((1, 0)));
        assert_eq!(one_way, Err(Spared::OneWay));
        let unknown = judge(all.clone(), outside, |alert| alert.packets = None);
        assert_eq!(unknown, Err(Spared::Unknown));
        assert_eq!(
            judge(all.clone(), "10.9.9.9", |_| {}),
            Err(Spared::NobodyOutside)
        );
        let dropped = judge(all, outside, |alert| alert.dropped = true);
        assert_eq!(dropped, Err(Spared::Dropped));
    }
}
