//! Floods: packets by their number in each second, towards and from each host.

mod class;
mod report;
mod tally;

use std::net::IpAddr;

use self::class::{Class, Counted, classify};
use self::tally::Tally;
use super::Context;
use super::bounded::Bounded;
use super::sighting::Sighting;
use crate::connection::{Activity, KeyHash};

pub(super) use class::AMPLIFIERS;

/// What each host got and sent in the current second.
#[derive(Debug)]
pub(super) struct Floods {
    towards: Bounded<(IpAddr, Class), Tally>,
    from: Bounded<(IpAddr, Class), Tally>,
    /// Incomplete TCP connections of the whole link.
    link: Option<Tally>,
}

impl Floods {
    pub(super) fn new(max: usize, hash: &KeyHash) -> Self {
        Self {
            towards: Bounded::new(max, hash),
            from: Bounded::new(max, hash),
            link: None,
        }
    }

    pub(super) const fn evicted(&self) -> u64 {
        self.towards.evicted() + self.from.evicted()
    }

    pub(super) fn activity(&mut self, activity: &Activity, context: Context<'_>) {
        let Some(counted) = classify(activity) else {
            return;
        };
        let Counted {
            class,
            attacker,
            victim,
            ..
        } = counted;
        let new = || Tally::new(&counted);
        self.towards
            .entry((victim, class), new)
            .add(&counted, attacker, victim);
        if matches!(class, Class::Udp | Class::UdpUnanswered | Class::Icmp) {
            self.from
                .entry((attacker, class), new)
                .add(&counted, victim, attacker);
        }
        if class == Class::Syn {
            let link = self.link.get_or_insert_with(new);
            link.add(&counted, attacker, victim);
        }
        let _ = context;
    }

    pub(super) fn look(&mut self, context: Context<'_>, sightings: &mut Vec<Sighting>) {
        let before = sightings.len();
        for ((host, class), tally) in self.towards.iter() {
            sightings.extend(report::towards(*host, *class, tally, context));
        }
        for ((host, class), tally) in self.from.iter() {
            sightings.extend(report::from(*host, *class, tally, context));
        }
        if let Some(link) = self.link.take().filter(|_| sightings.len() == before) {
            sightings.extend(report::link(&link, context));
        }
        self.towards.clear();
        self.from.clear();
    }
}
