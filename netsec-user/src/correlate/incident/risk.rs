//! How risky an offender is, and why: a sum of terms, each shown.

use std::collections::BTreeSet;

use super::Incident;
use crate::finding::Severity;

/// Fewer tries than this are a misconfiguration rather than a search.
const ATTEMPTS_MIN: u64 = 11;

/// A sum of terms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Risk {
    /// What adds to it or takes from it.
    pub terms: Vec<Term>,
}

/// One reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Term {
    /// Its name, the same in every incident.
    pub name: &'static str,
    /// Points, negative for what speaks for the offender.
    pub points: i32,
    /// In words.
    pub why: String,
}

impl Risk {
    /// The sum, from 0 to 100.
    #[must_use]
    pub fn total(&self) -> u8 {
        let sum: i32 = self.terms.iter().map(|term| term.points).sum();
        u8::try_from(sum.clamp(0, 100)).unwrap_or_default()
    }

    /// Noise has no term: whatever its number, it adds nothing.
    pub(super) fn of(incident: &Incident) -> Self {
        let Incident {
            alerts, severity, ..
        } = incident;
        let attempts = incident.most_contacts().attempts;
        let signatures = incident.signatures.len() as u64;
        let notices: u64 = incident.notices.values().sum();
        let victims = incident.victims.len() as u64;
        let mut terms = vec![
            Term::new(
                "severity",
                by_severity(*alerts, *severity),
                format!("worst alert of severity {severity}"),
            ),
            Term::new("alerts", log2(*alerts, 3, 15), format!("{alerts} alerts")),
            Term::new(
                "signatures",
                log2(signatures, 5, 15),
                format!("{signatures} different signatures"),
            ),
            Term::new(
                "notices",
                i32::from(notices > 0) * 10 + log2(notices, 2, 10),
                format!("{notices} notices of Zeek"),
            ),
        ];
        terms.extend(by_findings(incident));
        let speaks = *alerts > 0 || notices > 0 || !incident.findings.is_empty();
        if speaks || attempts >= ATTEMPTS_MIN {
            let why = format!("{victims} victims");
            terms.push(Term::new("victims", log2(victims, 3, 15), why));
        }
        if attempts >= ATTEMPTS_MIN {
            let why = format!("{attempts} tries refused, unanswered or given up");
            terms.push(Term::new("attempts", log2(attempts, 2, 20), why));
        }
        terms.retain(|term| term.points != 0);
        if is_one_way(incident) {
            let sum: i32 = terms.iter().map(|term| term.points).sum();
            let why = "nobody answered it: its address may be forged".to_owned();
            terms.push(Term::new("one-way", -(sum / 2), why));
        }
        Self { terms }
    }
}

impl Term {
    const fn new(name: &'static str, points: i32, why: String) -> Self {
        Self { name, points, why }
    }
}

const fn by_severity(alerts: u64, severity: u8) -> i32 {
    match (alerts, severity) {
        (0, _) => 0,
        (_, 1) => 40,
        (_, 2) => 25,
        (_, 3) => 10,
        _ => 5,
    }
}

/// Of the findings of netsec's detectors the most severe, on the scale of alerts, and how many kinds
/// there are.
fn by_findings(incident: &Incident) -> Vec<Term> {
    let found = || incident.findings.values();
    let Some(worst) = found().max_by_key(|found| found.severity) else {
        return Vec::new();
    };
    let points = match worst.severity {
        Severity::Critical => 50,
        Severity::High => 40,
        Severity::Medium => 25,
        Severity::Low => 10,
    };
    let kinds = found().map(|found| found.kind).collect::<BTreeSet<_>>();
    let kinds = u64::try_from(kinds.len()).unwrap_or_default();
    let why = format!("{} of {} severity", worst.kind, worst.severity);
    vec![
        Term::new("findings", points, why),
        Term::new(
            "behaviours",
            log2(kinds, 5, 15),
            format!("{kinds} kinds of findings"),
        ),
    ]
}

/// Nobody answered it, as far as is known.
fn is_one_way(incident: &Incident) -> bool {
    let counted = incident.traffic.connections() > 0;
    let answered = incident.answered == Some(true) || incident.traffic.is_two_way();
    (counted || incident.answered.is_some()) && !answered
}

/// `each` points for every doubling, up to `most`; one is worth nothing.
fn log2(count: u64, each: i32, most: i32) -> i32 {
    let doublings = count.checked_ilog2().unwrap_or_default();
    i32::try_from(doublings).map_or(most, |doublings| (doublings * each).min(most))
}
