//! Lists, part by part.

use std::time::Duration;

use netsec_common::block::{BlockKey, List, Prefix};

use super::{BlockRequest, Desk, Imported, action, action_name, verb};
use crate::block::Block;
use crate::journal::{Decision, Wanted};

impl Desk<'_> {
    /// Begins a list: one decision for all of it.
    pub fn begin_import(&mut self, list: List, request: &BlockRequest) -> u64 {
        let id = self.state.book.next_id(self.now);
        let until = request.lifetime.map(|lifetime| self.now.plus(lifetime));
        let decision = Decision {
            id,
            time: self.now,
            kind: "import".to_owned(),
            actor: request.actor.clone(),
            reason: request.reason.clone(),
            narrowing: action_name(action(request)),
            until,
            undo: format!("netsec {} del --decision {id}", verb(list)),
            is_trial: self.is_trial(list),
            ..Decision::default()
        };
        self.state.book.put(self.table, decision, &[]);
        id
    }

    /// Ends a list: from here on it is on the disk.
    pub fn end_import(&mut self, id: u64, entries: u64, actor: &str) {
        self.state.book.imported(id, entries, actor, self.now);
    }

    /// Adds a part to a list: prefixes, each with the seconds the list gives it.
    pub fn import(
        &mut self,
        id: u64,
        list: List,
        part: &[(Prefix, Option<Duration>)],
        request: &BlockRequest,
    ) -> Imported {
        let mut imported = Imported {
            id,
            ..Imported::default()
        };
        if list == List::Block {
            self.state.heed_allowlist();
        }
        let is_trial = self.is_trial(list);
        let mut wanted = Vec::new();
        let mut places = Vec::new();
        for (place, (prefix, lifetime)) in part.iter().enumerate() {
            let key = BlockKey {
                list,
                prefix: *prefix,
                narrowing: request.narrowing,
            };
            if let Err(error) = self.admit(&key, request.force) {
                imported.refused.push((place, error.to_string()));
                continue;
            }
            let until = lifetime
                .or(request.lifetime)
                .map(|lifetime| self.now.plus(lifetime));
            places.push(place);
            wanted.push(Wanted {
                block: Block {
                    key,
                    action: action(request),
                    decision_id: id,
                    until,
                },
                is_confirmed: true,
                later: until,
                is_automatic: false,
                is_trial,
            });
        }
        if request.is_dry_run {
            imported.entries = wanted.len() as u64;
            return imported;
        }
        let book = &mut self.state.book;
        let failed = book.put_more(self.table, &wanted, self.now, &request.actor);
        imported.entries = (wanted.len() - failed.len()) as u64;
        // Both are in the order of the part.
        let mut failed = failed.into_iter().peekable();
        for (entry, place) in wanted.iter().zip(places) {
            if let Some((_, error)) = failed.next_if(|(key, _)| *key == entry.block.key) {
                imported.refused.push((place, error.to_string()));
            }
        }
        imported
    }
}
