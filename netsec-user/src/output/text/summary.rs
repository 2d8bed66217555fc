//! The block of an interval, and the last one.

use std::io::{self, Write};
use std::time::Duration;

use netsec_common::ledger::{Counter, Snapshot};
use netsec_common::packet::protocol;

use super::super::Coverage;
use super::super::coverage::ledger;
use super::super::number::{Grouped, Share, Si, Span};
use super::super::timestamp::{Date, TimeOfDay};
use super::super::tunnels::Tunnels;
use super::Text;
use super::line::Paint;
use crate::finding::Kind;
use crate::packet::names;
use crate::summary::{HookSummary, Service, Summary, Talker, Volume};

/// Width of a block.
const WIDTH: usize = 96;
/// Width of the labels at the left: `connections`.
const LABEL: usize = 11;
/// Room for an address in the table of talkers, so that the table stays in 100 columns.
const ADDRESS: usize = 25;

impl<W: Write> Text<W> {
    pub(super) fn summary_block(&mut self, summary: &Summary) -> io::Result<()> {
        let time = summary.end.since(summary.start);
        self.heading(summary, time)?;
        self.rates(&ledger(summary), summary.opened, time)?;
        self.connections(summary)?;
        self.findings(&summary.findings)?;
        self.protocols(&summary.protocols)?;
        if self.line.is_aligned() {
            self.tables(summary)?;
        } else {
            self.lists(summary)?;
        }
        if summary.hooks.len() > 1 {
            for hook in &summary.hooks {
                self.hook_line(summary, hook, time)?;
            }
        }
        let coverage = Coverage::of(summary);
        self.coverage(&coverage)?;
        self.tunnels(summary, &coverage)
    }

    fn tunnels(&mut self, summary: &Summary, coverage: &Coverage) -> io::Result<()> {
        let grouped = self.line.is_aligned();
        let Some(tunnels) = Tunnels::of(summary, *coverage.ledger(), grouped) else {
            return Ok(());
        };
        self.label("tunnels");
        let paint = if tunnels.is_complete() {
            Paint::Plain
        } else {
            Paint::Bad
        };
        self.line.word(paint, tunnels);
        self.end_line()
    }

    fn heading(&mut self, summary: &Summary, time: Duration) -> io::Result<()> {
        let label = if summary.is_final { "total" } else { "summary" };
        self.line.cell(Paint::Bold, LABEL, label);
        let (first_day, last_day) = (
            Date(summary.start).to_string(),
            Date(summary.end).to_string(),
        );
        let mut times = format!("{first_day} {} to ", TimeOfDay(summary.start, 1));
        if last_day != first_day {
            times.push_str(&last_day);
            times.push(' ');
        }
        times.push_str(&TimeOfDay(summary.end, 1).to_string());
        let span = format!("({})", Span(time));
        self.line.word(Paint::Bold, &times);
        self.line.word(Paint::Dim, &span);
        self.line.rule(WIDTH, LABEL + times.len() + span.len() + 3);
        self.end_line()
    }

    fn rates(&mut self, sum: &Snapshot, opened: u64, time: Duration) -> io::Result<()> {
        self.label("rate");
        let (frames, bytes) = (sum.get(Counter::Frames), sum.get(Counter::Bytes));
        let bits = bytes.saturating_mul(8);
        for (amount, unit) in [(frames, "packets/s"), (bits, "bit/s"), (opened, "flows/s")] {
            match Si::rate(amount, time, unit) {
                Some(rate) => self.line.cell(Paint::Bold, 15, rate),
                None => self.line.cell(Paint::Dim, 15, format_args!("- {unit}")),
            }
            self.line.gap();
        }
        let frames = self.number(frames);
        self.line
            .word(Paint::Plain, format_args!("{frames} packets"));
        self.line.word(Paint::Plain, Si::bytes(bytes));
        self.end_line()
    }

    fn connections(&mut self, summary: &Summary) -> io::Result<()> {
        self.label("connections");
        for (word, value) in [
            ("opened", summary.opened),
            ("ended", summary.ended),
            ("active", summary.active),
        ] {
            self.line.word(Paint::Dim, word);
            let value = self.number(value);
            self.line.cell(Paint::Plain, 8, value);
            self.line.gap();
        }
        self.end_line()
    }

    /// Campaigns since the start; a summary without findings has no such line.
    fn findings(&mut self, findings: &[(Kind, u64)]) -> io::Result<()> {
        if findings.is_empty() {
            return Ok(());
        }
        self.label("findings");
        for (kind, count) in findings {
            self.line.word(Paint::Notice, kind);
            let count = self.number(*count);
            self.line.word(Paint::Plain, count);
            self.line.gap();
        }
        self.end_line()
    }

    fn protocols(&mut self, protocols: &[(u8, Volume)]) -> io::Result<()> {
        let Some(sum) = whole(protocols.iter().map(|(_, volume)| *volume)) else {
            return Ok(());
        };
        self.label("protocols");
        for (number, volume) in protocols {
            let paint = Paint::Protocol(*number);
            self.line.word(paint, protocol_name(*number));
            self.line.word(Paint::Plain, share(volume.bytes, sum.bytes));
            self.line.gap();
        }
        self.end_line()
    }

    /// Talkers and services side by side.
    fn tables(&mut self, summary: &Summary) -> io::Result<()> {
        let rows = summary.talkers.len().max(summary.services.len());
        if rows == 0 {
            return Ok(());
        }
        let sum = whole(summary.protocols.iter().map(|(_, volume)| *volume)).unwrap_or_default();
        self.label("");
        self.line.cell(Paint::Dim, ADDRESS, "talker");
        self.line.right(Paint::Dim, 8, "sent");
        self.line.right(Paint::Dim, 8, "received");
        self.line.gap();
        self.line.gap();
        self.line.cell(Paint::Dim, 21, "service");
        self.line.right(Paint::Dim, 8, "bytes");
        self.line.right(Paint::Dim, 7, "share");
        self.end_line()?;
        for row in 0..rows {
            self.label("");
            self.talker_cells(summary.talkers.get(row));
            self.line.gap();
            self.line.gap();
            if let Some(service) = summary.services.get(row) {
                self.line
                    .cell(Paint::Protocol(service.protocol), 21, service_name(service));
                self.line
                    .right(Paint::Plain, 8, Si::bytes(service.volume.bytes));
                self.line
                    .right(Paint::Plain, 7, share(service.volume.bytes, sum.bytes));
            }
            self.end_line()?;
        }
        Ok(())
    }

    fn talker_cells(&mut self, talker: Option<&Talker>) {
        let Some(Talker {
            address,
            sent,
            received,
        }) = talker
        else {
            self.line.cell(Paint::Plain, ADDRESS + 18, "");
            return;
        };
        let address = address.to_string();
        // A longer address takes the room of the space after it, then of what is beside it.
        self.line.cell(Paint::Plain, ADDRESS, &address);
        let taken = address.len().saturating_sub(ADDRESS);
        self.line.right(
            Paint::Plain,
            8_usize.saturating_sub(taken),
            Si::bytes(sent.bytes),
        );
        self.line.right(Paint::Plain, 8, Si::bytes(received.bytes));
    }

    /// Talkers and services one a line, for programs.
    fn lists(&mut self, summary: &Summary) -> io::Result<()> {
        let sum = whole(summary.protocols.iter().map(|(_, volume)| *volume)).unwrap_or_default();
        for Talker {
            address,
            sent,
            received,
        } in &summary.talkers
        {
            self.label("talker");
            self.line.word(Paint::Plain, address);
            self.line
                .word(Paint::Plain, format_args!("sent {}", Si::bytes(sent.bytes)));
            self.line.word(
                Paint::Plain,
                format_args!("received {}", Si::bytes(received.bytes)),
            );
            self.end_line()?;
        }
        for service in &summary.services {
            self.label("service");
            self.line.word(Paint::Plain, service_name(service));
            self.line
                .word(Paint::Plain, Si::bytes(service.volume.bytes));
            self.line
                .word(Paint::Plain, share(service.volume.bytes, sum.bytes));
            self.end_line()?;
        }
        Ok(())
    }

    fn hook_line(
        &mut self,
        summary: &Summary,
        hook: &HookSummary,
        time: Duration,
    ) -> io::Result<()> {
        let counts = if summary.is_final {
            hook.total
        } else {
            hook.interval
        };
        self.label("interface");
        self.interface(hook.hook);
        self.direction(hook.hook);
        for (counter, factor, unit) in [
            (Counter::Frames, 1, "packets/s"),
            (Counter::Bytes, 8, "bit/s"),
        ] {
            let amount = counts.get(counter).saturating_mul(factor);
            match Si::rate(amount, time, unit) {
                Some(rate) => self.line.cell(Paint::Plain, 15, rate),
                None => self.line.cell(Paint::Dim, 15, format_args!("- {unit}")),
            }
        }
        let coverage = Coverage::of_ledger(counts);
        let frames = self.number(coverage.frames);
        self.line
            .word(Paint::Plain, format_args!("{frames} packets"));
        self.line.word(Paint::Dim, "coverage");
        self.line.word(completeness(&coverage), coverage.share());
        self.end_line()
    }

    fn coverage(&mut self, coverage: &Coverage) -> io::Result<()> {
        let grouped = self.line.is_aligned();
        self.label("coverage");
        self.line.word(
            completeness(coverage),
            format_args!("{}:", coverage.share()),
        );
        self.line.word(
            Paint::Plain,
            format_args!("{};", coverage.identity(grouped)),
        );
        if grouped {
            self.end_line()?;
            self.label("");
        }
        let losses = coverage.losses(grouped);
        let paint = if losses.any() { Paint::Bad } else { Paint::Dim };
        self.line.word(paint, losses);
        self.end_line()
    }

    fn label(&mut self, label: &str) {
        self.line.cell(Paint::Dim, LABEL, label);
    }

    fn number(&self, value: u64) -> String {
        if self.line.is_aligned() {
            Grouped(value).to_string()
        } else {
            value.to_string()
        }
    }
}

const fn completeness(coverage: &Coverage) -> Paint {
    if coverage.is_complete() {
        Paint::Good
    } else {
        Paint::Bad
    }
}

/// The sum, or `None` of nothing.
fn whole(volumes: impl Iterator<Item = Volume>) -> Option<Volume> {
    volumes.reduce(|sum, volume| Volume {
        bytes: sum.bytes.saturating_add(volume.bytes),
        packets: sum.packets.saturating_add(volume.packets),
    })
}

const fn share(part: u64, whole: u64) -> Share {
    Share {
        part,
        whole,
        decimals: 1,
    }
}

fn protocol_name(number: u8) -> String {
    match names::protocol(number) {
        _ if number == protocol::ICMPV6 => "ICMPv6".into(),
        Some(name) => name.into(),
        None => format!("ip-{number}"),
    }
}

/// `443/tcp https`. Later fragments are accounted under port zero.
fn service_name(service: &Service) -> String {
    let protocol = protocol_name(service.protocol).to_ascii_lowercase();
    let name = match service.port {
        0 => Some("(fragments)"),
        port => names::service(service.protocol, port),
    };
    match name {
        Some(name) => format!("{}/{protocol} {name}", service.port),
        None => format!("{}/{protocol}", service.port),
    }
}
