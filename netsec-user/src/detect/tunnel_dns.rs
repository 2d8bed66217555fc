//! Data in DNS: names under one domain that are many, long and random, or ask for rare types.
//!
//! Needs the names of questions, so samples of them. The engine samples DNS questions beyond the
//! first packets of a flow when findings are wanted.

mod domain;

use std::net::IpAddr;
use std::time::Duration;

use indexmap::IndexSet;
use netsec_common::packet::protocol;

use self::domain::{is_under, split};
use super::Context;
use super::bounded::{Bounded, Kept};
use super::distinct::Distinct;
use super::settings::TunnelDns;
use super::sighting::Sighting;
use super::statistics::entropy;
use crate::connection::KeyHash;
use crate::finding::{Evidence, Kind, Severity, mix};
use crate::packet::PacketView;
use crate::packet::dns::{PORT, Question};
use crate::time::{Span, WallTime};

/// Record types that carry data of any kind and that hosts hardly ask for: NULL, TXT, KEY, SPF, ANY
/// and the private ones (RFC 6895).
const RARE: [u16; 5] = [10, 16, 25, 99, 255];
const PRIVATE: u16 = 65_280;

/// Names by client and domain.
#[derive(Debug)]
pub(super) struct DnsTunnels {
    domains: Bounded<(IpAddr, String), Names>,
    grown: IndexSet<(IpAddr, String)>,
}

#[derive(Clone, Debug)]
struct Names {
    first: WallTime,
    last: WallTime,
    server: IpAddr,
    questions: u64,
    rare: u64,
    distinct: Distinct,
    /// Characters before the domain, and their entropy times their number, over all questions.
    characters: u64,
    entropy: f64,
    longest: usize,
    example: String,
}

impl Kept for Names {
    fn rank(&self) -> usize {
        usize::try_from(self.distinct.count()).unwrap_or(usize::MAX)
    }

    fn last(&self) -> WallTime {
        self.last
    }
}

impl DnsTunnels {
    pub(super) fn new(max: usize, hash: &KeyHash) -> Self {
        Self {
            domains: Bounded::new(max, hash),
            grown: IndexSet::new(),
        }
    }

    pub(super) const fn evicted(&self) -> u64 {
        self.domains.evicted()
    }

    pub(super) fn packet(&mut self, time: WallTime, view: &PacketView, settings: &TunnelDns) {
        let (Ok(packet), Some(internet)) = (&view.flow, view.internet()) else {
            return;
        };
        let is_question = packet.key.destination_port() == PORT
            && matches!(packet.key.protocol(), protocol::UDP | protocol::TCP);
        let Some(dns) = internet
            .dns
            .as_ref()
            .filter(|dns| is_question && !dns.response)
        else {
            return;
        };
        for question in &dns.questions {
            let ends = (packet.key.source(), packet.key.destination());
            self.question(time, ends, question, settings);
        }
    }

    fn question(
        &mut self,
        time: WallTime,
        (client, server): (IpAddr, IpAddr),
        question: &Question,
        settings: &TunnelDns,
    ) {
        let Some((host, domain)) = split(&question.name) else {
            return;
        };
        let domain = domain.to_ascii_lowercase();
        let ignored = settings.ignore_domains.iter();
        if { ignored }.any(|known| is_under(&domain, known)) {
            return;
        }
        let key = (client, domain);
        let names = self.domains.entry(key.clone(), || Names::new(time, server));
        if time.ns_since(names.first) > settings.window.as_ns() {
            *names = Names::new(time, server);
        }
        names.add(time, server, host, question.kind);
        if names.distinct.count() >= settings.names_rare.min(settings.names) as u64 {
            self.grown.insert(key);
        }
    }

    pub(super) fn look(&mut self, context: Context<'_>, sightings: &mut Vec<Sighting>) {
        for key in std::mem::take(&mut self.grown) {
            if let Some(names) = self.domains.get(&key) {
                sightings.extend(names.sighting(&key, &context.settings.tunnel_dns));
            }
        }
    }
}

impl Names {
    fn new(time: WallTime, server: IpAddr) -> Self {
        Self {
            first: time,
            last: time,
            server,
            questions: 0,
            rare: 0,
            distinct: Distinct::default(),
            characters: 0,
            entropy: 0.0,
            longest: 0,
            example: String::new(),
        }
    }

    fn add(&mut self, time: WallTime, server: IpAddr, host: &str, kind: u16) {
        self.last = self.last.max(time);
        self.first = self.first.min(time);
        self.server = server;
        self.questions += 1;
        self.rare += u64::from(RARE.contains(&kind) || kind >= PRIVATE);
        let bytes = host
            .bytes()
            .map(|byte| u64::from(byte.to_ascii_lowercase()));
        self.distinct.insert(bytes.fold(0, mix));
        self.characters += host.len() as u64;
        self.entropy += entropy(host.as_bytes()) * host.len() as f64;
        if host.len() > self.longest {
            self.longest = host.len();
            self.example = host.chars().take(64).collect();
        }
    }

    fn sighting(
        &self,
        (client, domain): &(IpAddr, String),
        settings: &TunnelDns,
    ) -> Option<Sighting> {
        let distinct = self.distinct.count();
        let length = self.characters as f64 / self.questions.max(1) as f64;
        let entropy = self.entropy / self.characters.max(1) as f64;
        let rare = self.rare as f64 / self.questions.max(1) as f64;
        let like_data = length >= settings.length && entropy >= settings.entropy;
        let many = distinct >= settings.names as u64 && like_data;
        let odd = distinct >= settings.names_rare as u64 && rare >= settings.rare_share;
        let plain = distinct >= settings.names_any as u64;
        if !many && !odd && !plain {
            return None;
        }
        let high = many && rare >= settings.rare_share
            || (many || odd) && distinct >= settings.high as u64;
        let time = self.last.since(self.first);
        Some(Sighting {
            kind: Kind::TunnelDns,
            severity: if high {
                Severity::High
            } else if many || odd {
                Severity::Medium
            } else {
                // A network of servers may have a name for each.
                Severity::Low
            },
            attacker: (*client).into(),
            proven: false,
            victim: self.server.into(),
            service: Some((protocol::UDP, Some(PORT))),
            start: self.first,
            last: self.last,
            window: Duration::ZERO,
            evidence: Evidence::new()
                .text("domain", domain)
                .count("names", distinct)
                .count("questions", self.questions)
                .number("name_length_mean", length)
                .number("entropy_bits", entropy)
                .number("rare_type_share", rare)
                .text("example", &self.example)
                .number("seconds", time.as_secs_f64()),
            message: format!(
                "{distinct} names under {domain} in {}, {length:.0} characters and {entropy:.1} \
                 bits each, {:.0} % TXT, NULL or the like",
                Span(time),
                rare * 100.0
            ),
        })
    }
}
