use crate::filter::{Filter, FilterError, Problem};

fn error(expression: &str) -> FilterError {
    match Filter::parse(expression) {
        Ok(filter) => panic!("`{expression}` was read as `{filter}`"),
        Err(error) => error,
    }
}

#[test]
fn an_error_marks_its_place() {
    assert_eq!(
        error("host and port 80").to_string(),
        "filter: expected an address after `host`, found `and`\n  \
           host and port 80\n       \
                ^~~"
    );
    assert_eq!(
        error("tcp and").to_string(),
        "filter: expected a test such as `tcp` or `host 10.0.0.1`, found the end\n  \
           tcp and\n         \
                  ^"
    );
    assert_eq!(error("tcp and").offset(), 7);
}

#[test]
fn an_error_shows_one_line_of_a_long_expression() {
    let expression = format!(
        "{}host über\nall{}",
        "tcp or\t".repeat(20),
        " or udp".repeat(20)
    );
    let message = error(&expression).to_string();
    let lines: Vec<_> = message.lines().collect();
    assert_eq!(lines.len(), 3, "{message}");
    assert_eq!(
        lines[1],
        "  …or tcp or tcp or tcp or tcp or host über all or udp or udp or udp or udp or …"
    );
    assert_eq!(lines[2], format!("{}^~~~", " ".repeat(39)));
}

/// Expression, byte offset, first line of the message without `filter: `.
const TABLE: &[(&str, usize, &str)] = &[
    (
        "10.0.0.1",
        0,
        "`10.0.0.1` could be many things: write `host 10.0.0.1`",
    ),
    ("ip ::1", 3, "`::1` could be many things: write `host ::1`"),
    ("tcp 80", 4, "`80` could be many things: write `port 80`"),
    (
        "tcp or 443",
        7,
        "`443` could be many things: write `port 443`",
    ),
    (
        "(host 1.1.1.1) or 2.2.2.2",
        18,
        "`2.2.2.2` could be many things: write `host 2.2.2.2`",
    ),
    (
        "tcp 1-5",
        4,
        "`1-5` could be many things: write `portrange 1-5`",
    ),
    (
        "vlan 5 or 6",
        10,
        "`6` could be many things: write `port 6`",
    ),
    ("TCP", 0, "unknown word `TCP`, did you mean `tcp`?"),
    ("tcp or ipv6", 7, "unknown word `ipv6`, did you mean `ip6`?"),
    ("frobnicate", 0, "unknown word `frobnicate`"),
    ("tcp udp", 4, "expected `and` or `or` before `udp`"),
    (
        "host 1.1.1.1 2.2.2.2",
        13,
        "expected `and` or `or` before `2.2.2.2`",
    ),
    (
        "host 1.1.1.1 or (2.2.2.2 or port 80)",
        28,
        "expected an address after `host`, found `port`",
    ),
    ("src", 3, "expected an address after `src`, found the end"),
    (
        "src or tcp",
        4,
        "expected an address after `src`, found `or`",
    ),
    ("dst port", 8, "expected a port after `port`, found the end"),
    (
        "net / 8",
        4,
        "expected a network such as 10.0.0.0/8 after `net`, found `/`",
    ),
    (
        "ether",
        5,
        "expected `proto` and an Ethernet type after `ether`, found the end",
    ),
    (
        "mask",
        0,
        "expected a test such as `tcp` or `host 10.0.0.1`, found `mask`",
    ),
    (
        "()",
        1,
        "expected a test such as `tcp` or `host 10.0.0.1`, found `)`",
    ),
    (
        "not",
        3,
        "expected a test such as `tcp` or `host 10.0.0.1`, found the end",
    ),
    ("udp or (tcp", 7, "this parenthesis is not closed"),
    ("tcp)", 3, "this parenthesis was not opened"),
    (
        "host example.com",
        5,
        "host names are not resolved: write an address in place of `example.com`",
    ),
    (
        "host 10.1",
        5,
        "`10.1` is no address: write all four numbers, or use `net`",
    ),
    (
        "host 1.2.3.400",
        5,
        "`1.2.3.400` is no address: IPv4 is four numbers from 0 to 255",
    ),
    (
        "host 10.0.0.01",
        5,
        "`10.0.0.01` is no address: with a zero in front a number could be octal",
    ),
    (
        "net 1.2.3.4.5",
        4,
        "`1.2.3.4.5` is no address: IPv4 is four numbers from 0 to 255",
    ),
    (
        "host fe80::1%eth0",
        5,
        "`fe80::1%eth0` is no address: a flow has no zone, leave out `%` and what follows",
    ),
    (
        "host 1::2::3",
        5,
        "`1::2::3` is no address: IPv6 is up to eight groups of hexadecimal digits, with `::` at most once",
    ),
    (
        "host 00:11:22:33:44:55",
        5,
        "`00:11:22:33:44:55` is no address: Ethernet addresses are not kept, give an IP address",
    ),
    (
        "src 10.0.0.0/8 or tcp",
        4,
        "a prefix is no host: write `net 10.0.0.0/8`",
    ),
    (
        "net 10.0.0.1/8",
        4,
        "`10.0.0.1/8` has bits set outside the prefix: write `net 10.0.0.0/8`",
    ),
    (
        "net 10.0.0.1 mask 255.0.255.0",
        4,
        "`10.0.0.1 mask 255.0.255.0` has bits set outside the prefix: write `net 10.0.0.0 mask 255.0.255.0`",
    ),
    (
        "net 2001:db8::1/32",
        4,
        "`2001:db8::1/32` has bits set outside the prefix: write `net 2001:db8::/32`",
    ),
    (
        "net 10.0.0.0/33",
        13,
        "prefix length 33 is out of range: it is 0 to 32",
    ),
    (
        "net ::/129",
        7,
        "prefix length 129 is out of range: it is 0 to 128",
    ),
    (
        "net 10/",
        7,
        "expected a prefix length after `/`, found the end",
    ),
    (
        "net 10 mask",
        11,
        "expected a netmask after `mask`, found the end",
    ),
    (
        "net 10 mask ::",
        12,
        "`::` is no address: a netmask is written like 255.255.0.0",
    ),
    (
        "net :: mask 255",
        7,
        "`mask` does not go with an IPv6 network: write `/N`",
    ),
    (
        "port 99999",
        5,
        "port 99999 is out of range: it is 0 to 65535",
    ),
    (
        "port 99999999999",
        5,
        "port 99999999999 is out of range: it is 0 to 65535",
    ),
    (
        "port 010",
        5,
        "`010` is not a port: with a zero in front it could be octal",
    ),
    (
        "port 8o",
        5,
        "`8o` is not a port: write it in decimal, or in hexadecimal behind 0x",
    ),
    (
        "port 80-90",
        5,
        "`80-90` is not a port: a range goes with `portrange`",
    ),
    (
        "port gopherd",
        5,
        "unknown service `gopherd`: write its number",
    ),
    (
        "portrange 80-",
        10,
        "`80-` is not a range: its second port is missing",
    ),
    (
        "portrange 80-xyz",
        10,
        "`80-xyz` is not a port: write it in decimal, or in hexadecimal behind 0x",
    ),
    (
        "proto 256",
        6,
        "protocol 256 is out of range: it is 0 to 255",
    ),
    ("proto foo", 6, "unknown protocol `foo`: write its number"),
    (
        "vlan 0",
        5,
        "VLAN identifier 0 is out of range: it is 1 to 4095",
    ),
    (
        "vlan 4096",
        5,
        "VLAN identifier 4096 is out of range: it is 1 to 4095",
    ),
    (
        "ether proto 100",
        12,
        "Ethernet type 100 is out of range: it is 1536 to 65535",
    ),
    (
        "ether proto 0x8100",
        12,
        "`0x8100` is not supported: tags are read through; use `vlan`",
    ),
    (
        "tcp host 1.2.3.4",
        0,
        "`tcp` does not go with an address: write `tcp and host …`",
    ),
    (
        "tcp src 1.2.3.4",
        0,
        "`tcp` does not go with an address: write `tcp and src …`",
    ),
    (
        "udp or ip port 80",
        7,
        "`ip` does not go with a port: write `ip and port …`",
    ),
    (
        "tcp proto 6",
        0,
        "`tcp` does not go with `proto`: write `tcp`",
    ),
    (
        "ip host ::1",
        8,
        "`ip` does not go with an IPv6 address: write `ip6 host ::1`",
    ),
    (
        "ip6 src 1.2.3.4",
        8,
        "`ip6` does not go with an IPv4 address: write `ip src 1.2.3.4`",
    ),
    (
        "tcp[13] & 2 != 0",
        3,
        "`[` is not supported: a flow keeps no packet bytes; test addresses, ports and protocols",
    ),
    (
        "less 100",
        0,
        "`less` is not supported: the packets of one flow differ in length, so a flow cannot be asked for it",
    ),
    (
        "tcp and len > 5",
        8,
        "`len` is not supported: the packets of one flow differ in length, so a flow cannot be asked for it",
    ),
    (
        "ether host 1:2:3:4:5:6",
        0,
        "`ether host` is not supported: Ethernet addresses are not kept; use `host` or `net` with IP addresses",
    ),
    (
        "gateway 1.2.3.4",
        0,
        "`gateway` is not supported: Ethernet addresses are not kept; use `host` or `net` with IP addresses",
    ),
    (
        "ip broadcast",
        3,
        "`broadcast` is not supported: a flow has neither Ethernet addresses nor a netmask; use `dst host 255.255.255.255`, or `dst host` and the network's own",
    ),
    (
        "multicast",
        0,
        "`multicast` is not supported: alone it asks for Ethernet addresses, which are not kept; use `ip multicast` or `ip6 multicast`",
    ),
    (
        "mpls 5",
        0,
        "`mpls` is not supported: labels are read through and not kept; test the IP packet behind them",
    ),
    (
        "ip6 protochain 6",
        4,
        "`protochain` is not supported: `proto` already looks behind IPv6 extension headers",
    ),
    (
        "inbound",
        0,
        "`inbound` is not supported: a filter knows packets, not where they were seen; choose the interface instead",
    ),
];

#[test]
fn every_error_says_what_to_write() {
    for (expression, offset, message) in TABLE {
        let error = error(expression);
        let text = error.to_string();
        assert_eq!(
            text.lines().next(),
            Some(format!("filter: {message}").as_str()),
            "{expression}"
        );
        assert_eq!(error.offset(), *offset, "{text}");
    }
}

#[test]
fn nesting_is_bounded() {
    for open in ["(", "not ", "!", "(not "] {
        let error = error(&format!("{}tcp", open.repeat(100_000)));
        assert_eq!(*error.problem(), Problem::TooDeep { max: 64 }, "{open}");
    }
    let deep = format!("{}tcp{}", "(".repeat(64), ")".repeat(64));
    assert_eq!(Filter::parse(&deep).unwrap(), Filter::parse("tcp").unwrap());
    let nots = format!("{}tcp", "not ".repeat(64));
    assert_eq!(Filter::parse(&nots).unwrap().to_string(), nots);
}

#[test]
fn length_is_bounded_and_a_long_chain_needs_no_stack() {
    let longest = format!("tcp{}", " and tcp or udp".repeat(2047));
    assert!(Filter::parse(&longest).is_ok());
    let longer = format!("tcp{}", " and tcp or udp".repeat(100_000));
    assert_eq!(*error(&longer).problem(), Problem::TooLong { max: 4096 });
}
