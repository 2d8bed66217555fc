//! EVE flow records, netsec's and Suricata's alike, added up by who sent.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::net::IpAddr;
use std::path::Path;

use anyhow::Context as _;
use flate2::read::GzDecoder;
use serde_json::Value;

use crate::replay::{number, text};

/// An address and, where the protocol has ports, a port.
pub type Endpoint = (IpAddr, Option<u16>);

/// Packets and bytes.
pub type Volume = (u64, u64);

/// What each end of the flows of one Community ID sent.
pub type Sent = BTreeMap<Endpoint, Volume>;

/// The endpoint of a record that `side`, `src` or `dest`, names.
///
/// # Errors
///
/// When the record is none of a flow.
pub fn endpoint(flow: &Value, side: &str) -> anyhow::Result<Endpoint> {
    let port = flow.get(format!("{side}_port")).and_then(Value::as_u64);
    let address = text(flow, &format!("/{side}_ip"))?.parse()?;
    Ok((address, port.map(u16::try_from).transpose()?))
}

/// What both ends of a record sent: the originator, then the responder.
///
/// # Errors
///
/// When the record is none of a flow.
pub fn volumes(flow: &Value) -> anyhow::Result<[(Endpoint, Volume); 2]> {
    let volume = |side, to| {
        let packets = number(flow, &format!("/flow/pkts_to{to}"))?;
        let bytes = number(flow, &format!("/flow/bytes_to{to}"))?;
        anyhow::Ok((endpoint(flow, side)?, (packets, bytes)))
    };
    Ok([volume("src", "server")?, volume("dest", "client")?])
}

/// The records by Community ID.
///
/// # Errors
///
/// When one has no ID.
pub fn by_community_id(flows: &[Value]) -> anyhow::Result<BTreeMap<&str, Vec<&Value>>> {
    let mut found: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    for flow in flows {
        let id = text(flow, "/community_id")?;
        found.entry(id).or_default().push(flow);
    }
    Ok(found)
}

/// What each end sent, over several records.
///
/// # Errors
///
/// When one is none of a flow.
pub fn sent(flows: &[&Value]) -> anyhow::Result<Sent> {
    let mut sent = Sent::new();
    for flow in flows {
        for (endpoint, volume) in volumes(flow)? {
            add(&mut sent, endpoint, volume);
        }
    }
    Ok(sent)
}

/// Adds to what an end sent.
pub fn add(sent: &mut Sent, endpoint: Endpoint, volume: Volume) {
    let (packets, bytes) = sent.entry(endpoint).or_default();
    *packets += volume.0;
    *bytes += volume.1;
}

/// The flow records of a compressed eve.json.
///
/// # Errors
///
/// When it cannot be read.
pub fn of_eve(file: &Path) -> anyhow::Result<Vec<Value>> {
    let shown = || file.display().to_string();
    let lines = BufReader::new(GzDecoder::new(File::open(file).with_context(shown)?)).lines();
    let mut flows = Vec::new();
    for line in lines {
        let event: Value = serde_json::from_str(&line?).with_context(shown)?;
        if text(&event, "/event_type")? == "flow" {
            flows.push(event);
        }
    }
    Ok(flows)
}
