//! Questions about what is wanted, and about what was decided.

use std::ops::Bound;

use netsec_common::block::{BlockKey, List, Narrowing, Prefix};

use super::{Book, Standing};
use crate::block::Enforcer;
use crate::journal::{Decision, Event, Wanted};
use crate::time::WallTime;

impl Book {
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
        for (key, wanted) in self.wanted.range((start, Bound::Unbounded)) {
            if key.list != list {
                continue;
            }
            if page.len() >= limit {
                break;
            }
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
