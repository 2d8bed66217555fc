//! What the sensor says: text for people, EVE-shaped JSON Lines for programs.
//!
//! An output formats and writes; it decides nothing and reads no clock. Times are traffic times in
//! UTC. Writers are the caller's: buffered, and a closed pipe comes back as the [`io::Error`] it is.

mod alert;
mod coverage;
mod incident;
mod jsonl;
pub mod number;
mod rows;
mod text;
mod timestamp;
mod tunnels;

use std::io;

pub use self::alert::{protocol_name, write_alert};
pub use self::coverage::{Coverage, Identity, Losses};
pub use self::incident::{
    ContactsView, FoundView, IncidentView, MomentView, TermView, TrafficView,
};
pub use self::jsonl::JsonLines;
pub use self::rows::{RowForm, RowWriter};
pub use self::text::{Colour, ColourFlag, Style, Text, colour_choice};
use crate::connection::{Connection, EndCause, State};
pub use crate::connection::{Endpoint, community_id, endpoints};
use crate::correlate::Told;
use crate::decide::Decided;
use crate::event::Sample;
use crate::finding::Finding;
use crate::hook::{Hook, HookId};
use crate::packet::PacketView;
use crate::summary::Summary;
use crate::time::WallTime;

/// Takes what the pipeline found worth saying. What an output has no method for, it leaves out.
///
/// # Errors
///
/// Every method gives back the writer's error. After one, the output may have written a part of a
/// line; [`BrokenPipe`](io::ErrorKind::BrokenPipe) means that the reader has gone.
pub trait Output {
    /// Learns of another hook: the next [`HookId`] in order.
    fn add_hook(&mut self, _hook: &Hook) {}

    /// Writes one packet; `view` is the decoded `sample`.
    fn packet(&mut self, _sample: &Sample, _view: &PacketView) -> io::Result<()> {
        Ok(())
    }

    /// Writes one connection record.
    fn connection(
        &mut self,
        _connection: &Connection,
        _state: State,
        _cause: EndCause,
    ) -> io::Result<()> {
        Ok(())
    }

    /// Writes one step of a finding.
    fn finding(&mut self, _finding: &Finding) -> io::Result<()> {
        Ok(())
    }

    /// Writes what became of a reason to block somebody.
    fn decision(&mut self, _decided: &Decided) -> io::Result<()> {
        Ok(())
    }

    /// Writes what an interval, or the whole run, held.
    fn summary(&mut self, _summary: &Summary) -> io::Result<()> {
        Ok(())
    }

    /// Writes what logs say, joined with connections. `now` is traffic time.
    fn told(&mut self, _told: &Told, _now: WallTime) -> io::Result<()> {
        Ok(())
    }

    /// Passes on what the writer holds back.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<O: Output + ?Sized> Output for Box<O> {
    fn add_hook(&mut self, hook: &Hook) {
        (**self).add_hook(hook);
    }

    fn packet(&mut self, sample: &Sample, view: &PacketView) -> io::Result<()> {
        (**self).packet(sample, view)
    }

    fn connection(
        &mut self,
        connection: &Connection,
        state: State,
        cause: EndCause,
    ) -> io::Result<()> {
        (**self).connection(connection, state, cause)
    }

    fn finding(&mut self, finding: &Finding) -> io::Result<()> {
        (**self).finding(finding)
    }

    fn decision(&mut self, decided: &Decided) -> io::Result<()> {
        (**self).decision(decided)
    }

    fn summary(&mut self, summary: &Summary) -> io::Result<()> {
        (**self).summary(summary)
    }

    fn told(&mut self, told: &Told, now: WallTime) -> io::Result<()> {
        (**self).told(told, now)
    }

    fn flush(&mut self) -> io::Result<()> {
        (**self).flush()
    }
}

/// What every output has to know of the sensor.
#[derive(Clone, Debug, Default)]
pub struct Sensor {
    /// The hooks, in the order of their [`HookId`]s.
    pub hooks: Vec<Hook>,
    /// Seed of the Community IDs, 0 unless the operator's other tools use another.
    pub community_seed: u16,
}

impl Sensor {
    fn hook(&self, id: HookId) -> Option<&Hook> {
        self.hooks.get(usize::from(id.0))
    }
}

#[cfg(test)]
mod fixtures;
