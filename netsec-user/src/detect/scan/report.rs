//! From targets to sightings.

use std::net::IpAddr;
use std::time::Duration;

use netsec_common::packet::protocol;

use super::super::Context;
use super::super::network::word;
use super::super::sighting::Sighting;
use super::probe::Technique;
use super::targets::{Seen, Targets};
use super::{Scans, Way, windows};
use crate::finding::{Evidence, Kind, Party, Severity};
use crate::packet::names;
use crate::time::{TimeSpan, WallTime};

/// Vertical scans of one source, or ports of its horizontal ones, from which on they are told as
/// one.
const TOGETHER: u64 = 8;
/// Ports that are named in the evidence.
const NAMED: usize = 16;

impl Scans {
    pub(super) fn vertical_sighting(
        &mut self,
        key: (IpAddr, IpAddr, u8),
        context: Context<'_>,
    ) -> Option<Sighting> {
        let (source, host, number) = key;
        let scan = &context.settings.scan;
        let ports = self.vertical.get(&key)?;
        let is_protocols = number == 0;
        let least = if is_protocols {
            scan.protocols
        } else {
            scan.ports
        };
        let size = Size::of(ports, least, scan.ports_medium, context)?;
        let severity = size.severity(scan.high);
        let what = if is_protocols {
            "IP protocols"
        } else {
            "ports"
        };
        let word_of = if is_protocols {
            String::new()
        } else {
            protocol_name(number)
        };
        let open = ports.open();
        let mut message = format!(
            "{} {word_of}{what} tried{}",
            size.count,
            size.rest(ports, false)
        );
        let name = if is_protocols { "protocols" } else { "ports" };
        let mut evidence = size
            .evidence(ports, name)
            .list("sample", ports.sample(NAMED));
        if !open.is_empty() {
            message = format!("{message} ({})", open.join(", "));
            evidence = evidence.list("open", open);
        }
        let mut sighting = Sighting {
            kind: Kind::ScanVertical,
            severity,
            attacker: source.into(),
            proven: ports.proof.is_some(),
            victim: host.into(),
            service: (!is_protocols).then_some((number, None)),
            start: ports.first,
            last: ports.last,
            window: size.window,
            evidence,
            message,
        };
        let (hosts, victim) =
            self.together(source, Way::Vertical, host, &sighting, windows(context));
        if hosts >= TOGETHER {
            sighting.message = format!("{hosts} hosts, of the last one {}", sighting.message);
            sighting.evidence = sighting.evidence.count("hosts", hosts);
            sighting.victim = victim;
        }
        Some(sighting)
    }

    pub(super) fn horizontal_sighting(
        &mut self,
        key: (IpAddr, u8, u16),
        context: Context<'_>,
    ) -> Option<Sighting> {
        let (source, number, _) = key;
        let hosts = self.horizontal.get(&key)?;
        let scan = &context.settings.scan;
        let least = if is_ping(number) {
            scan.pings
        } else {
            scan.hosts
        };
        let mut sighting = horizontal(key, hosts, least, context)?;
        if sighting.kind == Kind::ScanHorizontal {
            let low = match hosts.hosts.party() {
                Party::Host(host) => host,
                Party::Network(network) => network.network(),
                Party::Spoofed | Party::Reflectors | Party::Many => source,
            };
            let (ports, _) =
                self.together(source, Way::Horizontal, low, &sighting, windows(context));
            if ports >= TOGETHER {
                sighting.message = format!("{ports} ports, on the last one {}", sighting.message);
                sighting.evidence = sighting.evidence.count("ports", ports);
                sighting.service = Some((number, None));
            }
        }
        Some(sighting)
    }

    /// A horizontal scan of one network, by a source that is answered elsewhere, as a proxy is: only
    /// when it is no scan on the whole.
    pub(super) fn near_sighting(
        &self,
        key: (IpAddr, u8, u16, IpAddr),
        context: Context<'_>,
    ) -> Option<Sighting> {
        let (source, number, port, _) = key;
        let all = self.horizontal.get(&(source, number, port));
        let scan = &context.settings.scan;
        if all.is_some_and(|all| Size::of(all, scan.hosts, scan.hosts_medium, context).is_some()) {
            return None;
        }
        let near = self.near.get(&key)?;
        let mut sighting = horizontal((source, number, port), near, scan.hosts_medium, context)?;
        sighting.message.push_str(", in one network");
        Some(sighting)
    }

    /// How many scans of this way the source has made, and of whom.
    fn together(
        &mut self,
        source: IpAddr,
        way: Way,
        host: IpAddr,
        sighting: &Sighting,
        windows: [TimeSpan; 2],
    ) -> (u64, Party) {
        let new = || Targets::new(sighting.start, host);
        let scans = self.sources.entry((source, way), new);
        let target = match way {
            Way::Vertical => word(host),
            Way::Horizontal => u64::from(sighting.service.and_then(|(_, port)| port).unwrap_or(0)),
        };
        let seen = Seen {
            time: sighting.last,
            technique: Technique::Syn,
            outcome: None,
            open: false,
            proof: None,
            packets: 0,
        };
        scans.add(target, host, &seen, windows);
        (scans.count(), scans.hosts.party())
    }
}

/// Hosts that were tried on one port, or pinged.
fn horizontal(
    (source, number, port): (IpAddr, u8, u16),
    hosts: &Targets,
    least: usize,
    context: Context<'_>,
) -> Option<Sighting> {
    let scan = &context.settings.scan;
    let is_sweep = is_ping(number);
    let size = Size::of(hosts, least, scan.hosts_medium, context)?;
    let what = if is_sweep {
        "pinged".to_owned()
    } else {
        let service = names::service(number, port);
        let name = service.map_or_else(String::new, |name| format!(" ({name})"));
        format!("tried on {}port {port}{name}", protocol_name(number))
    };
    let mut severity = size.severity(scan.high);
    if is_sweep && hosts.silent * 2 < hosts.probes {
        // Who knows which hosts there are, as one that watches over them, is not looking for them.
        severity = severity.min(Severity::Medium);
    }
    Some(Sighting {
        kind: if is_sweep {
            Kind::ScanSweep
        } else {
            Kind::ScanHorizontal
        },
        severity,
        attacker: source.into(),
        proven: hosts.proof.is_some(),
        victim: hosts.hosts.party(),
        service: Some((number, (!is_sweep).then_some(port))),
        start: hosts.first,
        last: hosts.last,
        window: size.window,
        evidence: size.evidence(hosts, "hosts"),
        message: format!("{} hosts {what}{}", size.count, size.rest(hosts, is_sweep)),
    })
}

/// How large a scan is.
#[derive(Clone, Copy, Debug)]
struct Size {
    count: u64,
    medium: bool,
    /// The window in which it is seen: the long one for a slow scan.
    window: Duration,
}

impl Size {
    /// The size, when it is one to speak of. Targets count only when at least half of those that the
    /// source tries there fail, as in the random walk of Jung, Paxson, Berger and Balakrishnan (2004),
    /// and few only when most do; many in a day count like many in the window.
    fn of(targets: &Targets, least: usize, medium: usize, context: Context<'_>) -> Option<Self> {
        let scan = &context.settings.scan;
        let fast = targets.within(scan.window, targets.last);
        let slow = targets.within(scan.slow_window, targets.last);
        let [failing, failing_slowly] = targets.is_failing();
        let medium = fast >= medium && failing || slow >= medium && failing_slowly;
        let [answered, _] = targets.answered();
        let mostly_failing = answered.saturating_mul(2) <= fast as u64;
        (medium || fast >= least && mostly_failing).then(|| Self {
            count: targets.count(),
            medium,
            window: if fast >= least {
                scan.window.get()
            } else {
                scan.slow_window.get()
            },
        })
    }

    const fn severity(self, high: usize) -> Severity {
        if self.count >= high as u64 {
            Severity::High
        } else if self.medium {
            Severity::Medium
        } else {
            Severity::Low
        }
    }

    /// ` in 1.2s, SYN: 990 refused, 0 silent, 2 open`; of pings ` in 1.2s, ICMP echo: 9 silent`.
    #[expect(
        clippy::unused_self,
        reason = "reads as one sentence with its neighbours"
    )]
    fn rest(self, targets: &Targets, is_ping: bool) -> String {
        let span = crate::time::Span(targets.last.since(targets.first));
        let silent = targets.silent;
        let came = if is_ping {
            // Whether the last ones are answered is not known yet.
            format!("{silent} silent")
        } else {
            format!("{} refused, {silent} silent", targets.refused)
        };
        let open = match targets.accepted {
            0 => String::new(),
            accepted => format!(", {accepted} open"),
        };
        let techniques = targets.techniques().join(" and ");
        format!(" in {span}, {techniques}: {came}{open}")
    }

    fn evidence(self, targets: &Targets, name: &'static str) -> Evidence {
        let techniques = targets.techniques().into_iter().map(str::to_owned);
        let evidence = Evidence::new()
            .count(name, self.count)
            .number("seconds", seconds(targets.first, targets.last))
            .list("techniques", techniques)
            .count("probes", targets.probes)
            .count("packets", targets.packets)
            .count("refused", targets.refused)
            .count("silent", targets.silent)
            .count("accepted", targets.accepted)
            .count("answered", targets.successes);
        match targets.handshake() {
            Some(handshake) => evidence.text("handshake", &handshake),
            None => evidence,
        }
    }
}

fn seconds(first: WallTime, last: WallTime) -> f64 {
    last.since(first).as_secs_f64()
}

const fn is_ping(number: u8) -> bool {
    matches!(number, protocol::ICMP | protocol::ICMPV6)
}

/// `TCP `.
fn protocol_name(number: u8) -> String {
    names::protocol(number).map_or_else(String::new, |name| format!("{name} "))
}
