//! The stage of the engine: what the table says of a packet.

use super::entry::{BlockTime, List, Mode, OnSilence};
use super::filter::{level, met};
use super::guard::is_guarded;
use super::limit::admits;
use super::lookup::{Found, decisive};
use super::memory::{BlockControl, BlockTable};
use super::shape::{Consequence, Subject};
use crate::ledger::{Counter, Row};
use crate::packet::FlowKey;
use crate::sample::Fate;

/// What becomes of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ruling {
    /// Whether it is dropped.
    pub drops: bool,
    /// Whether a sample of it is due, whatever else is sampled.
    pub is_sampled: bool,
    /// What a sample of it says.
    pub fate: Fate,
}

impl Ruling {
    /// It goes on, and nothing was against it.
    pub const PASS: Self = Self {
        drops: false,
        is_sampled: false,
        fate: Fate::PASSED,
    };
}

/// Rules on a packet, and counts why in `row` and in the entry.
#[inline(always)]
pub fn rule<T: BlockTable>(table: &T, key: &FlowKey, bytes: u32, row: &Row) -> Ruling {
    let Some(control) = table.control() else {
        return Ruling::PASS;
    };
    let mode = control.mode();
    if mode == Mode::Detect {
        return Ruling::PASS;
    }
    let subject = Subject::of(key);
    let levels = met(table, control, &subject);
    let may_close = control.on_silence() == OnSilence::Closed;
    if levels == 0 && !may_close {
        return Ruling::PASS;
    }
    let judge = Judge {
        table,
        control,
        row,
        subject: &subject,
        bytes: u64::from(bytes),
    };
    judge.rule(mode, levels)
}

/// One packet before the table.
struct Judge<'a, T> {
    table: &'a T,
    control: &'a BlockControl,
    row: &'a Row,
    subject: &'a Subject,
    bytes: u64,
}

/// What would drop a packet.
struct Charge<'a> {
    /// None when everything is closed.
    entry: Option<Found<'a>>,
    enforced: (Counter, Counter),
    dry_run: (Counter, Counter),
}

impl<T: BlockTable> Judge<'_, T> {
    #[inline(always)]
    fn rule(&self, mode: Mode, levels: u64) -> Ruling {
        let silence = self.control.silence(self.table.now());
        let block = self.decisive(List::Block, levels);
        if block.is_none() && silence != Some(OnSilence::Closed) {
            return Ruling::PASS;
        }
        if is_guarded(self.subject) {
            self.count((Counter::SavedByGuard, Counter::SavedByGuardBytes));
            return Ruling::PASS;
        }
        if let Some(allow) = self.decisive(List::Allow, level::ALL) {
            self.count((Counter::SavedByAllowlist, Counter::SavedByAllowlistBytes));
            self.count_in(&allow);
            return Ruling::PASS;
        }
        if silence == Some(OnSilence::Open) {
            self.count((Counter::PassedOpen, Counter::PassedOpenBytes));
            return Ruling::PASS;
        }
        match self.charge(block, silence) {
            Some(charge) => self.sentence(mode, &charge),
            None => {
                self.count((Counter::PassedRateLimit, Counter::PassedRateLimitBytes));
                Ruling::PASS
            }
        }
    }

    #[inline(always)]
    fn decisive(&self, list: List, levels: u64) -> Option<Found<'_>> {
        decisive(self.table, self.control, list, self.subject, levels, || {
            self.count((Counter::ExpiredSeen, Counter::ExpiredSeenBytes));
        })
    }

    /// `None` for a packet within its entry's rate.
    #[inline(always)]
    fn charge<'a>(
        &self,
        block: Option<Found<'a>>,
        silence: Option<OnSilence>,
    ) -> Option<Charge<'a>> {
        if silence == Some(OnSilence::Closed) {
            return Some(Charge {
                entry: block,
                enforced: (Counter::DroppedClosed, Counter::DroppedClosedBytes),
                dry_run: (Counter::WouldDropClosed, Counter::WouldDropClosedBytes),
            });
        }
        let entry = block?;
        if entry.consequence != Consequence::RateLimit {
            return Some(Charge {
                entry: block,
                enforced: (Counter::DroppedByBlock, Counter::DroppedByBlockBytes),
                dry_run: (Counter::WouldDropByBlock, Counter::WouldDropByBlockBytes),
            });
        }
        let aside = self.table.aside(entry.index)?;
        let now = self.table.now();
        if admits(aside, self.control.ticks_per_s.load(), now.0) {
            return None;
        }
        Some(Charge {
            entry: block,
            enforced: (
                Counter::DroppedByRateLimit,
                Counter::DroppedByRateLimitBytes,
            ),
            dry_run: (
                Counter::WouldDropByRateLimit,
                Counter::WouldDropByRateLimitBytes,
            ),
        })
    }

    #[inline(always)]
    fn sentence(&self, mode: Mode, charge: &Charge<'_>) -> Ruling {
        let drops = mode == Mode::Enforce;
        self.count(if drops {
            charge.enforced
        } else {
            charge.dry_run
        });
        let (decision_id, is_sampled) = match &charge.entry {
            Some(entry) => (entry.decision_id, self.count_in(entry)),
            None => (0, false),
        };
        Ruling {
            drops,
            is_sampled,
            fate: if drops {
                Fate::dropped(decision_id)
            } else {
                Fate::would_drop(decision_id)
            },
        }
    }

    #[inline(always)]
    fn count(&self, (packets, bytes): (Counter, Counter)) {
        self.row.count(packets);
        self.row.add(bytes, self.bytes);
    }

    /// Counts the packet in an entry; true when a sample of it is due. Several CPUs may count in one
    /// entry at a time, so they add, and none is lost.
    #[inline(always)]
    fn count_in(&self, found: &Found<'_>) -> bool {
        let now = self.table.now();
        let before = found.entry.packets.load();
        found.entry.packets.add(1);
        found.entry.bytes.add(self.bytes);
        found.entry.last.store(now.0);
        if before == 0
            && let Some(aside) = self.table.aside(found.index)
        {
            aside.first.store(now.0);
        }
        let one_in = self.control.sample_one_in.load();
        one_in != 0 && before % one_in == 0
    }
}

impl BlockControl {
    /// The mode in force; an unknown one is [`Mode::Detect`].
    #[inline(always)]
    #[must_use]
    pub fn mode(&self) -> Mode {
        match self.mode.load() {
            1 => Mode::DryRun,
            2 => Mode::Enforce,
            _ => Mode::Detect,
        }
    }

    /// Changes the mode, from the next packet on.
    pub fn set_mode(&self, mode: Mode) {
        self.mode.store(match mode {
            Mode::Detect => 0,
            Mode::DryRun => 1,
            Mode::Enforce => 2,
        });
    }

    /// What holds when the agent falls silent; an unknown value is [`OnSilence::Static`].
    #[inline(always)]
    #[must_use]
    pub fn on_silence(&self) -> OnSilence {
        match self.on_silence.load() {
            1 => OnSilence::Open,
            2 => OnSilence::Closed,
            _ => OnSilence::Static,
        }
    }

    /// Ticks without a heartbeat that are too many; 0 is never.
    #[must_use]
    pub fn limit_ticks(&self) -> u64 {
        self.limit_ticks.load()
    }

    /// Changes what holds when the agent falls silent for more than so many ticks; 0 is never.
    pub fn set_silence(&self, limit_ticks: u64, on_silence: OnSilence) {
        self.limit_ticks.store(limit_ticks);
        self.on_silence.store(match on_silence {
            OnSilence::Static => 0,
            OnSilence::Open => 1,
            OnSilence::Closed => 2,
        });
    }

    /// When the agent was last heard of.
    #[must_use]
    pub fn last_heartbeat(&self) -> BlockTime {
        BlockTime(self.heartbeat.load())
    }

    /// Says that the agent is alive.
    pub fn beat(&self, now: BlockTime) {
        self.heartbeat.store(now.0);
    }

    /// What holds, when the agent has been silent for too long.
    #[inline(always)]
    #[must_use]
    pub fn silence(&self, now: BlockTime) -> Option<OnSilence> {
        let limit = self.limit_ticks.load();
        let silent = now.0.saturating_sub(self.heartbeat.load());
        (limit != 0 && silent > limit).then(|| self.on_silence())
    }

    /// Samples the first packet that each entry drops, and then one in `n` of it; 0 is none.
    pub fn set_sample_one_in(&self, n: u32) {
        self.sample_one_in.store(n.into());
    }
}
