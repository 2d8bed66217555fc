//! What logs say, joined with connections, as lines.

use std::io::{self, Write};

use super::super::number::{Si, Span};
use super::super::protocol_name;
use super::super::timestamp::TimeOfDay;
use super::Text;
use super::line::Paint;
use crate::connection::Connection;
use crate::correlate::{
    Disagreement, EvidenceKind, Incident, JoinCounts, Moment, Row, Says, Told, Why,
};
use crate::log::Tuple;

/// Victims that are named.
const VICTIMS: usize = 5;

impl<W: Write> Text<W> {
    pub(super) fn told_lines(&mut self, told: &Told) -> io::Result<()> {
        match told {
            Told::Joined(joined) => self.row(&joined.row, Ok(&joined.connection)),
            Told::Unjoined(unjoined) => self.row(&unjoined.row, Err(unjoined.why)),
            Told::Incident(incident) => self.incident_line(incident),
            Told::Final(incident) => self.incident_block(incident),
            Told::Disagreement(sum) => self.disagreement(sum),
            Told::Counts(counts) => self.join_counts(counts),
        }
    }

    /// One line: what was said, of whom, and what was counted of the connection.
    fn row(&mut self, row: &Row, found: Result<&Connection, Why>) -> io::Result<()> {
        let (label, what, paint) = heading(row);
        self.line.word(Paint::Bold, label);
        self.line.word(Paint::Dim, TimeOfDay(row.time, 1));
        if let Some(tuple) = &row.tuple {
            let name = tuple.protocol.map_or_else(|| "-".to_owned(), protocol_name);
            self.line.word(Paint::Plain, name);
            self.line.word(Paint::Plain, ends(tuple));
        }
        self.line.word(paint, what);
        match found {
            Ok(connection) => self.line.word(Paint::Plain, counted(connection)),
            Err(why) => self.line.word(Paint::Notice, not_joined(why)),
        }
        if let Some(attacker) = row.sides.and_then(|sides| sides.attacker) {
            self.line
                .word(Paint::Plain, format_args!("attacker {attacker}"));
        }
        self.end_line()
    }

    fn incident_line(&mut self, incident: &Incident) -> io::Result<()> {
        self.line.word(Paint::Bold, "incident");
        self.line.word(Paint::Dim, TimeOfDay(incident.times.1, 1));
        self.incident_head(incident);
        self.end_line()
    }

    fn incident_head(&mut self, incident: &Incident) {
        let role = super::super::jsonl::role(incident);
        self.line
            .word(Paint::Bad, format_args!("risk {}", incident.risk().total()));
        self.line.word(Paint::Plain, role);
        self.line.word(Paint::Bold, incident.offender);
        let Incident {
            alerts,
            noise,
            attempts,
            contacts,
            victims,
            ..
        } = incident;
        self.line.word(
            Paint::Plain,
            format_args!(
                "{alerts} alerts ({noise} more of noise) {attempts} attempts {contacts} contacts \
                 {} victims",
                victims.len()
            ),
        );
    }

    /// The incident with its terms, its traffic and its timeline.
    fn incident_block(&mut self, incident: &Incident) -> io::Result<()> {
        self.line.word(Paint::Bold, "incident");
        self.incident_head(incident);
        self.end_line()?;
        for term in incident.risk().terms {
            let line = format!("  {:+} {}: {}", term.points, term.name, term.why);
            self.line.word(Paint::Plain, line);
            self.end_line()?;
        }
        let (sent, answered) = incident.traffic.totals();
        if incident.traffic.connections() > 0 {
            let line = format!(
                "  counted {} > {} < {} > {} < in {} connections",
                sent.packets,
                answered.packets,
                Si::bytes(sent.bytes),
                Si::bytes(answered.bytes),
                incident.traffic.connections(),
            );
            self.line.word(Paint::Plain, line);
            self.end_line()?;
        }
        let named: Vec<String> = incident
            .victims
            .iter()
            .take(VICTIMS)
            .map(ToString::to_string)
            .collect();
        if !named.is_empty() {
            let more = incident.victims.len().saturating_sub(VICTIMS);
            let more = if more > 0 {
                format!(" and {more} more")
            } else {
                String::new()
            };
            self.line.word(
                Paint::Plain,
                format_args!("  victims {}{more}", named.join(" ")),
            );
            self.end_line()?;
        }
        self.timeline(incident)
    }

    /// Moments that say the same are one line with their number.
    fn timeline(&mut self, incident: &Incident) -> io::Result<()> {
        let mut moments = incident.timeline.iter().peekable();
        while let Some(moment) = moments.next() {
            let what = says(moment);
            let mut times = 1;
            while moments.next_if(|next| says(next) == what).is_some() {
                times += 1;
            }
            let times = if times > 1 {
                format!(" (x{times})")
            } else {
                String::new()
            };
            self.line
                .word(Paint::Dim, format_args!("  {}", moment.time));
            self.line.word(Paint::Plain, format_args!("{what}{times}"));
            self.end_line()?;
        }
        if incident.timeline_left_out > 0 {
            let line = format!("  {} more in between", incident.timeline_left_out);
            self.line.word(Paint::Dim, line);
            self.end_line()?;
        }
        Ok(())
    }

    fn disagreement(&mut self, sum: &Disagreement) -> io::Result<()> {
        self.line.word(Paint::Bold, "sensors");
        self.line.word(Paint::Dim, TimeOfDay(sum.times.1, 1));
        self.line.word(
            Paint::Plain,
            format_args!("{} connections compared", sum.connections),
        );
        for (origin, count) in sum.kernel_only.iter().filter(|(_, count)| **count > 0) {
            let line = format!("{count} not in the log of {}", origin.name());
            self.line.word(Paint::Notice, line);
        }
        for (origin, count) in sum.log_only.iter().filter(|(_, count)| **count > 0) {
            let line = format!("{count} rows of {} not seen here", origin.name());
            self.line.word(Paint::Notice, line);
        }
        if let Some((packets, drops)) = sum.suricata_drops {
            let line = format!("Suricata dropped {drops} of {packets} packets");
            self.line.word(Paint::Plain, line);
        }
        if let Some(percent) = sum.zeek_loss_percent {
            self.line
                .word(Paint::Plain, format_args!("Zeek lost {percent:.2} %"));
        }
        if !sum.reasons.is_empty() {
            self.line.word(
                Paint::Plain,
                format_args!("likely: {}", sum.reasons.join("; ")),
            );
        }
        self.end_line()
    }

    fn join_counts(&mut self, counts: &JoinCounts) -> io::Result<()> {
        self.line.word(Paint::Bold, "logs");
        self.line.word(
            Paint::Plain,
            format_args!("{} rows: {} joined", counts.rows, counts.joined),
        );
        for (why, count) in &counts.unjoined {
            self.line.word(Paint::Plain, format_args!("{count} {why}"));
        }
        if counts.ids_differ > 0 {
            let line = format!("{} Community IDs differ: another seed?", counts.ids_differ);
            self.line.word(Paint::Notice, line);
        }
        if counts.connections_evicted > 0 {
            let line = format!("{} connections evicted", counts.connections_evicted);
            self.line.word(Paint::Notice, line);
        }
        self.end_line()
    }
}

/// What a row is called, what it says, and how it looks.
fn heading(row: &Row) -> (&'static str, String, Paint) {
    match &row.says {
        Says::Alert(alert) => {
            let noise = alert
                .noise
                .map_or_else(String::new, |noise| format!(" ({noise} noise)"));
            let signature = printable(&alert.signature);
            let (severity, gid, sid) = (alert.severity, alert.gid, alert.sid);
            let paint = if alert.noise.is_some() {
                Paint::Dim
            } else {
                Paint::Bad
            };
            let text = format!("sev {severity} {gid}:{sid} {signature}{noise}");
            ("alert", text, paint)
        }
        Says::Notice { note, message } => {
            let text = format!("{}: {}", printable(note), printable(message));
            ("notice", text, Paint::Notice)
        }
        Says::Contact(_) | Says::Other => ("row", row.kind.clone(), Paint::Plain),
    }
}

fn counted(connection: &Connection) -> String {
    let Connection {
        start,
        end,
        originator,
        responder,
        ..
    } = connection;
    format!(
        "counted {} > {} < {} > {} < in {}",
        originator.packets,
        responder.packets,
        Si::bytes(originator.bytes),
        Si::bytes(responder.bytes),
        Span(end.since(*start)),
    )
}

fn not_joined(why: Why) -> String {
    match why {
        Why::OtherTime(ns) => format!("not joined: {} s away", ns / 1_000_000_000),
        Why::NoAddresses | Why::NoConnection | Why::Evicted => {
            format!("not joined: {}", why.name())
        }
    }
}

fn says(moment: &Moment) -> String {
    match &moment.kind {
        EvidenceKind::Alert {
            sid,
            signature,
            severity,
            noise,
        } => {
            let noise = if *noise { " (noise)" } else { "" };
            format!("alert sev {severity} {sid} {}{noise}", printable(signature))
        }
        EvidenceKind::Notice { note, message } => {
            format!("notice {}: {}", printable(note), printable(message))
        }
        EvidenceKind::Contact(outcome) => format!("contact {}", outcome.name()),
        EvidenceKind::Finding {
            name,
            score,
            message,
        } => format!("finding {name} {score:.2}: {}", printable(message)),
    }
}

fn ends(tuple: &Tuple) -> String {
    let key = tuple.key_as(
        tuple
            .protocol
            .unwrap_or(netsec_common::packet::protocol::TCP),
    );
    let (source, destination) = crate::connection::endpoints(&key);
    format!("{source} > {destination}")
}

/// A log's text was often chosen by an attacker, and a terminal obeys it.
fn printable(text: &str) -> String {
    let printable = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    text.chars().map(printable).collect()
}
