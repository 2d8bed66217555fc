//! The words that stand for numbers.

use netsec_common::packet::protocol;

/// Ethernet types with a word of their own (IANA "IEEE 802 numbers").
pub(super) mod ethertype {
    pub(crate) const IPV4: u16 = 0x0800;
    pub(crate) const ARP: u16 = 0x0806;
    pub(crate) const RARP: u16 = 0x8035;
    pub(crate) const IPV6: u16 = 0x86dd;
}

/// What a protocol's word means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// `ether`: the link, which has no test of its own.
    Link,
    /// A kind of frame.
    Ethertype(u16),
    /// An IP protocol: the Ethernet type it is looked for in, or any IP, and its number.
    Protocol(Option<u16>, u8),
}

/// Words that are a test alone and, some of them, go before `host`, `net` or `port`.
const KEYWORDS: [(&str, Meaning); 17] = [
    ("ether", Meaning::Link),
    ("ip", Meaning::Ethertype(ethertype::IPV4)),
    ("ip6", Meaning::Ethertype(ethertype::IPV6)),
    ("arp", Meaning::Ethertype(ethertype::ARP)),
    ("rarp", Meaning::Ethertype(ethertype::RARP)),
    ("tcp", Meaning::Protocol(None, protocol::TCP)),
    ("udp", Meaning::Protocol(None, protocol::UDP)),
    ("sctp", Meaning::Protocol(None, protocol::SCTP)),
    (
        "icmp",
        Meaning::Protocol(Some(ethertype::IPV4), protocol::ICMP),
    ),
    (
        "icmp6",
        Meaning::Protocol(Some(ethertype::IPV6), protocol::ICMPV6),
    ),
    ("igmp", Meaning::Protocol(Some(ethertype::IPV4), 2)),
    ("igrp", Meaning::Protocol(Some(ethertype::IPV4), 9)),
    ("vrrp", Meaning::Protocol(Some(ethertype::IPV4), 112)),
    ("carp", Meaning::Protocol(Some(ethertype::IPV4), 112)),
    ("esp", Meaning::Protocol(None, 50)),
    ("ah", Meaning::Protocol(None, 51)),
    ("pim", Meaning::Protocol(None, 103)),
];

/// Words with another place in the grammar.
const RESERVED: [&str; 17] = [
    "src",
    "dst",
    "orig",
    "resp",
    "host",
    "net",
    "mask",
    "port",
    "portrange",
    "proto",
    "protochain",
    "multicast",
    "broadcast",
    "vlan",
    "and",
    "or",
    "not",
];

/// IP protocols by name, for `proto` (IANA "protocol numbers").
const PROTOCOLS: [(&str, u8); 20] = [
    ("icmp", protocol::ICMP),
    ("igmp", 2),
    ("ipip", 4),
    ("tcp", protocol::TCP),
    ("egp", 8),
    ("igrp", 9),
    ("udp", protocol::UDP),
    ("dccp", 33),
    ("ipv6", 41),
    ("rsvp", 46),
    ("gre", 47),
    ("esp", 50),
    ("ah", 51),
    ("icmp6", protocol::ICMPV6),
    ("eigrp", 88),
    ("ospf", 89),
    ("pim", 103),
    ("vrrp", 112),
    ("l2tp", 115),
    ("sctp", protocol::SCTP),
];

/// Ports by name (IANA "service names and port numbers", and names in common use).
const SERVICES: [(&str, u16); 64] = [
    ("ftp-data", 20),
    ("ftp", 21),
    ("ssh", 22),
    ("telnet", 23),
    ("smtp", 25),
    ("whois", 43),
    ("tacacs", 49),
    ("domain", 53),
    ("dns", 53),
    ("bootps", 67),
    ("bootpc", 68),
    ("dhcp", 67),
    ("tftp", 69),
    ("gopher", 70),
    ("finger", 79),
    ("http", 80),
    ("kerberos", 88),
    ("pop3", 110),
    ("sunrpc", 111),
    ("auth", 113),
    ("nntp", 119),
    ("ntp", 123),
    ("epmap", 135),
    ("netbios-ns", 137),
    ("netbios-dgm", 138),
    ("netbios-ssn", 139),
    ("imap", 143),
    ("imap2", 143),
    ("snmp", 161),
    ("snmp-trap", 162),
    ("bgp", 179),
    ("irc", 194),
    ("ldap", 389),
    ("https", 443),
    ("smb", 445),
    ("microsoft-ds", 445),
    ("isakmp", 500),
    ("ike", 500),
    ("exec", 512),
    ("login", 513),
    ("shell", 514),
    ("syslog", 514),
    ("submission", 587),
    ("ipp", 631),
    ("ldaps", 636),
    ("rsync", 873),
    ("imaps", 993),
    ("pop3s", 995),
    ("socks", 1080),
    ("ms-sql-s", 1433),
    ("mssql", 1433),
    ("radius", 1812),
    ("nfs", 2049),
    ("mysql", 3306),
    ("rdp", 3389),
    ("sip", 5060),
    ("postgresql", 5432),
    ("vnc", 5900),
    ("winrm", 5985),
    ("redis", 6379),
    ("ircd", 6667),
    ("http-alt", 8080),
    ("mongodb", 27017),
    ("memcached", 11211),
];

/// What a protocol's word means, or `None` for another word.
pub(super) fn keyword(word: &str) -> Option<Meaning> {
    find(&KEYWORDS, word)
}

/// The word with this meaning.
pub(super) fn word_for(meaning: Meaning) -> Option<&'static str> {
    KEYWORDS
        .iter()
        .find(|(_, known)| *known == meaning)
        .map(|(word, _)| *word)
}

/// Whether a word has a place in the grammar and so cannot be a name of a port or host.
pub(super) fn is_reserved(word: &str) -> bool {
    keyword(word).is_some() || RESERVED.contains(&word)
}

/// Number of an IP protocol.
pub(super) fn protocol_number(name: &str) -> Option<u8> {
    find(&PROTOCOLS, name)
}

/// Port of a service.
pub(super) fn service_port(name: &str) -> Option<u16> {
    find(&SERVICES, name)
}

/// The word someone likely meant.
pub(super) fn similar(word: &str) -> Option<String> {
    let lower = word.to_ascii_lowercase();
    let known = match lower.as_str() {
        "ipv4" | "ip4" => "ip",
        "ipv6" => "ip6",
        "icmpv6" => "icmp6",
        "source" => "src",
        "destination" | "dest" => "dst",
        "originator" | "initiator" => "orig",
        "responder" => "resp",
        "network" => "net",
        "ports" => "portrange",
        "protocol" => "proto",
        other if is_reserved(other) => other,
        _ => return None,
    };
    Some(known.to_owned())
}

fn find<T: Copy>(table: &[(&str, T)], word: &str) -> Option<T> {
    table
        .iter()
        .find(|(known, _)| *known == word)
        .map(|(_, value)| *value)
}
