//! Questions about what is wanted, and about what was decided.

use std::net::Ipv6Addr;
use std::ops::Bound;

use netsec_common::block::{BlockKey, List, Narrowing, Prefix};

use super::{Book, Standing};
use crate::block::Enforcer;
use crate::journal::{Decision, Event, Wanted};
use crate::time::WallTime;

impl Book {
    /// Entries on a list.
    #[must_use]
    pub fn count(&self, list: List) -> usize {
        // Most entries are blocks.
        let allowed = self.allowed().count();
        match list {
            List::Allow => allowed,
            List::Block => self.wanted.len() - allowed,
        }
    }

    /// Blocks in force that a detector asked for.
    #[must_use]
    pub fn automatic(&self) -> usize {
        self.automatic.len()
    }

    /// When detectors had something blocked within the last minute, the earliest first.
    #[must_use]
    pub fn automatic_lately(&self, now: WallTime, limit: usize) -> Vec<WallTime> {
        let journal = self.journal.as_ref();
        let since = now.plus_ns(-60_000_000_000);
        let found = journal.and_then(|journal| journal.automatic_since(since, limit).ok());
        let mut times = found.unwrap_or_default();
        // A clock that was set back must not hold blocks up for longer.
        times.retain(|time| *time <= now);
        times
    }

    /// The operator's allowlist.
    pub fn allowed(&self) -> impl Iterator<Item = Prefix> {
        let lowest = Prefix::new(Ipv6Addr::UNSPECIFIED.into(), 0);
        let first = lowest.map(|prefix| BlockKey {
            list: List::Allow,
            prefix,
            narrowing: Narrowing::Any,
        });
        let keys = first
            .into_iter()
            .flat_map(|first| self.wanted.range(first..));
        keys.map(|(key, _)| key.prefix)
    }

    /// How often the operator's allowlist has changed.
    #[must_use]
    pub(in crate::decide) const fn allow_changes(&self) -> u64 {
        self.allow_changes
    }

    /// Up to `limit` entries of a list behind a key, in the order of keys.
    #[must_use]
    pub fn page(
        &self,
        list: List,
        after: Option<BlockKey>,
        limit: usize,
        table: &dyn Enforcer,
    ) -> Vec<Standing> {
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        let mut cached: Option<Decision> = None;
        let mut page = Vec::new();
        let entries = self.wanted.range((start, Bound::Unbounded));
        let on_list = entries.skip_while(|(key, _)| key.list < list);
        for (key, wanted) in on_list.take_while(|(key, _)| key.list == list).take(limit) {
            let id = wanted.block.decision_id;
            if cached.as_ref().is_none_or(|decision| decision.id != id) {
                cached = self.decision(id);
            }
            page.push(Standing {
                wanted: *wanted,
                state: table.get(key),
                decision: cached.clone(),
            });
        }
        page
    }

    /// The entries of a prefix, with whatever narrowing.
    pub(in crate::decide) fn keys_of(&self, list: List, prefix: Prefix) -> Vec<BlockKey> {
        let first = BlockKey {
            list,
            prefix,
            narrowing: Narrowing::Any,
        };
        let same = |key: &&BlockKey| key.list == list && key.prefix == prefix;
        let keys = self.wanted.range(first..).map(|(key, _)| key);
        keys.take_while(same).copied().collect()
    }

    /// The entries of a decision.
    pub(in crate::decide) fn keys_by(&self, decision: u64) -> Vec<BlockKey> {
        let of = |entry: &&Wanted| entry.block.decision_id == decision;
        let entries = self.wanted.values().filter(of);
        entries.map(|entry| entry.block.key).collect()
    }

    /// A decision, from the journal or from what waits for it.
    #[must_use]
    pub fn decision(&self, id: u64) -> Option<Decision> {
        let waiting = self.pending.iter().find(|decision| decision.id == id);
        waiting.cloned().or_else(|| {
            let journal = self.journal.as_ref()?;
            journal.decision(id).ok().flatten()
        })
    }

    /// The decisions about an address, the latest first.
    #[must_use]
    pub fn about(&self, prefix: Prefix) -> Vec<Decision> {
        let covers = |decision: &&Decision| decision.prefix.is_some_and(|own| own.covers(prefix));
        let mut found: Vec<_> = self.pending.iter().filter(covers).cloned().collect();
        if let Some(journal) = &self.journal {
            found.extend(journal.about(prefix).unwrap_or_default());
        }
        found.sort_by_key(|decision| std::cmp::Reverse(decision.id));
        found
    }

    /// What became of a decision.
    #[must_use]
    pub fn events(&self, id: u64) -> Vec<Event> {
        let journal = self.journal.as_ref();
        let mut events = journal
            .and_then(|journal| journal.events(id).ok())
            .unwrap_or_default();
        let of = |event: &&Event| event.decision == id;
        events.extend(self.pending_events.iter().filter(of).cloned());
        events
    }

    /// How often this prefix was blocked since a point in time, trials counted or not.
    pub(in crate::decide) fn offences(
        &self,
        prefix: Prefix,
        since: WallTime,
        with_trials: bool,
    ) -> u32 {
        let journal = self.journal.as_ref();
        let recorded =
            journal.and_then(|journal| journal.offences(prefix, since, with_trials).ok());
        let waiting = self.pending.iter().filter(|decision| {
            let counts = decision.kind == "block" && (with_trials || !decision.is_trial);
            counts && decision.prefix == Some(prefix) && decision.time >= since
        });
        let waiting = u32::try_from(waiting.count()).unwrap_or(u32::MAX);
        recorded.unwrap_or_default().saturating_add(waiting)
    }
}
