//! Decisions without a person.

use std::net::IpAddr;

use netsec_common::block::{Action, BlockKey, List, Narrowing, Prefix};
use netsec_common::packet::FlowKey;

use super::{BlockRequest, Desk, DeskError, Evidence, Proof, Ruling};
use crate::connection::{Connection, completed};

/// What is in force for a source.
struct InForce {
    prefix: Prefix,
    id: u64,
    /// Whether it only slows down.
    is_limit: bool,
    /// Whether it was made while nothing was dropped.
    is_trial: bool,
}

impl Desk<'_> {
    /// Decides on what a detector found: the one way by which anything is blocked without a person.
    ///
    /// Passes the guard without force; a source that never completed a handshake may be forged, and is
    /// slowed down instead of blocked; each further offence lasts longer; rate and total are capped.
    ///
    /// # Errors
    ///
    /// Why nothing is done about the source, or no more than is done already.
    pub fn decide(&mut self, evidence: &Evidence) -> Result<Ruling, DeskError> {
        let source = evidence.source.to_canonical();
        let prefix = Prefix::host(source);
        let is_trial = self.is_trial(List::Block);
        let standing = self.in_force(prefix);
        let limited = match standing {
            None => None,
            // A dry run does not change what is enforced.
            Some(InForce {
                prefix,
                id,
                is_limit,
                is_trial: was_trial,
            }) if !is_limit || is_trial && !was_trial => {
                return Err(DeskError::Standing { prefix, id });
            }
            Some(limit) => Some(limit),
        };
        self.state.heed_allowlist();
        self.state.guard.check(prefix, false)?;
        let is_proven = self.is_proven(source, evidence.proof);
        if let (Some(InForce { prefix, id, .. }), false) = (&limited, is_proven) {
            let (prefix, id) = (*prefix, *id);
            return Err(DeskError::Standing { prefix, id });
        }
        let settings = &self.state.policy.settings;
        let packets_per_s = settings.unproven_packets_per_s;
        if !is_proven && packets_per_s == 0 {
            return Err(DeskError::Unproven(source));
        }
        let since = self.now.plus_ns(-settings.forget_after.as_ns());
        // A limit that becomes a block is one offence, of which more is known.
        let before = self.state.book.offences(prefix, since, is_trial);
        let offences = before.saturating_sub(u32::from(limited.is_some()));
        let automatic = self.state.book.automatic();
        self.state
            .caps
            .take(settings, automatic, self.now)
            .map_err(DeskError::Capped)?;
        let request = BlockRequest {
            actor: evidence.detector.clone(),
            reason: evidence.reason.clone(),
            evidence: evidence.ids.clone(),
            packets_per_s: (!is_proven).then_some(packets_per_s),
            lifetime: Some(self.state.policy.lifetime(offences)),
            ..BlockRequest::default()
        };
        let blocked = self.enter(prefix, &request, true)?;
        Ok(Ruling {
            blocked,
            offences,
            is_proven,
        })
    }

    /// Whether [`decide`](Self::decide) would take the source for one that may be forged, by what is
    /// known so far: newer flow counts might show otherwise.
    #[must_use]
    pub fn is_doubtful(&self, evidence: &Evidence) -> bool {
        let source = evidence.source.to_canonical();
        let can_be_shown = match evidence.proof {
            Proof::Connection(_) | Proof::Handshake => true,
            Proof::Given | Proof::None => false,
        };
        can_be_shown
            && self
                .in_force(Prefix::host(source))
                .is_none_or(|standing| standing.is_limit)
            && !self.is_proven(source, evidence.proof)
    }

    /// The widest entry on the blocklist that holds for all packets of a source.
    fn in_force(&self, source: Prefix) -> Option<InForce> {
        let lengths = 0..=source.length();
        let covering = lengths.filter_map(|length| Prefix::new(source.address(), length));
        let mut found = covering.filter_map(|prefix| {
            let key = BlockKey {
                list: List::Block,
                prefix,
                narrowing: Narrowing::Any,
            };
            let wanted = self.live(&key)?;
            Some(InForce {
                prefix,
                id: wanted.block.decision_id,
                is_limit: wanted.block.action != Action::Drop,
                is_trial: wanted.is_trial,
            })
        });
        // A limit somewhere does not hide a block elsewhere.
        let first = found.next()?;
        if !first.is_limit {
            return Some(first);
        }
        Some(found.find(|entry| !entry.is_limit).unwrap_or(first))
    }

    fn is_proven(&self, source: IpAddr, proof: Proof) -> bool {
        match proof {
            Proof::Given => true,
            Proof::None => false,
            Proof::Handshake => self.has_completed(source),
            Proof::Connection(key) => {
                let mut open = self.traffic.connections.touching(Prefix::host(source));
                match open.find(|connection| is_same(&connection.key, &key)) {
                    Some(connection) => completes(&connection, source),
                    None => self.traffic.handshakes.has(source),
                }
            }
        }
    }

    fn has_completed(&self, source: IpAddr) -> bool {
        if self.traffic.handshakes.has(source) {
            return true;
        }
        let mut touching = self.traffic.connections.touching(Prefix::host(source));
        touching.any(|connection| completes(&connection, source))
    }
}

fn completes(connection: &Connection, source: IpAddr) -> bool {
    let (originator, responder) = completed(connection);
    originator && connection.key.source() == source
        || responder && connection.key.destination() == source
}

/// Whether both are the same connection, seen from either end, in whatever VLAN.
fn is_same(one: &FlowKey, other: &FlowKey) -> bool {
    let ends = |key: &FlowKey| {
        let source = (key.source(), key.source_port());
        let destination = (key.destination(), key.destination_port());
        (source.min(destination), source.max(destination))
    };
    one.protocol() == other.protocol() && ends(one) == ends(other)
}
