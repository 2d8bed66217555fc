//! netsec's flow records against those of a real Suricata on the same captures: the same Community
//! IDs, the same packets and bytes from each end, the same originator.
//!
//! Suricata gives a "destination unreachable" to the flow that it quotes, as sent by that flow's
//! destination; netsec has a flow of its own for it, with the ID that the specification gives it.
//! [`credit`] moves these messages over, and every count agrees. Other ICMP errors are in no flow of
//! Suricata's.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context as _, ensure};
use netsec_common::packet::{FlowKey, Vlan};
use netsec_tests::data;
use netsec_tests::flows::{Sent, add, by_community_id, endpoint, of_eve, sent};
use netsec_tests::quoted::{Carrier, quoted};
use netsec_tests::replay::{Events, number, text};
use netsec_user::output::community_id;
use netsec_user::source::capture::Capture;
use serde_json::Value;

/// Suricata's log, the capture, Community IDs in the log.
const LOGS: [(&str, &str, usize); 12] = [
    ("cryptowall4_c2.s8", "c2/cryptowall4_c2.pcapng", 3),
    (
        "dns-tunnel-iodine.s7tiny",
        "tunnel/dns-tunnel-iodine.pcap",
        1,
    ),
    ("dns-tunnel-iodine.s8", "tunnel/dns-tunnel-iodine.pcap", 1),
    ("hackeire2011_c2.s8", "mixed/hackeire2011_c2.pcap", 27_640),
    ("http_espn.s8", "benign/http_espn.pcapng", 39),
    (
        "nmap_tcp_syn_scan.s7tiny",
        "scan/nmap_tcp_syn_scan.pcap",
        1_005,
    ),
    ("nmap_tcp_syn_scan.s8", "scan/nmap_tcp_syn_scan.pcap", 1_005),
    (
        "nmap_tcp_syn_scan.s8tiny",
        "scan/nmap_tcp_syn_scan.pcap",
        1_005,
    ),
    (
        "ssh-bruteforce-902.s7tiny",
        "bruteforce/ssh-bruteforce-902.pcap",
        67,
    ),
    (
        "ssh-bruteforce-902.s8",
        "bruteforce/ssh-bruteforce-902.pcap",
        67,
    ),
    ("test-cc-capture-2.s8", "c2/test-cc-capture-2.pcap", 261),
    ("xscan_capture.s8", "mixed/xscan_capture.pcap", 742),
];

/// The one flow that Suricata turns round: six DNS queries from an ephemeral port to port 53, never
/// answered, the first of them after an ICMP error, are "to the client" for it.
const TURNED: &str = "1:5+9QLMyLSitobdieJl1S4V/ZPJM=";

#[test]
fn flow_records_agree_with_suricatas() -> anyhow::Result<()> {
    let Some(data) = data::path()? else {
        return Ok(());
    };
    let mut captures: BTreeMap<&str, Ours> = BTreeMap::new();
    for (log, capture, ids) in LOGS {
        if !captures.contains_key(capture) {
            let file = data::file(&data, &format!("pcap/{capture}"));
            captures.insert(capture, Ours::of(&file)?);
        }
        let ours = captures.get(capture).context("just put there")?;
        let theirs = of_eve(&data.join(format!("suricata/{log}.eve.json.gz")))?;
        let theirs = by_community_id(&theirs)?;
        ensure!(
            theirs.len() == ids,
            "{log}: {} ids, not {ids}",
            theirs.len()
        );
        compare(ours, &theirs).with_context(|| log.to_owned())?;
    }
    Ok(())
}

struct Ours {
    events: Events,
    /// By the Community ID of the flow that is quoted.
    unreachable: BTreeMap<String, Sent>,
}

impl Ours {
    fn of(file: &Path) -> anyhow::Result<Self> {
        Ok(Self {
            events: Events::of(file)?,
            unreachable: credit(file)?,
        })
    }
}

/// ICMP's "destination unreachable".
const UNREACHABLE: u8 = 3;

/// The messages of a capture that a destination is unreachable, as packets of what they quote.
fn credit(file: &Path) -> anyhow::Result<BTreeMap<String, Sent>> {
    let mut errors: BTreeMap<String, Sent> = BTreeMap::new();
    let mut capture = Capture::open(file)?;
    while let Some(frame) = capture.next_frame()? {
        let quoted =
            quoted(&frame).filter(|quoted| quoted.carrier == Carrier::IcmpError(UNREACHABLE));
        let Some(quoted) = quoted else { continue };
        let source = SocketAddr::new(quoted.inner.0, quoted.ports.0);
        let destination = SocketAddr::new(quoted.inner.1, quoted.ports.1);
        let key = FlowKey::from_endpoints(source, destination, quoted.protocol, Vlan::default());
        let id = community_id(0, &key).context("no id")?;
        let end = (destination.ip(), Some(destination.port()));
        let volume = (1, u64::from(frame.wire_bytes));
        add(errors.entry(id).or_default(), end, volume);
    }
    Ok(errors)
}

fn compare(ours: &Ours, theirs: &BTreeMap<&str, Vec<&Value>>) -> anyhow::Result<()> {
    let found = by_community_id(&ours.events.flows)?;
    let missing: BTreeSet<_> = theirs
        .keys()
        .filter(|id| !found.contains_key(*id))
        .collect();
    ensure!(missing.is_empty(), "netsec has no {missing:?}");
    for (id, flows) in &found {
        let Some(theirs) = theirs.get(id) else {
            only_errors(flows).with_context(|| format!("Suricata has no {id}"))?;
            continue;
        };
        if !has_ports(flows)? {
            continue;
        }
        let mut counts = sent(flows)?;
        for (end, volume) in ours.unreachable.get(*id).into_iter().flatten() {
            add(&mut counts, *end, *volume);
        }
        let expected = sent(theirs)?;
        ensure!(counts == expected, "{id}: {counts:?}, not {expected:?}");
        // Where timeouts cut a conversation differently, so may be who speaks first in a piece.
        if let ([flow], [theirs]) = (flows.as_slice(), theirs.as_slice()) {
            let same = endpoint(flow, "src")? == endpoint(theirs, "src")?;
            ensure!(same != (*id == TURNED), "{id}: {flow} and {theirs}");
        }
    }
    Ok(())
}

fn has_ports(flows: &[&Value]) -> anyhow::Result<bool> {
    let proto = text(flows.first().context("no flow")?, "/proto")?;
    Ok(matches!(proto, "TCP" | "UDP"))
}

/// Destination unreachable or time exceeded.
fn only_errors(flows: &[&Value]) -> anyhow::Result<()> {
    for flow in flows {
        let kind = number(flow, "/icmp_type");
        ensure!(
            text(flow, "/proto")? == "ICMP" && matches!(kind?, 3 | 11),
            "{flow}"
        );
    }
    Ok(())
}
