//! One line for one step of a finding.

use std::io::Write;

use super::super::timestamp::TimeOfDay;
use super::Text;
use super::line::Paint;
use crate::finding::{Finding, Severity};

/// Width of the longest severity that is common.
const SEVERITY: usize = 6;
/// Width of the longest kind.
const KIND: usize = 19;

impl<W: Write> Text<W> {
    /// `finding 01:31:07.1 high scan.vertical 10.0.0.1 > 10.0.0.2 1000 ports in 1.2s`; a step that
    /// is no start says so before its message.
    pub(super) fn finding_line(&mut self, finding: &Finding) {
        let paint = paint(finding.severity);
        self.line.word(Paint::Bold, "finding");
        self.line.word(Paint::Dim, TimeOfDay(finding.end, 1));
        self.line.cell(paint, SEVERITY, finding.severity);
        self.line.cell(paint, KIND, finding.kind);
        self.line.cell(Paint::Dim, 6, finding.state.name());
        let victim = match finding.service.and_then(|(_, port)| port) {
            Some(port) => format!("{}:{port}", bracketed(finding)),
            None => finding.victim.to_string(),
        };
        self.pair(&finding.attacker.to_string(), &victim);
        self.line.word(Paint::Plain, &finding.message);
        if let Some(technique) = finding.technique() {
            self.line.word(Paint::Dim, format_args!("[{technique}]"));
        }
    }
}

/// The victim, ready for a port behind it.
fn bracketed(finding: &Finding) -> String {
    match finding.victim.host() {
        Some(host) if host.is_ipv6() => format!("[{host}]"),
        _ => finding.victim.to_string(),
    }
}

const fn paint(severity: Severity) -> Paint {
    match severity {
        Severity::Low => Paint::Plain,
        Severity::Medium => Paint::Notice,
        Severity::High | Severity::Critical => Paint::Bad,
    }
}
