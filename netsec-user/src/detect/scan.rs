//! Scans: ports, hosts and protocols that are tried without success.

mod probe;
mod report;
mod targets;

use std::net::IpAddr;

use indexmap::IndexSet;

use self::probe::{Probe, Target, probe};
use self::targets::Targets;
use super::Context;
use super::bounded::Bounded;
use super::flood::Floods;
use super::network::{neighbourhood, word};
use super::sighting::Sighting;
use crate::connection::{Activity, KeyHash, Outcome};
use crate::time::TimeSpan;

/// Sources of campaigns that are kept, to see that one of them goes through many hosts or ports.
const SOURCES_MAX: usize = 1024;

/// The share of kept pairs that is kept by network.
const NEAR_SHARE: usize = 4;

/// What was tried, by whom.
#[derive(Debug)]
pub(super) struct Scans {
    /// Ports, by source, host and protocol; protocols under protocol zero.
    vertical: Bounded<(IpAddr, IpAddr, u8), Targets>,
    /// Hosts, by source, protocol and port (or ICMP type).
    horizontal: Bounded<(IpAddr, u8, u16), Targets>,
    /// The same within one network: what fails there is not outweighed by what succeeds elsewhere.
    near: Bounded<(IpAddr, u8, u16, IpAddr), Targets>,
    /// What became larger since the last look.
    grown: IndexSet<Grown>,
    /// What scanners scan: hosts of vertical and ports of horizontal scans.
    sources: Bounded<(IpAddr, Way), Targets>,
}

/// What a scan goes through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Way {
    Vertical,
    Horizontal,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Grown {
    Vertical(IpAddr, IpAddr, u8),
    Horizontal(IpAddr, u8, u16),
    Near(IpAddr, u8, u16, IpAddr),
}

impl Scans {
    pub(super) fn new(max: usize, hash: &KeyHash) -> Self {
        Self {
            vertical: Bounded::new(max, hash),
            horizontal: Bounded::new(max, hash),
            near: Bounded::new(max / NEAR_SHARE, hash),
            grown: IndexSet::new(),
            sources: Bounded::new(SOURCES_MAX, hash),
        }
    }

    pub(super) const fn evicted(&self) -> u64 {
        self.vertical.evicted() + self.horizontal.evicted() + self.near.evicted()
    }

    pub(super) fn activity(&mut self, activity: &Activity, context: Context<'_>, floods: &Floods) {
        if let Some(probe) = probe(activity) {
            // A flood must not push scanners out of memory.
            let key = &activity.connection.key;
            if !floods.is_flooded(key.destination(), key.destination_port()) {
                self.add(activity, &probe, context);
            }
        } else if activity.outcome == Some(Outcome::Conversation) {
            self.succeed(activity, context);
        }
        if activity.is_glance() {
            self.prove(activity, context);
        }
    }

    fn add(&mut self, activity: &Activity, probe: &Probe, context: Context<'_>) {
        let connection = &activity.connection;
        let key = &connection.key;
        let (source, host) = (key.source(), key.destination());
        let scan = &context.settings.scan;
        let windows = windows(context);
        let seen = targets::Seen {
            time: connection.start,
            technique: probe.technique,
            outcome: activity.outcome,
            open: activity.outcome == Some(Outcome::Empty) && activity.is_handshake(),
            proof: activity.is_proven().then_some(*key),
            packets: connection.originator.packets,
        };
        let new = || Targets::new(connection.start, host);
        match probe.target {
            Target::Port(protocol, port) => {
                let ports = self.vertical.entry((source, host, protocol), new);
                ports.add(port.into(), host, &seen, windows);
                if ports.within(scan.slow_window, connection.start) >= scan.ports {
                    self.grown.insert(Grown::Vertical(source, host, protocol));
                }
                let hosts = self.horizontal.entry((source, protocol, port), new);
                hosts.add(word(host), host, &seen, windows);
                if hosts.within(scan.slow_window, connection.start) >= scan.hosts {
                    self.grown.insert(Grown::Horizontal(source, protocol, port));
                }
                // Without a success there is nothing that hides the scan, and a forged flood no room to take.
                if hosts.successes > 0 {
                    self.add_near((source, protocol, port), host, &seen, context);
                }
            }
            Target::Protocol(protocol) => {
                let protocols = self.vertical.entry((source, host, 0), new);
                protocols.add(protocol.into(), host, &seen, windows);
                if protocols.within(scan.slow_window, connection.start) >= scan.protocols {
                    self.grown.insert(Grown::Vertical(source, host, 0));
                }
            }
            Target::Host(protocol, kind) => {
                let hosts = self.horizontal.entry((source, protocol, kind), new);
                hosts.add(word(host), host, &seen, windows);
                if hosts.within(scan.slow_window, connection.start) >= scan.pings {
                    self.grown.insert(Grown::Horizontal(source, protocol, kind));
                }
            }
        }
    }

    fn add_near(
        &mut self,
        (source, protocol, port): (IpAddr, u8, u16),
        host: IpAddr,
        seen: &targets::Seen,
        context: Context<'_>,
    ) {
        let scan = &context.settings.scan;
        let network = neighbourhood(host);
        let new = || Targets::new(seen.time, host);
        let near = self.near.entry((source, protocol, port, network), new);
        near.add(word(host), host, seen, windows(context));
        if near.within(scan.slow_window, seen.time) >= scan.hosts_medium {
            self.grown
                .insert(Grown::Near(source, protocol, port, network));
        }
    }

    /// A conversation speaks for a host that was under suspicion: once for each port or host.
    fn succeed(&mut self, activity: &Activity, context: Context<'_>) {
        let time = activity.connection.start;
        let key = &activity.connection.key;
        let (source, protocol) = (key.source(), key.protocol());
        let (host, port) = (key.destination(), key.destination_port());
        let windows = windows(context);
        if let Some(ports) = self.vertical.get_mut(&(source, host, protocol)) {
            ports.succeed(port.into(), time, windows);
        }
        if let Some(hosts) = self.horizontal.get_mut(&(source, protocol, port)) {
            hosts.succeed(word(host), time, windows);
        }
        let near = (source, protocol, port, neighbourhood(host));
        if let Some(hosts) = self.near.get_mut(&near) {
            hosts.succeed(word(host), time, windows);
        }
    }

    /// Whoever looks at an open port, and says nothing there, has shown who scans. Another connection
    /// shows nothing: probes can be forged in the name of a client that is served meanwhile.
    fn prove(&mut self, activity: &Activity, context: Context<'_>) {
        let (connection, window) = (&activity.connection, context.settings.scan.window);
        let (key, now) = (connection.key, connection.end);
        let (source, host, protocol) = (key.source(), key.destination(), key.protocol());
        let ports = self.vertical.get_mut(&(source, host, protocol));
        if ports.is_some_and(|ports| ports.prove(key, now, window)) {
            self.grown.insert(Grown::Vertical(source, host, protocol));
        }
        let port = key.destination_port();
        let hosts = self.horizontal.get_mut(&(source, protocol, port));
        if hosts.is_some_and(|hosts| hosts.prove(key, now, window)) {
            self.grown.insert(Grown::Horizontal(source, protocol, port));
        }
        let network = neighbourhood(host);
        let hosts = self.near.get_mut(&(source, protocol, port, network));
        if hosts.is_some_and(|hosts| hosts.prove(key, now, window)) {
            self.grown
                .insert(Grown::Near(source, protocol, port, network));
        }
    }

    pub(super) fn look(&mut self, context: Context<'_>, sightings: &mut Vec<Sighting>) {
        for grown in std::mem::take(&mut self.grown) {
            let sighting = match grown {
                Grown::Vertical(source, host, protocol) => {
                    self.vertical_sighting((source, host, protocol), context)
                }
                Grown::Horizontal(source, protocol, port) => {
                    self.horizontal_sighting((source, protocol, port), context)
                }
                Grown::Near(source, protocol, port, network) => {
                    self.near_sighting((source, protocol, port, network), context)
                }
            };
            sightings.extend(sighting);
        }
    }
}

/// The usual window, and the one for slow scans.
const fn windows(context: Context<'_>) -> [TimeSpan; 2] {
    let scan = &context.settings.scan;
    [scan.window, scan.slow_window]
}
