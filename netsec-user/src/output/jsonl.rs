//! EVE-shaped JSON Lines for programs: one object a line, field names as in Suricata's EVE.
//!
//! `event_type` is `packet`, `flow`, `finding`, `decision` or `stats`. Times are traffic times in UTC; what EVE has no
//! field for stands under `netsec`. A text that a packet or capture chose comes out as a JSON
//! string whatever bytes it holds.

mod decision;
mod finding;
mod flow;
mod packet;
mod stats;
mod told;
mod value;

use std::io::{self, Write};

use serde::Serialize;

use self::decision::DecisionLine;
use self::finding::FindingLine;
use self::flow::FlowLine;
use self::packet::PacketLine;
use self::stats::StatsLine;
use self::told::ToldLine;
use super::{Coverage, Output, Sensor};
use crate::connection::{Connection, EndCause, State};
use crate::correlate::Told;
use crate::decide::Decided;
use crate::event::Sample;
use crate::finding::Finding;
use crate::hook::Hook;
use crate::packet::PacketView;
use crate::summary::Summary;
use crate::time::WallTime;

/// Writes JSON Lines to `out`.
#[derive(Debug)]
pub struct JsonLines<W> {
    out: W,
    sensor: Sensor,
    /// Used again for every line, so that each is one write.
    line: Vec<u8>,
}

impl<W: Write> JsonLines<W> {
    /// JSON Lines on what this sensor sees.
    pub const fn new(out: W, sensor: Sensor) -> Self {
        Self {
            out,
            sensor,
            line: Vec::new(),
        }
    }

    /// The writer.
    pub fn into_inner(self) -> W {
        self.out
    }
}

impl<W: Write> Output for JsonLines<W> {
    fn add_hook(&mut self, hook: &Hook) {
        self.sensor.hooks.push(hook.clone());
    }

    fn packet(&mut self, sample: &Sample, view: &PacketView) -> io::Result<()> {
        let line = PacketLine::new(&self.sensor, sample, view);
        write_line(&mut self.out, &mut self.line, &line)
    }

    fn connection(
        &mut self,
        connection: &Connection,
        state: State,
        cause: EndCause,
    ) -> io::Result<()> {
        let line = FlowLine::new(&self.sensor, connection, state, cause);
        write_line(&mut self.out, &mut self.line, &line)
    }

    fn finding(&mut self, finding: &Finding) -> io::Result<()> {
        write_line(&mut self.out, &mut self.line, &FindingLine::new(finding))
    }

    fn decision(&mut self, decided: &Decided) -> io::Result<()> {
        write_line(&mut self.out, &mut self.line, &DecisionLine::new(decided))
    }

    fn summary(&mut self, summary: &Summary) -> io::Result<()> {
        let coverage = Coverage::of(summary);
        let line = StatsLine::new(&self.sensor, summary, &coverage);
        write_line(&mut self.out, &mut self.line, &line)
    }

    fn told(&mut self, told: &Told, now: WallTime) -> io::Result<()> {
        let line = ToldLine::new(&self.sensor, told, now);
        write_line(&mut self.out, &mut self.line, &line)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

fn write_line(out: &mut impl Write, buffer: &mut Vec<u8>, line: &impl Serialize) -> io::Result<()> {
    buffer.clear();
    serde_json::to_writer(&mut *buffer, line)?;
    buffer.push(b'\n');
    out.write_all(buffer)
}

#[cfg(test)]
mod tests;
