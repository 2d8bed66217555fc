//! All incidents, bounded.

use std::collections::HashMap;
use std::net::IpAddr;

use netsec_common::packet::FlowKey;
use serde::Deserialize;

use super::evidence::{Evidence, Witness as _};
use super::incident::{Incident, IncidentId};
use super::join::without_vlan;
use super::site::Site;
use crate::connection::Connection;
use crate::event::FlowDelta;

/// When evidence is an incident.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct IncidentSettings {
    /// Risk from which on an offender is reported, 0 to 100.
    pub risk_min: u8,
    /// Offenders that are kept; beyond it the one of the least risk goes.
    pub offenders_max: usize,
}

impl Default for IncidentSettings {
    fn default() -> Self {
        Self {
            risk_min: 20,
            offenders_max: 10_000,
        }
    }
}

/// All incidents.
#[derive(Debug)]
pub struct Incidents {
    settings: IncidentSettings,
    offenders: HashMap<IpAddr, Entry>,
    evicted: u64,
}

#[derive(Debug)]
struct Entry {
    incident: Incident,
    /// Risk that was reported last.
    told: Option<u8>,
}

impl Incidents {
    /// None yet.
    #[must_use]
    pub fn new(settings: IncidentSettings) -> Self {
        Self {
            settings,
            offenders: HashMap::new(),
            evicted: 0,
        }
    }

    /// Takes evidence, and what was counted of its connection, if that is known. Gives the incident
    /// when its risk has passed the limit, or has grown by ten since it was given last.
    pub fn add(
        &mut self,
        evidence: Evidence,
        connection: Option<&Connection>,
    ) -> Option<&Incident> {
        let offender = evidence.offender;
        if !self.offenders.contains_key(&offender) {
            self.make_room();
        }
        let entry = self.offenders.entry(offender).or_insert_with(|| Entry {
            incident: Incident::new(&evidence),
            told: None,
        });
        entry.incident.add(evidence, connection);
        let risk = entry.incident.risk().total();
        let is_news = risk >= self.settings.risk_min
            && entry
                .told
                .is_none_or(|told| risk >= told.saturating_add(10));
        if !is_news {
            return None;
        }
        entry.told = Some(risk);
        Some(&entry.incident)
    }

    /// The incidents at or above the limit, the riskiest first.
    #[must_use]
    pub fn reported(&self) -> Vec<&Incident> {
        let mut incidents: Vec<_> = self
            .offenders
            .values()
            .map(|entry| (entry.incident.risk().total(), &entry.incident))
            .filter(|(risk, _)| *risk >= self.settings.risk_min)
            .collect();
        incidents.sort_by_key(|(risk, incident)| (std::cmp::Reverse(*risk), incident.offender));
        incidents
            .into_iter()
            .map(|(_, incident)| incident)
            .collect()
    }

    /// The incident of an offender, whatever its risk.
    #[must_use]
    pub fn of(&self, offender: IpAddr) -> Option<&Incident> {
        self.offenders.get(&offender).map(|entry| &entry.incident)
    }

    /// The incident of this name.
    #[must_use]
    pub fn named(&self, id: IncidentId) -> Option<&Incident> {
        let mut incidents = self.offenders.values().map(|entry| &entry.incident);
        incidents.find(|incident| incident.id() == id)
    }

    /// Takes what a flow counted, see [`Join::delta`](super::Join::delta): it belongs to the incident
    /// of either end.
    pub fn delta(&mut self, delta: &FlowDelta, oriented: &FlowKey, opened: bool) {
        if delta.packets == 0 || self.offenders.is_empty() {
            return;
        }
        for end in [oriented.source(), oriented.destination()] {
            if let Some(entry) = self.offenders.get_mut(&end) {
                let traffic = &mut entry.incident.traffic;
                traffic.add(delta, &without_vlan(oriented), opened);
            }
        }
    }

    /// Takes a connection that ended. Of an address that nothing else speaks against it is not kept.
    pub fn ended(&mut self, connection: &Connection, site: &Site) {
        if let Some(entry) = self.offenders.get_mut(&connection.key.source())
            && let Some(evidence) = connection.evidence(site)
        {
            entry.incident.add(evidence, None);
        }
    }

    /// Offenders that had to make room.
    #[must_use]
    pub const fn evicted(&self) -> u64 {
        self.evicted
    }

    /// Drops the sixteenth of the offenders with the least risk, so that a flood of forged sources
    /// with one alert each cannot push out one with many.
    fn make_room(&mut self) {
        if self.offenders.len() < self.settings.offenders_max {
            return;
        }
        let mut order: Vec<_> = self
            .offenders
            .values()
            .map(|Entry { incident, .. }| {
                (incident.risk().total(), incident.times.1, incident.offender)
            })
            .collect();
        order.sort_unstable();
        let count = (order.len() / 16).max(1);
        for (_, _, address) in order.into_iter().take(count) {
            self.offenders.remove(&address);
            self.evicted += 1;
        }
    }
}

#[cfg(test)]
mod tests;
