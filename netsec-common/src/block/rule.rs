//! The stage of the engine: what the table says of a packet.

use super::entry::{BlockTime, List, Mode, OnSilence};
use super::filter::{level, met};
use super::guard::is_guarded;
use super::limit::admits;
use super::lookup::{Probe, decisive};
use super::memory::{BlockControl, BlockTable};
use super::shape::{NARROWING_MASK, Subject};
use crate::ledger::{Counter, Row};
use crate::packet::FlowKey;
use crate::sample::Fate;

/// What becomes of a packet: one word, so that it can be returned by a function of the kernel side.
///
/// The entry's index plus one in the low half; above, whether it is dropped, would be in a dry run,
/// and is sampled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ruling(u64);

impl Ruling {
    /// It goes on, and nothing was against it.
    pub const PASS: Self = Self(0);

    const DROPS: u64 = 1 << 32;
    const DRY_RUN: u64 = 1 << 33;
    const SAMPLED: u64 = 1 << 34;

    /// From [`Self::to_word`].
    #[inline(always)]
    #[must_use]
    pub const fn from_word(word: u64) -> Self {
        Self(word)
    }

    /// The word.
    #[inline(always)]
    #[must_use]
    pub const fn to_word(self) -> u64 {
        self.0
    }

    /// Whether the packet is dropped.
    #[inline(always)]
    #[must_use]
    pub const fn drops(self) -> bool {
        self.0 & Self::DROPS != 0
    }

    /// Whether a sample of it is due, whatever else is sampled.
    #[inline(always)]
    #[must_use]
    pub const fn is_sampled(self) -> bool {
        self.0 & Self::SAMPLED != 0
    }

    /// What a sample of it says.
    #[expect(clippy::cast_possible_truncation, reason = "the low half")]
    #[inline(always)]
    pub fn fate<T: BlockTable>(self, table: &T) -> Fate {
        let entry = (self.0 as u32).checked_sub(1);
        let entry = entry.and_then(|index| table.entry(index));
        let decision_id = entry.map_or(0, |entry| entry.decision_id.load());
        match self.0 & (Self::DROPS | Self::DRY_RUN) {
            Self::DROPS => Fate::dropped(decision_id),
            Self::DRY_RUN => Fate::would_drop(decision_id),
            _ => Fate::PASSED,
        }
    }
}

/// What the table has to know of a packet that the filter does not clear: three words, so that they
/// can be passed to a function of the kernel side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Suspect {
    /// Source address as numbers, IPv4-mapped.
    pub source: [u64; 2],
    /// The parts of the filter that were met (5 bits), protocol and port in the places of a key word;
    /// the bits from 40 on are free.
    pub traits: u64,
}

/// Asks mode and filter: `None` for a packet that nothing is against. Nearly every one.
#[inline(always)]
pub fn suspect<T: BlockTable>(table: &T, key: &FlowKey) -> Option<Suspect> {
    let control = table.control()?;
    if control.mode.load() == 0 {
        return None;
    }
    let subject = Subject::of(key);
    let levels = met(table, control, &subject);
    if levels == 0 && control.on_silence() != OnSilence::Closed {
        return None;
    }
    Some(Suspect {
        source: [subject.high, subject.low],
        traits: subject.narrowing | levels,
    })
}

/// As [`suspect`] without the filter, for packets that are rare: what the verifier walks for each way
/// in which a packet can be malformed had better be short.
#[inline(always)]
pub(crate) fn suspect_unfiltered<T: BlockTable>(table: &T, key: &FlowKey) -> Option<Suspect> {
    if table.control()?.mode.load() == 0 {
        return None;
    }
    let subject = Subject::of(key);
    Some(Suspect {
        source: [subject.high, subject.low],
        traits: subject.narrowing | level::ALL,
    })
}

/// Rules on a packet that the filter did not clear, and counts why in `row` and in the entry.
#[inline(always)]
pub fn judge<T: BlockTable>(table: &T, suspect: &Suspect, bytes: u32, row: &Row) -> Ruling {
    let Some(control) = table.control() else {
        return Ruling::PASS;
    };
    let [high, low] = suspect.source;
    let subject = Subject {
        high,
        low,
        narrowing: suspect.traits & NARROWING_MASK,
    };
    let judge = Judge {
        table,
        control,
        row,
        subject: &subject,
        bytes: u64::from(bytes),
    };
    judge.rule(suspect.traits & level::ALL)
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
struct Charge {
    /// [`Probe::NOTHING`] when everything is closed and no entry matched.
    entry: Probe,
    enforced: (Counter, Counter),
    dry_run: (Counter, Counter),
}

impl<T: BlockTable> Judge<'_, T> {
    /// The lookups come first: the verifier walks their loops once for each thing that is known by
    /// then.
    #[inline(always)]
    fn rule(&self, levels: u64) -> Ruling {
        let block = self.decisive(List::Block, levels);
        if !block.is_live() && !self.is_closed() {
            return Ruling::PASS;
        }
        let allow = self.decisive(List::Allow, level::ALL);
        if is_guarded(self.subject) {
            self.count((Counter::SavedByGuard, Counter::SavedByGuardBytes));
            return Ruling::PASS;
        }
        if allow.is_live() {
            self.count((Counter::SavedByAllowlist, Counter::SavedByAllowlistBytes));
            self.count_in(allow);
            return Ruling::PASS;
        }
        let silence = self.control.silence(self.table.now());
        if silence == Some(OnSilence::Open) {
            self.count((Counter::PassedOpen, Counter::PassedOpenBytes));
            return Ruling::PASS;
        }
        match self.charge(block, silence) {
            Some(charge) => self.sentence(&charge),
            None => {
                self.count((Counter::PassedRateLimit, Counter::PassedRateLimitBytes));
                Ruling::PASS
            }
        }
    }

    #[inline(always)]
    fn is_closed(&self) -> bool {
        self.control.silence(self.table.now()) == Some(OnSilence::Closed)
    }

    #[inline(always)]
    fn decisive(&self, list: List, levels: u64) -> Probe {
        decisive(self.table, self.control, list, self.subject, levels, || {
            self.count((Counter::ExpiredSeen, Counter::ExpiredSeenBytes));
        })
    }

    /// `None` for a packet within its entry's rate.
    #[inline(always)]
    fn charge(&self, entry: Probe, silence: Option<OnSilence>) -> Option<Charge> {
        let (enforced, dry_run) = if silence == Some(OnSilence::Closed) {
            (
                (Counter::DroppedClosed, Counter::DroppedClosedBytes),
                (Counter::WouldDropClosed, Counter::WouldDropClosedBytes),
            )
        } else if entry.is_rate_limit() {
            let aside = self.table.aside(entry.index())?;
            let now = self.table.now();
            if admits(aside, self.control.ticks_per_s.load(), now.0) {
                return None;
            }
            (
                (
                    Counter::DroppedByRateLimit,
                    Counter::DroppedByRateLimitBytes,
                ),
                (
                    Counter::WouldDropByRateLimit,
                    Counter::WouldDropByRateLimitBytes,
                ),
            )
        } else {
            (
                (Counter::DroppedByBlock, Counter::DroppedByBlockBytes),
                (Counter::WouldDropByBlock, Counter::WouldDropByBlockBytes),
            )
        };
        Some(Charge {
            entry,
            enforced,
            dry_run,
        })
    }

    #[inline(always)]
    fn sentence(&self, charge: &Charge) -> Ruling {
        let drops = self.control.mode() == Mode::Enforce;
        self.count(if drops {
            charge.enforced
        } else {
            charge.dry_run
        });
        let is_sampled = charge.entry.is_live() && self.count_in(charge.entry);
        let drop = if drops {
            Ruling::DROPS
        } else {
            Ruling::DRY_RUN
        };
        let sampled = if is_sampled { Ruling::SAMPLED } else { 0 };
        Ruling(charge.entry.index_plus_one() | drop | sampled)
    }

    #[inline(always)]
    fn count(&self, (packets, bytes): (Counter, Counter)) {
        self.row.count(packets);
        self.row.add(bytes, self.bytes);
    }

    /// Counts the packet in an entry; true when a sample of it is due. Several CPUs may count in one
    /// entry at a time, so they add, and none is lost.
    #[inline(always)]
    fn count_in(&self, found: Probe) -> bool {
        let Some(entry) = self.table.entry(found.index()) else {
            return false;
        };
        let now = self.table.now();
        let before = entry.packets.load();
        entry.packets.add(1);
        entry.bytes.add(self.bytes);
        entry.last.store(now.0);
        if before == 0
            && let Some(aside) = self.table.aside(found.index())
        {
            aside.first.store(now.0);
        }
        let one_in = self.control.sample_one_in();
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

    /// One in so many packets of each entry is sampled; 0 is none.
    #[inline(always)]
    pub(super) fn sample_one_in(&self) -> u64 {
        self.sample_one_in.load()
    }

    /// Samples the first packet that each entry drops, and then one in `n` of it; 0 is none.
    pub fn set_sample_one_in(&self, n: u32) {
        self.sample_one_in.store(n.into());
    }
}
