//! From findings and alerts to decisions.

use std::io;
use std::mem::{Discriminant, discriminant};
use std::net::IpAddr;

use indexmap::IndexMap;
use indexmap::map::Entry;
use netsec_common::block::Mode;
use netsec_common::packet::FlowKey;

use super::Pipeline;
use crate::block::{Enforcer, HostEnforcer};
use crate::correlate::Correlator;
use crate::decide::{
    Book, Decided, Desk, DeskError, Evidence, Policy, Proof, Rules, State, Traffic,
};
use crate::finding::Finding;
use crate::log::{EventDetail, Place, Record};
use crate::output::Output;
use crate::source::blocks::HostBlocks;
use crate::time::WallTime;

/// Most reasons that wait for a decision; what there is no room for is counted.
const CHARGES_MAX: usize = 4096;

/// Most connections that are read once more at a time: a flood of alerts must not hold up the rest.
const DOUBTFUL_MAX: usize = 256;

/// Findings and alerts that are named for one decision; the first are.
const NAMED_MAX: usize = 8;

/// Sources of which it is remembered what was said of them last.
const SAID_MAX: usize = 4096;

/// Entries of the table that a rehearsal fills: as many as automatic blocks by default.
const REHEARSAL_ENTRIES: u32 = 1 << 14;

/// What of findings and alerts leads to decisions.
#[derive(Debug, Default)]
pub(super) struct Enforcing {
    rules: Rules,
    /// Reasons against the same source that are shown by the same are one.
    charges: IndexMap<(IpAddr, Proof), Evidence>,
    said: Said,
    counts: DecisionCounts,
    /// Where decisions go when they are only tried.
    rehearsal: Option<Box<Rehearsal>>,
}

/// What became of reasons to block somebody.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DecisionCounts {
    /// Findings and alerts that a rule names.
    pub reasons: u64,
    /// Sources blocked.
    pub blocked: u64,
    /// Sources slowed down.
    pub slowed_down: u64,
    /// Reasons against those who were blocked or slowed down already.
    pub standing: u64,
    /// Reasons for which nothing was done: by the guard, a cap, the table, or in doubt.
    pub spared: u64,
    /// Reasons for which there was no room.
    pub lost: u64,
}

#[derive(Debug)]
struct Rehearsal {
    state: State,
    table: HostEnforcer,
}

/// What was said of sources, so that a thousand alerts are not a thousand lines.
#[derive(Debug, Default)]
struct Said(IndexMap<IpAddr, Discriminant<DeskError>>);

impl Said {
    /// Whether it was not said of this source yet.
    fn is_new(&mut self, evidence: &Evidence, error: &DeskError) -> bool {
        if self.0.len() >= SAID_MAX {
            self.0.clear();
        }
        let what = discriminant(error);
        self.0.insert(evidence.source, what) != Some(what)
    }
}

impl<O: Output> Pipeline<O> {
    /// Gathers reasons to block somebody from here on, for [`decide`](Self::decide).
    pub fn enforce(&mut self, rules: Rules) {
        self.enforcing = (!rules.is_empty()).then(|| Enforcing {
            rules,
            ..Enforcing::default()
        });
    }

    /// As [`enforce`](Self::enforce), and takes the decisions in a table that drops nothing. The guard
    /// knows nothing of this machine then, as the capture may be of another.
    pub fn rehearse(&mut self, rules: Rules, policy: Policy) {
        self.enforce(rules);
        if let Some(enforcing) = &mut self.enforcing {
            self.decides = true;
            enforcing.rehearsal = Some(Box::new(Rehearsal {
                state: State::new(Book::open(None), policy),
                table: HostEnforcer::new(HostBlocks::new(REHEARSAL_ENTRIES)),
            }));
        }
    }

    /// Remembers from here on what [`traffic`](Self::traffic) tells of the last minute.
    pub const fn remember_traffic(&mut self) {
        self.decides = true;
    }

    /// Whether reasons wait for a decision.
    #[must_use]
    pub fn has_charges(&self) -> bool {
        self.enforcing
            .as_ref()
            .is_some_and(|enforcing| !enforcing.charges.is_empty())
    }

    /// What became of reasons so far, if there are rules.
    #[must_use]
    pub fn decision_counts(&self) -> Option<DecisionCounts> {
        self.enforcing.as_ref().map(|enforcing| enforcing.counts)
    }

    /// The connections of which newer counts may show that a source is no forgery, of which it has to be
    /// decided.
    pub fn doubtful(
        &self,
        state: &mut State,
        table: &mut dyn Enforcer,
        now: WallTime,
    ) -> Vec<FlowKey> {
        let Some(enforcing) = &self.enforcing else {
            return Vec::new();
        };
        let desk = Desk {
            state,
            table,
            traffic: self.traffic(),
            now,
        };
        let charges = enforcing.charges.values();
        charges
            .filter(|evidence| desk.is_doubtful(evidence))
            .filter_map(|evidence| match evidence.proof {
                Proof::Connection(key) => Some(key),
                Proof::Given | Proof::Handshake | Proof::None => None,
            })
            .take(DOUBTFUL_MAX)
            .collect()
    }

    /// Decides on all reasons that wait, and says what came of them. In mode `detect` nothing is decided.
    ///
    /// # Errors
    ///
    /// The writer's.
    pub fn decide(
        &mut self,
        state: &mut State,
        table: &mut dyn Enforcer,
        now: WallTime,
    ) -> io::Result<()> {
        let mode = table.mode();
        self.rule(
            state,
            table,
            now,
            mode == Mode::Enforce,
            mode == Mode::Detect,
        )
    }

    fn rule(
        &mut self,
        state: &mut State,
        table: &mut dyn Enforcer,
        now: WallTime,
        is_real: bool,
        is_off: bool,
    ) -> io::Result<()> {
        let Some(mut enforcing) = self.enforcing.take() else {
            return Ok(());
        };
        let mut done = Ok(());
        for (_, evidence) in enforcing.charges.drain(..) {
            if is_off || done.is_err() {
                continue;
            }
            let mut desk = Desk {
                state,
                table,
                traffic: self.traffic(),
                now,
            };
            let outcome = desk.decide(&evidence);
            let decided = Decided {
                time: now,
                is_real,
                evidence,
                outcome,
            };
            if enforcing.counts.count(&decided, &mut enforcing.said) {
                done = self.output.decision(&decided);
            }
        }
        self.enforcing = Some(enforcing);
        done
    }

    /// Decides on what waits in a rehearsal.
    pub(super) fn try_out(&mut self, now: WallTime) -> io::Result<()> {
        let enforcing = self.enforcing.as_mut();
        let Some(mut rehearsal) = enforcing.and_then(|enforcing| enforcing.rehearsal.take()) else {
            return Ok(());
        };
        let Rehearsal { state, table } = &mut *rehearsal;
        state.book.tick(table, now);
        let done = self.rule(state, table, now, false, false);
        if let Some(enforcing) = &mut self.enforcing {
            enforcing.rehearsal = Some(rehearsal);
        }
        done
    }

    /// What is known of the traffic; nothing of the last minute unless
    /// [`remember_traffic`](Self::remember_traffic) was called.
    pub fn traffic(&self) -> Traffic<'_> {
        Traffic {
            connections: &self.table,
            handshakes: &self.handshakes,
            recent: &self.recent,
            dropped: &self.dropped,
            incidents: self.correlator.as_ref().map(Correlator::incidents),
        }
    }
}

impl Enforcing {
    /// Takes a step of a finding.
    pub(super) fn finding(&mut self, finding: &Finding) {
        if let Ok(evidence) = self.rules.finding(finding) {
            self.charge(evidence);
        }
    }

    /// Takes a record of a log: alerts are of interest.
    pub(super) fn record(&mut self, place: Place<'_>, record: &Record<'_>) {
        if let Record::Event(event) = record
            && let EventDetail::Alert(alert) = &event.detail
            && let Ok(evidence) = self.rules.alert(event, alert, place)
        {
            self.charge(evidence);
        }
    }

    fn charge(&mut self, evidence: Evidence) {
        self.counts.reasons += 1;
        let has_room = self.charges.len() < CHARGES_MAX;
        match self.charges.entry((evidence.source, evidence.proof)) {
            Entry::Occupied(mut first) => {
                let room = NAMED_MAX.saturating_sub(first.get().ids.len());
                first
                    .get_mut()
                    .ids
                    .extend(evidence.ids.into_iter().take(room));
            }
            Entry::Vacant(place) if has_room => {
                place.insert(evidence);
            }
            Entry::Vacant(_) => self.counts.lost += 1,
        }
    }
}

impl DecisionCounts {
    /// Counts a decision; true when it is worth a line.
    fn count(&mut self, decided: &Decided, said: &mut Said) -> bool {
        match &decided.outcome {
            Ok(ruling) => {
                if ruling.is_proven {
                    self.blocked += 1;
                } else {
                    self.slowed_down += 1;
                }
                true
            }
            Err(DeskError::Standing { .. }) => {
                self.standing += 1;
                false
            }
            Err(error) => {
                self.spared += 1;
                said.is_new(&decided.evidence, error)
            }
        }
    }
}
