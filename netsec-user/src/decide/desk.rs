//! Where decisions are asked for.

mod automatic;
mod import;
mod request;
mod state;

use std::net::IpAddr;

use netsec_common::block::{Action, BlockKey, List, Mode, Narrowing, Prefix};

pub use self::request::{BlockRequest, Blocked, DeskError, Evidence, Imported, Proof, Ruling};
pub use self::state::State;
use super::book::Standing;
use super::dropped::DroppedPackets;
use crate::block::{Block, BlockState, Enforcer};
use crate::connection::{ConnectionTable, Handshakes, RecentTraffic};
use crate::correlate::Incidents;
use crate::guard::blast::{Cut, cut};
use crate::journal::{Decision, EventKind, Wanted};
use crate::time::WallTime;

/// What the sensor knows of the traffic at the moment.
#[derive(Clone, Copy, Debug)]
pub struct Traffic<'a> {
    /// Open connections.
    pub connections: &'a ConnectionTable,
    /// Who has completed a handshake.
    pub handshakes: &'a Handshakes,
    /// Bytes of the last minute.
    pub recent: &'a RecentTraffic,
    /// What was dropped.
    pub dropped: &'a DroppedPackets,
    /// What speaks against whom, where somebody gathers it.
    pub incidents: Option<&'a Incidents>,
}

/// Takes decisions at a moment.
#[expect(
    missing_debug_implementations,
    reason = "tables do not show themselves"
)]
pub struct Desk<'a> {
    /// What they rest on.
    pub state: &'a mut State,
    /// Where they take effect.
    pub table: &'a mut dyn Enforcer,
    /// What they would cut.
    pub traffic: Traffic<'a>,
    /// When.
    pub now: WallTime,
}

impl Desk<'_> {
    /// Blocks a prefix for somebody.
    ///
    /// # Errors
    ///
    /// Why it is not blocked.
    pub fn block(&mut self, prefix: Prefix, request: &BlockRequest) -> Result<Blocked, DeskError> {
        self.enter(prefix, request, false)
    }

    /// Allows a prefix: what comes from it passes, whatever is blocked.
    ///
    /// # Errors
    ///
    /// The table's.
    pub fn allow(&mut self, prefix: Prefix, request: &BlockRequest) -> Result<Blocked, DeskError> {
        let until = request.lifetime.map(|lifetime| self.now.plus(lifetime));
        let key = BlockKey {
            list: List::Allow,
            prefix,
            narrowing: Narrowing::Any,
        };
        self.write(key, Action::Drop, until, Cut::default(), request, false)
    }

    /// Takes back what is on a list for a prefix. Gives what the entries did.
    ///
    /// # Errors
    ///
    /// When there is nothing.
    pub fn remove(
        &mut self,
        list: List,
        prefix: Prefix,
        actor: &str,
    ) -> Result<Vec<(Wanted, Option<BlockState>)>, DeskError> {
        let keys = self.state.book.keys_of(list, prefix);
        if keys.is_empty() {
            return Err(DeskError::Unknown(self.nothing(list, prefix)));
        }
        Ok(self.take(&keys, actor))
    }

    /// Takes back all that a decision wants.
    ///
    /// # Errors
    ///
    /// When nothing of it is in force.
    pub fn remove_decision(
        &mut self,
        id: u64,
        actor: &str,
    ) -> Result<Vec<(Wanted, Option<BlockState>)>, DeskError> {
        let keys = self.state.book.keys_by(id);
        if keys.is_empty() {
            return Err(DeskError::Unknown(format!(
                "nothing of decision {id} is in force"
            )));
        }
        Ok(self.take(&keys, actor))
    }

    /// Confirms what was to be confirmed.
    ///
    /// # Errors
    ///
    /// When there is nothing to confirm.
    pub fn confirm(&mut self, id: u64, actor: &str) -> Result<Vec<Wanted>, DeskError> {
        let confirmed = self.state.book.confirm(self.table, id, actor, self.now);
        if confirmed.is_empty() {
            let text = format!("decision {id} has nothing to be confirmed (any more)");
            return Err(DeskError::Unknown(text));
        }
        Ok(confirmed)
    }

    /// What decides on packets of an address, and who decided that.
    #[must_use]
    pub fn why(&self, address: IpAddr) -> Option<Standing> {
        let state = self.table.decisive(address, None, None, self.now)?;
        let wanted = self.state.book.get(&state.block.key).copied();
        Some(Standing {
            wanted: wanted.unwrap_or(Wanted {
                block: state.block,
                is_confirmed: true,
                later: state.block.until,
                is_automatic: false,
                is_trial: false,
            }),
            state: Some(state),
            decision: self.state.book.decision(state.block.decision_id),
        })
    }

    fn enter(
        &mut self,
        prefix: Prefix,
        request: &BlockRequest,
        is_automatic: bool,
    ) -> Result<Blocked, DeskError> {
        let key = BlockKey {
            list: List::Block,
            prefix,
            narrowing: request.narrowing,
        };
        self.state.heed_allowlist();
        self.admit(&key, request.force)?;
        if let (Some(old), Some(_)) = (self.live(&key), request.confirm) {
            let id = old.block.decision_id;
            return Err(DeskError::Exists { prefix, id });
        }
        let lifetime = request
            .lifetime
            .unwrap_or_else(|| self.state.policy.settings.default_for.get());
        let until = self.now.plus(lifetime);
        let (guard, traffic) = (&self.state.guard, &self.traffic);
        let (connections, recent) = (traffic.connections, traffic.recent);
        let cut = cut(
            prefix,
            request.narrowing,
            guard,
            connections,
            recent,
            self.now,
        );
        self.write(
            key,
            action(request),
            Some(until),
            cut,
            request,
            is_automatic,
        )
    }

    fn write(
        &mut self,
        key: BlockKey,
        action: Action,
        until: Option<WallTime>,
        cut: Cut,
        request: &BlockRequest,
        is_automatic: bool,
    ) -> Result<Blocked, DeskError> {
        let is_trial = self.is_trial(key.list);
        let confirm_by = request.confirm.map(|limit| self.now.plus(limit));
        let mut blocked = Blocked {
            id: None,
            wanted: Wanted {
                block: Block {
                    key,
                    action,
                    decision_id: 0,
                    until: confirm_by.or(until),
                },
                is_confirmed: request.confirm.is_none(),
                later: until,
                is_automatic,
                is_trial,
            },
            cut,
            is_verified: false,
        };
        if request.is_dry_run {
            return Ok(blocked);
        }
        let id = self.state.book.next_id(self.now);
        blocked.id = Some(id);
        blocked.wanted.block.decision_id = id;
        let decision = Decision {
            id,
            time: self.now,
            kind: verb(key.list).to_owned(),
            actor: request.actor.clone(),
            reason: request.reason.clone(),
            evidence: request.evidence.clone(),
            prefix: Some(key.prefix),
            narrowing: format!("{}{}", action_name(action), key.narrowing),
            entries: 1,
            until,
            would_cut: cut.to_string(),
            undo: format!("netsec {} del {}", verb(key.list), key.prefix),
            is_trial,
            is_automatic,
        };
        let book = &mut self.state.book;
        let failed = book.put(self.table, decision, &[blocked.wanted]);
        if let Some((_, error)) = failed.first() {
            return Err(DeskError::Table(*error));
        }
        let found = self.table.get(&key);
        blocked.is_verified = found.is_some_and(|state| state.block.decision_id == id);
        Ok(blocked)
    }

    /// Changes what is done with blocked packets. What was decided while none were dropped is discarded
    /// when they are to be; gives how many blocks.
    pub fn set_mode(&mut self, mode: Mode) -> usize {
        let discarded = match mode {
            Mode::Enforce => self.state.book.discard_trials(self.table, self.now),
            Mode::Detect | Mode::DryRun => 0,
        };
        self.table.set_mode(mode);
        discarded
    }

    /// The entry of a key that has not ended.
    fn live(&self, key: &BlockKey) -> Option<&Wanted> {
        let is_live = |old: &&Wanted| old.block.until.is_none_or(|until| until > self.now);
        self.state.book.get(key).filter(is_live)
    }

    /// Whether this may be put on its list: the guard has no objection, and what is decided while
    /// nothing is dropped does not take the place of what was made to be.
    fn admit(&self, key: &BlockKey, force: bool) -> Result<(), DeskError> {
        let prefix = key.prefix;
        if key.list == List::Block {
            self.state.guard.check(prefix, force)?;
        }
        if !self.is_trial(key.list) {
            return Ok(());
        }
        match self.live(key) {
            Some(old) if !old.is_trial => {
                let id = old.block.decision_id;
                Err(DeskError::Enforced { prefix, id })
            }
            _ => Ok(()),
        }
    }

    /// Whether what is decided at the moment drops nothing, and so never shall.
    fn is_trial(&self, list: List) -> bool {
        list == List::Block && self.table.mode() != Mode::Enforce
    }

    fn take(&mut self, keys: &[BlockKey], actor: &str) -> Vec<(Wanted, Option<BlockState>)> {
        let (kind, now) = (EventKind::Removed, self.now);
        let taken = self.state.book.take(self.table, keys, kind, actor, now);
        if taken
            .iter()
            .any(|(wanted, _)| wanted.block.key.list == List::Allow)
        {
            self.state.refresh(self.state.facts.clone(), self.table);
        }
        taken
    }

    /// Says what there is instead.
    fn nothing(&self, list: List, prefix: Prefix) -> String {
        let word = match list {
            List::Block => "blocked",
            List::Allow => "on the allowlist",
        };
        let wider = (0..prefix.length())
            .rev()
            .filter_map(|length| Prefix::new(prefix.address(), length))
            .find(|wider| !self.state.book.keys_of(list, *wider).is_empty());
        match wider {
            Some(wider) => {
                format!("{prefix} is not {word} as such, but {wider} is, which holds it")
            }
            None => format!("{prefix} is not {word}"),
        }
    }
}

fn action(request: &BlockRequest) -> Action {
    request
        .packets_per_s
        .map_or(Action::Drop, |packets_per_s| Action::RateLimit {
            packets_per_s,
        })
}

fn action_name(action: Action) -> String {
    match action {
        Action::Drop => "drop".to_owned(),
        Action::RateLimit { packets_per_s } => format!("limit to {packets_per_s} packets/s"),
    }
}

const fn verb(list: List) -> &'static str {
    match list {
        List::Block => "block",
        List::Allow => "allow",
    }
}

#[cfg(test)]
mod tests;
