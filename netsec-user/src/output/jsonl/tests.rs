use netsec_common::ledger::Counter;
use netsec_common::packet::{FlowKey, Vlan, protocol};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::fixtures::{NOON, connection, finding, key, ledger, sample, sensor, summary};
use super::*;
use crate::hook::Direction;

fn json_lines(write: impl FnOnce(&mut JsonLines<Vec<u8>>) -> io::Result<()>) -> String {
    let mut lines = JsonLines::new(Vec::new(), sensor(&[("eth0", Direction::Ingress)]));
    write(&mut lines).unwrap();
    String::from_utf8(lines.into_inner()).unwrap()
}

fn packet(bytes: &[u8]) -> String {
    let sample = sample(bytes);
    json_lines(|lines| lines.packet(&sample, &PacketView::decode(&sample)))
}

/// Every value in the tree whose key is `name`.
fn find<'a>(tree: &'a Value, name: &str, found: &mut Vec<&'a Value>) {
    if let Value::Object(members) = tree {
        for (key, value) in members {
            if key == name {
                found.push(value);
            }
            find(value, name, found);
        }
    }
}

#[test]
fn a_flow_is_a_line_as_suricata_has_it() {
    let tcp = connection();
    let line =
        json_lines(|lines| lines.connection(&tcp, State::Established, EndCause::ActiveTimeout));
    assert_eq!(
        line,
        concat!(
            r#"{"timestamp":"2026-11-23T01:31:05.324123+0000","flow_id":FLOW_ID,"#,
            r#""in_iface":"eth0","event_type":"flow","src_ip":"128.232.110.120","#,
            r#""src_port":34855,"dest_ip":"66.35.250.204","dest_port":80,"proto":"TCP","ip_v":4,"#,
            r#""community_id":"1:LQU9qZlK+B5F3KDmev6m5PMibrg=","flow":{"pkts_toserver":12,"#,
            r#""pkts_toclient":9,"bytes_toserver":1204,"bytes_toclient":8100,"#,
            r#""start":"2026-11-23T01:31:02.114123+0000","end":"2026-11-23T01:31:05.324123+0000","#,
            r#""age":3,"state":"established","reason":"active"},"tcp":{"tcp_flags":"1b","#,
            r#""tcp_flags_ts":"1b","tcp_flags_tc":"13","syn":true,"fin":true,"psh":true,"#,
            r#""ack":true},"netsec":{"direction":"ingress"}}"#,
            "\n"
        )
        .replace("FLOW_ID", &flow::flow_id(&tcp.key, tcp.start).to_string())
    );
}

#[test]
fn a_finding_is_a_line() {
    let finding = finding();
    let line = json_lines(|lines| lines.finding(&finding));
    assert_eq!(
        line,
        concat!(
            r#"{"timestamp":"2026-11-23T01:31:03.314123+0000","event_type":"finding","#,
            r#""src_ip":"10.0.0.1","dest_ip":"10.0.0.2","proto":"TCP","finding":{"id":ID,"#,
            r#""kind":"scan.vertical","severity":"high","state":"start","attacker":"10.0.0.1","#,
            r#""attacker_proven":true,"victim":"10.0.0.2","#,
            r#""start":"2026-11-23T01:31:02.114123+0000","end":"2026-11-23T01:31:03.314123+0000","#,
            r#""technique":"T1046","evidence":{"ports":1000,"seconds":1.2},"#,
            r#""message":"1000 TCP ports tried in 1.2s"}}"#,
            "\n"
        )
        .replace("ID", &finding.id.to_string())
    );
}

#[test]
fn a_finding_of_many_names_no_address() {
    let mut finding = finding();
    finding.attacker = crate::finding::Party::Spoofed;
    let line = json_lines(|lines| lines.finding(&finding));
    assert!(!line.contains("src_ip"), "{line}");
    assert!(line.contains(r#""attacker":"spoofed/many""#), "{line}");
}

#[test]
fn flow_fields_follow_the_protocol() {
    let mut odd = connection();
    let vlan = Vlan {
        outer: 100,
        inner: 200,
    };
    let (a, b) = ("[fe80::1]:135", "[ff02::2]:0");
    odd.key = FlowKey::from_endpoints(a.parse().unwrap(), b.parse().unwrap(), 58, vlan);
    let line = json_lines(|lines| lines.connection(&odd, State::New, EndCause::TableFull));
    let line: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(line["proto"], "IPv6-ICMP");
    assert_eq!(
        (&line["icmp_type"], &line["icmp_code"]),
        (&json!(135), &json!(0))
    );
    assert_eq!(
        (&line["vlan"], &line["ip_v"]),
        (&json!([100, 200]), &json!(6))
    );
    assert_eq!(line["flow"]["reason"], "forced");
    assert_eq!((line.get("tcp"), line.get("src_port")), (None, None));
    odd.key = key("10.0.0.1:0", "10.0.0.2:0", 253);
    let line = json_lines(|lines| lines.connection(&odd, State::Closed, EndCause::TcpReuse));
    let line: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(
        (&line["proto"], &line["flow"]["state"]),
        (&json!("253"), &json!("closed"))
    );
    assert_eq!(line["flow"]["reason"], "tcp_reuse");
}

#[test]
fn flow_ids_are_stable_and_fit_a_double() {
    let a = key("10.0.0.1:1", "10.0.0.2:2", protocol::TCP);
    let id = flow::flow_id(&a, NOON);
    assert_eq!(id, 6_272_788_621_707, "no other in another version");
    assert_eq!(id, flow::flow_id(&a.reversed(), NOON));
    assert_ne!(id, flow::flow_id(&a, NOON.plus_ns(1)));
    let ids: std::collections::BTreeSet<u64> = (0..10_000)
        .map(|port| {
            let b = key(&format!("10.0.0.1:{port}"), "10.0.0.2:2", protocol::TCP);
            flow::flow_id(&b, NOON)
        })
        .collect();
    assert_eq!(ids.len(), 10_000);
    assert!(ids.last() < Some(&(1 << 51)));
}

#[test]
fn a_dns_query_is_a_line() {
    let frame = [
        &b"\x02\0\0\0\0\x02\x02\0\0\0\0\x01\x08\0E\0\0\x39\0\0\0\0\x40\x11\0\0\x0a\0\0\x01\x0a\0\0\x02"[..],
        b"\x9c\x40\0\x35\0\x25\0\0\0\x07\x01\0\0\x01\0\0\0\0\0\0\x07example\x03com\0\0\x1c\0\x01",
    ]
    .concat();
    assert_eq!(
        packet(&frame),
        concat!(
            r#"{"timestamp":"2026-11-23T01:31:02.114123+0000","in_iface":"eth0","#,
            r#""event_type":"packet","src_ip":"10.0.0.1","src_port":40000,"dest_ip":"10.0.0.2","#,
            r#""dest_port":53,"proto":"UDP","ip_v":4,"community_id":"1:RXKURpyQITZU13SCYbIzaVPTxaQ=","#,
            r#""packet":{"wire_bytes":71,"captured_bytes":71,"payload_bytes":29},"#,
            r#""dns":{"type":"query","id":7,"rrname":"example.com","rrtype":"AAAA"},"#,
            r#""netsec":{"direction":"ingress"}}"#,
            "\n"
        )
    );
}

#[test]
fn frames_without_ip_have_link_addresses() {
    let arp = b"\xff\xff\xff\xff\xff\xff\x02\0\0\0\0\x01\x08\x06\0\x01\x08\0\x06\x04\0\x01\
        \x02\0\0\0\0\x01\x0a\0\0\x01\0\0\0\0\0\0\x0a\0\0\x02";
    assert_eq!(
        packet(arp),
        concat!(
            r#"{"timestamp":"2026-11-23T01:31:02.114123+0000","in_iface":"eth0","#,
            r#""event_type":"packet","packet":{"wire_bytes":42,"captured_bytes":42},"#,
            r#""ether":{"ether_type":2054,"src_mac":"02:00:00:00:00:01","#,
            r#""dest_mac":"ff:ff:ff:ff:ff:ff"},"arp":{"opcode":"request","#,
            r#""src_mac":"02:00:00:00:00:01","src_ip":"10.0.0.1","#,
            r#""dest_mac":"00:00:00:00:00:00","dest_ip":"10.0.0.2"},"#,
            r#""netsec":{"direction":"ingress"}}"#,
            "\n"
        )
    );
    let malformed: Value = serde_json::from_str(&packet(b"abc")).unwrap();
    assert_eq!(malformed["netsec"]["malformed"], "ethernet_truncated");
}

#[test]
fn the_last_line_says_so_and_names_what_tshark_counts() {
    let mut last = summary();
    last.is_final = true;
    let line = json_lines(|lines| lines.summary(&last));
    let head = r#"{"timestamp":"2026-11-23T01:31:07.114123+0000","event_type":"stats","final":true,"stats":{"#;
    assert!(line.starts_with(head), "{line}");
    let line: Value = serde_json::from_str(&line).unwrap();
    let stats = &line["stats"];
    assert_eq!(
        (&stats["frames"], &stats["bytes"]),
        (&json!(12_345), &json!(9_876_543))
    );
    // 12,345 − 12,000 − 305 − 32.
    assert_eq!((&stats["arp"], &stats["non_ip"]), (&json!(32), &json!(8)));
    assert_eq!(stats["malformed"]["udp_length"], 5);
    assert_eq!(stats["flows"]["opened"], 2280);
    let coverage = &stats["coverage"];
    assert_eq!(
        (&coverage["complete"], &coverage["ratio"]),
        (&json!(true), &json!(1.0))
    );
    assert_eq!(
        (&coverage["in_flows"], &coverage["malformed"]),
        (&json!(12_300), &json!(5))
    );
    assert_eq!(coverage["not_ip"]["llc"], 8);
}

#[test]
fn an_interval_does_not_claim_to_be_the_last() {
    let line = json_lines(|lines| lines.summary(&summary()));
    let line: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(
        (line.get("final"), &line["stats"]["seconds"]),
        (None, &json!(5.0))
    );
}

#[test]
fn every_counter_of_the_ledger_is_in_the_last_line() {
    let counts: Vec<(Counter, u64)> = Counter::ALL.into_iter().zip(1_000_001..).collect();
    let mut last = summary();
    last.is_final = true;
    last.read_inner = Some(last.read);
    last.hooks[0].total = ledger(&counts);
    let line = json_lines(|lines| lines.summary(&last));
    let line: Value = serde_json::from_str(&line).unwrap();
    for (counter, value) in counts {
        let mut found = Vec::new();
        find(&line, counter.name(), &mut found);
        assert!(
            found.contains(&&json!(value)),
            "{} is not in {line}",
            counter.name()
        );
    }
    let stats = &line["stats"];
    let sum = ledger(
        &Counter::ALL
            .into_iter()
            .zip(1_000_001..)
            .collect::<Vec<_>>(),
    );
    assert_eq!(
        stats["fragments"],
        sum.get(Counter::Ipv4Fragments) + sum.get(Counter::Ipv6Fragments)
    );
    assert_eq!(stats["flows"]["evicted"], sum.get(Counter::FlowsEvicted));
}

proptest! {
    #[test]
    fn any_packet_is_one_line_of_json(
        bytes in prop::collection::vec(any::<u8>(), 0..120),
        label in prop::collection::vec(any::<u8>(), 1..60),
    ) {
        let length = [u8::try_from(label.len()).unwrap()];
        let header = [0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        let dns = [&header[..], &length, &label, &[0, 0, 1, 0, 1]].concat();
        let mut named = Vec::new();
        etherparse::PacketBuilder::ethernet2([2; 6], [4; 6])
            .ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64)
            .udp(40000, 53)
            .write(&mut named, &dns)
            .unwrap();
        for frame in [bytes, named] {
            let line = packet(&frame);
            prop_assert_eq!(line.matches('\n').count(), 1);
            let line: Value = serde_json::from_str(&line).unwrap();
            prop_assert_eq!(&line["packet"]["wire_bytes"], frame.len());
        }
    }
}
