//! netsec's flow records against a real Zeek's conn.log of the same captures: endpoints, who began,
//! packets and bytes from each end.
//!
//! Zeek counts the bytes that the IP header states; netsec those of the frame. [`Headers`] is the
//! difference, read from the frames again.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, ensure};
use etherparse::{LaxNetSlice, LaxSlicedPacket, TransportSlice};
use netsec_tests::data;
use netsec_tests::flows::{Endpoint, volumes};
use netsec_tests::replay::{Events, number, text};
use netsec_user::source::capture::Capture;
use serde_json::Value;

/// Rows of the log.
const ROWS: usize = 53;

/// Each row has one flow, or several that timeouts cut it into, whose originator, packets and IP
/// bytes are the row's.
#[test]
fn a_windows_network_agrees_row_by_row() -> anyhow::Result<()> {
    let Some(data) = data::path()? else {
        return Ok(());
    };
    let file = data.join("pcap/mixed/apt29_SCRANTON.pcap");
    let log = fs::read_to_string(data.join("zeek/apt29_SCRANTON_conn.json.log"))?;
    let mut expected = BTreeMap::new();
    for line in log.lines() {
        let row: Value = serde_json::from_str(line)?;
        let (key, counts) = conn(&row)?;
        ensure!(expected.insert(key, counts).is_none(), "two rows: {line}");
    }
    ensure!(expected.len() == ROWS, "{} rows", expected.len());
    let headers = Headers::of(&file)?;
    let mut found: BTreeMap<Conn, Counts> = BTreeMap::new();
    for flow in &Events::of(&file)?.flows {
        let [(originator, sent), (responder, answered)] = volumes(flow)?;
        let proto = text(flow, "/proto")?.to_lowercase();
        let counts = found.entry((proto, originator, responder)).or_default();
        counts.0.0 += sent.0;
        counts.0.1 += sent.1;
        counts.1.0 += answered.0;
        counts.1.1 += answered.1;
    }
    for ((_, originator, responder), counts) in &mut found {
        counts.0.1 -= headers.between(*originator, *responder);
        counts.1.1 -= headers.between(*responder, *originator);
    }
    for (key, counts) in &expected {
        let found = found.get(key);
        ensure!(found == Some(counts), "{key:?}: {found:?}, not {counts:?}");
    }
    ensure!(found.len() == ROWS, "{} conversations", found.len());
    Ok(())
}

/// Protocol, originator, responder.
type Conn = (String, Endpoint, Endpoint);

/// Packets and IP bytes of the originator, and of the responder.
type Counts = ((u64, u64), (u64, u64));

fn conn(row: &Value) -> anyhow::Result<(Conn, Counts)> {
    let endpoint = |side: &str| {
        let address = text(row, &format!("/id_{side}_h"))?.parse()?;
        let port = u16::try_from(number(row, &format!("/id_{side}_p"))?)?;
        anyhow::Ok((address, Some(port)))
    };
    let counts = |side: &str| {
        let packets = number(row, &format!("/{side}_pkts"))?;
        anyhow::Ok((packets, number(row, &format!("/{side}_ip_bytes"))?))
    };
    let proto = text(row, "/proto")?.to_owned();
    let key = (proto, endpoint("orig")?, endpoint("resp")?);
    Ok((key, (counts("orig")?, counts("resp")?)))
}

/// Bytes of each direction's frames beyond what their IP headers state: link headers, padding, and
/// all of a packet that segmentation offload left with a length of zero.
struct Headers(BTreeMap<(Endpoint, Endpoint), u64>);

impl Headers {
    fn of(file: &Path) -> anyhow::Result<Self> {
        let mut bytes = BTreeMap::new();
        let mut capture = Capture::open(file)?;
        while let Some(frame) = capture.next_frame()? {
            let packet = LaxSlicedPacket::from_ethernet(frame.bytes)?;
            let (Some(LaxNetSlice::Ipv4(ip)), Some(transport)) = (&packet.net, &packet.transport)
            else {
                continue;
            };
            let (source, destination) = match transport {
                TransportSlice::Tcp(tcp) => (tcp.source_port(), tcp.destination_port()),
                TransportSlice::Udp(udp) => (udp.source_port(), udp.destination_port()),
                TransportSlice::Icmpv4(_) | TransportSlice::Icmpv6(_) | TransportSlice::Igmp(_) => {
                    continue;
                }
            };
            let ends = (
                (ip.header().source_addr().into(), Some(source)),
                (ip.header().destination_addr().into(), Some(destination)),
            );
            let beyond = frame.wire_bytes - u32::from(ip.header().total_len());
            *bytes.entry(ends).or_default() += u64::from(beyond);
        }
        Ok(Self(bytes))
    }

    fn between(&self, source: Endpoint, destination: Endpoint) -> u64 {
        let bytes = self.0.get(&(source, destination));
        bytes.copied().unwrap_or_default()
    }
}

/// A row of Zeek's that is one flow of netsec's, in the order of the log.
struct Row {
    /// Bytes before the IP header of each frame, by VLAN tags and MPLS labels.
    link_bytes: u64,
    vlan: &'static [u64],
    /// Zeek turns a conversation round that it sees from the middle on when only the sender has a
    /// well-known port; for netsec the first packet decides where no handshake was seen.
    turned: bool,
}

#[test]
fn tags_and_labels_agree_row_by_row() -> anyhow::Result<()> {
    let row = |link_bytes, vlan, turned| Row {
        link_bytes,
        vlan,
        turned,
    };
    let q_in_q = [row(22, &[13, 10], false), row(22, &[13, 10], false)];
    compare("q-in-q", &q_in_q)?;
    let mpls = [
        row(18, &[3199], false),
        row(22, &[], true),
        row(26, &[3399], false),
    ];
    compare("mpls-in-vlan", &mpls)
}

fn compare(name: &str, rows: &[Row]) -> anyhow::Result<()> {
    let Some(data) = data::path()? else {
        return Ok(());
    };
    let log = fs::read_to_string(data.join(format!("expected/zeek_{name}.conn.log")))?;
    let events = Events::of(&data.join(format!("pcap/encap-frag/{name}.pcap")))?;
    let conns = tsv(&log)?;
    ensure!(conns.len() == rows.len() && events.flows.len() == rows.len());
    for ((flow, row), (key, counts)) in events.flows.iter().zip(rows).zip(conns) {
        let [one, other] = volumes(flow)?;
        let (originator, responder) = if row.turned {
            (other, one)
        } else {
            (one, other)
        };
        let ip_bytes = |(packets, bytes): (u64, u64)| (packets, bytes - packets * row.link_bytes);
        let found = (
            text(flow, "/proto")?.to_lowercase(),
            originator.0,
            responder.0,
        );
        let volumes = (ip_bytes(originator.1), ip_bytes(responder.1));
        ensure!(
            (&found, volumes) == (&key, counts),
            "{name}: {flow}, not {key:?} {counts:?}"
        );
        let tags = flow.get("vlan").and_then(Value::as_array);
        let tags = tags.into_iter().flatten().map(Value::as_u64);
        ensure!(
            tags.eq(row.vlan.iter().copied().map(Some)),
            "{name}: {flow}"
        );
    }
    Ok(())
}

/// The rows of a conn.log in Zeek's own form, by the names in its header.
fn tsv(log: &str) -> anyhow::Result<Vec<(Conn, Counts)>> {
    let header = log.lines().find_map(|line| line.strip_prefix("#fields\t"));
    let names: Vec<&str> = header.context("no header")?.split('\t').collect();
    let mut conns = Vec::new();
    for line in log.lines().filter(|line| !line.starts_with('#')) {
        let fields: BTreeMap<_, _> = names.iter().copied().zip(line.split('\t')).collect();
        let field = |name: &str| fields.get(name).copied().context(name.to_owned());
        let endpoint = |side: &str| {
            let address = field(&format!("id.{side}_h"))?.parse()?;
            anyhow::Ok((address, Some(field(&format!("id.{side}_p"))?.parse()?)))
        };
        let counts = |side: &str| {
            let packets = field(&format!("{side}_pkts"))?.parse()?;
            anyhow::Ok((packets, field(&format!("{side}_ip_bytes"))?.parse()?))
        };
        let proto = field("proto")?.to_owned();
        let key = (proto, endpoint("orig")?, endpoint("resp")?);
        conns.push((key, (counts("orig")?, counts("resp")?)));
    }
    Ok(conns)
}

/// A tag with VLAN 0 says nothing but a priority (802.1Q): a tag for the counters, none for flows.
#[test]
fn a_priority_tag_is_no_vlan() -> anyhow::Result<()> {
    let Some(data) = data::path()? else {
        return Ok(());
    };
    let events = Events::of(&data.join("pcap/encap-frag/http-vlan-0.pcap"))?;
    ensure!(events.stat("/vlan")? == 14 && events.flows.len() == 1);
    ensure!(events.flows.iter().all(|flow| flow.get("vlan").is_none()));
    Ok(())
}
