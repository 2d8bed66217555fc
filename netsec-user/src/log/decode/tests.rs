use proptest::prelude::*;

use super::super::framing::Piece;
use super::super::place::At;
use super::super::{Detail, EventDetail, Tally};
use super::*;

const HEADER: &str = "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n\
    #unset_field\t-\n#path\tconn\n#open\t2024-04-19-00-00-00\n\
    #fields\t_node\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tservice\tduration\t\
    conn_state\tlocal_orig\torig_pkts\n\
    #types\tstring\ttime\tstring\taddr\tport\taddr\tport\tenum\tstring\tinterval\tstring\tbool\tcount";
const ROW: &str = "w-1\t1713484847.780173\tCx\t10.0.0.1\t40000\t10.0.0.2\t4444\ttcp\t-\t0.000064\t\
    REJ\tF\t1";
const JSON_ROW: &str = r#"{"_node":"w-1","ts":1713484847.780173,"uid":"Cx","id.orig_h":"10.0.0.1",
    "id.orig_p":40000,"id.resp_h":"10.0.0.2","id.resp_p":4444,"proto":"tcp","duration":6.4e-05,
    "conn_state":"REJ","local_orig":false,"orig_pkts":1}"#;
const ALERT: &str = r#"{"timestamp":"2021-06-06T15:59:46.457984+0200","flow_id":1,
    "event_type":"alert","src_ip":"10.0.0.2","src_port":80,"dest_ip":"10.0.0.1","dest_port":4000,
    "proto":"TCP","direction":"to_client","alert":{"signature_id":7,"signature":"a \"b\"",
    "category":"c","severity":1},"flow":{"pkts_toserver":3,"src_ip":"10.0.0.1"}}"#;

fn told(lines: &str) -> (Tally, Vec<String>) {
    let mut decoder = Decoder::new(Wanted::Everything);
    let (mut tally, mut told) = (Tally::default(), Vec::new());
    for (line, number) in lines.lines().zip(1..) {
        let describe = |record: &Record<'_>| {
            let (family, kind) = record.kind();
            let ends = record
                .tuple()
                .map(|t| format!("{} {}", t.source, t.destination_port));
            told.push(format!("{family} {kind} {} {ends:?}", record.time()));
            Ok(())
        };
        let piece = Piece::Bytes(line.as_bytes());
        tally
            .take(&mut decoder, piece, At::Line(number), describe)
            .unwrap();
    }
    (tally, told)
}

#[test]
fn rows_are_read_by_the_header_and_say_what_the_json_says() {
    let (tally, rows) = told(&format!("{HEADER}\n{ROW}\n"));
    assert_eq!((tally.used, tally.headers), (1, 8));
    assert_eq!(
        rows,
        ["zeek conn 2024-04-19T00:00:47.780173Z Some(\"10.0.0.1 4444\")"]
    );
    assert_eq!(told(&JSON_ROW.replace('\n', "")).1, rows);
}

#[test]
fn a_header_in_the_middle_changes_the_columns() {
    let other = "#separator \\x09\n#path\tweird\n#fields\tname\tts\n#types\tstring\ttime\nodd\t5.5";
    let (tally, rows) = told(&format!("{HEADER}\n{ROW}\n{other}\n"));
    assert_eq!(tally.used, 2);
    assert_eq!(rows[1], "zeek weird 1970-01-01T00:00:05.500000Z None");
}

#[test]
fn the_bare_header_of_the_option_tsv_is_one() {
    let (tally, rows) =
        told("ts\tuid\tid.orig_h\tid.resp_h\tid.resp_p\n5.5\tC\t10.0.0.1\t10.0.0.2\t9");
    assert_eq!((tally.used, tally.headers), (1, 1));
    assert_eq!(
        rows,
        ["zeek  1970-01-01T00:00:05.500000Z Some(\"10.0.0.1 9\")"]
    );
}

#[test]
fn bad_lines_name_their_reason() {
    let reason = |line: &str| {
        let (tally, _) = told(line);
        assert_eq!(tally.malformed, 1, "{line}");
        tally.samples[0].reason.to_string()
    };
    assert!(reason("Lorem ipsum").starts_with("no line of eve.json"));
    assert!(reason(ROW).contains("#fields"));
    assert!(reason(&format!("{HEADER}\n{ROW}\t5")).contains("14 columns where the header has 13"));
    let port = ROW.replace("4444", "port");
    assert_eq!(
        reason(&format!("{HEADER}\n{port}")),
        "id.resp_p is `port`, which is not a port"
    );
    let alert = ALERT.replace('\n', "");
    assert!(reason(alert.split_at(alert.len() - 4).0).starts_with("JSON: EOF"));
    assert!(reason(&alert.replace("+0200", "?")).contains("expected a time"));
    assert!(reason(r#"{"a":1}"#).contains("no time"));
}

#[test]
fn the_initiator_of_an_alert_is_not_its_sender() {
    let line = ALERT.replace('\n', "");
    let mut decoder = Decoder::new(Wanted::Alerts);
    let Line::Record(record) = decoder.decode(line.as_bytes()) else {
        panic!("an alert");
    };
    let Record::Event(event) = &record else {
        panic!("an event");
    };
    let EventDetail::Alert(alert) = &event.detail else {
        panic!("an alert");
    };
    assert_eq!(&*alert.signature, "a \"b\"");
    assert_eq!(event.tuple.unwrap().source.to_string(), "10.0.0.2");
    assert_eq!(record.tuple().unwrap().source.to_string(), "10.0.0.1");
}

#[test]
fn a_type_in_an_inner_object_does_not_mislead() {
    let line = r#"{"x":{"event_type":"flow"},"event_type":"dns","timestamp":"2021-06-06T15:59:46Z",
        "dns":{"rrname":"a"}}"#;
    let line = line.replace('\n', "");
    let mut decoder = Decoder::new(Wanted::Everything);
    assert!(
        matches!(decoder.decode(line.as_bytes()), Line::Record(record) if record.kind().1 == "dns")
    );
    let unknown = line.replace("dns", "mqtt");
    let Line::Ignored(Ignored::Unknown(kind)) = decoder.decode(unknown.as_bytes()) else {
        panic!("unknown");
    };
    assert_eq!(kind, "mqtt");
}

#[test]
fn only_alerts_are_read_when_only_they_are_wanted() {
    let mut decoder = Decoder::new(Wanted::Alerts);
    let flow = br#"{"event_type": "flow", anything"#;
    assert!(matches!(
        decoder.decode(flow),
        Line::Ignored(Ignored::Unwanted)
    ));
}

/// Every cut of a line, and every bit of it turned: one outcome a line, and the sum is exact.
#[test]
fn cuts_and_flips_are_counted_once_each() {
    let (alert, json) = (ALERT.replace('\n', ""), JSON_ROW.replace('\n', ""));
    let fast = "11/11/2011-13:46:44.032484  [**] [1:2200025:2] m [**] [Classification: c] \
                [Priority: 3] {TCP} 10.0.0.1:80 -> 10.0.0.2:1024";
    let mut decoder = Decoder::new(Wanted::Everything);
    let mut tally = Tally::default();
    let mut count = 0;
    for header in HEADER.lines() {
        decoder.decode(header.as_bytes());
    }
    let mut feed = |line: &[u8], decoder: &mut Decoder| {
        count += 1;
        let piece = Piece::Bytes(line);
        tally
            .take(decoder, piece, At::Line(count), |_| Ok(()))
            .unwrap();
    };
    for line in [&*alert, &json, ROW, fast] {
        let mut plain = Decoder::new(Wanted::Everything);
        let decoder = if line == fast {
            &mut plain
        } else {
            &mut decoder
        };
        for length in 0..line.len() {
            feed(&line.as_bytes()[..length], decoder);
        }
        for bit in 0..line.len() * 8 {
            let mut bytes = line.as_bytes().to_vec();
            bytes[bit / 8] ^= 1 << (bit % 8);
            feed(&bytes, decoder);
        }
    }
    assert_eq!(tally.read, count);
    assert_eq!(tally.read, tally.used + tally.ignored() + tally.malformed);
    assert!(tally.malformed > 1000, "{tally}");
}

proptest! {
    #[test]
    fn no_bytes_panic(lines in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 0..8)) {
        let mut decoder = Decoder::new(Wanted::Everything);
        for line in &lines {
            decoder.decode(line);
        }
    }

    #[test]
    fn rows_of_both_forms_agree(
        us in 0_i64..4_000_000_000_000_000,
        ports in any::<(u16, u16)>(),
        duration_us in 0_u64..4_000_000_000,
        packets in any::<u64>(),
        text in "[ -~]{1,20}",
    ) {
        let escaped: String = text.bytes().map(|b| format!("\\x{b:02x}")).collect();
        let seconds = |us: u64| format!("{}.{:06}", us / 1_000_000, us % 1_000_000);
        let row = format!(
            "w\t{}\tC\t10.0.0.1\t{}\t2001:db8::1\t{}\tudp\t{escaped}\t{}\tSF\tT\t{packets}",
            seconds(us.unsigned_abs()), ports.0, ports.1, seconds(duration_us),
        );
        let json = serde_json::json!({
            "ts": us as f64 / 1e6, "uid": "C", "id.orig_h": "10.0.0.1", "id.orig_p": ports.0,
            "id.resp_h": "2001:db8::1", "id.resp_p": ports.1, "proto": "udp", "service": text,
            "duration": duration_us as f64 / 1e6, "conn_state": "SF", "local_orig": true,
            "orig_pkts": packets,
        })
        .to_string();
        let (mut one, mut other) =
            (Decoder::new(Wanted::Everything), Decoder::new(Wanted::Everything));
        for header in HEADER.lines() {
            one.decode(header.as_bytes());
        }
        let (Line::Record(Record::Zeek(one)), Line::Record(Record::Zeek(other))) =
            (one.decode(row.as_bytes()), other.decode(json.as_bytes()))
        else {
            panic!("rows");
        };
        prop_assert_eq!((one.time, one.tuple), (other.time, other.tuple));
        prop_assert_eq!(&one.detail, &other.detail);
        prop_assert!(matches!(one.detail, Detail::Conn(_)));
    }
}
