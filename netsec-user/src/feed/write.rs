//! Decisions as CrowdSec reads them.

use std::io::{self, Write};
use std::time::Duration;

use netsec_common::block::Prefix;
use serde::Serialize;

/// One decision on its way to CrowdSec.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CrowdsecDecision<'a> {
    /// netsec's number of the decision.
    pub id: u64,
    /// What is blocked.
    pub prefix: Prefix,
    /// How long from now on; `None` is for good, which CrowdSec does not have: a hundred years.
    pub left: Option<Duration>,
    /// Who decided.
    pub origin: &'a str,
    /// Why.
    pub reason: &'a str,
}

/// What both `cscli decisions import` and the local API's clients read: the former wants `reason`, the
/// latter `scenario`.
#[derive(Serialize)]
struct Line<'a> {
    id: u64,
    origin: &'a str,
    scope: &'a str,
    value: String,
    #[serde(rename = "type")]
    kind: &'a str,
    duration: String,
    scenario: &'a str,
    reason: &'a str,
}

/// Longer than any decision holds, and within what Go's 64-bit nanoseconds hold.
const FOR_GOOD: Duration = Duration::from_secs(100 * 365 * 86_400);

/// Writes decisions as a JSON array, one a line.
#[derive(Debug)]
pub struct CrowdsecWriter<W> {
    out: W,
    is_first: bool,
}

impl<W: Write> CrowdsecWriter<W> {
    /// A writer of an array without elements so far.
    pub const fn new(out: W) -> Self {
        Self {
            out,
            is_first: true,
        }
    }

    /// Writes one decision.
    ///
    /// # Errors
    ///
    /// The writer's.
    pub fn write(&mut self, decision: &CrowdsecDecision<'_>) -> io::Result<()> {
        let before = if std::mem::take(&mut self.is_first) {
            "[\n"
        } else {
            ",\n"
        };
        self.out.write_all(before.as_bytes())?;
        serde_json::to_writer(&mut self.out, &line(decision))?;
        Ok(())
    }

    /// Ends the array.
    ///
    /// # Errors
    ///
    /// The writer's.
    pub fn finish(mut self) -> io::Result<()> {
        let end = if self.is_first { "[\n]\n" } else { "\n]\n" };
        self.out.write_all(end.as_bytes())?;
        self.out.flush()
    }
}

fn line<'a>(decision: &CrowdsecDecision<'a>) -> Line<'a> {
    let prefix = decision.prefix;
    let left = decision.left.unwrap_or(FOR_GOOD).min(FOR_GOOD);
    Line {
        id: decision.id,
        origin: decision.origin,
        scope: if prefix.is_host() { "Ip" } else { "Range" },
        value: prefix.to_string(),
        kind: "ban",
        duration: go_duration(left),
        scenario: decision.reason,
        reason: decision.reason,
    }
}

/// `3h59m45.5s`, as Go prints it. What is left of the last second rounds up: a duration of zero would
/// be over before it began.
fn go_duration(left: Duration) -> String {
    let millis = left.as_nanos().div_ceil(1_000_000);
    let (seconds, millis) = (millis / 1_000, millis % 1_000);
    let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    let fraction = if millis == 0 {
        String::new()
    } else {
        format!(".{millis:03}")
    };
    format!("{hours}h{minutes}m{seconds}{fraction}s")
}
