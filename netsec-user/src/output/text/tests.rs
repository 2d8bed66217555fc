mod edges;

use netsec_common::ledger::{Counter, Snapshot};
use netsec_common::packet::protocol;

use super::super::fixtures::{NOON, connection, finding, key, ledger, sample, sensor, summary};
use super::*;
use crate::summary::HookSummary;

const ONE: &[(&str, Direction)] = &[("eth0", Direction::Ingress)];
const TWO: &[(&str, Direction)] = &[("eth0", Direction::Ingress), ("eth0", Direction::Egress)];
const ALIGNED: Style = Style {
    colour: Colour::Never,
    aligned: true,
};
const COLOURED: Style = Style {
    colour: Colour::Always,
    aligned: true,
};

fn text(
    hooks: &[(&str, Direction)],
    style: Style,
    write: impl FnOnce(&mut Text<Vec<u8>>) -> io::Result<()>,
) -> String {
    let mut text = Text::new(Vec::new(), sensor(hooks), style);
    write(&mut text).unwrap();
    String::from_utf8(text.into_inner()).unwrap()
}

fn packet_in(hooks: &[(&str, Direction)], style: Style, bytes: &[u8]) -> String {
    let sample = sample(bytes);
    text(hooks, style, |text| {
        text.packet(&sample, &PacketView::decode(&sample))
    })
}

fn packet(bytes: &[u8]) -> String {
    packet_in(ONE, Style::PLAIN, bytes)
}

const MACS: &[u8] = b"\x02\0\0\0\0\x02\x02\0\0\0\0\x01";

/// Ethernet, IPv4 from 10.0.0.1 to 10.0.0.2 and its payload.
fn ipv4(protocol: u8, payload: &[u8]) -> Vec<u8> {
    let total = u16::try_from(20 + payload.len()).unwrap().to_be_bytes();
    let header = [0x45, 0, total[0], total[1], 0, 0, 0, 0, 64, protocol, 0, 0];
    [
        MACS,
        b"\x08\0",
        &header,
        &[10, 0, 0, 1, 10, 0, 0, 2],
        payload,
    ]
    .concat()
}

fn ipv6(protocol: u8, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len()).unwrap().to_be_bytes();
    let header = [0x60, 0, 0, 0, length[0], length[1], protocol, 64];
    let address = |last| [0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last];
    [
        MACS,
        b"\x86\xdd",
        &header,
        &address(1),
        &address(2),
        payload,
    ]
    .concat()
}

fn tcp(flags: u8, data: &[u8]) -> Vec<u8> {
    let header = [
        0xc7, 0x38, 1, 0xbb, 0, 0, 0, 0, 0, 0, 0, 0, 0x50, flags, 1, 0, 0, 0, 0, 0,
    ];
    [&header, data].concat()
}

fn dns(flags: u16, data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(20 + data.len()).unwrap().to_be_bytes();
    let [high, low] = flags.to_be_bytes();
    let header = [
        0x9c, 0x40, 0, 53, length[0], length[1], 0, 0, 0, 1, high, low,
    ];
    [&header, &[0, 1, 0, 0, 0, 0, 0, 0][..], data].concat()
}

/// Each frame gives its line, after the time.
fn assert_lines<const N: usize>(cases: [(Vec<u8>, &str); N]) {
    for (frame, line) in cases {
        assert_eq!(packet(&frame), format!("01:31:02.114123 {line}\n"));
    }
}

#[test]
fn tcp_packets_show_ports_flags_and_length() {
    let tagged = |id: u16| {
        let frame = ipv4(protocol::TCP, &tcp(0x12, b""));
        let [high, low] = id.to_be_bytes();
        [MACS, &[0x81, 0, high, low], &frame[12..]].concat()
    };
    assert_lines([
        (
            ipv4(protocol::TCP, &tcp(0x02, b"")),
            "TCP 10.0.0.1:51000 > 10.0.0.2:443 [S] len 0 54 B",
        ),
        (
            ipv6(protocol::TCP, &tcp(0x19, b"abc")),
            "TCP [2001:db8::1]:51000 > [2001:db8::2]:443 [FPA] len 3 77 B",
        ),
        (
            ipv4(protocol::TCP, &tcp(0, b"")),
            "TCP 10.0.0.1:51000 > 10.0.0.2:443 [none] len 0 54 B",
        ),
        (
            tagged(5),
            "TCP 10.0.0.1:51000 > 10.0.0.2:443 [SA] len 0 vlan 5 58 B",
        ),
        (
            tagged(0),
            "TCP 10.0.0.1:51000 > 10.0.0.2:443 [SA] len 0 58 B",
        ),
    ]);
}

#[test]
fn dns_messages_show_their_question() {
    let question = b"\x07example\x03com\0\0\x01\0\x01";
    assert_lines([
        (
            ipv4(protocol::UDP, &dns(0x0100, question)),
            "UDP 10.0.0.1:40000 > 10.0.0.2:53 DNS? A example.com 71 B",
        ),
        (
            ipv4(protocol::UDP, &dns(0x8183, question)),
            "UDP 10.0.0.1:40000 > 10.0.0.2:53 DNS NXDOMAIN A example.com 71 B",
        ),
        (
            ipv4(protocol::UDP, &dns(0x2800, b"\x03\x1b[2\0\0\x01\0\x01")),
            r"UDP 10.0.0.1:40000 > 10.0.0.2:53 DNS? opcode 5 A \027[2 63 B",
        ),
    ]);
}

#[test]
fn packets_without_ports_show_what_they_are() {
    assert_lines([
        (
            ipv4(protocol::ICMP, &[3, 3, 0, 0, 0, 0, 0, 0]),
            "ICMP 10.0.0.1 > 10.0.0.2 port-unreachable len 0 42 B",
        ),
        (
            ipv4(protocol::ICMP, &[40, 2, 0, 0, 0, 0, 0, 0]),
            "ICMP 10.0.0.1 > 10.0.0.2 type 40 code 2 len 0 42 B",
        ),
        (
            ipv6(58, &[135, 0, 0, 0, 0]),
            "ICMPv6 2001:db8::1 > 2001:db8::2 neighbor-solicitation len 1 59 B",
        ),
        (ipv4(47, b"abcd"), "GRE 10.0.0.1 > 10.0.0.2 len 4 38 B"),
        (ipv4(253, b""), "ip-253 10.0.0.1 > 10.0.0.2 len 0 34 B"),
    ]);
}

#[test]
fn frames_without_ip_show_what_they_are() {
    let arp = |operation| {
        let body = [
            0, 1, 8, 0, 6, 4, 0, operation, 2, 0, 0, 0, 0, 1, 10, 0, 0, 1,
        ];
        [MACS, b"\x08\x06", &body, &[0, 0, 0, 0, 0, 0, 10, 0, 0, 2]].concat()
    };
    assert_lines([
        (arp(1), "ARP who-has 10.0.0.2 tell 10.0.0.1 42 B"),
        (arp(2), "ARP 10.0.0.1 is-at 02:00:00:00:00:01 42 B"),
        (arp(99), "ARP operation 99 from 02:00:00:00:00:01 42 B"),
        (
            [MACS, b"\x88\xcc\0"].concat(),
            "LLDP 02:00:00:00:00:01 > 02:00:00:00:00:02 15 B",
        ),
        (
            [MACS, b"\x12\x34\0"].concat(),
            "0x1234 02:00:00:00:00:01 > 02:00:00:00:00:02 15 B",
        ),
        (
            ipv4(protocol::TCP, b"abc"),
            "TCP 10.0.0.1 > 10.0.0.2 malformed tcp_truncated 37 B",
        ),
        (b"abc".to_vec(), "frame malformed ethernet_truncated 3 B"),
    ]);
}

#[test]
fn fragments_say_where_they_belong() {
    let mut frame = ipv4(protocol::UDP, &dns(0, b""));
    frame[18..22].copy_from_slice(&[0x12, 0x34, 0x20, 185]);
    assert_eq!(
        packet(&frame),
        "01:31:02.114123 UDP 10.0.0.1 > 10.0.0.2 fragment 0x1234 at 1480 54 B\n"
    );
    frame[20] = 0;
    assert_eq!(
        packet(&frame),
        "01:31:02.114123 UDP 10.0.0.1 > 10.0.0.2 fragment 0x1234 at 1480 last 54 B\n"
    );
}

#[test]
fn several_hooks_are_told_apart() {
    let frame = ipv4(protocol::TCP, &tcp(0x02, b""));
    assert_eq!(
        packet_in(TWO, Style::PLAIN, &frame),
        "01:31:02.114123 eth0 < TCP 10.0.0.1:51000 > 10.0.0.2:443 [S] len 0 54 B\n"
    );
}

#[test]
fn a_capture_cannot_name_its_interface_in_escape_codes() {
    let hooks = [("\x1b[2Jx", Direction::Egress), ("b", Direction::Ingress)];
    let line = packet_in(&hooks, Style::PLAIN, b"");
    assert_eq!(
        line,
        "01:31:02.114123 \\u{1b}[2Jx > frame malformed ethernet_truncated 0 B\n"
    );
}

#[test]
fn a_terminal_gets_columns_and_colours() {
    let frame = ipv4(protocol::TCP, &tcp(0x02, b""));
    let line = "01:31:02.114123 TCP    10.0.0.1:51000    > 10.0.0.2:443      [S]   len 0 54 B\n";
    assert_eq!(packet_in(ONE, ALIGNED, &frame), line);
    let coloured = packet_in(ONE, COLOURED, &frame);
    assert_eq!(
        coloured,
        "\x1b[2m01:31:02.114123\x1b[0m \x1b[36mTCP\x1b[0m    10.0.0.1:51000    \
         \x1b[2m>\x1b[0m 10.0.0.2:443      \x1b[32m[S]\x1b[0m   len 0 \x1b[2m54 B\x1b[0m\n"
    );
    let reset = packet_in(ONE, COLOURED, &ipv4(protocol::TCP, &tcp(0x14, b"")));
    assert!(reset.contains("\x1b[1m\x1b[31m[RA]\x1b[0m"), "{reset:?}");
}

#[test]
fn connections_have_a_line_each() {
    let tcp = connection();
    let line = |style, state, cause| text(ONE, style, |text| text.connection(&tcp, state, cause));
    assert_eq!(
        line(Style::PLAIN, State::Established, EndCause::IdleTimeout),
        "flow 01:31:02.1 TCP 128.232.110.120:34855 > 66.35.250.204:80 3.2s 12 > 9 < \
         1.2 kB > 8.1 kB < SAPF established idle-timeout 1:LQU9qZlK+B5F3KDmev6m5PMibrg=\n"
    );
    assert_eq!(
        line(ALIGNED, State::Closed, EndCause::TcpReuse),
        "flow 01:31:02.1 TCP    128.232.110.120:34855 > 66.35.250.204:80    3.2s    12 >     9 <  \
         1.2 kB >  8.1 kB < SAPF  closed reuse\n"
    );
}

#[test]
fn connections_without_ports_say_what_they_are() {
    let mut icmp = connection();
    icmp.key = key("10.0.0.1:8", "10.0.0.2:0", protocol::ICMP);
    let line = text(TWO, Style::PLAIN, |text| {
        text.connection(&icmp, State::New, EndCause::Shutdown)
    });
    assert_eq!(
        line,
        "flow 01:31:02.1 eth0 ICMP 10.0.0.1 > 10.0.0.2 3.2s 12 > 9 < 1.2 kB > 8.1 kB < \
         new shutdown echo-request 1:YcMyyWJfhc95EW1GfXt6jlZ3DiQ=\n"
    );
}

#[test]
fn in_columns_an_icmp_message_stands_where_tcp_has_flags_and_state() {
    let tcp = connection();
    let icmp = |[kind, code]: [u8; 2]| {
        let mut icmp = connection();
        let (source, target) = (format!("10.0.0.1:{kind}"), format!("10.0.0.2:{code}"));
        icmp.key = key(&source, &target, protocol::ICMP);
        icmp
    };
    let lines = text(ONE, ALIGNED, |text| {
        text.connection(&tcp, State::Closed, EndCause::IdleTimeout)?;
        text.connection(&icmp([8, 0]), State::New, EndCause::IdleTimeout)?;
        text.connection(&icmp([3, 3]), State::New, EndCause::IdleTimeout)
    });
    let ends: Vec<_> = lines
        .lines()
        .filter_map(|line| Some(line.rsplit_once("8.1 kB < ")?.1))
        .collect();
    let expected = [
        "SAPF  closed idle",
        "echo-request idle",
        "port-unreachable idle",
    ];
    assert_eq!(ends, expected, "{lines}");
}

#[test]
fn a_summary_in_a_pipe() {
    let block = text(ONE, Style::PLAIN, |text| text.summary(&summary()));
    assert_eq!(
        block,
        "\
summary 2026-11-23 01:31:02.1 to 01:31:07.1 (5.0s)
rate 2.5 kpackets/s 15.8 Mbit/s 456 flows/s 12345 packets 9.9 MB
connections opened 2280 ended 2201 active 14022
protocols TCP 95.2 % UDP 4.7 % ICMPv6 <0.1 %
talker 10.0.0.1 sent 9.0 MB received 400 kB
talker 2001:db8::1:2:3:4 sent 30.0 kB received 0 B
service 443/tcp https 9.4 MB 95.2 %
service 40000/udp 4.7 kB <0.1 %
coverage 100.000 %: 12345 frames = 12300 in flows + 40 not IP (32 arp, 8 llc) + \
5 malformed (5 udp_length) + 0 unaccounted; lost 0 records (0 packets), 0 samples; 3 torn reads
"
    );
}

#[test]
fn a_summary_on_a_terminal() {
    let block = text(ONE, ALIGNED, |text| text.summary(&summary()));
    assert_eq!(
        block,
        "\
summary     2026-11-23 01:31:02.1 to 01:31:07.1 (5.0s) ─────────────────────────────────────────
rate        2.5 kpackets/s   15.8 Mbit/s      456 flows/s      12,345 packets 9.9 MB
connections opened 2,280     ended 2,201     active 14,022
protocols   TCP 95.2 %  UDP 4.7 %  ICMPv6 <0.1 %
            talker                        sent received   service                  bytes   share
            10.0.0.1                    9.0 MB   400 kB   443/tcp https           9.4 MB  95.2 %
            2001:db8::1:2:3:4          30.0 kB      0 B   40000/udp               4.7 kB  <0.1 %
coverage    100.000 %: 12,345 frames = 12,300 in flows + 40 not IP (32 arp, 8 llc) + \
5 malformed (5 udp_length) + 0 unaccounted;
            lost 0 records (0 packets), 0 samples; 3 torn reads
"
    );
    let widest = block.lines().filter(|line| !line.starts_with("coverage"));
    assert!(widest.map(|line| line.chars().count()).max() <= Some(100));
}

#[test]
fn the_last_summary_counts_the_whole_run_and_each_hook() {
    let mut last = summary();
    last.is_final = true;
    last.end = NOON;
    last.hooks = vec![
        HookSummary {
            hook: HookId(0),
            interval: Snapshot::default(),
            total: ledger(&[
                (Counter::Frames, 3),
                (Counter::Bytes, 300),
                (Counter::FlowPackets, 3),
            ]),
        },
        HookSummary {
            hook: HookId(1),
            interval: Snapshot::default(),
            total: ledger(&[
                (Counter::Frames, 4),
                (Counter::Bytes, 400),
                (Counter::FlowPackets, 4),
            ]),
        },
    ];
    last.read.packets = 6;
    let block = text(TWO, Style::PLAIN, |text| text.summary(&last));
    assert!(
        block.starts_with(
            "total 2026-11-23 01:31:02.1 to 01:31:02.1 (0s)\nrate - packets/s - bit/s"
        )
    );
    assert!(
        block.ends_with(
            "\
interface eth0 < - packets/s - bit/s 3 packets coverage 100.000 %
interface eth0 > - packets/s - bit/s 4 packets coverage 100.000 %
coverage 85.714 %: 7 frames = 7 in flows + 0 not IP + 0 malformed + 0 unaccounted; \
lost 0 records (0 packets), 0 samples; 3 torn reads; 1 packets never read
"
        ),
        "{block}"
    );
}
