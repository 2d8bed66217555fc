//! Floods spread over a network, so little to each host that none of them is flooded: "carpet bombing".

use std::net::IpAddr;

use indexmap::{IndexMap, IndexSet};

use super::super::Context;
use super::super::bounded::Bounded;
use super::super::network::neighbourhood;
use super::super::sighting::Sighting;
use super::class::Class;
use super::report::{self, SCANNERS};
use super::tally::Tally;
use crate::finding::Kind;

/// Packets to a port of a host within a second from which on it is not looked for: the first that is
/// repeated comes after a second (RFC 6298), and scanners wait longer than that at their fastest.
const TRIES: u64 = 4;

/// Networks that are named.
const NAMED: usize = 8;

/// What a second brought to each host.
type Hosts = Bounded<(IpAddr, Class), Tally>;

/// What hosts of one network, or of several, got together.
#[derive(Debug)]
struct Carpet {
    tally: Tally,
    victims: u64,
    /// Ports of hosts.
    targets: u64,
}

/// Networks of which no host is `reported`, but all together get so many times more than one host may.
/// Nothing is counted for it while connections are told: the hosts' tallies are added up, and only of
/// classes and networks that have enough packets.
pub(super) fn look(
    hosts: &Hosts,
    reported: &IndexSet<(Kind, IpAddr)>,
    context: Context<'_>,
) -> Vec<Sighting> {
    let flood = &context.settings.flood;
    let limit = |class: Class| class.limit(flood).saturating_mul(flood.network_factor);
    let mut whole = Class::ALL.map(|class| (class, 0));
    for ((_, class), tally) in hosts.iter() {
        if let Some((_, packets)) = whole.iter_mut().find(|(of, _)| of == class) {
            *packets += tally.packets;
        }
    }
    let enough = whole.map(|(class, packets)| (packets >= limit(class)).then_some(class));
    if enough == [None; Class::ALL.len()] {
        return Vec::new();
    }
    let below = || {
        hosts.iter().filter(|((_, class), tally)| {
            enough.contains(&Some(*class)) && tally.packets < class.limit(flood)
        })
    };
    let mut sums: IndexMap<(Class, IpAddr), u64> = IndexMap::new();
    for ((host, class), tally) in below() {
        *sums.entry((*class, neighbourhood(*host))).or_default() += tally.packets;
    }
    sums.retain(|(class, network), packets| {
        *packets >= limit(*class) && !reported.contains(&(class.kind(), *network))
    });
    let mut networks: IndexMap<(Class, IpAddr), Carpet> = IndexMap::new();
    for ((host, class), tally) in below() {
        let network = (*class, neighbourhood(*host));
        if sums.contains_key(&network) {
            let carpet = networks.entry(network);
            carpet.or_insert_with(|| Carpet::new(tally)).add(tally);
        }
    }
    networks.retain(|(class, _), carpet| carpet.is_flood(*class, context));
    let sighted = |class| sighting(class, &networks, limit(class), context);
    Class::ALL.into_iter().filter_map(sighted).collect()
}

/// One sighting of all networks that are flooded in the same way: a larger network is one victim.
fn sighting(
    class: Class,
    networks: &IndexMap<(Class, IpAddr), Carpet>,
    limit: u64,
    context: Context<'_>,
) -> Option<Sighting> {
    let flooded = || networks.iter().filter(|((of, _), _)| *of == class);
    let (_, first) = flooded().next()?;
    let mut all = Carpet::new(&first.tally);
    for (_, carpet) in flooded() {
        all.merge(carpet);
    }
    let mut named: Vec<IpAddr> = flooded().map(|((_, network), _)| *network).collect();
    named.sort_unstable();
    let count = named.len() as u64;
    let named = named.iter().take(NAMED).map(|network| match network {
        IpAddr::V4(_) => format!("{network}/24"),
        IpAddr::V6(_) => format!("{network}/64"),
    });
    let mut sighting = report::attack(class, &all.tally, limit, None, context);
    sighting.victim = all.tally.range.party();
    sighting.evidence = sighting
        .evidence
        .count("victims", all.victims)
        .count("networks", count)
        .list("network_sample", named);
    let spread = match count {
        1 => format!("{} hosts of a network", all.victims),
        _ => format!("{} hosts of {count} networks", all.victims),
    };
    sighting.message = format!("{} to {spread}", sighting.message);
    Some(sighting)
}

impl Carpet {
    /// Nothing yet, of a network in which this is a host.
    fn new(host: &Tally) -> Self {
        Self {
            tally: host.emptied(),
            victims: 0,
            targets: 0,
        }
    }

    fn add(&mut self, host: &Tally) {
        self.tally.merge(host);
        self.victims += u64::from(host.packets > 0);
        self.targets += host.ports.count();
    }

    fn merge(&mut self, other: &Self) {
        self.tally.merge(&other.tally);
        self.victims += other.victims;
        self.targets += other.targets;
    }

    /// Whether it is no scan of the network, and nothing that is told of its only source.
    fn is_flood(&self, class: Class, context: Context<'_>) -> bool {
        let tally = &self.tally;
        let sources = tally.peers.count();
        let many = sources > SCANNERS && tally.chief().is_none();
        match class {
            Class::Syn | Class::Stray => {
                let again = tally.packets >= self.targets.saturating_mul(TRIES);
                report::is_incomplete(tally, context) && (many || again)
            }
            Class::Udp | Class::UdpUnanswered | Class::Icmp => many,
            Class::Amplification => sources >= context.settings.flood.reflectors,
            Class::Fragment | Class::Reflection => true,
        }
    }
}
