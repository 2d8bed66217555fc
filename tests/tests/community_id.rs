//! Community IDs against the specification's own vectors, and those of flow records against the
//! specification's captures.

use std::collections::BTreeSet;
use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use anyhow::{Context as _, ensure};
use netsec_common::packet::{FlowKey, Vlan};
use netsec_tests::data;
use netsec_tests::replay::{Events, number, text};
use netsec_user::output::community_id;
use serde_json::Value;

/// Entries of `baseline_deflt.json`; fewer read would be a test that checks less than it says.
const VECTORS: usize = 23;

#[test]
fn every_vector_of_the_baseline_agrees() -> anyhow::Result<()> {
    let Some(directory) = data::path()? else {
        return Ok(());
    };
    for vector in &vectors(&directory)? {
        let key = key(vector).with_context(|| vector.to_string())?;
        let expected = vector.get("communityid").and_then(Value::as_str);
        let found = community_id(0, &key);
        ensure!(found.as_deref() == expected, "{vector} gives {found:?}");
    }
    Ok(())
}

/// The specification's captures, with the IP version and protocol of their vectors; ARP has no IDs.
const CAPTURES: [(&str, u8, u64); 8] = [
    ("arp", 0, 0),
    ("icmp", 4, 1),
    ("icmp6", 6, 58),
    ("ipv6", 6, 6),
    ("rsvp", 4, 46),
    ("sctp", 4, 132),
    ("tcp", 4, 6),
    ("udp", 4, 17),
];

#[test]
fn flow_records_of_the_captures_have_the_baselines_ids() -> anyhow::Result<()> {
    let Some(directory) = data::path()? else {
        return Ok(());
    };
    let vectors = vectors(&directory)?;
    let ids = |wanted: &dyn Fn(&Value) -> bool| {
        let wanted = vectors.iter().filter(|vector| wanted(vector));
        let ids = wanted.map(|vector| text(vector, "/communityid"));
        ids.collect::<anyhow::Result<BTreeSet<&str>>>()
    };
    let mut all = BTreeSet::new();
    for (name, version, protocol) in CAPTURES {
        let events = Events::of(&directory.join(format!("community-id/{name}.pcap")))?;
        let found = events.flows.iter().map(|flow| text(flow, "/community_id"));
        let found: BTreeSet<&str> = found.collect::<anyhow::Result<_>>()?;
        let expected = ids(&|vector| {
            let is_v6 = text(vector, "/saddr").is_ok_and(|address| address.contains(':'));
            number(vector, "/proto").is_ok_and(|number| number == protocol)
                && is_v6 == (version == 6)
        })?;
        ensure!(found == expected, "{name}: {found:?}, not {expected:?}");
        all.extend(found.into_iter().map(str::to_owned));
    }
    let expected = ids(&|_| true)?;
    ensure!(all.iter().eq(expected.iter()), "{all:?}, not {expected:?}");
    Ok(())
}

fn vectors(directory: &Path) -> anyhow::Result<Vec<Value>> {
    let file = directory.join("community-id/baseline_deflt.json");
    let text = fs::read_to_string(&file).with_context(|| file.display().to_string())?;
    let vectors: Vec<Value> = serde_json::from_str(&text)?;
    ensure!(
        vectors.len() == VECTORS,
        "{} vectors, not {VECTORS}",
        vectors.len()
    );
    Ok(vectors)
}

/// The flow key as the engine would have it of the vector's packet.
fn key(vector: &Value) -> Option<FlowKey> {
    let address = |name| vector.get(name)?.as_str()?.parse::<IpAddr>().ok();
    let port = |name| u16::try_from(vector.get(name)?.as_u64().unwrap_or_default()).ok();
    Some(FlowKey::from_endpoints(
        SocketAddr::new(address("saddr")?, port("sport")?),
        SocketAddr::new(address("daddr")?, port("dport")?),
        u8::try_from(vector.get("proto")?.as_u64()?).ok()?,
        Vlan::default(),
    ))
}
