//! How risky an offender is, and why: a sum of terms, each shown.

use super::Incident;

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
        let mut terms = Vec::new();
        let mut term = |name, points, why: String| {
            if points != 0 {
                terms.push(Term { name, points, why });
            }
        };
        let Incident {
            alerts, severity, ..
        } = incident;
        let by_severity = match (alerts, severity) {
            (0, _) => 0,
            (_, 1) => 40,
            (_, 2) => 25,
            (_, 3) => 10,
            _ => 5,
        };
        term(
            "severity",
            by_severity,
            format!("worst alert of severity {severity}"),
        );
        term("alerts", log2(*alerts, 3, 15), format!("{alerts} alerts"));
        let signatures = incident.signatures.len() as u64;
        term(
            "signatures",
            log2(signatures, 5, 15),
            format!("{signatures} different signatures"),
        );
        let notices: u64 = incident.notices.values().sum();
        let by_notices = i32::from(notices > 0) * 10 + log2(notices, 2, 10);
        term("notices", by_notices, format!("{notices} notices of Zeek"));
        if let Some((name, score)) = best(&incident.findings) {
            #[expect(clippy::cast_possible_truncation, reason = "0 to 45")]
            let points = (score.clamp(0.0, 1.0) * 45.0) as i32;
            term(
                "findings",
                points,
                format!("{name} with a score of {score:.2}"),
            );
        }
        let victims = incident.victims.len() as u64;
        let speaks = *alerts > 0 || notices > 0 || !incident.findings.is_empty();
        if speaks || incident.attempts > 10 {
            term(
                "victims",
                log2(victims, 3, 15),
                format!("{victims} victims"),
            );
        }
        let attempts = incident.attempts;
        let by_attempts = if attempts > 10 {
            log2(attempts, 2, 20)
        } else {
            0
        };
        term(
            "attempts",
            by_attempts,
            format!("{attempts} tries refused, unanswered or given up"),
        );
        let joined = incident.traffic.connections();
        if joined > 0 && !incident.traffic.is_two_way() {
            let sum: i32 = terms.iter().map(|term| term.points).sum();
            terms.push(Term {
                name: "one-way",
                points: -(sum / 2),
                why: "nobody answered it: its address may be forged".to_owned(),
            });
        }
        Self { terms }
    }
}

fn best(findings: &std::collections::BTreeMap<String, f64>) -> Option<(&str, f64)> {
    let scores = findings.iter().map(|(name, score)| (name.as_str(), *score));
    scores.max_by(|(_, a), (_, b)| a.total_cmp(b))
}

/// `each` points for every doubling, up to `most`; one is worth nothing.
fn log2(count: u64, each: i32, most: i32) -> i32 {
    let doublings = count.checked_ilog2().unwrap_or_default();
    i32::try_from(doublings).map_or(most, |doublings| (doublings * each).min(most))
}
