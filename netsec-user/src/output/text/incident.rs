//! An incident as lines.

use std::io::{self, Write};

use super::super::incident::{IncidentView, MomentView};
use super::super::number::Si;
use super::super::timestamp::TimeOfDay;
use super::Text;
use super::line::Paint;
use super::told::printable;

/// Victims that are named.
const VICTIMS: usize = 5;

impl<W: Write> Text<W> {
    /// One line, when the risk has grown.
    pub(super) fn incident_line(&mut self, incident: &IncidentView) -> io::Result<()> {
        self.line.word(Paint::Bold, "incident");
        self.line.word(Paint::Dim, TimeOfDay(incident.last.0, 1));
        self.incident_head(incident);
        self.end_line()
    }

    fn incident_head(&mut self, incident: &IncidentView) {
        let IncidentView {
            id,
            risk,
            role,
            offender,
            alerts,
            noise,
            findings,
            attempts,
            contacts,
            victims,
            ..
        } = incident;
        self.line.word(Paint::Bad, format_args!("risk {risk}"));
        self.line.word(Paint::Plain, role);
        self.line.word(Paint::Bold, offender);
        let mut parts = Vec::new();
        for (count, one, many) in [
            (findings.len() as u64, "finding", "findings"),
            (*alerts, "alert", "alerts"),
            (incident.notices.values().sum(), "notice", "notices"),
            (*attempts, "attempt", "attempts"),
            (*contacts, "contact", "contacts"),
            (*victims, "victim", "victims"),
            (*noise, "of noise", "of noise"),
        ] {
            match count {
                0 => {}
                1 => parts.push(format!("1 {one}")),
                _ => parts.push(format!("{count} {many}")),
            }
        }
        self.line.word(Paint::Plain, parts.join(", "));
        self.line.word(Paint::Dim, id);
    }

    /// Writes an incident with its terms, its traffic and its timeline.
    ///
    /// # Errors
    ///
    /// The writer's.
    pub fn incident(&mut self, incident: &IncidentView) -> io::Result<()> {
        self.line.word(Paint::Bold, "incident");
        self.incident_head(incident);
        self.end_line()?;
        for term in &incident.terms {
            let line = format!("  {:+} {}: {}", term.points, term.name, term.why);
            self.indented(Paint::Plain, &line)?;
        }
        let traffic = &incident.traffic;
        if traffic.connections > 0 {
            let line = format!(
                "  counted {} > {} < {} > {} < in {}",
                traffic.pkts_toserver,
                traffic.pkts_toclient,
                Si::bytes(traffic.bytes_toserver),
                Si::bytes(traffic.bytes_toclient),
                match traffic.connections {
                    1 => "1 connection".to_owned(),
                    more => format!("{more} connections"),
                }
            );
            self.indented(Paint::Plain, &line)?;
        }
        let named = incident.victims_first.iter().take(VICTIMS);
        let named: Vec<String> = named.map(ToString::to_string).collect();
        if !named.is_empty() {
            let more = match incident.victims.saturating_sub(named.len() as u64) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            self.indented(
                Paint::Plain,
                &format!("  victims {}{more}", named.join(" ")),
            )?;
        }
        self.timeline(incident)
    }

    /// Moments that say the same, one behind another, are one line with their number.
    fn timeline(&mut self, incident: &IncidentView) -> io::Result<()> {
        let mut moments = incident.timeline.iter().peekable();
        while let Some(moment) = moments.next() {
            let same =
                |next: &&MomentView| (&next.kind, &next.what) == (&moment.kind, &moment.what);
            let mut times = 1_u64;
            let mut victim = moment.victim;
            while let Some(next) = moments.next_if(same) {
                times += 1;
                victim = victim.filter(|_| next.victim == victim);
            }
            self.line
                .word(Paint::Dim, format_args!("  {}", moment.timestamp.0));
            let what = printable(&moment.what);
            self.line
                .word(Paint::Plain, format_args!("{} {what}", moment.kind));
            if let Some(victim) = victim {
                self.line.word(Paint::Plain, format_args!("on {victim}"));
            }
            if times > 1 {
                self.line.word(Paint::Plain, format_args!("(x{times})"));
            }
            self.end_line()?;
        }
        if incident.timeline_left_out > 0 {
            let line = format!("  {} more in between", incident.timeline_left_out);
            self.indented(Paint::Dim, &line)?;
        }
        Ok(())
    }

    fn indented(&mut self, paint: Paint, line: &str) -> io::Result<()> {
        self.line.word(paint, line);
        self.end_line()
    }
}
