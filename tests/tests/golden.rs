//! Every capture's final statistics against what tshark counted in it.
//!
//! netsec counts a frame by its outermost IP header. The truth was counted with tshark's field
//! filters `tcp`, `udp` and `icmp`, in this order, and these find headers at any depth: a frame is
//! TCP if any header in it is, else UDP if any is, else ICMP, which stands for ICMPv6 too. So a
//! "port unreachable" message counts as the datagram that it quotes, with the ports of the quote
//! between the addresses of the message. [`Inner`] recounts those frames with another decoder, and
//! with them moved over every number agrees exactly.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use anyhow::{Context as _, ensure};
use netsec_common::packet::protocol;
use netsec_tests::data;
use netsec_tests::quoted::{Carrier, quoted};
use netsec_tests::replay::{Events, number, text};
use netsec_user::source::capture::Capture;
use serde_json::{Map, Value};

/// Captures in the truth, and frames of them with a TCP or UDP header that is not the outermost:
/// in ICMP errors, in GRE. Fewer would be a test that checks less than it says.
const TOTALS: (usize, u64, u64) = (43, 4481, 1);

#[test]
fn final_statistics_are_as_tshark_counted() -> anyhow::Result<()> {
    let Some(data) = data::path()? else {
        return Ok(());
    };
    let truth = fs::read(data.join("expected/pcap_truth.json"))?;
    let truth: Map<String, Value> = serde_json::from_slice(&truth)?;
    let mut wrong = Vec::new();
    let (mut in_errors, mut in_gre) = (0, 0);
    for (name, expected) in &truth {
        let file = data::file(&data, name);
        let inner = Inner::of(&file)?;
        in_errors += inner.in_errors;
        in_gre += inner.in_gre;
        let events = Events::of(&file)?;
        let found = found(&events, &inner).with_context(|| name.clone())?;
        wrong.extend(
            differences(expected, &found)?
                .into_iter()
                .map(|difference| format!("{name}: {difference}")),
        );
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    ensure!(
        (truth.len(), in_errors, in_gre) == TOTALS,
        "{:?}, not {TOTALS:?}",
        (truth.len(), in_errors, in_gre)
    );
    Ok(())
}

/// What netsec found, in the truth's terms.
struct Found {
    numbers: BTreeMap<&'static str, u64>,
    packets_of: BTreeMap<IpAddr, u64>,
}

fn found(events: &Events, inner: &Inner) -> anyhow::Result<Found> {
    let stat = |name: &str| events.stat(&format!("/{name}"));
    let packets_of = packets_by_source(events)?;
    let mut conversations = conversations(events)?;
    conversations.extend(&inner.conversations);
    let milliseconds = events.stats.get("seconds").and_then(Value::as_f64);
    let numbers = [
        ("packets", stat("frames")?),
        ("bytes", stat("bytes")?),
        ("ipv4", stat("ipv4")?),
        ("ipv6", stat("ipv6")?),
        ("arp", stat("arp")?),
        ("non_ip", stat("non_ip")?),
        ("vlan_tagged", stat("vlan")?),
        ("ipv4_fragments", stat("ipv4_fragments")?),
        ("ipv6_fragments", stat("ipv6_fragments")?),
        ("tcp", stat("tcp")? + inner.tcp),
        ("udp", stat("udp")? + inner.udp),
        ("icmp", stat("icmp")? + stat("icmpv6")? - inner.in_errors),
        ("tcp_syn_only", stat("tcp_syn")? + inner.tcp_syn),
        ("tcp_synack", stat("tcp_synack")? + inner.tcp_synack),
        ("tcp_rst", stat("tcp_rst")? + inner.tcp_rst),
        ("tcp_null_flags", stat("tcp_null")? + inner.tcp_null),
        ("distinct_ip_src", packets_of.len() as u64),
        ("distinct_tcp_udp_bidir_tuples", conversations.len() as u64),
        (
            "duration_s",
            thousandths(milliseconds.context("no seconds")?),
        ),
    ];
    Ok(Found {
        numbers: numbers.into(),
        packets_of,
    })
}

/// Every key of the truth against what was found; a key that is not there means zero.
fn differences(expected: &Value, found: &Found) -> anyhow::Result<Vec<String>> {
    let expected = expected.as_object().context("no object")?;
    let mut wrong = Vec::new();
    for key in expected.keys() {
        let known = key == "top_src" || found.numbers.contains_key(key.as_str());
        ensure!(known, "{key} is compared with nothing");
    }
    for (key, got) in &found.numbers {
        let want = match expected.get(*key) {
            None => 0,
            Some(want) if *key == "duration_s" => thousandths(want.as_f64().context("duration")?),
            Some(want) => want.as_u64().with_context(|| format!("{key} is {want}"))?,
        };
        if *got != want {
            wrong.push(format!("{key} is {got}, not {want}"));
        }
    }
    // Which of several equals is among the first three is chance; how many each has is not.
    let top = expected.get("top_src").and_then(Value::as_array);
    let mut counts: Vec<u64> = found.packets_of.values().copied().collect();
    counts.sort_unstable_by(|a, b| b.cmp(a));
    counts.truncate(3);
    let mut named = Vec::new();
    for entry in top.context("no top_src")? {
        let (source, want) = (text(entry, "/0")?, number(entry, "/1")?);
        let got = found.packets_of.get(&source.parse()?).copied();
        if got != Some(want) {
            wrong.push(format!("{source} has {got:?} packets, not {want}"));
        }
        named.push(want);
    }
    if named != counts {
        wrong.push(format!("the top sources have {counts:?}, not {named:?}"));
    }
    Ok(wrong)
}

fn thousandths(seconds: f64) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "captures last years at most, and end after they begin"
    )]
    let thousandths = (seconds * 1000.0).round() as u64;
    thousandths
}

/// Packets by source: those in flows by the flow records, those that were malformed behind their
/// addresses by the packet lines.
fn packets_by_source(events: &Events) -> anyhow::Result<BTreeMap<IpAddr, u64>> {
    let mut packets: BTreeMap<IpAddr, u64> = BTreeMap::new();
    for flow in &events.flows {
        for (address, count) in [("/src_ip", "toserver"), ("/dest_ip", "toclient")] {
            let count = number(flow, &format!("/flow/pkts_{count}"))?;
            *packets.entry(text(flow, address)?.parse()?).or_default() += count;
        }
    }
    let malformed = |packet: &&Value| packet.pointer("/netsec/malformed").is_some();
    for packet in events.packets.iter().filter(malformed) {
        if let Ok(source) = text(packet, "/src_ip") {
            *packets.entry(source.parse()?).or_default() += 1;
        }
    }
    packets.retain(|_, count| *count != 0);
    Ok(packets)
}

/// A protocol and two endpoints, the smaller first.
type Conversation = (u8, SocketAddr, SocketAddr);

fn conversation(protocol: u8, one: SocketAddr, other: SocketAddr) -> Conversation {
    (protocol, one.min(other), one.max(other))
}

/// TCP and UDP by the flow records. Flows without ports are those of later fragments.
fn conversations(events: &Events) -> anyhow::Result<BTreeSet<Conversation>> {
    let mut found = BTreeSet::new();
    for flow in &events.flows {
        let number = match text(flow, "/proto")? {
            "TCP" => protocol::TCP,
            "UDP" => protocol::UDP,
            _ => continue,
        };
        if flow.get("src_port").is_some() {
            found.insert(conversation(
                number,
                endpoint(flow, "src")?,
                endpoint(flow, "dest")?,
            ));
        }
    }
    Ok(found)
}

fn endpoint(flow: &Value, side: &str) -> anyhow::Result<SocketAddr> {
    let address = text(flow, &format!("/{side}_ip"))?.parse()?;
    let port = number(flow, &format!("/{side}_port"))?;
    Ok(SocketAddr::new(address, u16::try_from(port)?))
}

/// What inner headers add to the counts of a tool that finds headers at any depth.
#[derive(Debug, Default)]
struct Inner {
    in_errors: u64,
    in_gre: u64,
    tcp: u64,
    udp: u64,
    tcp_syn: u64,
    tcp_synack: u64,
    tcp_rst: u64,
    tcp_null: u64,
    conversations: BTreeSet<Conversation>,
}

impl Inner {
    fn of(file: &Path) -> anyhow::Result<Self> {
        let mut inner = Self::default();
        let mut capture = Capture::open(file)?;
        while let Some(frame) = capture.next_frame()? {
            let Some(quoted) = quoted(&frame) else {
                continue;
            };
            match quoted.carrier {
                Carrier::IcmpError(_) => inner.in_errors += 1,
                Carrier::Gre => inner.in_gre += 1,
            }
            if quoted.protocol == protocol::TCP {
                inner.count_tcp(quoted.tcp_flags);
            } else {
                inner.udp += 1;
            }
            inner.conversations.insert(conversation(
                quoted.protocol,
                SocketAddr::new(quoted.outer.0, quoted.ports.0),
                SocketAddr::new(quoted.outer.1, quoted.ports.1),
            ));
        }
        Ok(inner)
    }

    /// A quote need hold no more than eight bytes of the segment (RFC 792), which are not its flags.
    fn count_tcp(&mut self, flags: Option<u8>) {
        self.tcp += 1;
        let Some(flags) = flags else { return };
        self.tcp_syn += u64::from(flags & 0x12 == 0x02);
        self.tcp_synack += u64::from(flags & 0x12 == 0x12);
        self.tcp_rst += u64::from(flags & 0x04 != 0);
        self.tcp_null += u64::from(flags == 0);
    }
}
