//! `netsec incidents` over captures with the logs of other sensors beside them.

use std::path::Path;

use anyhow::{Context as _, ensure};
use netsec_tests::{binary, data};
use serde_json::Value;

fn incidents(data: &Path, arguments: &str) -> anyhow::Result<(Vec<Value>, String)> {
    let arguments = arguments.replace("DATA", &data.display().to_string());
    let words = ["incidents", "-o", "jsonl"].into_iter();
    let done = binary::run(words.chain(arguments.split_whitespace()), b"")?;
    let said = String::from_utf8(done.stderr)?;
    ensure!(done.status.success(), "{arguments}: {said}");
    let lines = str::from_utf8(&done.stdout)?.lines();
    let lines = lines.map(serde_json::from_str).collect::<Result<_, _>>()?;
    Ok((lines, said))
}

fn of<'a>(incidents: &'a [Value], offender: &str) -> anyhow::Result<&'a Value> {
    let is_it = |line: &&Value| line.pointer("/incident/offender") == Some(&offender.into());
    let found = incidents.iter().find(is_it).context("no incident")?;
    found.get("incident").context("no body")
}

fn number(value: &Value, pointer: &str) -> anyhow::Result<u64> {
    let number = value.pointer(pointer).and_then(Value::as_u64);
    number.with_context(|| format!("no {pointer} in {value}"))
}

fn terms(incident: &Value) -> Vec<&str> {
    let terms = incident.get("terms").and_then(Value::as_array);
    let terms = terms.into_iter().flatten();
    terms
        .filter_map(|term| term.get("name")?.as_str())
        .collect()
}

/// A scanner of whom the detectors, Suricata's rules and the counters all have something to say.
#[test]
fn findings_alerts_and_counters_are_one_incident() -> anyhow::Result<()> {
    let Some(data) = data::path()? else {
        return Ok(());
    };
    let capture = data::file(&data, "pcap/mixed/hackeire2011_c2.pcap");
    let (found, said) = incidents(
        &data,
        &format!(
            "-r {} -r DATA/suricata/hackeire2011_c2.s8.eve.json.gz",
            capture.display()
        ),
    )?;
    ensure!(said.contains("27774 of 27774 rows joined"), "{said}");
    let incident = of(&found, "10.20.0.110")?;
    ensure!(
        incident.get("role") == Some(&"suspect".into()),
        "{incident}"
    );
    ensure!(
        number(incident, "/alerts")? > 0 && number(incident, "/noise")? > 0,
        "{incident}"
    );
    let names = terms(incident);
    for name in ["severity", "findings", "victims", "attempts"] {
        ensure!(names.contains(&name), "no {name} in {names:?}");
    }
    let findings = incident.get("findings").and_then(Value::as_array);
    let findings = findings.context("no findings")?;
    let is_scan = |found: &Value| {
        let kind = found.get("kind").and_then(Value::as_str);
        kind.is_some_and(|kind| kind.starts_with("scan."))
    };
    ensure!(findings.iter().any(is_scan), "{incident}");
    // The connections that alerts and flow records were joined to, counted by netsec.
    ensure!(
        number(incident, "/traffic/connections")? > 1000,
        "{incident}"
    );
    ensure!(
        number(incident, "/traffic/pkts_toserver")? > 1000,
        "{incident}"
    );
    // Of the 47,423 packets of the capture most are the scanner's; none is counted twice.
    let both =
        number(incident, "/traffic/pkts_toserver")? + number(incident, "/traffic/pkts_toclient")?;
    ensure!((30_000..=47_423).contains(&both), "{both} packets");
    ensure!(
        incident.pointer("/traffic/two_way") == Some(&true.into()),
        "{incident}"
    );
    // In order of time, whichever log was read first.
    let timeline = incident.get("timeline").and_then(Value::as_array);
    let times = timeline.into_iter().flatten();
    let times: Vec<_> = times
        .filter_map(|moment| moment.get("timestamp")?.as_str())
        .collect();
    ensure!(times.len() > 10 && times.is_sorted(), "{times:?}");
    Ok(())
}

/// Nothing but a capture: what the detectors find is evidence enough.
#[test]
fn a_capture_alone_has_incidents_and_ordinary_traffic_has_none() -> anyhow::Result<()> {
    let Some(data) = data::path()? else {
        return Ok(());
    };
    let (found, _) = incidents(&data, "-r DATA/pcap/bruteforce/ssh-bruteforce-902.pcap")?;
    let incident = of(&found, "147.32.80.40").or_else(|_| of(&found, "147.32.80.37"))?;
    ensure!(terms(incident).contains(&"findings"), "{incident}");
    for benign in ["http_espn.pcapng", "tcp_ports.pcapng"] {
        let capture = data::file(&data, &format!("pcap/benign/{benign}"));
        let (found, _) = incidents(&data, &format!("-r {}", capture.display()))?;
        ensure!(found.is_empty(), "{benign}: {found:?}");
    }
    Ok(())
}

/// Two captures of one day are one story, in whatever order they are named.
#[test]
fn the_order_of_files_does_not_matter() -> anyhow::Result<()> {
    let Some(data) = data::path()? else {
        return Ok(());
    };
    let scan = "-r DATA/pcap/scan/nmap_tcp_syn_scan.pcap";
    let ssh = "-r DATA/pcap/bruteforce/ssh-bruteforce-902.pcap";
    let log = "-r DATA/suricata/ssh-bruteforce-902.s7tiny.eve.json.gz";
    let (one, _) = incidents(&data, &format!("{scan} {ssh} {log}"))?;
    let (other, _) = incidents(&data, &format!("{log} {ssh} {scan}"))?;
    ensure!(one == other && one.len() >= 2, "{one:?}, not {other:?}");
    Ok(())
}
