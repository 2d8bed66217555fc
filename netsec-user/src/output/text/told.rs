//! What logs say, joined with connections, as lines.

use std::io::{self, Write};

use super::super::incident::IncidentView;
use super::super::number::{Si, Span};
use super::super::protocol_name;
use super::super::timestamp::TimeOfDay;
use super::Text;
use super::line::Paint;
use crate::connection::Connection;
use crate::correlate::{Disagreement, JoinCounts, Row, Says, Told, Why};
use crate::log::Tuple;

impl<W: Write> Text<W> {
    pub(super) fn told_lines(&mut self, told: &Told) -> io::Result<()> {
        match told {
            Told::Joined(joined) => self.row(&joined.row, Ok(&joined.connection)),
            Told::Unjoined(unjoined) => self.row(&unjoined.row, Err(unjoined.why)),
            Told::Incident(incident) => self.incident_line(&IncidentView::new(incident, false)),
            Told::Final(incident) => self.incident(&IncidentView::new(incident, true)),
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
        if let Some((frames, lost)) = sum.netsec_losses {
            let line = format!("netsec lost {lost} of {frames} frames");
            self.line.word(Paint::Plain, line);
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
        if counts.repeats > 0 {
            let line = format!("{} alerts in two logs count once", counts.repeats);
            self.line.word(Paint::Plain, line);
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
pub(super) fn printable(text: &str) -> String {
    let printable = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    text.chars().map(printable).collect()
}
