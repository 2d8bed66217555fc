//! `event_type` decision: what became of a reason to block somebody.

use std::net::IpAddr;

use netsec_common::block::Action;
use serde::Serialize;

use super::super::timestamp::EveTime;
use crate::decide::Decided;

/// The line of a decision; `src_ip` is whom it is about.
#[derive(Debug, Serialize)]
pub(super) struct DecisionLine<'a> {
    timestamp: EveTime,
    event_type: &'static str,
    src_ip: IpAddr,
    decision: Body<'a>,
}

#[derive(Debug, Serialize)]
struct Body<'a> {
    /// Number in the journal.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<u64>,
    /// `block`, `limit` or `spare`.
    action: &'static str,
    /// Whether packets are dropped for it.
    enforced: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    packets_per_s: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<EveTime>,
    /// From 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    offence: Option<u32>,
    /// Whether a completed handshake shows that the source is no forgery.
    #[serde(skip_serializing_if = "Option::is_none")]
    proven: Option<bool>,
    detector: &'a str,
    reason: &'a str,
    evidence: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    cuts: Option<String>,
    /// Why nothing was done.
    #[serde(skip_serializing_if = "Option::is_none")]
    spared: Option<String>,
    message: String,
}

impl<'a> DecisionLine<'a> {
    pub(super) fn new(decided: &'a Decided) -> Self {
        let ruling = decided.outcome.as_ref().ok();
        let block = ruling.map(|ruling| ruling.blocked.wanted.block);
        Self {
            timestamp: EveTime(decided.time),
            event_type: "decision",
            src_ip: decided.evidence.source,
            decision: Body {
                id: ruling.and_then(|ruling| ruling.blocked.id),
                action: decided.deed().name(),
                enforced: decided.is_real && ruling.is_some(),
                packets_per_s: block.and_then(|block| match block.action {
                    Action::Drop => None,
                    Action::RateLimit { packets_per_s } => Some(packets_per_s),
                }),
                until: block.and_then(|block| block.until).map(EveTime),
                offence: ruling.map(|ruling| ruling.offences + 1),
                proven: ruling.map(|ruling| ruling.is_proven),
                detector: &decided.evidence.detector,
                reason: &decided.evidence.reason,
                evidence: &decided.evidence.ids,
                cuts: ruling.map(|ruling| ruling.blocked.cut.to_string()),
                spared: decided.outcome.as_ref().err().map(ToString::to_string),
                message: decided.to_string(),
            },
        }
    }
}
