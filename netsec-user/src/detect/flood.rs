//! Floods: packets by their number in each second, towards and from each host, and towards networks.

mod class;
mod network;
mod report;
mod tally;

use std::net::IpAddr;
use std::time::Duration;

use indexmap::IndexMap;

use self::class::{Class, Counted, classify};
use self::tally::Tally;
use super::Context;
use super::bounded::Bounded;
use super::network::neighbourhood;
use super::sighting::Sighting;
use crate::connection::{ANSWER_TIME, Activity, KeyHash};
use crate::finding::Party;
use crate::time::WallTime;

pub(super) use class::AMPLIFIERS;

/// Time after a flood in which it is still told of its packets that nobody answered them.
const AFTERMATH: Duration = ANSWER_TIME.saturating_add(Duration::from_secs(2));

/// What each host got and sent in the current second.
#[derive(Debug)]
pub(super) struct Floods {
    towards: Bounded<(IpAddr, Class), Tally>,
    from: Bounded<(IpAddr, Class), Tally>,
    /// Incomplete TCP connections of the whole link.
    link: Option<Tally>,
    /// Ports that are flooded by forged sources, and when they last were.
    flooded: IndexMap<(IpAddr, u16), WallTime>,
}

impl Floods {
    pub(super) fn new(max: usize, hash: &KeyHash) -> Self {
        Self {
            towards: Bounded::new(max, hash),
            from: Bounded::new(max, hash),
            link: None,
            flooded: IndexMap::new(),
        }
    }

    pub(super) const fn evicted(&self) -> u64 {
        self.towards.evicted() + self.from.evicted()
    }

    /// Whether forged connections to this port come by the thousands: each looks like a probe.
    pub(super) fn is_flooded(&self, host: IpAddr, port: u16) -> bool {
        !self.flooded.is_empty() && self.flooded.contains_key(&(host, port))
    }

    pub(super) fn activity(&mut self, activity: &Activity) {
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
            .add(&counted, attacker, None);
        let acts = matches!(class, Class::Udp | Class::UdpUnanswered | Class::Icmp);
        if acts && !counted.is_reply {
            self.from
                .entry((attacker, class), new)
                .add(&counted, victim, None);
        }
        if class == Class::Syn {
            let link = self.link.get_or_insert_with(new);
            link.add(&counted, attacker, Some(victim));
        }
    }

    pub(super) fn look(&mut self, context: Context<'_>, sightings: &mut Vec<Sighting>) {
        let before = sightings.len();
        let now = context.now;
        self.flooded.retain(|_, last| now.since(*last) <= AFTERMATH);
        for ((host, class), tally) in self.towards.iter() {
            let sighting = report::towards(*host, *class, tally, context);
            let forged = sighting
                .as_ref()
                .is_some_and(|s| s.attacker == Party::Spoofed);
            if let (Class::Syn | Class::Stray, true, Some((port, _))) =
                (*class, forged, tally.port())
            {
                self.flooded.insert((*host, port), now);
            }
            sightings.extend(sighting);
        }
        for ((host, class), tally) in self.from.iter() {
            sightings.extend(report::from(*host, *class, tally, context));
        }
        let reported = sightings.iter().skip(before);
        let reported =
            reported.filter_map(|told| Some((told.kind, neighbourhood(told.victim.host()?))));
        sightings.extend(network::look(&self.towards, &reported.collect(), context));
        if let Some(link) = self.link.take().filter(|_| sightings.len() == before) {
            sightings.extend(report::link(&link, context));
        }
        self.towards.clear();
        self.from.clear();
    }
}
