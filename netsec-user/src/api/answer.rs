//! Requests, answered at a desk.

mod import;
mod view;

use std::time::Duration;

use netsec_common::block::{BlockKey, List, Mode, Narrowing, OnSilence, Prefix};
use netsec_common::packet::protocol;
use netsec_common::sample::Sampling;

use self::import::import;
use self::view::{entry, incident, standing, view};
use super::wire::{
    Added, Answer, Entry, Failure, ImportResult, ListName, PAGE, Request, Status, Terms, Verified,
    Why,
};
use crate::block::OnExit;
use crate::decide::{BlockRequest, Desk, DeskError, Drift};
use crate::feed;
use crate::live::Watched;

/// Most differences that are named.
const NAMED_MAX: usize = 100;

/// What the answer needs that is not on the desk.
#[expect(missing_debug_implementations, reason = "it holds a function")]
pub struct Around<'a> {
    /// What is watched.
    pub watched: &'a Watched,
    /// Changes which packets are sampled; `None` when no agent is there to do it.
    pub set_sampling: Option<&'a mut dyn FnMut(Sampling)>,
    /// Frames refused so far.
    pub bad_frames: u64,
}

/// Serves a request. Who may ask is the caller's to check.
///
/// # Errors
///
/// Why it is not served.
pub fn answer(
    request: &Request,
    desk: &mut Desk<'_>,
    around: &mut Around<'_>,
) -> Result<Answer, Failure> {
    if matches!(request, Request::Status {} | Request::Why { .. }) {
        desk.state.heed_allowlist();
    }
    match request {
        Request::Status {} => Ok(Answer::Status(status(desk, around))),
        Request::Add {
            list,
            prefix,
            terms,
        } => add(desk, *list, prefix, terms, around).map(Answer::Added),
        Request::Delete {
            list,
            prefix,
            decision,
        } => delete(desk, *list, prefix.as_deref(), *decision),
        Request::Confirm { decision } => {
            let confirmed = desk.confirm(*decision, "root").map_err(failure)?;
            let entries = confirmed.iter().map(|wanted| entry(wanted, None, None));
            Ok(Answer::Confirmed(entries.collect()))
        }
        Request::Page { list, after } => {
            let after = after.as_ref().map(|entry| key(*list, entry)).transpose()?;
            let page = desk
                .state
                .book
                .page((*list).into(), after, PAGE, desk.table);
            Ok(Answer::Page(page.iter().map(standing).collect()))
        }
        Request::ImportBegin { list, terms } => {
            let request = block_request(terms)?;
            let decision = desk.begin_import((*list).into(), &request);
            Ok(Answer::Import(ImportResult {
                decision,
                ..ImportResult::default()
            }))
        }
        Request::ImportPart {
            list,
            decision,
            entries,
            terms,
        } => import(desk, *list, *decision, entries, terms),
        Request::ImportEnd { decision, entries } => {
            desk.end_import(*decision, *entries, "root");
            Ok(Answer::Done {})
        }
        Request::Why { subject } => why(desk, subject).map(Answer::Why),
        Request::Verify {} => Ok(Answer::Verified(verify(desk))),
        Request::Mode { mode } => {
            desk.set_mode(parse_mode(mode)?);
            Ok(Answer::Done {})
        }
        Request::Sampling { which, n } => set_sampling(which, *n, around),
    }
}

fn set_sampling(which: &str, n: u32, around: &mut Around<'_>) -> Result<Answer, Failure> {
    let sampling = sampling(which, n)?;
    let Some(set_sampling) = &mut around.set_sampling else {
        return Err(Failure {
            kind: "failed".to_owned(),
            message: "no netsec is running, so nothing is sampled".to_owned(),
        });
    };
    set_sampling(sampling);
    Ok(Answer::Done {})
}

fn status(desk: &Desk<'_>, around: &Around<'_>) -> Status {
    let book = &desk.state.book;
    let usage = desk.table.usage();
    let in_force = desk.table.in_force(desk.now);
    let dead_man = desk.table.dead_man();
    Status {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        agent: around.set_sampling.is_some(),
        hooks: around.watched.hooks.clone(),
        mode: mode_name(in_force.mode).to_owned(),
        silent: in_force
            .silent
            .map(|silence| silence_name(silence).to_owned()),
        on_exit: match around.watched.on_exit {
            OnExit::Detach => "detach".to_owned(),
            OnExit::Keep => "keep".to_owned(),
        },
        silence_s: dead_man.limit.map(|limit| limit.as_secs_f64()),
        on_silence: silence_name(dead_man.on_silence).to_owned(),
        blocks: book.count(List::Block) as u64,
        allowed: book.count(List::Allow) as u64,
        protected: desk.state.guard.protected().count() as u64,
        automatic: book.automatic() as u64,
        table: (usage.entries, usage.capacity),
        refused: usage.refused,
        connections: desk.traffic.connections.len() as u64,
        journal: book.trouble().map(str::to_owned),
        unrecorded: book.unrecorded(),
        repaired: book.repaired(),
        bad_frames: around.bad_frames,
    }
}

fn add(
    desk: &mut Desk<'_>,
    list: ListName,
    text: &str,
    terms: &Terms,
    around: &Around<'_>,
) -> Result<Added, Failure> {
    let prefix = prefix(text)?;
    let request = block_request(terms)?;
    let blocked = match list {
        ListName::Block => desk.block(prefix, &request),
        ListName::Allow => desk.allow(prefix, &request),
    }
    .map_err(failure)?;
    let mut shown = entry(&blocked.wanted, None, None);
    shown.actor.clone_from(&request.actor);
    shown.reason.clone_from(&request.reason);
    shown.in_table = blocked.is_verified;
    Ok(Added {
        entry: shown,
        dry_run: request.is_dry_run,
        verified: blocked.is_verified,
        cuts: blocked.cut.to_string(),
        mode: mode_name(desk.table.mode()).to_owned(),
        interfaces: interfaces(&around.watched.hooks),
        unrecorded: desk.state.book.trouble().map(str::to_owned),
    })
}

/// The names of the interfaces that blocks hold on.
fn interfaces(hooks: &[String]) -> Vec<String> {
    hooks
        .iter()
        .filter_map(|hook| hook.strip_suffix(" ingress"))
        .map(str::to_owned)
        .collect()
}

fn delete(
    desk: &mut Desk<'_>,
    list: ListName,
    text: Option<&str>,
    decision: Option<u64>,
) -> Result<Answer, Failure> {
    let taken = match (text, decision) {
        (Some(text), _) => desk.remove(list.into(), prefix(text)?, "root"),
        (None, Some(id)) => desk.remove_decision(id, "root"),
        (None, None) => return Err(malformed("neither a prefix nor a decision")),
    }
    .map_err(failure)?;
    let shown = taken.iter().take(NAMED_MAX);
    let entries = shown.map(|(wanted, state)| entry(wanted, state.as_ref(), None));
    Ok(Answer::Deleted(entries.collect()))
}

fn why(desk: &Desk<'_>, subject: &str) -> Result<Why, Failure> {
    let incident = incident(desk, subject)?;
    // Of an incident the rest is about its offender.
    let offender = incident
        .as_ref()
        .map(|incident| incident.offender.to_string());
    let subject = offender.as_deref().unwrap_or(subject);
    let mut why = Why {
        subject: subject.to_owned(),
        incident,
        mode: mode_name(desk.table.mode()).to_owned(),
        ..Why::default()
    };
    let book = &desk.state.book;
    let decisions = if let Ok(id) = subject.trim_start_matches('#').parse::<u64>() {
        let decision = book.decision(id).ok_or_else(|| Failure {
            kind: "failed".to_owned(),
            message: format!("there is no decision {id}"),
        })?;
        vec![decision]
    } else {
        let prefix = prefix(subject)?;
        let found = desk.why(prefix.address());
        why.entry = found.as_ref().map(standing);
        why.protected = desk
            .state
            .guard
            .check(prefix, true)
            .err()
            .map(|r| r.to_string());
        let mut decisions = book.about(prefix);
        let by_list = found.and_then(|standing| standing.decision);
        if let Some(decision) = by_list.filter(|one| !decisions.iter().any(|d| d.id == one.id)) {
            decisions.insert(0, decision);
        }
        decisions
    };
    why.history = decisions
        .iter()
        .map(|decision| view(desk, decision))
        .collect();
    Ok(why)
}

fn verify(desk: &Desk<'_>) -> Verified {
    let found = desk.state.book.verify(desk.table, desk.now);
    let name = |drift: &Drift| match drift {
        Drift::Missing => "missing",
        Drift::Unwanted => "unwanted",
        Drift::Differs => "differs",
    };
    let named = found.drift.iter().take(NAMED_MAX);
    Verified {
        compared: found.compared,
        drift: found.drift.len() as u64,
        named: named
            .map(|(key, drift)| (key.prefix.to_string(), name(drift).to_owned()))
            .collect(),
    }
}

fn key(list: ListName, entry: &Entry) -> Result<BlockKey, Failure> {
    Ok(BlockKey {
        list: list.into(),
        prefix: prefix(&entry.prefix)?,
        narrowing: narrowing(entry.protocol, entry.port),
    })
}

fn block_request(terms: &Terms) -> Result<BlockRequest, Failure> {
    let seconds = |seconds: Option<u64>| seconds.map(Duration::from_secs);
    if terms.lifetime_s == Some(0) {
        return Err(malformed("a block for no time"));
    }
    Ok(BlockRequest {
        actor: terms.actor.clone(),
        reason: terms.reason.clone(),
        evidence: Vec::new(),
        narrowing: narrowing(terms.protocol, terms.port),
        packets_per_s: terms.packets_per_s,
        lifetime: seconds(terms.lifetime_s),
        force: terms.force,
        confirm: seconds(terms.confirm_s),
        is_dry_run: terms.dry_run,
    })
}

/// A port without a protocol is one of TCP.
fn narrowing(protocol: Option<u8>, port: Option<u16>) -> Narrowing {
    match (protocol, port) {
        (None, None) => Narrowing::Any,
        (Some(protocol), None) => Narrowing::Protocol(protocol),
        (protocol, Some(port)) => Narrowing::Port {
            protocol: protocol.unwrap_or(protocol::TCP),
            port,
        },
    }
}

fn prefix(text: &str) -> Result<Prefix, Failure> {
    feed::prefix(text).map_err(|error| malformed(&error.to_string()))
}

fn parse_mode(name: &str) -> Result<Mode, Failure> {
    match name {
        "detect" => Ok(Mode::Detect),
        "dry-run" => Ok(Mode::DryRun),
        "enforce" => Ok(Mode::Enforce),
        _ => Err(malformed("the mode is detect, dry-run or enforce")),
    }
}

const fn mode_name(mode: Mode) -> &'static str {
    match mode {
        Mode::Detect => "detect",
        Mode::DryRun => "dry-run",
        Mode::Enforce => "enforce",
    }
}

const fn silence_name(silence: OnSilence) -> &'static str {
    match silence {
        OnSilence::Static => "static",
        OnSilence::Open => "open",
        OnSilence::Closed => "closed",
    }
}

fn sampling(which: &str, n: u32) -> Result<Sampling, Failure> {
    match (which, n) {
        ("off", _) => Ok(Sampling::Off),
        ("all", _) => Ok(Sampling::All),
        ("first", 1..) => Ok(Sampling::FirstOfFlow(n)),
        ("one-in", 1..) => Ok(Sampling::OneIn(n)),
        _ => Err(malformed(
            "sampling is off, all, first or one-in, the latter two with n > 0",
        )),
    }
}

fn failure(error: DeskError) -> Failure {
    let kind = match &error {
        DeskError::Refused(_)
        | DeskError::Capped(_)
        | DeskError::Standing { .. }
        | DeskError::Unproven(_) => "refused",
        DeskError::Table(_)
        | DeskError::Exists { .. }
        | DeskError::Enforced { .. }
        | DeskError::Unknown(_) => "failed",
    };
    Failure {
        kind: kind.to_owned(),
        message: error.to_string(),
    }
}

fn malformed(what: &str) -> Failure {
    Failure {
        kind: "malformed".to_owned(),
        message: what.to_owned(),
    }
}

impl From<ListName> for List {
    fn from(name: ListName) -> Self {
        match name {
            ListName::Block => Self::Block,
            ListName::Allow => Self::Allow,
        }
    }
}
