//! CrowdSec's decisions in JSON: as `cscli decisions import` takes them, as `cscli decisions list -o
//! json` writes them (inside of alerts), and as the local API sends them to a bouncer (`new` and
//! `deleted`).

use std::io::{self, BufRead};

use serde::Deserialize;

use super::objects::{Found, Objects};
use super::{Counter, FeedSink, duration, printable};

/// Why a decision cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecisionError {
    /// No JSON, or not of a decision's shape.
    #[error("this is no CrowdSec decision: {0}")]
    Shape(String),
    /// Text between the objects.
    #[error("this is outside of any JSON object")]
    Stray,
    /// The file ends too early.
    #[error("the file ends inside of this JSON object")]
    Cut,
    /// An object of many megabytes.
    #[error("the JSON object is too long")]
    TooLong,
    /// A decision without `value`.
    #[error("the decision has no \"value\"")]
    NoValue,
    /// About a country, a user, an AS: not about addresses.
    #[error("the decision's scope is {scope:?}, and netsec decides on addresses: ip and range")]
    Scope {
        /// The scope.
        scope: String,
    },
    /// A captcha and the like.
    #[error("the decision asks for {kind:?}, which a packet filter cannot give; ban it can")]
    Kind {
        /// The type.
        kind: String,
    },
    /// A duration that Go would not read.
    #[error("{text:?} is no duration such as 4h or 3h59m45s")]
    Duration {
        /// What is there.
        text: String,
    },
}

/// A decision, or what holds some.
#[derive(Debug, Deserialize)]
struct Object {
    decisions: Option<Vec<Self>>,
    new: Option<Vec<Self>>,
    deleted: Option<Vec<Self>>,
    value: Option<String>,
    scope: Option<String>,
    duration: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    reason: Option<String>,
    scenario: Option<String>,
    simulated: Option<bool>,
}

/// Reads decisions to the end of the input.
///
/// # Errors
///
/// The input's.
pub(super) fn read(
    input: impl BufRead,
    counter: &mut Counter<'_, impl FeedSink>,
) -> io::Result<()> {
    let mut objects = Objects::new(input);
    while let Some((line, found)) = objects.next()? {
        let (text, error) = match found {
            Found::Object(bytes) => match serde_json::from_slice::<Object>(bytes) {
                Ok(object) => {
                    take(counter, line, &object);
                    continue;
                }
                Err(error) => (
                    String::from_utf8_lossy(bytes).into_owned(),
                    DecisionError::Shape(error.to_string()),
                ),
            },
            Found::Stray(text) => (text, DecisionError::Stray),
            Found::TooLong => (String::new(), DecisionError::TooLong),
            Found::Cut => (String::new(), DecisionError::Cut),
        };
        counter.counts.records += 1;
        counter.invalid(line, &text, error.into());
    }
    Ok(())
}

fn take(counter: &mut Counter<'_, impl FeedSink>, line: u64, object: &Object) {
    let is_list = object.decisions.is_some() || object.new.is_some() || object.deleted.is_some();
    if !is_list {
        return take_decision(counter, line, object);
    }
    for decision in object.decisions.iter().chain(&object.new).flatten() {
        take_decision(counter, line, decision);
    }
    for _ in object.deleted.iter().flatten() {
        counter.counts.records += 1;
        counter.counts.ignored += 1;
    }
}

fn take_decision(counter: &mut Counter<'_, impl FeedSink>, line: u64, decision: &Object) {
    counter.counts.records += 1;
    if decision.simulated == Some(true) {
        counter.counts.ignored += 1;
        return;
    }
    let value = decision.value.as_deref().unwrap_or_default();
    let lifetime = match check(decision) {
        Ok(lifetime) => lifetime,
        Err(error) => return counter.invalid(line, value, error.into()),
    };
    if lifetime.is_some_and(|lifetime| lifetime.is_zero()) {
        // Over already.
        counter.counts.ignored += 1;
        return;
    }
    let reason = decision.scenario.as_deref().or(decision.reason.as_deref());
    if let Err(error) = counter.prefixes(line, value, lifetime, reason) {
        counter.invalid(line, value, error.into());
    }
}

fn check(decision: &Object) -> Result<Option<std::time::Duration>, DecisionError> {
    if decision.value.is_none() {
        return Err(DecisionError::NoValue);
    }
    let scope = decision.scope.as_deref().unwrap_or("ip");
    if !["ip", "range"]
        .iter()
        .any(|known| scope.eq_ignore_ascii_case(known))
    {
        return Err(DecisionError::Scope {
            scope: printable(scope),
        });
    }
    let kind = decision.kind.as_deref().unwrap_or("ban");
    if !kind.eq_ignore_ascii_case("ban") {
        return Err(DecisionError::Kind {
            kind: printable(kind),
        });
    }
    let Some(text) = &decision.duration else {
        return Ok(None);
    };
    let lifetime = duration::parse(text).ok_or_else(|| DecisionError::Duration {
        text: printable(text),
    })?;
    Ok(Some(lifetime))
}
