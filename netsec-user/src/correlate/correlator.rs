//! Rows, connections and findings, put together.

use std::time::Duration;

use serde::Deserialize;

use super::disagreement::{Disagreement, Disagreements};
use super::evidence::{Evidence, Witness};
use super::incident::Incident;
use super::incidents::{IncidentSettings, Incidents};
use super::join::{Join, JoinCounts, JoinOutcome, JoinSettings, Joined, Unjoined};
use super::row::Row;
use super::site::Site;
use super::twice::ToldTwice;
use crate::connection::Connection;
use crate::event::FlowDelta;
use crate::log::Record;
use crate::time::WallTime;
use netsec_common::packet::FlowKey;

/// Time after its last packet before a connection is missed in a log.
const GRACE: Duration = Duration::from_secs(120);

/// Settings of everything that joins logs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CorrelateSettings {
    /// Which addresses are the operator's own.
    pub site: Site,
    /// How rows and connections are joined.
    pub join: JoinSettings,
    /// When evidence is an incident.
    pub incident: IncidentSettings,
    /// Whether there are no logs: incidents are gathered from what netsec itself sees, to be asked
    /// for, and nothing is told.
    #[serde(skip)]
    pub silent: bool,
}

/// Something worth saying.
#[derive(Clone, Debug, PartialEq)]
pub enum Told {
    /// An alert or notice, with what was counted of its connection.
    Joined(Box<Joined>),
    /// One without a connection.
    Unjoined(Box<Unjoined>),
    /// An offender passed the limit, or grew by much.
    Incident(Box<Incident>),
    /// At the end: an offender with all that speaks against it.
    Final(Box<Incident>),
    /// Sensors saw different things.
    Disagreement(Box<Disagreement>),
    /// At the end: what became of the rows.
    Counts(Box<JoinCounts>),
}

/// Puts together what sensors say.
#[derive(Debug)]
pub struct Correlator {
    site: Site,
    silent: bool,
    join: Join,
    incidents: Incidents,
    disagreements: Disagreements,
    twice: ToldTwice,
    told: Vec<Told>,
    now: WallTime,
}

impl Correlator {
    /// Nothing known yet.
    #[must_use]
    pub fn new(settings: CorrelateSettings) -> Self {
        Self {
            site: settings.site,
            silent: settings.silent,
            join: Join::new(settings.join),
            incidents: Incidents::new(settings.incident),
            disagreements: Disagreements::default(),
            twice: ToldTwice::default(),
            told: Vec::new(),
            now: WallTime::default(),
        }
    }

    /// Takes what a flow counted, see [`Join::delta`].
    pub fn delta(&mut self, delta: &FlowDelta, oriented: &FlowKey, opened: bool) {
        self.now = self.now.max(delta.last);
        if !self.silent {
            self.join.delta(delta, oriented, opened);
        }
        self.incidents.delta(delta, oriented, opened);
    }

    /// Takes a connection that ended.
    pub fn ended(&mut self, connection: &Connection) {
        self.incidents.ended(connection, &self.site);
    }

    /// Whether the record is an alert that another log has told already; it is counted then.
    pub fn is_repeat(&mut self, record: &Record<'_>) -> bool {
        let is_repeat = self.twice.is_repeat(record);
        if is_repeat {
            self.join.count_repeat();
        }
        is_repeat
    }

    /// Takes a record of a log.
    pub fn record(&mut self, record: &Record<'_>) {
        if self.disagreements.record(record) {
            return;
        }
        let row = Row::of(record, &self.site);
        let outcome = self.join.row(row, self.now);
        self.tell(outcome);
    }

    /// Takes what a detector found.
    pub fn finding(&mut self, finding: &impl Witness) {
        if let Some(evidence) = finding.evidence(&self.site) {
            self.weigh(evidence, None);
        }
    }

    /// Moves time on: rows that waited are joined or given up.
    pub fn tick(&mut self, now: WallTime) {
        self.now = self.now.max(now);
        self.settle(false);
    }

    /// Takes how many frames netsec saw in the interval, or in all, and how many of them it cannot account
    /// for.
    pub const fn counted(&mut self, frames: u64, lost: u64) {
        self.disagreements.counted(frames, lost);
    }

    /// Compares the sensors, at the end of an interval.
    pub fn compare(&mut self, now: WallTime) {
        let sum = self.disagreements.sum_up(&mut self.join, now, GRACE);
        self.told
            .extend(sum.map(|sum| Told::Disagreement(Box::new(sum))));
    }

    /// Gives up the rows that wait, and says what became of all.
    pub fn finish(&mut self, now: WallTime) {
        self.now = self.now.max(now);
        self.settle(true);
        let sum = self
            .disagreements
            .sum_up(&mut self.join, now, Duration::ZERO);
        self.told
            .extend(sum.map(|sum| Told::Disagreement(Box::new(sum))));
        let incidents = self.incidents.reported();
        let last = incidents
            .into_iter()
            .map(|incident| Told::Final(Box::new(incident.clone())));
        if !self.silent {
            self.told.extend(last);
        }
        if self.join.counts().rows > 0 {
            let counts = self.join.counts().clone();
            self.told.push(Told::Counts(Box::new(counts)));
        }
    }

    /// What is worth saying since the last time.
    pub fn take_told(&mut self) -> Vec<Told> {
        std::mem::take(&mut self.told)
    }

    /// The incidents so far.
    #[must_use]
    pub const fn incidents(&self) -> &Incidents {
        &self.incidents
    }

    /// What became of rows.
    #[must_use]
    pub const fn counts(&self) -> &JoinCounts {
        self.join.counts()
    }

    fn settle(&mut self, is_end: bool) {
        let mut settled = Vec::new();
        self.join
            .settle(self.now, is_end, |outcome| settled.push(outcome));
        for outcome in settled {
            self.tell(outcome);
        }
    }

    fn tell(&mut self, outcome: JoinOutcome) {
        let (row, connection) = match &outcome {
            JoinOutcome::Joined(joined) => (&joined.row, Some(joined.connection.clone())),
            JoinOutcome::Unjoined(unjoined) => {
                self.disagreements
                    .unjoined(unjoined.row.origin, unjoined.why);
                (&unjoined.row, None)
            }
            JoinOutcome::Waits => return,
        };
        let evidence = row.evidence(&self.site);
        // Rows on ordinary connections are joined and counted; a line each would say little.
        let is_said = row.alert().is_some() || matches!(row.says, super::row::Says::Notice { .. });
        if is_said {
            self.told.extend(match outcome {
                JoinOutcome::Joined(joined) => Some(Told::Joined(Box::new(joined))),
                JoinOutcome::Unjoined(unjoined) => Some(Told::Unjoined(Box::new(unjoined))),
                JoinOutcome::Waits => None,
            });
        }
        if let Some(evidence) = evidence {
            self.weigh(evidence, connection.as_ref());
        }
    }

    fn weigh(&mut self, evidence: Evidence, connection: Option<&Connection>) {
        let news = self.incidents.add(evidence, connection);
        if let Some(incident) = news.filter(|_| !self.silent) {
            self.told.push(Told::Incident(Box::new(incident.clone())));
        }
    }
}
