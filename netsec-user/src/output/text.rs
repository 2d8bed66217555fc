//! Text for people: one line a packet, a connection, a finding and a decision, one block a summary.
//!
//! On a terminal columns are aligned and coloured; in a pipe words are parted by single spaces and
//! there is no escape code. Whatever a packet or a capture file holds, no control character of it
//! reaches the terminal.

mod connection;
mod decision;
mod finding;
mod incident;
mod line;
mod packet;
mod style;
mod summary;
mod told;

use std::io::{self, Write};

use self::line::Line;
use self::line::Paint;
pub use self::style::{Colour, ColourFlag, Style, colour_choice};
use super::{Output, Sensor};
use crate::connection::{Connection, EndCause, State};
use crate::correlate::Told;
use crate::decide::Decided;
use crate::event::Sample;
use crate::finding::Finding;
use crate::hook::{Direction, Hook, HookId};
use crate::packet::PacketView;
use crate::summary::Summary;
use crate::time::WallTime;

/// Narrowest column for an endpoint.
const ENDPOINT_MIN: usize = 17;
/// Widest one that a line before it can force on this one.
const ENDPOINT_MAX: usize = 34;

/// Writes text to `out`.
#[derive(Debug)]
pub struct Text<W> {
    out: W,
    sensor: Sensor,
    line: Line,
    /// Printable interface names, empty when there is only one hook.
    interfaces: Vec<String>,
    widths: Widths,
}

/// Column widths; those of endpoints grow with what is shown.
#[derive(Clone, Copy, Debug)]
struct Widths {
    interface: usize,
    source: usize,
    destination: usize,
}

impl<W: Write> Text<W> {
    /// Text in this style.
    pub fn new(out: W, sensor: Sensor, style: Style) -> Self {
        let mut text = Self {
            out,
            line: Line::new(style),
            widths: Widths {
                interface: 0,
                source: ENDPOINT_MIN,
                destination: ENDPOINT_MIN,
            },
            sensor,
            interfaces: Vec::new(),
        };
        text.name_interfaces();
        text
    }

    fn name_interfaces(&mut self) {
        if self.sensor.hooks.len() < 2 {
            return;
        }
        let hooks = &self.sensor.hooks;
        let names = hooks.iter().map(|hook| hook.interface.escape_default());
        self.interfaces = names.map(|name| name.to_string()).collect();
        let longest = self.interfaces.iter().map(String::len).max();
        self.widths.interface = longest.unwrap_or_default();
    }

    /// The writer.
    pub fn into_inner(self) -> W {
        self.out
    }

    /// The interface's name, when there are several hooks.
    fn interface(&mut self, hook: HookId) {
        if let Some(name) = self.interfaces.get(usize::from(hook.0)) {
            self.line.cell(Paint::Dim, self.widths.interface, name);
        }
    }

    /// `<` for received, `>` for sent, when there are several hooks.
    fn direction(&mut self, hook: HookId) {
        if self.interfaces.is_empty() {
            return;
        }
        let arrow = match self.sensor.hook(hook).map(|hook| hook.direction) {
            Some(Direction::Ingress) => "<",
            Some(Direction::Egress) => ">",
            None => "?",
        };
        self.line.word(Paint::Dim, arrow);
    }

    /// `SOURCE > DESTINATION`, in columns.
    fn pair(&mut self, source: &str, destination: &str) {
        let grown = |width: usize, text: &str| width.max(text.len().min(ENDPOINT_MAX));
        self.widths.source = grown(self.widths.source, source);
        self.widths.destination = grown(self.widths.destination, destination);
        self.line.cell(Paint::Plain, self.widths.source, source);
        self.line.word(Paint::Dim, ">");
        self.line
            .cell(Paint::Plain, self.widths.destination, destination);
    }

    fn end_line(&mut self) -> io::Result<()> {
        self.out.write_all(self.line.end())
    }
}

impl<W: Write> Output for Text<W> {
    fn add_hook(&mut self, hook: &Hook) {
        self.sensor.hooks.push(hook.clone());
        self.name_interfaces();
    }

    fn packet(&mut self, sample: &Sample, view: &PacketView) -> io::Result<()> {
        self.packet_line(sample, view);
        self.end_line()
    }

    fn connection(
        &mut self,
        connection: &Connection,
        state: State,
        cause: EndCause,
    ) -> io::Result<()> {
        self.connection_line(connection, state, cause);
        self.end_line()
    }

    fn finding(&mut self, finding: &Finding) -> io::Result<()> {
        self.finding_line(finding);
        self.end_line()
    }

    fn decision(&mut self, decided: &Decided) -> io::Result<()> {
        self.decision_line(decided);
        self.end_line()
    }

    fn summary(&mut self, summary: &Summary) -> io::Result<()> {
        self.summary_block(summary)
    }

    fn told(&mut self, told: &Told, _now: WallTime) -> io::Result<()> {
        self.told_lines(told)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests;
