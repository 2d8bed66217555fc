//! Which findings and alerts may lead to a block, and why the others do not.
//!
//! A rule only says that something is reason enough; whether the source is blocked, for how long, and
//! whether it is slowed down instead is for the [`Desk`](super::Desk).

use std::fmt;
use std::net::IpAddr;

use netsec_common::packet::protocol;

use super::desk::{Evidence, Proof};
use crate::correlate::{Sides, Site};
use crate::detect::settings::section;
use crate::finding::{Figure, Finding, Kind, Severity, State};
use crate::log::{Alert, Event, Place};

section! {
    /// Section `[enforce]`: which findings and alerts may lead to a block. As it stands none does.
    EnforceSettings {
        /// Kinds of findings that may lead to a block, such as scan.vertical.
        findings: Vec<Kind> = Vec::new(), "Suricata and Zeek, which drop nothing unless told to";
        /// Findings below this severity never do.
        finding_severity: Severity = Severity::High, "ours: ordinary traffic has no finding as severe";
        /// Alerts of this severity or a worse one; 1 is the worst, 0 is none.
        alert_severity: u8 = 0, "Suricata and Zeek, which drop nothing unless told to";
        /// Alerts of these classes, in the words of classification.config; with alert_severity both have to hold.
        alert_categories: Vec<String> = Vec::new(), "Suricata and Zeek, which drop nothing unless told to";
        /// Alerts of these signatures, whatever their severity and class.
        alert_sids: Vec<u64> = Vec::new(), "Suricata and Zeek, which drop nothing unless told to";
        /// Never alerts of these signatures.
        alert_except_sids: Vec<u64> = Vec::new(), "none";
    }
}

/// Why a finding or an alert is no reason to block anybody.
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
    /// Whoever acts is many, or forged, or a reflector: no one host can be named.
    #[error("no single host acts")]
    NoSingleHost,
    /// Suricata has dropped the packet itself.
    #[error("dropped by Suricata")]
    Dropped,
    /// The campaign is over.
    #[error("it is over")]
    Over,
}

/// The rules, and whom they never name.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    settings: EnforceSettings,
    site: Site,
}

impl Rules {
    /// Rules by which nobody of the site, and nobody whom it trusts, is ever the attacker.
    #[must_use]
    pub const fn new(settings: EnforceSettings, site: Site) -> Self {
        Self { settings, site }
    }

    /// Whether anything can lead to a block at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let settings = &self.settings;
        settings.findings.is_empty()
            && settings.alert_severity == 0
            && settings.alert_categories.is_empty()
            && settings.alert_sids.is_empty()
    }

    /// What a step of a finding is evidence for.
    ///
    /// # Errors
    ///
    /// Why for nothing.
    pub fn finding(&self, finding: &Finding) -> Result<Evidence, Spared> {
        let settings = &self.settings;
        let is_wanted = settings.findings.contains(&finding.kind);
        if !is_wanted || finding.severity < settings.finding_severity {
            return Err(Spared::NoRule);
        }
        // The end is told minutes after the last packet, and of nothing new.
        if finding.state == State::End {
            return Err(Spared::Over);
        }
        let source = finding.attacker.host().ok_or(Spared::NoSingleHost)?;
        if !self.site.may_be_attacker(source) {
            return Err(Spared::NobodyOutside);
        }
        let is_tcp = finding
            .service
            .is_some_and(|(number, _)| number == protocol::TCP);
        let is_proven = is_tcp && finding.attacker_proven;
        let mut ids = vec![format!("finding {}", finding.id)];
        if let (true, Some(Figure::Text(shown))) = (is_proven, finding.evidence.get("handshake")) {
            ids.push(format!("handshake {shown}"));
        }
        Ok(Evidence {
            source,
            detector: format!("finding {}", finding.kind),
            reason: finding.message.clone(),
            ids,
            proof: if is_proven {
                Proof::Handshake
            } else {
                Proof::None
            },
        })
    }

    /// What an alert is evidence for.
    ///
    /// # Errors
    ///
    /// Why for nothing.
    pub fn alert(
        &self,
        event: &Event<'_>,
        alert: &Alert<'_>,
        place: Place<'_>,
    ) -> Result<Evidence, Spared> {
        if alert.is_noise() {
            return Err(Spared::Noise);
        }
        if self.settings.alert_except_sids.contains(&alert.sid) {
            return Err(Spared::Excepted);
        }
        let rule = self.matching(alert).ok_or(Spared::NoRule)?;
        if alert.is_dropped() {
            return Err(Spared::Dropped);
        }
        let sides = Sides::of_alert(event, alert, &self.site).ok_or(Spared::NoAddresses)?;
        let source: IpAddr = sides.attacker.ok_or(Spared::NobodyOutside)?;
        if !self.site.may_be_attacker(source) {
            return Err(Spared::NobodyOutside);
        }
        let key = event.tuple.and_then(|tuple| tuple.key());
        Ok(Evidence {
            source,
            detector: format!("alert {}:{}", alert.gid, alert.sid),
            reason: format!("{} ({rule})", &*alert.signature),
            ids: vec![identity(event, alert, place)],
            proof: match key.filter(|key| key.protocol() == protocol::TCP) {
                Some(key) => Proof::Connection(key),
                None => Proof::None,
            },
        })
    }

    fn matching(&self, alert: &Alert<'_>) -> Option<String> {
        let settings = &self.settings;
        if settings.alert_sids.contains(&alert.sid) {
            return Some(format!("sid {}", alert.sid));
        }
        let mut rule = Vec::new();
        if settings.alert_severity > 0 {
            let limit = settings.alert_severity;
            if alert.severity > limit {
                return None;
            }
            rule.push(format!("severity {} <= {limit}", alert.severity));
        }
        if !settings.alert_categories.is_empty() {
            let category = alert.category.as_deref()?;
            let mut known = settings.alert_categories.iter();
            known.find(|known| known.eq_ignore_ascii_case(category))?;
            rule.push(format!("category {category}"));
        }
        (!rule.is_empty()).then(|| rule.join(" and "))
    }
}

/// `alert 1:2001219 flow 1234 at 2026-11-23T01:31:02.114000Z eve.json:17`: enough to find the line.
fn identity(event: &Event<'_>, alert: &Alert<'_>, place: Place<'_>) -> String {
    let mut text = format!("alert {}:{}", alert.gid, alert.sid);
    if let Some(flow) = event.flow_id {
        text += &format!(" flow {flow}");
    }
    text += &format!(" at {} {place}", event.time);
    text
}

impl fmt::Display for Rules {
    /// `findings scan.vertical of high severity or worse; alerts of severity 1`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let settings = &self.settings;
        let mut parts = Vec::new();
        if !settings.findings.is_empty() {
            let names: Vec<&str> = settings.findings.iter().map(|kind| kind.name()).collect();
            let severity = settings.finding_severity.name();
            parts.push(format!(
                "findings {} from {severity} severity on",
                names.join(", ")
            ));
        }
        let categories = settings.alert_categories.join(", ");
        match (settings.alert_severity, categories.is_empty()) {
            (0, true) => {}
            (0, false) => parts.push(format!("alerts of {categories}")),
            (worst, true) => parts.push(format!("alerts of severity {worst} or worse")),
            (worst, false) => parts.push(format!(
                "alerts of severity {worst} or worse and of {categories}"
            )),
        }
        if !settings.alert_sids.is_empty() {
            let sids: Vec<String> = settings.alert_sids.iter().map(u64::to_string).collect();
            parts.push(format!("alerts of signature {}", sids.join(", ")));
        }
        match parts.is_empty() {
            true => f.write_str("none"),
            false => f.write_str(&parts.join("; ")),
        }
    }
}

#[cfg(test)]
mod tests;
