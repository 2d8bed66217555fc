//! `netsec detect`: the detectors over logs and captures, as an operator runs them.

#![expect(
    clippy::panic_in_result_fn,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use netsec_tests::{binary, data};
use serde_json::Value;

/// Who did what to the host whose day it is, by the README of the data.
const DAY: [(&str, &str); 4] = [
    ("scan.vertical", "165.154.254.36"),
    ("bruteforce", "170.64.237.193"),
    ("bruteforce", "89.32.41.104"),
    ("bruteforce", "183.81.169.238"),
];

/// The host.
const HOST: &str = "64.225.56.201";

fn run(args: &[&str], stdin: &[u8]) -> anyhow::Result<(String, String, Option<i32>)> {
    let output = binary::run(args, stdin)?;
    Ok((
        String::from_utf8(output.stdout)?,
        String::from_utf8(output.stderr)?,
        output.status.code(),
    ))
}

fn lines(text: &str) -> Vec<Value> {
    let lines = text.lines().map(serde_json::from_str);
    lines.collect::<Result<_, _>>().unwrap()
}

/// Kind, attacker, victim and how many campaigns of it were begun.
fn campaigns(lines: &[Value]) -> BTreeMap<(String, String, String), usize> {
    let mut begun = BTreeMap::new();
    for line in lines {
        let finding = &line["finding"];
        let field = |name: &str| finding[name].as_str().unwrap().to_owned();
        if finding["state"] == "start" {
            let key = (field("kind"), field("attacker"), field("victim"));
            *begun.entry(key).or_default() += 1;
        }
    }
    begun
}

fn hours(data: &Path) -> Vec<String> {
    let directory = data.join("zeek/rita_2024-04-19");
    let mut files: Vec<String> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path().to_str().unwrap().to_owned())
        .filter(|path| path.contains("/conn."))
        .collect();
    files.sort();
    assert_eq!(files.len(), 24);
    files
}

#[test]
fn scanner_and_guessers_of_a_day_are_one_finding_each() -> anyhow::Result<()> {
    let Some(data) = data::path()? else {
        return Ok(());
    };
    let hours = hours(&data);
    let mut args = vec!["detect", "-o", "jsonl", "--fail-on", "high"];
    for file in &hours {
        args.extend(["-r", file.as_str()]);
    }
    let (out, errors, code) = run(&args, b"")?;
    assert_eq!(code, Some(10), "{errors}");
    assert!(errors.contains("31367 connections: "), "{errors}");
    let lines = lines(&out);
    assert!(lines.iter().all(|line| line["event_type"] == "finding"));
    let begun = campaigns(&lines);
    for (kind, attacker) in DAY {
        let key = (kind.to_owned(), attacker.to_owned(), HOST.to_owned());
        assert_eq!(begun.get(&key), Some(&1), "{key:?} {begun:#?}");
    }
    // The host is the one that is attacked. That it calls home or out would be something else.
    for (kind, attacker, _) in begun.keys() {
        let attacks = kind.starts_with("scan") || kind == "bruteforce";
        assert!(!(attacks && attacker == HOST), "{kind} by {attacker}");
    }
    // Some came back hours later, which is another campaign; nobody has one every few minutes.
    for (campaign, count) in &begun {
        assert!(*count <= 3, "{count} {campaign:?}");
    }
    // Every campaign that begins ends, and its steps share an id.
    let mut open = BTreeMap::new();
    for line in &lines {
        let id = line["finding"]["id"].as_u64().unwrap();
        match line["finding"]["state"].as_str().unwrap() {
            "start" => assert_eq!(open.insert(id, true), None, "{line}"),
            "update" => assert_eq!(open.get(&id), Some(&true), "{line}"),
            _ => assert_eq!(open.insert(id, false), Some(true), "{line}"),
        }
    }
    assert!(open.values().all(|open| !open));
    Ok(())
}

#[test]
fn a_capture_its_eve_log_and_our_own_records_say_the_same() -> anyhow::Result<()> {
    let Some(data) = data::path()? else {
        return Ok(());
    };
    let capture = data::file(&data.join("pcap"), "scan/nmap_tcp_syn_scan.pcap");
    let capture = capture.to_str().unwrap();
    let eve = data.join("suricata/nmap_tcp_syn_scan.s8.eve.json.gz");
    let replayed = run(&["replay", capture, "--packets", "off", "-o", "jsonl"], b"")?;
    let detect = |file: &str, stdin: &[u8]| run(&["detect", "-o", "jsonl", "-r", file], stdin);
    for (what, (out, errors, code)) in [
        ("capture", detect(capture, b"")?),
        ("eve", detect(eve.to_str().unwrap(), b"")?),
        ("own", detect("-", replayed.0.as_bytes())?),
    ] {
        assert_eq!(code, Some(0), "{what}: {errors}");
        let lines = lines(&out);
        let scan = lines
            .iter()
            .find(|line| line["finding"]["kind"] == "scan.vertical")
            .unwrap_or_else(|| panic!("{what}: {out}"));
        assert_eq!(scan["src_ip"], "192.168.1.10", "{what}");
        assert_eq!(scan["dest_ip"], "192.168.1.25", "{what}");
        let last = lines
            .iter()
            .rfind(|line| line["finding"]["kind"] == "scan.vertical");
        let ports = last.unwrap()["finding"]["evidence"]["ports"].as_u64();
        assert!((990..=1010).contains(&ports.unwrap()), "{what} {ports:?}");
    }
    // What replay finds, detect finds, line for line.
    let replayed: Vec<&str> = replayed
        .0
        .lines()
        .filter(|line| line.contains(r#""event_type":"finding""#))
        .collect();
    assert_eq!(
        detect(capture, b"")?.0.lines().collect::<Vec<_>>(),
        replayed
    );
    Ok(())
}

#[test]
fn what_is_neither_log_nor_capture_is_said() -> anyhow::Result<()> {
    let Some(data) = data::path()? else {
        return Ok(());
    };
    let capture = data::file(&data.join("pcap"), "scan/tcp_scan.pcapng");
    let capture = capture.to_str().unwrap();
    let (_, errors, code) = run(&["detect", "-r", "-"], b"shopping list\nbread\n")?;
    assert_eq!(code, Some(1), "{errors}");
    assert!(errors.contains("nothing in it is a log"), "{errors}");
    let (_, errors, code) = run(&["detect", "-r", capture, "port 22"], b"")?;
    assert_eq!(code, Some(2), "{errors}");
    let (_, errors, code) = run(&["detect", "-r", capture, "-r", "-"], b"")?;
    assert_eq!(code, Some(2), "{errors}");
    Ok(())
}
