//! The rows of `policy test`.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::net::IpAddr;
use std::time::Duration;

use netsec_user::decide::{Decided, Deed, Evidence, Policy, Proof, Spared};
use netsec_user::log::{Alert, Event, Value};
use netsec_user::output::{Output, RowWriter};
use netsec_user::time::WallTime;

/// Packets, both ways together, of the shortest connection that carries data: SYN, SYN-ACK, ACK, data.
const HANDSHAKE_PACKETS: u64 = 4;

/// Writes a row for each verdict, and counts them.
#[derive(Debug)]
pub(super) struct Verdicts<W: Write> {
    rows: RowWriter<W>,
    /// Whether what is spared is shown, too.
    all: bool,
    reasons: u64,
    blocked: BTreeSet<IpAddr>,
    slowed_down: BTreeSet<IpAddr>,
    spared: BTreeMap<String, u64>,
}

struct Verdict<'a> {
    time: WallTime,
    deed: Deed,
    address: Option<IpAddr>,
    lifetime: Option<Duration>,
    severity: Option<u8>,
    sid: Option<u64>,
    why: String,
    what: &'a str,
}

impl<W: Write> Verdicts<W> {
    pub(super) const fn new(rows: RowWriter<W>, all: bool) -> Self {
        Self {
            rows,
            all,
            reasons: 0,
            blocked: BTreeSet::new(),
            slowed_down: BTreeSet::new(),
            spared: BTreeMap::new(),
        }
    }

    /// An alert without the traffic that it speaks of.
    pub(super) fn alert(
        &mut self,
        event: &Event<'_>,
        alert: &Alert<'_>,
        judged: Result<Evidence, Spared>,
        policy: &Policy,
    ) -> io::Result<()> {
        let limit = policy.settings.unproven_packets_per_s;
        let (deed, address, why) = match judged {
            Err(why) => (Deed::Spare, None, why.to_string()),
            Ok(evidence) => {
                let deed = match (is_two_way(alert, &evidence), limit) {
                    (true, _) => Deed::Block,
                    (false, 0) => Deed::Spare,
                    (false, _) => Deed::Limit,
                };
                (deed, Some(evidence.source), evidence.reason)
            }
        };
        self.write(&Verdict {
            time: event.time,
            deed,
            address,
            lifetime: (deed != Deed::Spare).then(|| policy.lifetime(0)),
            severity: Some(alert.severity),
            sid: Some(alert.sid),
            why,
            what: &alert.signature,
        })
    }

    fn write(&mut self, verdict: &Verdict<'_>) -> io::Result<()> {
        self.reasons += 1;
        match (verdict.deed, verdict.address) {
            (Deed::Block, Some(address)) => {
                self.blocked.insert(address);
            }
            (Deed::Limit, Some(address)) => {
                self.slowed_down.insert(address);
            }
            _ => *self.spared.entry(verdict.why.clone()).or_default() += 1,
        }
        if verdict.deed == Deed::Spare && !self.all {
            return Ok(());
        }
        let count = |n: u64| Value::Count(n);
        let address = verdict.address.map(|address| address.to_string());
        let columns = [
            ("time", Value::Time(verdict.time)),
            ("verdict", Value::Text(verdict.deed.name().into())),
            (
                "address",
                address.map_or(Value::Unset, |text| Value::Text(text.into())),
            ),
            (
                "seconds",
                verdict
                    .lifetime
                    .map_or(Value::Unset, |time| count(time.as_secs())),
            ),
            (
                "severity",
                verdict.severity.map_or(Value::Unset, |n| count(n.into())),
            ),
            ("sid", verdict.sid.map_or(Value::Unset, count)),
            ("why", Value::Text(verdict.why.as_str().into())),
            ("signature", Value::Text(verdict.what.into())),
        ];
        self.rows.row("policy", &columns)
    }

    /// Writes the rest, and sums up on stderr.
    pub(super) fn finish(mut self) -> io::Result<()> {
        self.rows.finish()?;
        let spared: Vec<String> = self
            .spared
            .iter()
            .map(|(why, count)| format!("; {count} spared: {why}"))
            .collect();
        log::info!(
            "{} reasons: {} addresses would be blocked, {} slowed down{}",
            self.reasons,
            self.blocked.len(),
            self.slowed_down.difference(&self.blocked).count(),
            spared.concat()
        );
        Ok(())
    }
}

/// Whether the log's own counts show a TCP connection that carried data.
fn is_two_way(alert: &Alert<'_>, evidence: &Evidence) -> bool {
    let counted = alert.flow.is_some_and(|flow| {
        let (there, back) = (flow.pkts_toserver, flow.pkts_toclient);
        there > 0 && back > 0 && there.saturating_add(back) >= HANDSHAKE_PACKETS
    });
    matches!(evidence.proof, Proof::Connection(_)) && counted
}

impl<W: Write> Output for Verdicts<W> {
    fn decision(&mut self, decided: &Decided) -> io::Result<()> {
        let block = decided.outcome.as_ref().ok();
        let block = block.map(|ruling| ruling.blocked.wanted.block);
        let why = match &decided.outcome {
            Ok(_) => decided.evidence.detector.clone(),
            Err(error) => error
                .to_string()
                .lines()
                .next()
                .unwrap_or_default()
                .to_owned(),
        };
        self.write(&Verdict {
            time: decided.time,
            deed: decided.deed(),
            address: Some(decided.evidence.source),
            lifetime: block
                .and_then(|block| block.until)
                .map(|until| until.since(decided.time)),
            severity: None,
            sid: None,
            why,
            what: &decided.evidence.reason,
        })
    }
}
