//! Behaviour that no signature sees: scans, floods, guessing, beacons, exfiltration, tunnels.
//!
//! Detectors are told what connections did, second by second of traffic time, and what DNS was
//! asked. They read no clock, so that a replay finds the same at any speed, and they know nothing of
//! CPUs, queues or samples of flows. What each keeps is bounded; what is put out of its memory is
//! counted. They decide nothing: a finding is for eyes, and for those who may act on it.

mod anomaly;
mod beacon;
pub(crate) mod bounded;
mod bruteforce;
mod campaign;
pub(crate) mod distinct;
mod exfiltration;
mod flood;
mod lateral;
mod list;
mod long_connection;
pub(crate) mod network;
mod scan;
pub mod settings;
mod sighting;
mod statistics;
mod suspicious_port;
mod tunnel_dns;
mod tunnel_icmp;

use std::collections::BTreeMap;
use std::time::Duration;

use crate::connection::{Activity, KeyHash};
use crate::finding::{Finding, Kind, State};
use crate::packet::PacketView;
use crate::time::WallTime;

pub use self::anomaly::Strange;
pub use self::list::{DETECTORS, Detector};
pub use self::settings::DetectSettings;
pub use self::suspicious_port::{KnownPorts, SUSPICIOUS_PORTS, suspicious_port};

use self::beacon::Beacons;
use self::bruteforce::Guessing;
use self::campaign::Campaigns;
use self::exfiltration::Exfiltrations;
use self::flood::Floods;
use self::lateral::Movements;
use self::scan::Scans;
use self::sighting::Sighting;
use self::tunnel_dns::DnsTunnels;

/// Time between two looks at what was told.
const SECOND: Duration = Duration::from_secs(1);

/// All detectors, and the campaigns they see.
#[derive(Debug)]
pub struct Detectors {
    settings: DetectSettings,
    /// First traffic.
    began: Option<WallTime>,
    scans: Scans,
    floods: Floods,
    guessing: Guessing,
    beacons: Beacons,
    exfiltrations: Exfiltrations,
    movements: Movements,
    dns_tunnels: DnsTunnels,
    campaigns: Campaigns,
    sightings: Vec<Sighting>,
    totals: BTreeMap<Kind, u64>,
}

/// What a detector may know besides what it is told.
#[derive(Clone, Copy, Debug)]
struct Context<'a> {
    settings: &'a DetectSettings,
    /// First traffic.
    began: WallTime,
    /// Traffic time.
    now: WallTime,
}

/// What the detectors found, and what they had no room for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DetectTotals {
    /// Campaigns begun, by kind.
    pub campaigns: Vec<(Kind, u64)>,
    /// Entries that were put out of memory to make room, by detector.
    pub evicted: Vec<(&'static str, u64)>,
}

impl Detectors {
    /// Detectors that have seen nothing yet. `hash_keys` as for the engine.
    #[must_use]
    pub fn new(settings: DetectSettings, hash_keys: [u32; 10]) -> Self {
        let hash = KeyHash::new(hash_keys);
        Self {
            began: None,
            scans: Scans::new(settings.scan.pairs_max, &hash),
            floods: Floods::new(settings.flood.hosts_max, &hash),
            guessing: Guessing::new(settings.bruteforce.pairs_max, &hash),
            beacons: Beacons::new(settings.beacon.pairs_max, &hash),
            exfiltrations: Exfiltrations::new(settings.exfiltration.pairs_max, &hash),
            movements: Movements::new(settings.lateral_movement.pairs_max, &hash),
            dns_tunnels: DnsTunnels::new(settings.tunnel_dns.pairs_max, &hash),
            campaigns: Campaigns::new(&settings),
            sightings: Vec::new(),
            totals: BTreeMap::new(),
            settings,
        }
    }

    /// Learns what a connection did.
    pub fn activity(&mut self, activity: &Activity) {
        let began = *self.began.get_or_insert(activity.connection.start);
        let context = Context {
            settings: &self.settings,
            began,
            now: activity.connection.end,
        };
        self.floods.activity(activity);
        self.scans.activity(activity, context, &self.floods);
        self.guessing.activity(activity, context);
        self.beacons.activity(activity, context);
        self.exfiltrations.activity(activity, context);
        self.movements.activity(activity, context, &self.campaigns);
        for sighting in [
            long_connection::sighting(activity, context),
            suspicious_port::sighting(activity, context),
            tunnel_icmp::sighting(activity, context),
        ] {
            self.sightings.extend(sighting);
        }
    }

    /// Learns of a packet: what DNS was asked.
    pub fn packet(&mut self, time: WallTime, view: &PacketView) {
        self.dns_tunnels
            .packet(time, view, &self.settings.tunnel_dns);
    }

    /// Learns of a connection that is unlike those that a model was learned from.
    pub fn strange(&mut self, strange: &Strange) {
        self.sightings.push(anomaly::sighting(strange));
    }

    /// Looks at what was told since the last time, up to the last whole second before `now`: to be
    /// called when a second of traffic time has gone by, and all that was counted in it was told.
    pub fn close(&mut self, now: WallTime, findings: &mut Vec<Finding>) {
        let known = findings.len();
        let now = now.whole(SECOND);
        self.look(now);
        self.report(now, findings);
        self.campaigns
            .end_quiet(now, |finding| findings.push(finding));
        self.count(findings.get(known..).unwrap_or_default());
    }

    /// Looks a last time, and ends every campaign.
    pub fn finish(&mut self, now: WallTime, findings: &mut Vec<Finding>) {
        let known = findings.len();
        self.look(now);
        self.report(now, findings);
        self.campaigns.end_all(|finding| findings.push(finding));
        self.count(findings.get(known..).unwrap_or_default());
    }

    /// What was found so far.
    #[must_use]
    pub fn totals(&self) -> DetectTotals {
        let evicted = [
            ("scan", self.scans.evicted()),
            ("flood", self.floods.evicted()),
            ("bruteforce", self.guessing.evicted()),
            ("beacon", self.beacons.evicted()),
            ("exfiltration", self.exfiltrations.evicted()),
            ("lateral_movement", self.movements.evicted()),
            ("tunnel_dns", self.dns_tunnels.evicted()),
            ("campaigns", self.campaigns.evicted()),
        ];
        DetectTotals {
            campaigns: self.totals.iter().map(|(kind, n)| (*kind, *n)).collect(),
            evicted: evicted
                .into_iter()
                .filter(|(_, count)| *count > 0)
                .collect(),
        }
    }

    fn look(&mut self, now: WallTime) {
        let context = Context {
            settings: &self.settings,
            began: self.began.unwrap_or(now),
            now,
        };
        let sightings = &mut self.sightings;
        self.scans.look(context, sightings);
        self.floods.look(context, sightings);
        self.guessing.look(context, sightings);
        self.beacons.look(context, sightings);
        self.exfiltrations.look(context, sightings);
        self.movements.look(context, sightings);
        self.dns_tunnels.look(context, sightings);
    }

    fn report(&mut self, now: WallTime, findings: &mut Vec<Finding>) {
        for sighting in self.sightings.drain(..) {
            if !self.settings.off.contains(&sighting.kind) {
                self.campaigns
                    .see(sighting, now, |finding| findings.push(finding));
            }
        }
    }

    fn count(&mut self, findings: &[Finding]) {
        for finding in findings {
            if finding.state == State::Start {
                *self.totals.entry(finding.kind).or_default() += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests;
