//! The verbs over logs, on real logs and captures, as an operator runs them.

use std::path::Path;
use std::process::{Output, Stdio};

use anyhow::{Context as _, ensure};
use netsec_tests::{binary, data};
use serde_json::Value;

fn run(data: &Path, line: &str, stdin: &[u8]) -> anyhow::Result<Output> {
    let args = line
        .split_whitespace()
        .map(|word| word.replace("DATA", &data.display().to_string()))
        .map(|word| word.replace('_', " ").replace("\u{1}", "_"));
    binary::run(args, stdin)
}

/// Words are parted by spaces; a space inside a word is written `_`, an underscore as `\u{1}`.
fn stdout(data: &Path, line: &str) -> anyhow::Result<String> {
    let done = run(data, line, b"")?;
    let stderr = String::from_utf8_lossy(&done.stderr);
    ensure!(done.status.success(), "{line}: {}\n{stderr}", done.status);
    Ok(String::from_utf8(done.stdout)?)
}

fn json_lines(text: &str) -> anyhow::Result<Vec<Value>> {
    text.lines()
        .map(|line| Ok(serde_json::from_str(line)?))
        .collect()
}

#[test]
fn alerts_are_shown_counted_and_read_back() -> anyhow::Result<()> {
    let Some(data) = data::path()? else {
        return Ok(());
    };
    let log = "DATA/suricata/hackeire2011\u{1}c2.s8.eve.json.gz";
    let table = stdout(&data, &format!("alerts -r {log}"))?;
    ensure!(table.contains("51 alerts: 20 and 31 of noise"), "{table}");
    let lines = stdout(&data, &format!("alerts -r {log} -o jsonl"))?;
    ensure!(json_lines(&lines)?.len() == 51);
    // Suricata's own IDs are those that netsec computes anew.
    let again = binary::run(["alerts", "-r", "-", "-o", "jsonl"], lines.as_bytes())?;
    ensure!(
        String::from_utf8(again.stdout)? == lines,
        "not read back the same"
    );
    let told = stdout(
        &data,
        &format!("alerts -r {log} --no-noise -o csv resp_port_80"),
    )?;
    ensure!(told.lines().count() == 19, "{told}");
    let failed = run(&data, &format!("alerts -r {log} --fail-on 1"), b"")?;
    ensure!(failed.status.code() == Some(10), "{}", failed.status);
    let noise_only = "DATA/suricata/ssh-bruteforce-902.s8.eve.json.gz";
    let fine = run(&data, &format!("alerts -r {noise_only} --fail-on 4"), b"")?;
    ensure!(fine.status.success(), "noise made the command fail");
    Ok(())
}

/// Suricata writes each alert into both of its logs: whoever gives both has as many alerts as in one.
#[test]
fn alerts_of_both_logs_count_once() -> anyhow::Result<()> {
    let Some(data) = data::path()? else {
        return Ok(());
    };
    let mut pairs = 0;
    for entry in std::fs::read_dir(data.join("suricata"))? {
        let eve = entry?.path().display().to_string();
        let fast = eve.replace(".eve.json.gz", ".fast.log.gz");
        if fast == eve || !Path::new(&fast).exists() {
            continue;
        }
        pairs += 1;
        let alerts = |logs: &[&str]| -> anyhow::Result<usize> {
            let logs = logs.iter().flat_map(|log| ["-r", log]);
            let args = ["alerts", "-o", "csv"].into_iter().chain(logs);
            let said = String::from_utf8(binary::run(args, b"")?.stdout)?;
            Ok(said.lines().skip(1).count())
        };
        let counts = [
            alerts(&[&eve])?,
            alerts(&[&eve, &fast])?,
            alerts(&[&fast, &eve])?,
        ];
        ensure!(counts == [counts[0]; 3], "{eve}: {counts:?}");
    }
    ensure!(pairs >= 10, "{pairs} pairs of logs");
    Ok(())
}

#[test]
fn rows_are_filtered_and_written_in_every_form() -> anyhow::Result<()> {
    let Some(data) = data::path()? else {
        return Ok(());
    };
    let log = "DATA/zeek/proxy\u{1}rolling\u{1}conn.log.gz";
    let count = |filter: &str| -> anyhow::Result<usize> {
        let line = format!("logs -r {log} -o jsonl --fields ts,id.resp\u{1}p {filter}");
        Ok(stdout(&data, &line)?.lines().count())
    };
    let all = count("")?;
    ensure!(all == 7260, "{all}");
    ensure!(count("resp_port_53")? + count("not_resp_port_53")? == all);
    ensure!(count("orig_port_53")? == 0 && count("port_53")? == count("resp_port_53")?);
    // Zeek's form comes out as it went in.
    let tsv = stdout(&data, &format!("logs -r {log} -o tsv"))?;
    let one = stdout(&data, &format!("logs -r {log} -o jsonl"))?;
    let other = binary::run(["logs", "-r", "-", "-o", "jsonl"], tsv.as_bytes())?;
    ensure!(
        String::from_utf8(other.stdout)? == one,
        "Zeek's form is not read back the same"
    );
    let csv = stdout(
        &data,
        &format!("logs -r {log} -o csv -c 3 --fields uid,conn\u{1}state"),
    )?;
    ensure!(
        csv.lines().count() == 4 && csv.starts_with("uid,conn_state\n"),
        "{csv}"
    );
    Ok(())
}

/// A refused try at port 4444 is no contact.
#[test]
fn hunting_tells_contacts_from_attempts() -> anyhow::Result<()> {
    let Some(data) = data::path()? else {
        return Ok(());
    };
    let logs: Vec<String> = (0..24)
        .map(|hour| {
            format!(
                "-r DATA/zeek/rita\u{1}2024-04-19/conn.{hour:02}:00:00-{:02}:00:00.log.gz",
                (hour + 1) % 24
            )
        })
        .collect();
    let logs = logs.join(" ");
    let quiet = run(&data, &format!("hunt {logs} --fail-on contact"), b"")?;
    let stderr = String::from_utf8_lossy(&quiet.stderr);
    ensure!(
        quiet.status.success() && quiet.stdout.is_empty(),
        "{stderr}"
    );
    let tries = run(
        &data,
        &format!("hunt {logs} --attempts -o jsonl --fail-on attempt"),
        b"",
    )?;
    ensure!(tries.status.code() == Some(10), "{}", tries.status);
    let rows = json_lines(&String::from_utf8(tries.stdout)?)?;
    ensure!(rows.len() == 179, "{} attempts", rows.len());
    for row in rows {
        let outcome = row.get("outcome").and_then(Value::as_str);
        ensure!(outcome != Some("established"), "{row}");
    }
    Ok(())
}

/// Capture, log, rows that are about a connection: every one has its connection.
const JOINS: [(&str, &str, u64); 9] = [
    (
        "mixed/apt29\u{1}SCRANTON.pcap",
        "zeek/apt29\u{1}SCRANTON\u{1}conn.json.log",
        53,
    ),
    (
        "mixed/hackeire2011\u{1}c2.pcap.gz",
        "suricata/hackeire2011\u{1}c2.s8.eve.json.gz",
        27_774,
    ),
    (
        "c2/cryptowall4\u{1}c2.pcapng.gz",
        "suricata/cryptowall4\u{1}c2.s8.eve.json.gz",
        9,
    ),
    (
        "benign/http\u{1}espn.pcapng.gz",
        "suricata/http\u{1}espn.s8.eve.json.gz",
        133,
    ),
    (
        "bruteforce/ssh-bruteforce-902.pcap",
        "suricata/ssh-bruteforce-902.s7tiny.eve.json.gz",
        105,
    ),
    (
        "scan/nmap\u{1}tcp\u{1}syn\u{1}scan.pcap",
        "suricata/nmap\u{1}tcp\u{1}syn\u{1}scan.s7tiny.eve.json.gz",
        1007,
    ),
    (
        "mixed/xscan\u{1}capture.pcap.gz",
        "suricata/xscan\u{1}capture.s8.eve.json.gz",
        823,
    ),
    (
        "c2/test-cc-capture-2.pcap",
        "suricata/test-cc-capture-2.s8.eve.json.gz",
        777,
    ),
    (
        "tunnel/dns-tunnel-iodine.pcap",
        "suricata/dns-tunnel-iodine.s7tiny.eve.json.gz",
        440,
    ),
];

#[test]
fn every_row_with_a_flow_in_the_capture_joins_it() -> anyhow::Result<()> {
    let Some(data) = data::path()? else {
        return Ok(());
    };
    for (capture, log, rows) in JOINS {
        let plain = data.join("pcap").join(capture.replace('\u{1}', "_"));
        let capture = if plain.exists() {
            capture.to_owned()
        } else {
            capture.trim_end_matches(".gz").to_owned()
        };
        let line = format!(
            "replay DATA/pcap/{capture} --packets off --no-flows --interval 0 -o jsonl --log DATA/{log}"
        );
        let lines = json_lines(&stdout(&data, &line)?)?;
        let of_kind = |kind: &'static str| {
            let of_kind =
                move |line: &&Value| line.get("event_type").and_then(Value::as_str) == Some(kind);
            lines.iter().filter(of_kind)
        };
        let join = of_kind("netsec_join").next().context("no counts")?;
        let number = |pointer: &str| join.pointer(pointer).and_then(Value::as_u64);
        ensure!(number("/join/rows") == Some(rows), "{log}: {join}");
        ensure!(number("/join/joined") == Some(rows), "{log}: {join}");
        for alert in of_kind("netsec_alert") {
            let joined = alert.pointer("/netsec/joined").and_then(Value::as_bool);
            let packets = alert.pointer("/flow/pkts_toserver").and_then(Value::as_u64);
            // Alerts of the decoder name no ends.
            let fine = joined == Some(false) || packets.is_some_and(|packets| packets > 0);
            ensure!(fine, "{log}: {alert}");
        }
    }
    Ok(())
}

#[test]
fn incidents_name_who_did_what_and_never_a_local_attacker() -> anyhow::Result<()> {
    let Some(data) = data::path()? else {
        return Ok(());
    };
    let log = "DATA/suricata/ctu\u{1}test6\u{1}eve.json.gz";
    let incidents = json_lines(&stdout(&data, &format!("incidents -r {log} -o jsonl"))?)?;
    ensure!(incidents.len() > 50, "{}", incidents.len());
    let mut last = u64::MAX;
    for line in &incidents {
        let number = |pointer: &str| {
            line.pointer(pointer)
                .and_then(Value::as_u64)
                .context("number")
        };
        let risk = number("/incident/risk")?;
        ensure!((20..=last).contains(&risk), "{line}");
        last = risk;
        let terms = line.pointer("/incident/terms").and_then(Value::as_array);
        let points = terms
            .context("no terms")?
            .iter()
            .map(|term| term.get("points")?.as_i64());
        let sum: i64 = points.map(Option::unwrap_or_default).sum();
        ensure!(i64::try_from(risk)? == sum.clamp(0, 100), "{line}");
        let role = line.pointer("/incident/role").and_then(Value::as_str);
        let offender = line.pointer("/incident/offender").and_then(Value::as_str);
        let is_local = offender.context("nobody")?.starts_with("192.168.");
        ensure!(is_local == (role == Some("suspect")), "{line}");
    }
    let local = stdout(
        &data,
        &format!("incidents -r {log} -o jsonl --allow 0.0.0.0/0"),
    )?;
    ensure!(
        !local.contains("\"role\":\"attacker\""),
        "an allowed address is an attacker"
    );
    Ok(())
}

#[test]
fn a_policy_spares_noise_and_forged_sources() -> anyhow::Result<()> {
    let Some(data) = data::path()? else {
        return Ok(());
    };
    let test = |log: &str, rules: &str| -> anyhow::Result<Vec<Value>> {
        json_lines(&stdout(
            &data,
            &format!("policy test -r DATA/suricata/{log} -o jsonl --all {rules}"),
        )?)
    };
    let count = |rows: &[Value], verdict: &str| {
        let is_it = |row: &&Value| row.get("verdict").and_then(Value::as_str) == Some(verdict);
        rows.iter().filter(is_it).count()
    };
    let ctu = "ctu\u{1}test6\u{1}eve.json.gz";
    let severe = test(ctu, "--severity 2")?;
    let counts = ["block", "limit", "spare"].map(|verdict| count(&severe, verdict));
    ensure!(
        (severe.len(), counts) == (745, [25, 718, 2]),
        "{} {counts:?}",
        severe.len()
    );
    let nothing = test(ctu, "")?;
    ensure!(
        count(&nothing, "spare") == nothing.len(),
        "a block without a rule"
    );
    // Sources that nobody answered are left alone when they are not to be slowed down.
    let strict = test(
        ctu,
        "--severity 2 --set decide.unproven\u{1}packets\u{1}per\u{1}s=0",
    )?;
    ensure!(count(&strict, "limit") == 0 && count(&strict, "block") == counts[0]);
    // Every alert of this log is noise, and no rule makes it a reason.
    let noise = test("ssh-bruteforce-902.s8.eve.json.gz", "--severity 255")?;
    ensure!(
        (noise.len(), count(&noise, "spare")) == (37, 37),
        "{noise:?}"
    );
    Ok(())
}

#[test]
fn a_policy_is_tried_on_a_capture() -> anyhow::Result<()> {
    let Some(data) = data::path()? else {
        return Ok(());
    };
    let capture = "DATA/pcap/bruteforce/ssh-bruteforce-902.pcap";
    let test = |rules: &str| {
        json_lines(&stdout(
            &data,
            &format!("policy test -r {capture} -o jsonl --local 147.32.80.37/32 {rules}"),
        )?)
    };
    ensure!(test("")?.is_empty(), "a block without a rule");
    let rows = test("--finding bruteforce")?;
    let [row] = rows.as_slice() else {
        anyhow::bail!("{rows:?}");
    };
    let field = |name: &str| row.get(name).and_then(Value::as_str);
    ensure!(
        (field("verdict"), field("address")) == (Some("block"), Some("147.32.80.40")),
        "{row}"
    );
    Ok(())
}

#[test]
fn damage_is_named_and_a_closed_pipe_is_quiet() -> anyhow::Result<()> {
    let Some(data) = data::path()? else {
        return Ok(());
    };
    let cut = run(
        &data,
        "logs -r DATA/zeek/bad\u{1}truncated\u{1}conn.log -o jsonl",
        b"",
    )?;
    let stderr = String::from_utf8_lossy(&cut.stderr);
    ensure!(
        cut.status.success() && stderr.contains("conn.log:67: 9 columns where the header has 21"),
        "{stderr}"
    );
    let text = run(
        &data,
        "logs -r DATA/zeek/bad\u{1}text\u{1}file\u{1}conn.log",
        b"",
    )?;
    ensure!(
        text.status.code() == Some(1) && text.stdout.is_empty(),
        "{}",
        text.status
    );
    let usage = run(&data, "logs -r - resp_prot_4444", b"")?;
    ensure!(usage.status.code() == Some(2), "{}", usage.status);
    let missing = run(&data, "alerts -r DATA/none.json", b"")?;
    ensure!(missing.status.code() == Some(1), "{}", missing.status);
    let log = data.join("zeek/wrccdc_dns.json.gz");
    let mut child = binary::command(["logs", "-q", "-o", "jsonl", "-r"])?
        .arg(log)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    drop(child.stdout.take());
    let done = child.wait_with_output()?;
    ensure!(done.status.success() && done.stderr.is_empty(), "{done:?}");
    Ok(())
}
