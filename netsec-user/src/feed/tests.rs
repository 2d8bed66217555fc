use std::io::{BufReader, Read};
use std::net::{IpAddr, Ipv4Addr};

use proptest::prelude::*;

use super::*;

/// Keeps what it gets.
#[derive(Debug, Default)]
struct Kept {
    entries: Vec<FeedEntry>,
    invalid: Vec<Invalid>,
}

impl FeedSink for Kept {
    fn entry(&mut self, entry: FeedEntry) {
        self.entries.push(entry);
    }

    fn invalid(&mut self, invalid: Invalid) {
        self.invalid.push(invalid);
    }
}

impl Kept {
    fn networks(&self) -> Vec<String> {
        self.entries.iter().map(|e| e.prefix.to_string()).collect()
    }

    fn complaints(&self) -> Vec<String> {
        let complaint = |i: &Invalid| format!("{}: {}", i.line, i.reason);
        self.invalid.iter().map(complaint).collect()
    }
}

fn kept(text: impl AsRef<[u8]>) -> (Kept, FeedCounts) {
    let mut kept = Kept::default();
    let counts = read(text.as_ref(), &mut kept).unwrap();
    assert_eq!(counts.entries, kept.entries.len() as u64);
    assert_eq!(counts.invalid, kept.invalid.len() as u64);
    (kept, counts)
}

#[test]
fn plain_lists_with_comments_networks_and_ranges() {
    let (kept, counts) = kept(
        "\u{feff}# Spamhaus has them like this\n\
         ; or so\r\n\
         192.0.2.1\n\
         198.51.100.0/24 ; SBL256894\n\
         2001:db8::/32 # documentation\r\n\
         \n\
         203.0.113.1 - 203.0.113.4\n\
         ::ffff:192.0.2.7\n\
         ::ffff:192.0.2.128/121\n\
         192.0.2.9\tseen 7 times",
    );
    assert_eq!(
        kept.networks(),
        [
            "192.0.2.1",
            "198.51.100.0/24",
            "2001:db8::/32",
            "203.0.113.1",
            "203.0.113.2/31",
            "203.0.113.4",
            "192.0.2.7",
            "192.0.2.128/25",
            "192.0.2.9",
        ]
    );
    assert!(kept.invalid.is_empty(), "{:?}", kept.invalid);
    assert_eq!((counts.records, counts.ignored), (10, 3));
    assert_eq!(kept.entries[0].line, 3);
}

#[test]
fn what_cannot_be_used_is_named_and_does_not_stop_the_rest() {
    let mut list = b"192.0.2.1\n".to_vec();
    for line in [
        &b"192.0.2.300"[..],
        b"192.0.2.1/33",
        b"2001:db8::/129",
        b"192.0.2.1/",
        b"192.0.2.1/+8",
        b"10.0.0.1/8",
        b"192.0.2.9-192.0.2.1",
        b"192.0.2.9-2001:db8::1",
        b"mail.example.com",
        b"192.0.2.1:22",
        b"fe80::1%eth0",
        b"010.0.0.1",
        b"\xff\xfe1",
        b"192.0.2.1\0",
        b"\x1b[2J",
        b"::ffff:10.0.0.1/104",
        b"# fine",
    ] {
        list.extend_from_slice(line);
        list.push(b'\n');
    }
    list.extend_from_slice(&vec![b'1'; 10 << 20]);
    list.extend_from_slice(b"\n192.0.2.2\n");
    let (kept, counts) = kept(&list);
    assert_eq!(kept.networks(), ["192.0.2.1", "192.0.2.2"]);
    assert_eq!(
        kept.complaints(),
        [
            "2: \"192.0.2.300\" is no IP address",
            "3: \"33\" is no prefix length: 0 to 32 is",
            "4: \"129\" is no prefix length: 0 to 128 is",
            "5: \"\" is no prefix length: 0 to 32 is",
            "6: \"+8\" is no prefix length: 0 to 32 is",
            "7: 10.0.0.1/8 has bits set behind its prefix: 10.0.0.0/8 is the network",
            "8: the range ends before it starts",
            "9: the range starts in one address family and ends in the other",
            "10: \"mail.example.com\" is a name, and names are not looked up: write the address",
            "11: \"192.0.2.1:22\" has a port: write the address alone",
            "12: \"fe80::1%eth0\" has a zone, which no packet carries: leave out `%` and what follows",
            "13: \"010.0.0.1\" is no IP address",
            "14: the line is not UTF-8",
            "15: \"192.0.2.1\u{fffd}\" is no IP address",
            "16: \"\u{fffd}[2J\" is no IP address",
            "17: ::ffff:10.0.0.1/104 has bits set behind its prefix: 10.0.0.0/8 is the network",
            "19: the line has more than 65536 bytes",
        ]
    );
    assert_eq!(counts.records, 20);
    assert!(
        kept.invalid
            .iter()
            .all(|i| !i.text.contains(char::is_control))
    );
}

#[test]
fn csv_by_its_header() {
    let (kept, counts) = kept(
        "# CrowdSec's own\n\
         duration,scope,value,reason\n\
         24h,ip,192.0.2.1,\"a, b\"\n\
         ,range,198.51.100.0/24,\n\
         soon,ip,192.0.2.2,x\n\
         24h,ip\n\
         \"open,ip,192.0.2.3\n\
         1h,ip,192.0.2.4\n",
    );
    let found: Vec<_> = kept
        .entries
        .iter()
        .map(|e| (e.line, e.lifetime, e.reason.as_deref()))
        .collect();
    let hours = |n: u64| Some(Duration::from_secs(n * 3600));
    assert_eq!(
        found,
        [
            (3, hours(24), Some("a, b")),
            (4, None, None),
            (8, hours(1), None)
        ]
    );
    assert_eq!(
        kept.complaints(),
        [
            "5: \"soon\" is no duration such as 4h or 3h59m45s",
            "6: the line has no column 3, which holds the address",
            "7: the line has no column 3, which holds the address",
        ]
    );
    assert_eq!((counts.records, counts.ignored), (8, 2));
}

#[test]
fn a_list_without_a_header_may_have_columns() {
    let (kept, _) = kept("192.0.2.1,malware,3\n192.0.2.2;spam\n");
    assert_eq!(kept.networks(), ["192.0.2.1", "192.0.2.2"]);
}

#[test]
fn crowdsec_decisions_in_all_forms() {
    let (kept, counts) = kept(
        r#"[
 {"duration":"3h59m45s","id":7,"origin":"crowdsec","scenario":"crowdsecurity/ssh-bf","scope":"Ip","type":"ban","value":"192.0.2.1"},
 {"duration":"4h","scope":"Range","type":"ban","value":"198.51.100.0/24","reason":"by {hand} \"}\""},
 {"scope":"Country","type":"ban","value":"XX"},
 {"scope":"ip","type":"captcha","value":"192.0.2.2"},
 {"scope":"ip","duration":"-5m","value":"192.0.2.3"},
 {"scope":"ip","simulated":true,"value":"192.0.2.4"},
 {"scope":"ip"},
 {"scope":7,"value":"192.0.2.5"},
 {"id":1,"decisions":[{"value":"192.0.2.6"},{"value":"x y"}]},
 {"new":[{"value":"192.0.2.7"}],"deleted":[{"value":"192.0.2.8"}]},
 {"value":"2001:db8::1","duration":"1 week"}
] oops
{"value":"192.0.2.9"}
{"value":"192.0."#,
    );
    assert_eq!(
        kept.networks(),
        [
            "192.0.2.1",
            "198.51.100.0/24",
            "192.0.2.6",
            "192.0.2.7",
            "192.0.2.9"
        ]
    );
    assert_eq!(kept.entries[0].lifetime, Some(Duration::from_secs(14_385)));
    assert_eq!(
        kept.entries[0].reason.as_deref(),
        Some("crowdsecurity/ssh-bf")
    );
    assert_eq!(kept.entries[1].reason.as_deref(), Some("by {hand} \"}\""));
    let lines: Vec<u64> = kept.invalid.iter().map(|i| i.line).collect();
    assert_eq!(lines, [4, 5, 8, 9, 10, 12, 13, 15]);
    assert_eq!((counts.records, counts.ignored, counts.invalid), (16, 3, 8));
}

#[test]
fn what_is_written_for_crowdsec_is_read_back() {
    let decisions = [
        ("192.0.2.1", Some(Duration::from_millis(14_385_500))),
        ("2001:db8::/32", Some(Duration::from_nanos(1))),
        ("198.51.100.0/24", None),
    ];
    let mut json = Vec::new();
    let mut writer = CrowdsecWriter::new(&mut json);
    for (network, left) in decisions {
        let decision = CrowdsecDecision {
            id: 3,
            prefix: network.parse().unwrap(),
            left,
            origin: "netsec",
            reason: "a \"scan\"",
        };
        writer.write(&decision).unwrap();
    }
    writer.finish().unwrap();
    let (kept, _) = kept(&json);
    let back: Vec<_> = kept
        .entries
        .iter()
        .map(|e| (e.prefix.to_string(), e.lifetime.unwrap()))
        .collect();
    assert_eq!(
        back[0],
        ("192.0.2.1".into(), Duration::from_millis(14_385_500))
    );
    assert_eq!(back[1], ("2001:db8::/32".into(), Duration::from_millis(1)));
    assert_eq!(back[2].1, Duration::from_secs(100 * 365 * 86_400));
    assert!(
        kept.entries
            .iter()
            .all(|e| e.reason.as_deref() == Some("a \"scan\""))
    );
    let mut empty = Vec::new();
    CrowdsecWriter::new(&mut empty).finish().unwrap();
    assert_eq!(empty, b"[\n]\n");
}

/// A reader that gives a few bytes at a time.
struct Trickle<'a>(&'a [u8], usize);

impl Read for Trickle<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let end = self.0.len().min(self.1).min(buffer.len());
        let (now, later) = self.0.split_at(end);
        buffer[..end].copy_from_slice(now);
        self.0 = later;
        Ok(end)
    }
}

fn any_prefix() -> impl Strategy<Value = Prefix> {
    let network = |address: IpAddr, length: u8| {
        let max = if address.is_ipv4() { 33 } else { 129 };
        Prefix::new(address, length % max).unwrap()
    };
    prop_oneof![
        (any::<[u8; 4]>(), any::<u8>()).prop_map(move |(a, length)| network(a.into(), length)),
        (any::<[u8; 16]>(), any::<u8>()).prop_map(move |(a, length)| network(a.into(), length)),
    ]
}

proptest! {
    #[test]
    fn networks_are_read_as_they_are_written(wanted in prop::collection::vec(any_prefix(), 1..40), step in 1..9_usize) {
        let text: String = wanted.iter().map(|network| format!("{network}\n")).collect();
        let mut found = Kept::default();
        let input = BufReader::with_capacity(step, Trickle(text.as_bytes(), step));
        read(input, &mut found).unwrap();
        let networks: Vec<_> = found.entries.iter().map(|e| e.prefix).collect();
        prop_assert_eq!(networks, wanted);
    }

    #[test]
    fn a_range_is_covered_exactly(start in any::<u32>(), length in 0..100_000_u32) {
        let end = start.saturating_add(length);
        let text = format!("{}-{}", Ipv4Addr::from_bits(start), Ipv4Addr::from_bits(end));
        let mut next = u64::from(start);
        for prefix in prefixes(&text).unwrap() {
            let IpAddr::V4(first) = prefix.address() else { panic!("{prefix}") };
            prop_assert_eq!(u64::from(first.to_bits()), next);
            next += 1 << (32 - prefix.length());
        }
        prop_assert_eq!(next, u64::from(end) + 1);
    }

    #[test]
    fn every_record_is_used_invalid_or_ignored(bytes in prop::collection::vec(prop_oneof![Just(b'\n'), Just(b'1'), Just(b'.'), Just(b'{'), Just(b'}'), Just(b'"'), Just(b','), any::<u8>()], 0..400), json in any::<bool>()) {
        let mut bytes = bytes;
        if json {
            bytes.insert(0, b'[');
        }
        let (kept, counts) = kept(&bytes);
        let mut used: Vec<u64> = kept.entries.iter().map(|e| e.line).collect();
        used.dedup();
        prop_assert_eq!(counts.records, used.len() as u64 + counts.invalid + counts.ignored);
    }
}

#[test]
fn long_lists_are_kept_whole() {
    const ENTRIES: u32 = 20_000;
    let address = |number: u32| Ipv4Addr::from_bits(number.wrapping_mul(0x9e37_79b1));
    let plain: String = (0..ENTRIES)
        .map(|number| format!("{}\n", address(number)))
        .collect();
    let decision = |number| {
        let value = address(number);
        format!("{{\"duration\":\"4h\",\"scope\":\"Ip\",\"type\":\"ban\",\"value\":\"{value}\"}}\n")
    };
    let json: String = (0..ENTRIES).map(decision).collect();
    for text in [plain, json] {
        let (kept, _) = kept(text.as_bytes());
        assert_eq!(kept.entries.len(), ENTRIES as usize);
    }
}
