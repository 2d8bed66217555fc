//! From a second's packets to sightings.

use std::net::IpAddr;
use std::time::Duration;

use super::super::Context;
use super::super::sighting::Sighting;
use super::class::Class;
use super::tally::Tally;
use crate::finding::{Evidence, Party, Severity};
use crate::packet::names;
use netsec_common::packet::protocol;

/// Sources of a scan of ports: more are a flood.
pub(super) const SCANNERS: u64 = 4;
/// Bits that targets of one site have in common; forged targets have fewer.
const SITE_BITS: u8 = 6;

/// What a host is flooded with.
pub(super) fn towards(
    host: IpAddr,
    class: Class,
    tally: &Tally,
    context: Context<'_>,
) -> Option<Sighting> {
    let limit = class.limit(&context.settings.flood);
    let flood = &context.settings.flood;
    let sources = tally.peers.count().min(tally.packets);
    if tally.packets < limit
        || matches!(class, Class::Syn | Class::Stray) && !is_no_scan(tally, context)
        || class == Class::Amplification
            && sources < flood.reflectors
            && tally.packets < flood.udp_unanswered_pps
    {
        return None;
    }
    let mut sighting = attack(class, tally, limit, Some(host), context);
    sighting.victim = host.into();
    Some(sighting)
}

/// What a host, or all of a network, is flooded with, and by whom; the victim is yet to be named.
pub(super) fn attack(
    class: Class,
    tally: &Tally,
    limit: u64,
    host: Option<IpAddr>,
    context: Context<'_>,
) -> Sighting {
    let sources = tally.peers.count().min(tally.packets);
    let spoofed = context.settings.flood.spoofed;
    let forged = tally.packets as f64 <= 2.0 * sources as f64 * (1.0 / spoofed);
    let attacker = match class {
        Class::Reflection | Class::Amplification => Party::Reflectors,
        // Whoever answers pings was pinged in the victim's name (CERT CA-1998-01, "smurf").
        Class::Icmp if tally.replies * 2 >= tally.packets => Party::Reflectors,
        Class::Syn
        | Class::Stray
        | Class::Udp
        | Class::UdpUnanswered
        | Class::Icmp
        | Class::Fragment => {
            match tally.chief() {
                // A host sends nothing to itself through a network (CERT CA-1997-28, "land").
                Some((chief, _)) if Some(chief) == host => Party::Spoofed,
                Some((chief, _)) => Party::Host(chief),
                None if forged && sources > SCANNERS => Party::Spoofed,
                None => Party::Many,
            }
        }
    };
    let mut sighting = sighting(class, tally, limit, context);
    sighting.attacker = attacker;
    sighting.evidence = sighting
        .evidence
        .count("sources", sources)
        .flag("spoofed", attacker == Party::Spoofed);
    let who = match attacker {
        Party::Host(_) => "one source".to_owned(),
        Party::Reflectors => format!("{sources} reflectors"),
        Party::Spoofed if tally.chief().is_some() => "its own address, forged".to_owned(),
        Party::Spoofed => format!("{sources} forged sources"),
        Party::Network(_) | Party::Many => format!("{sources} sources"),
    };
    sighting.message = format!("{} from {who}", sighting.message);
    if let (Class::Amplification, Some((port, _))) = (class, tally.port()) {
        let service = names::service(protocol::UDP, port).unwrap_or("port");
        sighting.message = format!("{}, {service} {port}", sighting.message);
        sighting.evidence = sighting.evidence.count("reflector_port", port.into());
    }
    sighting
}

/// What a host floods many others with; one victim is told by [`towards`].
pub(super) fn from(
    host: IpAddr,
    class: Class,
    tally: &Tally,
    context: Context<'_>,
) -> Option<Sighting> {
    let limit = class.limit(&context.settings.flood);
    if tally.packets < limit || tally.chief().is_some() {
        return None;
    }
    let mut sighting = sighting(class, tally, limit, context);
    let victims = tally.peers.count();
    sighting.attacker = host.into();
    sighting.proven = tally.answered > 0;
    sighting.victim = tally.range.party();
    sighting.evidence = sighting.evidence.count("victims", victims);
    sighting.message = format!("{} to {victims} hosts", sighting.message);
    Some(sighting)
}

/// TCP connections from and to forged addresses that no single host has many of.
pub(super) fn link(tally: &Tally, context: Context<'_>) -> Option<Sighting> {
    let flood = &context.settings.flood;
    let sources = tally.peers.count().min(tally.packets);
    let victims = tally.hosts.count().min(tally.packets);
    let enough = |distinct: u64| distinct as f64 >= flood.spoofed * tally.packets as f64;
    let is_flood = tally.packets >= flood.syn_pps
        && tally.completed <= tally.packets
        && enough(sources)
        && enough(victims)
        && tally.range.prefix_bits() < SITE_BITS;
    is_flood.then(|| {
        let mut sighting = sighting(Class::Syn, tally, flood.syn_pps, context);
        sighting.attacker = Party::Spoofed;
        sighting.evidence = sighting
            .evidence
            .count("sources", sources)
            .count("victims", victims)
            .flag("spoofed", true);
        sighting.message = format!(
            "{} from {} forged sources to {} hosts",
            sighting.message, sources, victims
        );
        sighting
    })
}

/// Whether connections are left incomplete, and those of many sources or to one port: one source
/// that tries many ports scans, and so does one that hides among decoys.
fn is_no_scan(tally: &Tally, context: Context<'_>) -> bool {
    let incomplete = is_incomplete(tally, context);
    let one_port = tally
        .port()
        .is_some_and(|(_, packets)| packets * 2 >= tally.packets);
    incomplete && (one_port || tally.peers.count() > SCANNERS && !has_decoys(tally, context))
}

/// Whether too large a share of connections is left incomplete.
pub(super) fn is_incomplete(tally: &Tally, context: Context<'_>) -> bool {
    let all = (tally.packets + tally.completed) as f64;
    tally.packets as f64 / all >= context.settings.flood.syn_incomplete
}

/// Whether each source tries each port once or twice, as `nmap -D` makes it seem. A flood has a source
/// for each packet, or a few ports for all of them.
fn has_decoys(tally: &Tally, context: Context<'_>) -> bool {
    let ports = tally.ports.count();
    let once = tally.peers.count().saturating_mul(ports);
    ports >= context.settings.scan.ports_medium as u64
        && once <= tally.packets.saturating_mul(2)
        && tally.packets <= once.saturating_mul(2)
}

fn sighting(class: Class, tally: &Tally, limit: u64, context: Context<'_>) -> Sighting {
    let what = match class {
        Class::Syn => "SYN",
        Class::Stray => "TCP segments of no connection",
        Class::Udp | Class::UdpUnanswered => "UDP packets",
        Class::Icmp => "ICMP packets",
        Class::Fragment => "fragments",
        Class::Reflection => "SYN-ACK",
        Class::Amplification => "amplified packets",
    };
    let critical = tally.packets as f64 >= limit as f64 * context.settings.flood.critical;
    let megabits = tally.bytes as f64 * 8.0 / 1e6;
    Sighting {
        kind: class.kind(),
        severity: if critical {
            Severity::Critical
        } else {
            Severity::High
        },
        attacker: Party::Many,
        proven: false,
        victim: Party::Many,
        service: None,
        start: tally.first,
        last: tally.last,
        window: Duration::ZERO,
        evidence: Evidence::new()
            .count("packets_per_second", tally.packets)
            .number("megabits_per_second", megabits)
            .count("limit", limit),
        message: format!("{} {what} a second, {megabits:.1} Mbit/s,", tally.packets),
    }
}
