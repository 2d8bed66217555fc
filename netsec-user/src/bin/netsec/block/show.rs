//! What the answers look like.

use std::io::{self, IsTerminal as _, Write as _};

use anyhow::{Result, bail};
use clap::ValueEnum;
use netsec_user::api::wire::{Added, DecisionView, Entry, ListName, Status, Verified, Why};
use netsec_user::output::{IncidentView, Output as _, Sensor, Style, Text};
use netsec_user::time::WallTime;
use serde::Serialize;

use crate::args::{Cli, Form};
use crate::output::{colour, line};

/// Form of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum TableForm {
    /// Columns for people
    Table,
    /// An object for each entry
    Jsonl,
    /// With a header
    Csv,
}

pub(super) fn added(list: ListName, added: &Added) -> Result<()> {
    let entry = &added.entry;
    let what = subject(entry);
    let cuts = match (list, added.dry_run) {
        (ListName::Allow, _) => String::new(),
        (ListName::Block, true) => format!("  would cut: {}", added.cuts),
        (ListName::Block, false) => format!("  cuts: {}", added.cuts),
    };
    if added.dry_run {
        return line(&format!(
            "would {} {what}{}{cuts}",
            infinitive(list),
            until(entry)
        ));
    }
    if let Some(trouble) = &added.unrecorded {
        log::warn!("not recorded: {trouble}");
    }
    if !added.verified {
        bail!("{what} was written, and then not found in the kernel's table");
    }
    let interfaces = added.interfaces.join(", ");
    line(&format!(
        "{} {what}{} on {interfaces} (verified in kernel map){cuts}  undo: netsec {} del {}",
        participle(list),
        until(entry),
        infinitive(list),
        entry.prefix,
    ))?;
    if let Some(by) = entry.confirm_by_ns {
        let (by, id) = (time(by), entry.decision);
        line(&format!(
            "ends at {by} unless confirmed: netsec block confirm {id}"
        ))?;
    }
    if list == ListName::Block && added.mode != "enforce" {
        log::warn!(
            "the mode is {}, so nothing is dropped; to drop: netsec run --enforce",
            added.mode
        );
    }
    Ok(())
}

pub(super) fn deleted(list: ListName, entries: &[Entry]) -> Result<()> {
    for entry in entries {
        let done = match list {
            ListName::Block => format!("dropped {} packets, {} bytes", entry.packets, entry.bytes),
            ListName::Allow => format!("saved {} packets, {} bytes", entry.packets, entry.bytes),
        };
        line(&format!(
            "no longer {} {}: {done}",
            participle(list),
            subject(entry)
        ))?;
    }
    Ok(())
}

pub(super) fn confirmed(entries: &[Entry]) -> Result<()> {
    for entry in entries {
        line(&format!("confirmed {}{}", subject(entry), until(entry)))?;
    }
    Ok(())
}

pub(super) fn list(list: ListName, entries: &[Entry], form: TableForm) -> Result<()> {
    if entries.is_empty() && form == TableForm::Table {
        return line(match list {
            ListName::Block => "nothing is blocked",
            ListName::Allow => {
                "the allowlist is empty; what the guard protects passes all the same"
            }
        });
    }
    let mut out = io::BufWriter::new(io::stdout().lock());
    match form {
        TableForm::Jsonl => {
            for entry in entries {
                serde_json::to_writer(&mut out, entry)?;
                out.write_all(b"\n")?;
            }
        }
        TableForm::Csv => {
            let mut writer = csv::Writer::from_writer(&mut out);
            writer.write_record(HEADER.map(str::to_ascii_lowercase))?;
            for entry in entries {
                writer.write_record(cells(entry))?;
            }
            writer.flush()?;
        }
        TableForm::Table => table(&mut out, entries)?,
    }
    out.flush()?;
    Ok(())
}

const HEADER: [&str; 9] = [
    "ADDRESS", "ACTION", "UNTIL", "PACKETS", "BYTES", "LAST", "DECISION", "BY", "REASON",
];

fn cells(entry: &Entry) -> [String; 9] {
    let action = match entry.packets_per_s {
        Some(rate) => format!("limit {rate}/s"),
        None => entry.action.clone(),
    };
    let lost = if entry.in_table {
        ""
    } else {
        " (not in the kernel)"
    };
    let or_dash = |ns: Option<i64>| ns.map_or_else(|| "-".to_owned(), time);
    let until = match entry.confirm_by_ns {
        Some(by) => format!("{} unless confirmed", time(by)),
        None => or_dash(entry.until_ns),
    };
    [
        subject(entry),
        format!("{action}{lost}"),
        until,
        entry.packets.to_string(),
        entry.bytes.to_string(),
        or_dash(entry.last_ns),
        entry.decision.to_string(),
        entry.actor.clone(),
        entry.reason.clone(),
    ]
}

fn table(out: &mut impl io::Write, entries: &[Entry]) -> Result<()> {
    let mut rows = vec![HEADER.map(str::to_owned)];
    rows.extend(entries.iter().map(cells));
    let width = |column: usize| {
        let cell = |row: &[String; 9]| row.get(column).map_or(0, |cell| cell.chars().count());
        rows.iter().map(cell).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..HEADER.len()).map(width).collect();
    for row in &rows {
        let mut text = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            text += &format!("{cell:width$}  ");
        }
        writeln!(out, "{}", text.trim_end())?;
    }
    Ok(())
}

pub(super) fn verified(found: &Verified, is_agent: bool) -> Result<()> {
    for (prefix, drift) in &found.named {
        let what = match drift.as_str() {
            "missing" => "wanted, and not in the kernel's table",
            "unwanted" => "in the kernel's table, and not wanted",
            _ => "in the kernel's table with other terms than decided",
        };
        line(&format!("{prefix} {what}"))?;
    }
    if found.drift > 0 {
        let repair = if is_agent {
            "the running netsec repairs that by itself, in a table of a million entries within a minute"
        } else {
            "no netsec is running: the next one repairs that when it starts"
        };
        let (drift, wanted) = (found.drift, found.compared);
        bail!("differences: {drift}, entries wanted: {wanted}; {repair}");
    }
    let plural = if found.compared == 1 { "y" } else { "ies" };
    line(&format!(
        "{} entr{plural}, all in the kernel's table as decided",
        found.compared
    ))
}

pub(super) fn status(status: &Status, form: Form) -> Result<()> {
    if form == Form::Jsonl {
        return json(status);
    }
    let (used, capacity) = status.table;
    line(&format!("netsec {} mode {}", status.version, status.mode))?;
    if !status.agent {
        line("no netsec is running; this is what one has left in the kernel")?;
    }
    let silence = match status.silence_s {
        None => "its silence changes nothing".to_owned(),
        Some(seconds) => format!("after {seconds:.0} s of its silence: {}", status.on_silence),
    };
    line(&format!("when netsec ends: {}; {silence}", status.on_exit))?;
    if let Some(silent) = &status.silent {
        line(&format!(
            "netsec has been silent for too long, in force is: {silent}"
        ))?;
    }
    line(&format!("watches {}", status.hooks.join(", ")))?;
    line(&format!(
        "blocks {} ({} automatic), allowed {}, protected by the guard {}",
        status.blocks, status.automatic, status.allowed, status.protected
    ))?;
    line(&format!(
        "block table {used} of {capacity} entries, {} inserts refused, {} entries repaired",
        status.refused, status.repaired
    ))?;
    line(&format!("connections {}", status.connections))?;
    match &status.journal {
        None => line("journal fine")?,
        Some(trouble) => line(&format!(
            "journal: {trouble}\n{} decisions and events not recorded",
            status.unrecorded
        ))?,
    }
    line(&format!(
        "control socket {} requests refused",
        status.bad_frames
    ))
}

pub(super) fn why(cli: &Cli, why: &Why, form: Form) -> Result<()> {
    if form == Form::Jsonl {
        return json(why);
    }
    let is_decision = why.subject.trim_start_matches('#').parse::<u64>().is_ok();
    match (&why.entry, &why.protected) {
        (_, Some(reason)) => {
            line(&format!(
                "{} passes: {}",
                why.subject,
                reason.trim_start_matches("refused: ")
            ))?;
        }
        (Some(entry), None) => {
            let verb = match (entry.action.as_str(), why.mode.as_str()) {
                ("allow", _) => "passes by the allowlist's",
                (_, "enforce") => "is blocked by",
                _ => "would be blocked by",
            };
            line(&format!(
                "{} {verb} {}{}: {} packets, {} bytes{}",
                why.subject,
                subject(entry),
                until(entry),
                entry.packets,
                entry.bytes,
                entry
                    .last_ns
                    .map(|ns| format!(", last {}", time(ns)))
                    .unwrap_or_default(),
            ))?;
        }
        (None, None) if !is_decision => line(&format!("{} is not blocked", why.subject))?,
        (None, None) => {}
    }
    why.history.iter().try_for_each(decision)?;
    match &why.incident {
        Some(incident) => show_incident(cli, incident),
        None => Ok(()),
    }
}

/// A decision, on what it rests, and what became of it.
fn decision(decision: &DecisionView) -> Result<()> {
    let until = decision.until_ns.map(|ns| format!(" until {}", time(ns)));
    line(&format!(
        "decision {} {} {}{} by {}",
        decision.id,
        time(decision.time_ns),
        decision.what,
        until.unwrap_or_default(),
        decision.actor
    ))?;
    let details = [
        ("reason", decision.reason.clone()),
        ("evidence", decision.evidence.join(", ")),
        ("cut", decision.would_cut.clone()),
        ("undo", decision.undo.clone()),
    ];
    for (name, text) in details.iter().filter(|(_, text)| !text.is_empty()) {
        line(&format!("  {name}: {text}"))?;
    }
    for event in &decision.events {
        line(&format!("  {event}"))?;
    }
    if let Some((packet, bytes)) = &decision.dropped {
        line(&format!("  last sampled: {packet}\n    {bytes}"))?;
    }
    Ok(())
}

fn show_incident(cli: &Cli, incident: &IncidentView) -> Result<()> {
    let out = io::stdout().lock();
    let is_terminal = out.is_terminal();
    let style = Style {
        colour: colour(cli, is_terminal),
        aligned: is_terminal,
    };
    let mut text = Text::new(out, Sensor::default(), style);
    text.incident(incident)?;
    Ok(text.flush()?)
}

fn json(value: &impl Serialize) -> Result<()> {
    line(&serde_json::to_string(value)?)
}

/// `192.0.2.0/24 tcp port 22`.
fn subject(entry: &Entry) -> String {
    let protocol = entry.protocol.map(|number| match number {
        1 => " icmp".to_owned(),
        6 => " tcp".to_owned(),
        17 => " udp".to_owned(),
        58 => " icmpv6".to_owned(),
        132 => " sctp".to_owned(),
        other => format!(" protocol {other}"),
    });
    let port = entry.port.map(|n| format!(" port {n}"));
    let protocol = protocol.unwrap_or_default();
    format!("{}{protocol}{}", entry.prefix, port.unwrap_or_default())
}

fn until(entry: &Entry) -> String {
    let until = entry.confirm_by_ns.or(entry.until_ns);
    until
        .map(|ns| format!(" until {}", time(ns)))
        .unwrap_or_default()
}

/// `02:31:07Z` today, else with the date.
fn time(ns: i64) -> String {
    let seconds = |time: WallTime| {
        let text = time.to_string();
        let (whole, _) = text.split_once('.').unwrap_or((&text, ""));
        format!("{whole}Z")
    };
    let (then, now) = (seconds(WallTime::from_ns(ns)), seconds(WallTime::now()));
    match (then.split_once('T'), now.split_once('T')) {
        (Some((date, time)), Some((today, _))) if date == today => time.to_owned(),
        _ => then,
    }
}

const fn infinitive(list: ListName) -> &'static str {
    match list {
        ListName::Block => "block",
        ListName::Allow => "allow",
    }
}

const fn participle(list: ListName) -> &'static str {
    match list {
        ListName::Block => "blocked",
        ListName::Allow => "allowed",
    }
}
