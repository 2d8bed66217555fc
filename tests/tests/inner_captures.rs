//! `replay --inner` on captures with tunnels, against what Suricata's decoders count in them.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use netsec_common::flow::FIXED_HASH_KEYS;
use netsec_common::sample::Sampling;
use netsec_tests::data;
use netsec_tests::replay::Play;
use netsec_user::decide::Rules;
use serde_json::Value;

/// Tunnels, and of the packets in them: in flows, without IP, malformed, not read.
type Counts = [u64; 5];

/// Of `corpus/zeek-tunnels`. Suricata 7.0.10 decodes as many packets inside, but that it follows a third
/// tunnel, puts fragments together, and reads neither GTP-U nor ERSPAN type III.
const CAPTURES: [(&str, Counts); 23] = [
    ("6in4.pcap", [1, 1, 0, 0, 0]),
    ("6in6-tunnel-change.pcap", [2, 2, 0, 0, 0]),
    ("geneve-47101.pcap", [24, 24, 0, 0, 0]),
    ("geneve-arp.pcap", [1, 0, 1, 0, 0]),
    ("geneve-inner-tcp-bad-checksum.pcap", [1, 1, 0, 0, 0]),
    ("geneve-many-options.pcap", [10, 10, 0, 0, 0]),
    ("gre-sample.pcap", [40, 40, 0, 0, 0]),
    ("tunnel-direct-bypass.pcap", [10, 10, 0, 0, 0]),
    ("vxlan-triple-v2.pcap", [3, 2, 0, 0, 1]),
    ("Teredo.pcap", [0, 0, 0, 0, 0]),
    ("ayiya3.pcap", [0, 0, 0, 0, 0]),
    ("socks.pcap", [0, 0, 0, 0, 0]),
    ("geneve-truncated.pcapng", [1, 0, 0, 1, 0]),
    ("gre-aruba-amsdu.pcap", [1, 0, 1, 0, 0]),
    ("gre-aruba-ccmp.pcap", [2, 0, 2, 0, 0]),
    ("gre-erspan3-dot1q.pcap", [2, 2, 0, 0, 0]),
    ("gtp_gtp_ext_header.pcap", [1, 0, 0, 0, 1]),
    ("gtp_gtp10_not_0xff.pcap", [3, 0, 0, 0, 3]),
    ("gtp_gtp4_udp_2152_inside.pcap", [2, 1, 0, 0, 1]),
    ("geneve-vxlan-dns-truncated.pcap", [4, 4, 0, 0, 0]),
    ("gtp_gtp7_ipv6.pcap", [2, 2, 0, 0, 0]),
    ("gtp_gtp_create_pdp_ctx.pcap", [0, 0, 0, 0, 0]),
    ("mpls-6in6-6in6-invalid-version-6.pcap", [1, 0, 0, 1, 0]),
];

fn lines(file: &Path) -> Result<Vec<Value>> {
    let play = Play {
        slots: 1 << 12,
        sampling: Sampling::All,
        interval: Duration::from_secs(3600),
        hash_keys: FIXED_HASH_KEYS,
        detect: None,
        rules: Rules::default(),
        logs: Vec::new(),
        inner: true,
    };
    play.lines(file)
}

fn number(stats: &Value, path: &str) -> Result<u64> {
    let value = stats.pointer(path).and_then(Value::as_u64);
    value.with_context(|| format!("no {path} in {stats}"))
}

fn sum(stats: &Value, path: &str) -> Result<u64> {
    let counts = stats.pointer(path).and_then(Value::as_object);
    let counts = counts.with_context(|| format!("no {path} in {stats}"))?;
    Ok(counts.values().filter_map(Value::as_u64).sum())
}

fn counts(stats: &Value) -> Result<Counts> {
    Ok([
        number(stats, "/tunnels/tunnelled")?,
        number(stats, "/tunnels/inner_flow_packets")?,
        sum(stats, "/tunnels/not_ip")?,
        sum(stats, "/tunnels/malformed")?,
        ["fragments", "unknown", "depth"]
            .iter()
            .map(|reason| number(stats, &format!("/tunnels/tunnel_{reason}")))
            .sum::<Result<u64>>()?,
    ])
}

/// The counts of a capture, once all else that must be true of it is.
fn check(file: &Path) -> Result<Counts> {
    let lines = lines(file)?;
    let last = lines.last().context("no line")?;
    let stats = last.get("stats").context("no stats at the end")?;
    for path in ["/coverage/complete", "/tunnels/complete"] {
        ensure!(stats.pointer(path) == Some(&Value::Bool(true)), "{stats}");
    }
    // The records of flows inside add up to what was counted inside, the others to the frames.
    let [mut inside, mut outside] = [(0, 0); 2];
    for line in lines.iter().filter(|line| line["event_type"] == "flow") {
        let volume = if line.get("tunnel").is_some() {
            &mut inside
        } else {
            &mut outside
        };
        for way in ["toserver", "toclient"] {
            volume.0 += number(line, &format!("/flow/pkts_{way}"))?;
            volume.1 += number(line, &format!("/flow/bytes_{way}"))?;
        }
    }
    let of = |packets, bytes| -> Result<_> { Ok((number(stats, packets)?, number(stats, bytes)?)) };
    let counted = of("/tunnels/inner_flow_packets", "/tunnels/inner_flow_bytes")?;
    ensure!(inside == counted, "{inside:?} in records, {counted:?}");
    let counted = of("/coverage/flow_packets", "/coverage/flow_bytes")?;
    ensure!(outside == counted, "{outside:?} in records, {counted:?}");
    // Nothing is counted twice in the totals.
    let protocols = stats["protocols"].as_array().context("protocols")?;
    let bytes = protocols.iter().map(|protocol| number(protocol, "/bytes"));
    let bytes = bytes.sum::<Result<u64>>()?;
    ensure!(bytes == outside.1, "{bytes} bytes by protocol, {outside:?}");
    counts(stats)
}

#[test]
fn what_is_in_tunnels_is_counted_as_others_count_it() {
    let Some(data) = data::path().unwrap() else {
        return;
    };
    let folder = data.join("corpus/zeek-tunnels");
    let wrong: Vec<_> = CAPTURES
        .iter()
        .filter_map(|(name, expected)| match check(&folder.join(name)) {
            Ok(counts) if counts == *expected => None,
            Ok(counts) => Some(format!("{name}: {counts:?}, not {expected:?}")),
            Err(error) => Some(format!("{name}: {error:#}")),
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Packets and flows say which tunnel they were in, and have the Community ID of what is inside.
#[test]
fn lines_name_the_tunnel() {
    let Some(data) = data::path().unwrap() else {
        return;
    };
    let lines = lines(&data.join("corpus/zeek-tunnels/geneve-47101.pcap")).unwrap();
    let kind = |kind: &'static str| {
        let of_kind = lines.iter().filter(move |line| line["event_type"] == kind);
        of_kind.collect::<Vec<_>>()
    };
    let inner: Vec<_> = kind("flow")
        .into_iter()
        .filter(|line| line.get("tunnel").is_some())
        .collect();
    assert!(!inner.is_empty());
    for flow in &inner {
        assert_eq!(flow["tunnel"]["type"], "geneve");
        assert_eq!(flow["tunnel"]["depth"], 1);
        assert!(flow["tunnel"]["id"].is_u64(), "{flow}");
    }
    let packets = kind("packet");
    assert_eq!(packets.len(), 24);
    for packet in packets {
        assert_eq!(packet["tunnel"]["type"], "geneve", "{packet}");
        assert_eq!(packet["tunnel"]["proto"], "UDP");
        assert_ne!(packet["tunnel"]["src_ip"], packet["src_ip"]);
        let id = &packet["community_id"];
        assert!(inner.iter().any(|flow| flow["community_id"] == *id));
    }
}
