use super::{filter, key, tagged};
use crate::filter::Filter;
use netsec_common::packet::{FlowKey, Vlan};

/// Subjects by name, so that a table row can say which of them an expression is true of.
fn flows() -> Vec<(&'static str, FlowKey)> {
    vec![
        ("web", key(6, "10.0.0.1:40000", "192.168.1.2:443")),
        ("reply", key(6, "192.168.1.2:443", "10.0.0.1:40000")),
        ("dns", key(17, "10.9.0.1:53", "10.0.0.1:53")),
        ("dns6", key(17, "[2001:db8::1]:5353", "[2001:db9::1]:53")),
        ("sctp", key(132, "172.16.0.1:80", "172.16.0.2:9")),
        // Echo request: type 8, code 0 in the port fields.
        ("ping", key(1, "10.0.0.1:8", "8.8.8.8:0")),
        ("nd", key(58, "[fe80::1]:135", "[ff02::1]:0")),
        ("later", key(17, "10.0.0.1:0", "10.9.0.1:0")),
        ("zero", key(17, "10.0.0.1:0", "10.9.0.1:7")),
        ("gre", key(47, "10.0.0.1:0", "239.1.2.3:0")),
        ("ping4in6", key(1, "[::1]:8", "[::2]:0")),
        ("tagged", tagged(6, "1.1.1.1:1", "2.2.2.2:2", 5, 0)),
        ("qinq", tagged(6, "1.1.1.1:1", "255.255.255.255:2", 100, 5)),
    ]
}

fn matched(filter: &Filter) -> String {
    flows()
        .iter()
        .filter(|(_, key)| filter.matches_flow(key))
        .map(|(name, _)| *name)
        .collect::<Vec<_>>()
        .join(" ")
}

/// Expression, what it is true of, and how it is written in full.
const TABLE: &[(&str, &str, &str)] = &[
    ("tcp", "web reply tagged qinq", "tcp"),
    ("ip6", "dns6 nd ping4in6", "ip6"),
    ("arp", "", "arp"),
    ("icmp", "ping", "icmp"),
    ("proto 1", "ping ping4in6", "proto 1"),
    ("ip6 proto \\icmp", "ping4in6", "ip6 proto 1"),
    ("ip proto \\icmp", "ping", "icmp"),
    (
        "proto (tcp or sctp)",
        "web reply sctp tagged qinq",
        "tcp or sctp",
    ),
    ("proto gre", "gre", "proto 47"),
    ("icmp6", "nd", "icmp6"),
    ("ether proto \\ip6", "dns6 nd ping4in6", "ip6"),
    ("ether proto 0x88cc", "", "ether proto 0x88cc"),
    // Type and code of ICMP are no ports, and a later fragment has none.
    ("port 8", "", "port 8"),
    ("port 0", "zero", "port 0"),
    ("src port 0", "zero", "src port 0"),
    (
        "portrange 0-65535",
        "web reply dns dns6 sctp zero tagged qinq",
        "portrange 0-65535",
    ),
    ("port https", "web reply", "port 443"),
    (
        "tcp dst port 80 or 443",
        "web",
        "tcp dst port 80 or tcp dst port 443",
    ),
    ("udp port domain", "dns dns6", "udp port 53"),
    ("src and dst port 53", "dns", "src and dst port 53"),
    ("src or dst port 443", "web reply", "port 443"),
    ("portrange 60-ftp-data", "dns dns6", "portrange 20-60"),
    ("sctp portrange 80", "sctp", "sctp port 80"),
    ("port 0x35", "dns dns6", "port 53"),
    (
        "host 10.0.0.1",
        "web reply dns ping later zero gre",
        "host 10.0.0.1",
    ),
    (
        "src 10.0.0.1",
        "web ping later zero gre",
        "src host 10.0.0.1",
    ),
    (
        "dst or src host 10.9.0.1",
        "dns later zero",
        "host 10.9.0.1",
    ),
    ("arp host 10.0.0.1", "", "arp host 10.0.0.1"),
    ("ip6 host 2001:db8::1", "dns6", "host 2001:db8::1"),
    ("net 192.168", "web reply", "net 192.168.0.0/16"),
    (
        "net 172 or 192.168.1",
        "web reply sctp",
        "net 172.0.0.0/8 or net 192.168.1.0/24",
    ),
    ("net 192.168.1.0", "", "host 192.168.1.0"),
    (
        "net 10/8",
        "web reply dns ping later zero gre",
        "net 10.0.0.0/8",
    ),
    (
        "src and dst net 10.0.0.0 mask 255.0.0.0",
        "dns later zero",
        "src and dst net 10.0.0.0/8",
    ),
    (
        "net 10.0.0.1 mask 255.0.255.255",
        "web reply dns ping later zero gre",
        "net 10.0.0.1 mask 255.0.255.255",
    ),
    ("net 2001:db8::/31", "dns6", "net 2001:db8::/31"),
    // IPv6 only, though IPv4 is held IPv4-mapped.
    ("net ::/0", "dns6 nd ping4in6", "net ::/0"),
    (
        "net 0.0.0.0/0 and port 53",
        "dns",
        "net 0.0.0.0/0 and port 53",
    ),
    ("ip multicast", "gre qinq", "ip dst net 224.0.0.0/3"),
    ("ip6 multicast", "nd", "dst net ff00::/8"),
    ("vlan", "tagged qinq", "vlan"),
    ("vlan 5", "tagged qinq", "vlan 5"),
    ("vlan 100 and vlan 5", "qinq", "vlan 100 and vlan 5"),
    // `not` before `and`, and these two from left to right.
    ("not tcp and port 53", "dns dns6", "not tcp and port 53"),
    (
        "tcp or udp and port 443",
        "web reply",
        "tcp or udp and port 443",
    ),
    (
        "tcp or (udp and port 7)",
        "web reply zero tagged qinq",
        "tcp or (udp and port 7)",
    ),
    (
        "(tcp or udp) && port 443",
        "web reply",
        "tcp or udp and port 443",
    ),
    (
        "!(tcp||udp)",
        "sctp ping nd gre ping4in6",
        "not (tcp or udp)",
    ),
    ("not not sctp", "sctp", "not not sctp"),
    // What a value alone inherits.
    (
        "host (10.9.0.1 or not 10.0.0.1) and not tcp",
        "dns dns6 sctp nd later zero ping4in6",
        "host 10.9.0.1 or not host 10.0.0.1 and not tcp",
    ),
    (
        "udp and not port 53 and not 7",
        "later",
        "udp and not port 53 and not port 7",
    ),
    (
        "dst port 443 and (src 10.0.0.1) or 2",
        "web tagged qinq",
        "dst port 443 and src host 10.0.0.1 or dst port 2",
    ),
    (
        "port 9 or (443 or 7)",
        "web reply sctp zero",
        "port 9 or (port 443 or port 7)",
    ),
];

#[test]
fn expressions_mean_what_they_mean_to_tcpdump() {
    for (expression, expected, written) in TABLE {
        let filter = filter(expression);
        assert_eq!(matched(&filter), *expected, "{expression}");
        assert_eq!(filter.to_string(), *written, "{expression}");
        assert_eq!(self::filter(written), filter, "{expression}");
    }
}

#[test]
fn an_empty_expression_is_true_of_everything() {
    for expression in ["", " \n"] {
        let filter = filter(expression);
        assert!(filter.is_everything());
        assert_eq!(matched(&filter).split(' ').count(), flows().len());
        assert!(filter.matches_not_ip(0x88cc, Vlan::default()));
        assert_eq!(filter.to_string(), "");
    }
}

#[test]
fn frames_without_ip_have_an_ethernet_type_and_tags() {
    let vlan = Vlan { outer: 7, inner: 0 };
    let asked = |expression: &str| filter(expression).matches_not_ip(0x88cc, vlan);
    assert!(asked("ether proto 0x88cc"));
    assert!(asked("vlan 7 and not ip"));
    assert!(!asked("arp or rarp or ip or ip6"));
    assert!(!asked("vlan 0x8"));
    for nothing in [
        "net 0.0.0.0/0",
        "net ::/0",
        "portrange 0-65535",
        "proto 0",
        "tcp",
    ] {
        assert!(!asked(nothing), "{nothing}");
    }
}

#[test]
fn arp_has_addresses_and_rarp_too() {
    let asked = |expression: &str, ethertype| {
        filter(expression).matches_arp(
            ethertype,
            "10.0.0.1".parse().unwrap(),
            "10.0.0.2".parse().unwrap(),
            Vlan::default(),
        )
    };
    let table = [
        ("arp", true, false),
        ("host 10.0.0.1", true, true),
        ("dst 10.0.0.1", false, false),
        ("arp dst host 10.0.0.2", true, false),
        ("rarp net 10", false, true),
        ("ip host 10.0.0.1", false, false),
        ("net ::/0", false, false),
    ];
    for (expression, arp, rarp) in table {
        assert_eq!(asked(expression, 0x0806), arp, "arp: {expression}");
        assert_eq!(asked(expression, 0x8035), rarp, "rarp: {expression}");
    }
}
