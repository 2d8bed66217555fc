//! From sightings to findings: one campaign, one finding, with start, updates and end.

use std::net::IpAddr;

use indexmap::IndexMap;

use super::DetectSettings;
use super::sighting::{Sighting, Subject, is_flood};
use crate::finding::{Figure, Finding, Kind, Party, Severity, State, campaign_id};
use crate::time::WallTime;

/// Longest time that a slow campaign is waited for: an hour.
const PATIENCE_MAX_NS: i64 = 3_600_000_000_000;

/// Campaigns that go on.
#[derive(Debug)]
pub(super) struct Campaigns {
    open: IndexMap<Subject, Campaign>,
    max: usize,
    quiet_ns: i64,
    flood_quiet_ns: i64,
    update_ns: i64,
    evicted: u64,
}

#[derive(Clone, Debug)]
struct Campaign {
    id: u64,
    sighting: Sighting,
    /// Looks at which something of it was seen.
    seen: i64,
    /// Longest time between two of them.
    longest_gap_ns: i64,
    told: WallTime,
    told_severity: Severity,
}

impl Campaigns {
    pub(super) fn new(settings: &DetectSettings) -> Self {
        Self {
            open: IndexMap::new(),
            max: settings.campaigns_max,
            quiet_ns: settings.quiet.as_ns(),
            flood_quiet_ns: settings.flood.quiet.as_ns(),
            update_ns: settings.update.as_ns(),
            evicted: 0,
        }
    }

    /// Campaigns that were ended to make room.
    pub(super) const fn evicted(&self) -> u64 {
        self.evicted
    }

    /// Whether this host scans, and how badly.
    pub(super) fn scan_by(&self, attacker: IpAddr) -> Option<Severity> {
        let scans = self.open.iter().filter(|(subject, _)| {
            let is_scan = matches!(
                subject.kind(),
                Kind::ScanVertical | Kind::ScanHorizontal | Kind::ScanSweep
            );
            is_scan && subject.attacker() == Some(attacker)
        });
        scans.map(|(_, campaign)| campaign.sighting.severity).max()
    }

    /// Adds a sighting to its campaign, or begins one.
    pub(super) fn see(&mut self, sighting: Sighting, now: WallTime, mut tell: impl FnMut(Finding)) {
        let subject = sighting.subject();
        if let Some(campaign) = self.open.get_mut(&subject) {
            campaign.seen += 1;
            let was_proven = campaign.sighting.proven;
            campaign.grow(sighting);
            let risen = campaign.sighting.severity > campaign.told_severity;
            // That the attacker is no forgery decides on what may be done about it.
            let is_shown = campaign.sighting.proven && !was_proven;
            if risen || is_shown || now.ns_since(campaign.told) >= self.update_ns {
                campaign.told = now;
                campaign.told_severity = campaign.sighting.severity;
                tell(campaign.finding(State::Update));
            }
            return;
        }
        if self.open.len() >= self.max {
            self.make_room(&mut tell);
        }
        let campaign = Campaign {
            id: campaign_id(
                sighting.kind,
                &sighting.attacker,
                &sighting.victim,
                sighting.service,
                now,
            ),
            seen: 1,
            longest_gap_ns: 0,
            told: now,
            told_severity: sighting.severity,
            sighting,
        };
        tell(campaign.finding(State::Start));
        self.open.insert(subject, campaign);
    }

    /// Ends the campaigns of which nothing was seen for their time.
    pub(super) fn end_quiet(&mut self, now: WallTime, mut tell: impl FnMut(Finding)) {
        let (quiet_ns, flood_quiet_ns) = (self.quiet_ns, self.flood_quiet_ns);
        self.open.retain(|subject, campaign| {
            let limit = if is_flood(subject.kind()) {
                flood_quiet_ns
            } else {
                quiet_ns.max(campaign.patience_ns())
            };
            let quiet = now.since(campaign.sighting.last);
            let keep =
                now.ns_since(campaign.sighting.last) < limit || quiet < campaign.sighting.window;
            if !keep {
                tell(campaign.finding(State::End));
            }
            keep
        });
    }

    /// Ends all campaigns.
    pub(super) fn end_all(&mut self, mut tell: impl FnMut(Finding)) {
        for (_, campaign) in self.open.drain(..) {
            tell(campaign.finding(State::End));
        }
    }

    /// Ends the campaign that was quiet longest.
    fn make_room(&mut self, tell: &mut impl FnMut(Finding)) {
        let quietest = self
            .open
            .iter()
            .min_by_key(|(subject, campaign)| (campaign.sighting.last, **subject))
            .map(|(subject, _)| *subject);
        if let Some(campaign) = quietest.and_then(|subject| self.open.shift_remove(&subject)) {
            self.evicted += 1;
            tell(campaign.finding(State::End));
        }
    }
}

impl Campaign {
    /// Takes the newest figures; what it began with, and the worst it was, stay.
    fn grow(&mut self, newer: Sighting) {
        let gap_ns = newer.last.ns_since(self.sighting.last);
        self.longest_gap_ns = self.longest_gap_ns.max(gap_ns);
        let window = self.sighting.window.max(newer.window);
        let start = self.sighting.start.min(newer.start);
        let last = self.sighting.last.max(newer.last);
        let severity = self.sighting.severity.max(newer.severity);
        let proven = self.sighting.proven || newer.proven;
        // A flood that wanes is still the flood it was: its peak is what counts. So is the strangest
        // of strange connections.
        let keep = weight(&newer) < weight(&self.sighting);
        if !keep {
            self.sighting = newer;
        }
        self.sighting.window = window;
        self.sighting.start = start;
        self.sighting.last = last;
        self.sighting.severity = severity;
        self.sighting.proven = proven;
    }

    /// Three times the longest time between two sightings, or the mean time: a slow scan is one
    /// campaign.
    fn patience_ns(&self) -> i64 {
        let time = self.sighting.last.ns_since(self.sighting.start);
        let gap = self.longest_gap_ns.max(time / self.seen);
        gap.saturating_mul(3).min(PATIENCE_MAX_NS)
    }

    fn finding(&self, state: State) -> Finding {
        let Sighting {
            kind,
            severity,
            attacker,
            proven,
            victim,
            service,
            start,
            last,
            window: _,
            evidence,
            message,
        } = self.sighting.clone();
        let evidence = if kind == Kind::Anomaly {
            evidence.count("connections", self.seen.unsigned_abs())
        } else {
            evidence
        };
        Finding {
            id: self.id,
            kind,
            severity,
            state,
            attacker,
            attacker_proven: proven && matches!(attacker, Party::Host(_)),
            victim,
            service,
            start,
            end: last,
            evidence,
            message,
        }
    }
}

/// What the figures of a flood or an anomaly are worth, to keep the most telling; zero of others,
/// whose newest figures are the ones that count.
fn weight(sighting: &Sighting) -> f64 {
    let name = if is_flood(sighting.kind) {
        "packets_per_second"
    } else if sighting.kind == Kind::Anomaly {
        "score"
    } else {
        return 0.0;
    };
    match sighting.evidence.get(name) {
        Some(Figure::Count(rate)) => *rate as f64,
        Some(Figure::Number(score)) => *score,
        Some(Figure::Text(_) | Figure::List(_) | Figure::Flag(_)) | None => 0.0,
    }
}
