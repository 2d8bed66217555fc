//! Lines of logs: Suricata's in either form, Zeek's in either form.

use std::io::Cursor;
use std::ops::ControlFlow;

use netsec_user::log::{Decoder, Line, LogReader, Wanted};

/// Every line is accounted for, and a line of JSON means the same whichever way it is read: a tab behind its
/// first brace leaves the quick way.
pub fn check(data: &[u8]) {
    let input = Box::new(Cursor::new(data.to_vec()));
    let decoder = Decoder::new(Wanted::Everything);
    let mut reader = LogReader::new("fuzz", input, decoder).expect("a cursor can be read");
    let mut records = 0;
    // Damaged gzip ends the reading.
    let _damage = reader.for_each(|_line, record| {
        records += 1;
        let (family, kind) = record.kind();
        assert!(!family.is_empty() && kind.len() <= data.len());
        Ok(ControlFlow::Continue(()))
    });
    let tally = reader.tally();
    assert_eq!(tally.used, records);
    assert_eq!(tally.read, tally.used + tally.ignored() + tally.malformed);
    for line in data.split(|byte| *byte == b'\n') {
        same_either_way(line);
    }
}

fn same_either_way(line: &[u8]) {
    let Some(rest) = line.strip_prefix(b"{") else {
        return;
    };
    let slow = [b"{\t", rest].concat();
    for wanted in [Wanted::Everything, Wanted::Alerts] {
        assert_eq!(shown(line, wanted), shown(&slow, wanted), "{wanted:?}");
    }
}

/// A record, or that there is none and of which kind that is.
fn shown(line: &[u8], wanted: Wanted) -> String {
    match Decoder::new(wanted).decode(line) {
        Line::Record(record) => format!("{record:?}"),
        Line::Ignored(why) => format!("{why:?}"),
        // Reasons name columns of the line.
        Line::Malformed(_) => "malformed".to_owned(),
    }
}

/// A line of each kind, Zeek's rows behind a header.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    let eve = EVENTS.iter().map(|rest| {
        format!(
            "{{\"timestamp\":\"2026-11-23T01:31:02.114123+0100\",\"flow_id\":1,\"in_iface\":\"eth0\",\
             \"src_ip\":\"10.0.0.1\",\"src_port\":40000,\"dest_ip\":\"2001:0db8:0000:0000:0000:0000:0000:0001\",\
             \"dest_port\":443,\"proto\":\"TCP\",{rest}}}\n"
        )
    });
    let others = LINES.iter().map(|line| (*line).to_owned());
    eve.chain(others).map(String::into_bytes).collect()
}

const EVENTS: [&str; 8] = [
    r#""event_type":"alert","community_id":"1:wCb3OG7yAFWelaUydu0D+125CLM=","direction":"to_client","alert":{"action":"allowed","gid":1,"signature_id":2001219,"rev":20,"signature":"ET SCAN \"x\"","category":"Misc","severity":2,"source":{"ip":"10.0.0.1","port":1},"target":{"ip":"10.0.0.2","port":2},"metadata":{"a":["b"]}},"flow":{"pkts_toserver":1,"pkts_toclient":2,"bytes_toserver":3,"bytes_toclient":4,"start":"2026-11-23T01:31:02.114123+0100","src_ip":"10.0.0.1"}"#,
    r#""event_type":"flow","flow":{"pkts_toserver":1,"pkts_toclient":2,"bytes_toserver":3,"bytes_toclient":4,"start":"2026-11-23T01:31:02.114123+0100","end":"2026-11-23T01:31:03.114123+0100","age":1,"state":"closed","reason":"timeout","alerted":false},"tcp":{"tcp_flags":"1b","tcp_flags_ts":"1b","tcp_flags_tc":"1b","syn":true,"state":"closed"}"#,
    r#""event_type":"stats","stats":{"uptime":9,"capture":{"kernel_packets":24,"kernel_drops":1},"decoder":{"pkts":24,"bytes":1689,"invalid":0},"avg":0.5}"#,
    r#""event_type":"drop","drop":{"len":60,"reason":"rules"}"#,
    r#""event_type":"anomaly","anomaly":{"type":"decode","event":"x"}"#,
    r#""event_type":"dns","dns":{"type":"query","rrname":"a.b","rrtype":"A","queries":[{"rrname":"a.b","rrtype":"A"}]}"#,
    r#""event_type":"http","http":{"hostname":"a","url":"/","http_method":"GET","status":200}"#,
    r#""event_type":"tls","tls":{"sni":"a","version":"TLS 1.3","subject":null}"#,
];

const LINES: [&str; 5] = [
    "11/11/2011-13:46:44.032484  [Drop] [**] [1:2200025:2] a [**] b [**] [Classification: Misc] [Priority: 3] \
     {TCP} 10.0.0.1:80 -> 10.0.0.2:1024\n",
    "11/11/2011-13:46:44.032484  [**] [1:1:1] a [**] [Classification: (null)] [Priority: 3] [**] [Raw pkt: 00 ] \
     [pcap file packet: 1]\n",
    "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\tconn\n#fields\tts\tuid\t\
     id.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tduration\torig_bytes\tconn_state\thistory\n#types\ttime\t\
     string\taddr\tport\taddr\tport\tenum\tinterval\tcount\tstring\tstring\n1713484847.780173\tC1\t10.0.0.1\t40000\
     \t10.0.0.2\t443\ttcp\t0.000064\t12\tSF\tShADad\\x09Ff\n",
    "{\"ts\":1713484847.780173,\"uid\":\"C1\",\"id.orig_h\":\"10.0.0.1\",\"id.orig_p\":40000,\"id.resp_h\":\
     \"10.0.0.2\",\"id.resp_p\":443,\"proto\":\"tcp\",\"conn_state\":\"SF\",\"orig_bytes\":12}\n",
    "{\"ts\":\"2026-11-23T01:31:02.114123Z\",\"_path\":\"notice\",\"note\":\"SSH::Password_Guessing\",\"msg\":\"x\",\
     \"src\":\"10.0.0.1\",\"actions\":[\"Notice::ACTION_LOG\"]}\n",
];
