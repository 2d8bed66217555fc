//! Community IDs against the specification's own vectors.

use std::fs;
use std::net::{IpAddr, SocketAddr};

use anyhow::{Context as _, ensure};
use netsec_common::packet::{FlowKey, Vlan};
use netsec_tests::data;
use netsec_user::output::community_id;
use serde_json::Value;

/// Entries of `baseline_deflt.json`; fewer read would be a test that checks less than it says.
const VECTORS: usize = 23;

#[test]
fn every_vector_of_the_baseline_agrees() -> anyhow::Result<()> {
    let Some(directory) = data::path()? else {
        return Ok(());
    };
    let file = directory.join("community-id/baseline_deflt.json");
    let text = fs::read_to_string(&file).with_context(|| file.display().to_string())?;
    let vectors: Vec<Value> = serde_json::from_str(&text)?;
    ensure!(
        vectors.len() == VECTORS,
        "{} vectors, not {VECTORS}",
        vectors.len()
    );
    for vector in &vectors {
        let key = key(vector).with_context(|| vector.to_string())?;
        let expected = vector.get("communityid").and_then(Value::as_str);
        let found = community_id(0, &key);
        ensure!(found.as_deref() == expected, "{vector} gives {found:?}");
    }
    Ok(())
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
