//! Names of the numbers in packets, as IANA's registries and common tools have them.

use std::borrow::Cow;

/// Short name of an Ethernet type (IANA "IEEE 802 numbers").
#[must_use]
pub const fn ethertype(number: u16) -> Option<&'static str> {
    Some(match number {
        0x0800 => "IPv4",
        0x0806 => "ARP",
        0x0842 => "WoL",
        0x22f3 => "TRILL",
        0x8035 => "RARP",
        0x809b => "AppleTalk",
        0x80f3 => "AARP",
        0x8100 | 0x88a8 | 0x9100 => "VLAN",
        0x8137 => "IPX",
        0x86dd => "IPv6",
        0x8809 => "LACP",
        0x8847 | 0x8848 => "MPLS",
        0x8863 => "PPPoED",
        0x8864 => "PPPoE",
        0x888e => "EAPOL",
        0x8892 => "PROFINET",
        0x88a2 => "AoE",
        0x88a4 => "EtherCAT",
        0x88b8 => "GOOSE",
        0x88ba => "SV",
        0x88cc => "LLDP",
        0x88e1 => "HomePlug",
        0x88e5 => "MACsec",
        0x88f7 => "PTP",
        0x8902 => "CFM",
        0x8906 => "FCoE",
        0x894f => "NSH",
        0x9000 => "Loopback",
        _ => return None,
    })
}

/// Short name of what an 802.2 header carries, by its service access points (IEEE 802 registries).
#[must_use]
pub fn llc(payload: &[u8]) -> Option<&'static str> {
    Some(match *payload {
        [0xaa, 0xaa, 0x03, 0x00, 0x00, 0x0c, high, low, ..] => {
            match u16::from_be_bytes([high, low]) {
                0x010b => "PVST",
                0x2000 => "CDP",
                0x2003 => "VTP",
                0x2004 => "DTP",
                _ => "SNAP",
            }
        }
        [0xaa, 0xaa, ..] => "SNAP",
        [0x42, 0x42, ..] => "STP",
        [0xe0, 0xe0, ..] | [0xff, 0xff, ..] => "IPX",
        [0xf0, 0xf0, ..] => "NetBEUI",
        [0xfe, 0xfe, ..] => "IS-IS",
        [_, _, _, ..] => "LLC",
        _ => return None,
    })
}

/// Keyword of an IP protocol number (IANA "protocol numbers"), in the spelling of Suricata's EVE.
#[must_use]
pub const fn protocol(number: u8) -> Option<&'static str> {
    Some(match number {
        0 => "HOPOPT",
        1 => "ICMP",
        2 => "IGMP",
        4 => "IPv4",
        6 => "TCP",
        8 => "EGP",
        9 => "IGP",
        17 => "UDP",
        33 => "DCCP",
        41 => "IPv6",
        46 => "RSVP",
        47 => "GRE",
        50 => "ESP",
        51 => "AH",
        58 => "IPv6-ICMP",
        59 => "IPv6-NoNxt",
        88 => "EIGRP",
        89 => "OSPFIGP",
        94 => "IPIP",
        97 => "ETHERIP",
        103 => "PIM",
        108 => "IPComp",
        112 => "VRRP",
        115 => "L2TP",
        132 => "SCTP",
        136 => "UDPLite",
        137 => "MPLS-in-IP",
        _ => return None,
    })
}

/// What an ICMP message says: protocol 1 by RFC 792 and its successors, 58 by RFC 4443 and 4861.
#[must_use]
pub const fn icmp(protocol: u8, kind: u8, code: u8) -> Option<&'static str> {
    match protocol {
        1 => icmp_v4(kind, code),
        58 => icmp_v6(kind, code),
        _ => None,
    }
}

const fn icmp_v4(kind: u8, code: u8) -> Option<&'static str> {
    Some(match (kind, code) {
        (0, _) => "echo-reply",
        (3, 0) => "net-unreachable",
        (3, 1) => "host-unreachable",
        (3, 2) => "protocol-unreachable",
        (3, 3) => "port-unreachable",
        (3, 4) => "fragmentation-needed",
        (3, 5) => "source-route-failed",
        (3, 9 | 10 | 13) => "admin-prohibited",
        (3, _) => "unreachable",
        (4, _) => "source-quench",
        (5, _) => "redirect",
        (8, _) => "echo-request",
        (9, _) => "router-advertisement",
        (10, _) => "router-solicitation",
        (11, 0) => "ttl-exceeded",
        (11, 1) => "reassembly-timeout",
        (12, _) => "parameter-problem",
        (13, _) => "timestamp-request",
        (14, _) => "timestamp-reply",
        (15, _) => "information-request",
        (16, _) => "information-reply",
        (17, _) => "mask-request",
        (18, _) => "mask-reply",
        _ => return None,
    })
}

const fn icmp_v6(kind: u8, code: u8) -> Option<&'static str> {
    Some(match (kind, code) {
        (1, 0) => "no-route",
        (1, 1) => "admin-prohibited",
        (1, 2) => "beyond-scope",
        (1, 3) => "address-unreachable",
        (1, 4) => "port-unreachable",
        (1, 5) => "source-policy",
        (1, 6) => "reject-route",
        (1, _) => "unreachable",
        (2, _) => "packet-too-big",
        (3, 0) => "hop-limit-exceeded",
        (3, 1) => "reassembly-timeout",
        (4, _) => "parameter-problem",
        (128, _) => "echo-request",
        (129, _) => "echo-reply",
        (130, _) => "listener-query",
        (131 | 143, _) => "listener-report",
        (132, _) => "listener-done",
        (133, _) => "router-solicitation",
        (134, _) => "router-advertisement",
        (135, _) => "neighbor-solicitation",
        (136, _) => "neighbor-advertisement",
        (137, _) => "redirect",
        _ => return None,
    })
}

/// Name of a DNS record type (IANA "DNS parameters"), `TYPEn` when it has none (RFC 3597, 5).
#[must_use]
pub fn record_type(number: u16) -> Cow<'static, str> {
    Cow::Borrowed(match number {
        1 => "A",
        2 => "NS",
        5 => "CNAME",
        6 => "SOA",
        10 => "NULL",
        12 => "PTR",
        13 => "HINFO",
        15 => "MX",
        16 => "TXT",
        17 => "RP",
        18 => "AFSDB",
        24 => "SIG",
        25 => "KEY",
        28 => "AAAA",
        29 => "LOC",
        33 => "SRV",
        35 => "NAPTR",
        37 => "CERT",
        39 => "DNAME",
        41 => "OPT",
        43 => "DS",
        44 => "SSHFP",
        46 => "RRSIG",
        47 => "NSEC",
        48 => "DNSKEY",
        50 => "NSEC3",
        51 => "NSEC3PARAM",
        52 => "TLSA",
        59 => "CDS",
        60 => "CDNSKEY",
        61 => "OPENPGPKEY",
        64 => "SVCB",
        65 => "HTTPS",
        99 => "SPF",
        249 => "TKEY",
        250 => "TSIG",
        251 => "IXFR",
        252 => "AXFR",
        255 => "ANY",
        256 => "URI",
        257 => "CAA",
        _ => return Cow::Owned(format!("TYPE{number}")),
    })
}

/// Name of a DNS response code (IANA "DNS parameters"), `RCODEn` when it has none.
#[must_use]
pub fn rcode(number: u8) -> Cow<'static, str> {
    Cow::Borrowed(match number {
        0 => "NOERROR",
        1 => "FORMERR",
        2 => "SERVFAIL",
        3 => "NXDOMAIN",
        4 => "NOTIMP",
        5 => "REFUSED",
        6 => "YXDOMAIN",
        7 => "YXRRSET",
        8 => "NXRRSET",
        9 => "NOTAUTH",
        10 => "NOTZONE",
        _ => return Cow::Owned(format!("RCODE{number}")),
    })
}

/// Name of an ARP operation as tcpdump has it (IANA "ARP parameters").
#[must_use]
pub const fn arp_operation(number: u16) -> Option<&'static str> {
    Some(match number {
        1 => "who-has",
        2 => "is-at",
        3 => "reverse-request",
        4 => "reverse-reply",
        8 => "inverse-request",
        9 => "inverse-reply",
        _ => return None,
    })
}

/// Name of a well-known service of TCP or UDP, for people (IANA "service names").
#[must_use]
pub const fn service(protocol: u8, port: u16) -> Option<&'static str> {
    match protocol {
        6 => tcp_service(port),
        17 => udp_service(port),
        _ => None,
    }
}

const fn tcp_service(port: u16) -> Option<&'static str> {
    Some(match port {
        20 => "ftp-data",
        21 => "ftp",
        22 => "ssh",
        23 => "telnet",
        25 => "smtp",
        53 => "dns",
        80 => "http",
        88 => "kerberos",
        110 => "pop3",
        111 => "sunrpc",
        135 => "msrpc",
        139 => "netbios-ssn",
        143 => "imap",
        179 => "bgp",
        389 => "ldap",
        443 => "https",
        445 => "smb",
        465 | 587 => "submission",
        636 => "ldaps",
        853 => "dns-tls",
        993 => "imaps",
        995 => "pop3s",
        1433 => "mssql",
        1883 => "mqtt",
        3306 => "mysql",
        3389 => "rdp",
        5060 => "sip",
        5432 => "postgresql",
        5900 => "vnc",
        6379 => "redis",
        8080 => "http-alt",
        8443 => "https-alt",
        _ => return None,
    })
}

const fn udp_service(port: u16) -> Option<&'static str> {
    Some(match port {
        53 => "dns",
        67 | 68 => "dhcp",
        69 => "tftp",
        88 => "kerberos",
        111 => "sunrpc",
        123 => "ntp",
        137 => "netbios-ns",
        138 => "netbios-dgm",
        161 => "snmp",
        162 => "snmp-trap",
        389 => "cldap",
        443 => "quic",
        500 => "isakmp",
        514 => "syslog",
        520 => "rip",
        546 | 547 => "dhcpv6",
        1194 => "openvpn",
        1900 => "ssdp",
        2152 => "gtp-u",
        4500 => "ipsec-nat",
        4789 => "vxlan",
        5060 => "sip",
        5353 => "mdns",
        5355 => "llmnr",
        6081 => "geneve",
        51820 => "wireguard",
        _ => return None,
    })
}
