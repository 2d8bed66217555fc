//! From a second's packets to sightings.

use std::net::IpAddr;
use std::time::Duration;

use super::super::Context;
use super::super::sighting::Sighting;
use super::class::Class;
use super::tally::Tally;
use crate::finding::{Evidence, Kind, Party, Severity};
use crate::packet::names;
use netsec_common::packet::protocol;

/// Sources of a scan of ports: more are a flood.
const SCANNERS: u64 = 4;
/// Bits that targets of one site have in common; forged targets have fewer.
const SITE_BITS: u8 = 6;

/// What a host is flooded with.
pub(super) fn towards(
    host: IpAddr,
    class: Class,
    tally: &Tally,
    context: Context<'_>,
) -> Option<Sighting> {
    let limit = limit(class, context);
    let flood = &context.settings.flood;
    let sources = tally.peers.count().min(tally.packets);
    if tally.packets < limit
        || class == Class::Syn && !is_syn_flood(tally, context)
        || class == Class::Amplification
            && sources < flood.reflectors
            && tally.packets < flood.udp_unanswered_pps
    {
        return None;
    }
    let forged = tally.packets as f64 <= 2.0 * sources as f64 * (1.0 / flood.spoofed);
    let attacker = match class {
        Class::Reflection | Class::Amplification => Party::Reflectors,
        Class::Syn | Class::Udp | Class::UdpUnanswered | Class::Icmp | Class::Fragment => {
            match tally.chief() {
                Some((chief, _)) => Party::Host(chief),
                None if forged && sources > SCANNERS => Party::Spoofed,
                None => Party::Many,
            }
        }
    };
    let mut sighting = sighting(class, tally, limit, context);
    sighting.attacker = attacker;
    sighting.victim = host.into();
    sighting.evidence = sighting
        .evidence
        .count("sources", sources)
        .flag("spoofed", attacker == Party::Spoofed);
    let who = match attacker {
        Party::Host(_) => "one source".to_owned(),
        Party::Reflectors => format!("{sources} reflectors"),
        Party::Spoofed => format!("{sources} forged sources"),
        Party::Network(_) | Party::Many => format!("{sources} sources"),
    };
    sighting.message = format!("{} from {who}", sighting.message);
    if let (Class::Amplification, Some((port, _))) = (class, tally.port()) {
        let service = names::service(protocol::UDP, port).unwrap_or("port");
        sighting.message = format!("{}, {service} {port}", sighting.message);
        sighting.evidence = sighting.evidence.count("reflector_port", port.into());
    }
    Some(sighting)
}

/// What a host floods many others with; one victim is told by [`towards`].
pub(super) fn from(
    host: IpAddr,
    class: Class,
    tally: &Tally,
    context: Context<'_>,
) -> Option<Sighting> {
    let limit = limit(class, context);
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
/// that tries many ports scans.
fn is_syn_flood(tally: &Tally, context: Context<'_>) -> bool {
    let all = (tally.packets + tally.completed) as f64;
    let incomplete = tally.packets as f64 / all >= context.settings.flood.syn_incomplete;
    let one_port = tally
        .port()
        .is_some_and(|(_, packets)| packets * 2 >= tally.packets);
    incomplete && (one_port || tally.peers.count() > SCANNERS)
}

const fn limit(class: Class, context: Context<'_>) -> u64 {
    let flood = &context.settings.flood;
    match class {
        Class::Syn => flood.syn_pps,
        Class::Udp => flood.udp_pps,
        Class::UdpUnanswered => flood.udp_unanswered_pps,
        Class::Icmp => flood.icmp_pps,
        Class::Fragment => flood.fragment_pps,
        Class::Reflection => flood.reflection_pps,
        Class::Amplification => flood.amplification_pps,
    }
}

fn sighting(class: Class, tally: &Tally, limit: u64, context: Context<'_>) -> Sighting {
    let (kind, what) = match class {
        Class::Syn => (Kind::FloodSyn, "SYN"),
        Class::Udp | Class::UdpUnanswered => (Kind::FloodUdp, "UDP packets"),
        Class::Icmp => (Kind::FloodIcmp, "ICMP packets"),
        Class::Fragment => (Kind::FloodFragment, "fragments"),
        Class::Reflection => (Kind::FloodReflection, "SYN-ACK"),
        Class::Amplification => (Kind::FloodAmplification, "amplified packets"),
    };
    let critical = tally.packets as f64 >= limit as f64 * context.settings.flood.critical;
    let megabits = tally.bytes as f64 * 8.0 / 1e6;
    Sighting {
        kind,
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
