//! Lateral movement: new ways inside the network, on ports that administrators use.

use std::net::IpAddr;
use std::time::Duration;

use super::Context;
use super::bounded::{Bounded, Kept};
use super::campaign::Campaigns;
use super::network::{Range, word};
use super::sighting::Sighting;
use crate::connection::{Activity, KeyHash, Outcome};
use crate::finding::{Evidence, Kind, Severity};
use crate::packet::names;
use crate::time::{Span, WallTime};

/// Hosts of a source whose times are kept.
const HOSTS: usize = 64;

/// Pairs that were seen, and what each source reached anew.
#[derive(Debug)]
pub(super) struct Movements {
    pairs: Bounded<(IpAddr, IpAddr, u16), Known>,
    sources: Bounded<IpAddr, Reached>,
    found: Vec<Sighting>,
}

#[derive(Clone, Copy, Debug)]
struct Known {
    last: WallTime,
    times: usize,
}

#[derive(Clone, Debug)]
struct Reached {
    hosts: Vec<(IpAddr, u16, WallTime)>,
    last: WallTime,
}

impl Kept for Known {
    fn rank(&self) -> usize {
        self.times
    }

    fn last(&self) -> WallTime {
        self.last
    }
}

impl Kept for Reached {
    fn rank(&self) -> usize {
        self.hosts.len()
    }

    fn last(&self) -> WallTime {
        self.last
    }
}

impl Movements {
    pub(super) fn new(max: usize, hash: &KeyHash) -> Self {
        Self {
            pairs: Bounded::new(max, hash),
            sources: Bounded::new(max, hash),
            found: Vec::new(),
        }
    }

    pub(super) const fn evicted(&self) -> u64 {
        self.pairs.evicted() + self.sources.evicted()
    }

    pub(super) fn activity(
        &mut self,
        activity: &Activity,
        context: Context<'_>,
        campaigns: &Campaigns,
    ) {
        let connection = &activity.connection;
        let key = &connection.key;
        let settings = &context.settings.lateral_movement;
        let (source, host, port) = (key.source(), key.destination(), key.destination_port());
        let inside = context.settings.is_home(source) && context.settings.is_home(host);
        if activity.outcome != Some(Outcome::Conversation)
            || !activity.is_handshake()
            || !inside
            || !settings.ports.contains(&port)
        {
            return;
        }
        let now = connection.start;
        let known = self.pairs.entry((source, host, port), || Known {
            last: now,
            times: 0,
        });
        let is_new = known.times == 0 || now.ns_since(known.last) > settings.forget.as_ns();
        known.times = known.times.saturating_add(1);
        known.last = known.last.max(now);
        if !is_new {
            return;
        }
        let reached = self.sources.entry(source, || Reached {
            hosts: Vec::new(),
            last: now,
        });
        reached.last = reached.last.max(now);
        reached
            .hosts
            .retain(|(_, _, time)| now.ns_since(*time) <= settings.window.as_ns());
        if reached.hosts.len() >= HOSTS {
            reached.hosts.remove(0);
        }
        reached.hosts.push((host, port, now));
        if let Some(scan) = campaigns
            .scan_by(source)
            .filter(|scan| *scan > Severity::Low)
        {
            self.found.push(after_scan(activity, scan));
        }
        self.found
            .extend(fan_out(source, &self.sources, context, activity));
    }

    pub(super) fn look(&mut self, _context: Context<'_>, sightings: &mut Vec<Sighting>) {
        sightings.append(&mut self.found);
    }
}

/// A host that scans gets through to another.
fn after_scan(activity: &Activity, scan: Severity) -> Sighting {
    let key = &activity.connection.key;
    let port = key.destination_port();
    let service = names::service(key.protocol(), port).unwrap_or("port");
    Sighting {
        kind: Kind::LateralMovement,
        severity: scan.max(Severity::High),
        attacker: key.source().into(),
        proven: true,
        victim: key.destination().into(),
        service: None,
        start: activity.connection.start,
        last: activity.connection.end,
        window: Duration::ZERO,
        evidence: Evidence::new()
            .count("port", port.into())
            .flag("first_contact", true)
            .text("after", "scan"),
        message: format!("first conversation on {service} {port} by a host that scans"),
    }
}

/// A host that reaches several others for the first time.
fn fan_out(
    source: IpAddr,
    sources: &Bounded<IpAddr, Reached>,
    context: Context<'_>,
    activity: &Activity,
) -> Option<Sighting> {
    let settings = &context.settings.lateral_movement;
    let reached = sources.get(&source)?;
    let mut hosts: Vec<u64> = reached.hosts.iter().map(|(host, ..)| word(*host)).collect();
    hosts.sort_unstable();
    hosts.dedup();
    if hosts.len() < settings.hosts {
        return None;
    }
    let (first_host, _, first) = *reached.hosts.first()?;
    let mut range = Range::new(first_host);
    reached.hosts.iter().for_each(|(host, ..)| range.add(*host));
    let mut ports: Vec<u16> = reached.hosts.iter().map(|(_, port, _)| *port).collect();
    ports.sort_unstable();
    ports.dedup();
    let learning = reached.last.ns_since(context.began) < settings.learn.as_ns();
    let time = reached.last.since(first);
    Some(Sighting {
        kind: Kind::LateralMovement,
        severity: if learning {
            Severity::Low
        } else {
            Severity::Medium
        },
        attacker: source.into(),
        proven: true,
        victim: range.party(),
        service: None,
        start: first,
        last: reached.last.max(activity.connection.end),
        window: Duration::ZERO,
        evidence: Evidence::new()
            .count("new_hosts", hosts.len() as u64)
            .list("ports", ports.iter().map(u16::to_string))
            .number("seconds", time.as_secs_f64())
            .flag("learning", learning),
        message: format!(
            "{} hosts reached for the first time on ports of administrators in {}",
            hosts.len(),
            Span(time)
        ),
    })
}
