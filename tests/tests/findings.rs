//! What the detectors find in real captures, as `netsec replay` runs them with its defaults.
//!
//! The table of capture × finding is printed: `cargo test -p netsec-tests --test findings -- --nocapture`.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use netsec_common::flow::FIXED_HASH_KEYS;
use netsec_common::sample::Sampling;
use netsec_tests::data;
use netsec_tests::replay::{Play, text};
use netsec_user::decide::Rules;
use netsec_user::detect::DetectSettings;
use netsec_user::finding::Severity;
use serde_json::Value;

/// What has to be found: kind, attacker, victim.
struct Expected {
    capture: &'static str,
    findings: &'static [(&'static str, &'static str, &'static str)],
}

const fn expected(
    capture: &'static str,
    findings: &'static [(&'static str, &'static str, &'static str)],
) -> Expected {
    Expected { capture, findings }
}

/// Attacks, by what is known of each capture.
const ATTACKS: [Expected; 16] = [
    expected(
        "scan/nmap_tcp_syn_scan.pcap",
        &[("scan.vertical", "192.168.1.10", "192.168.1.25")],
    ),
    expected(
        "scan/nmap_null_scan.pcap",
        &[("scan.vertical", "192.168.1.10", "192.168.1.25")],
    ),
    expected(
        "scan/nmap_udp_scan.pcap",
        &[("scan.vertical", "192.168.1.10", "192.168.1.25")],
    ),
    expected(
        "scan/tcp_scan.pcapng",
        &[("scan.vertical", "192.168.1.178", "192.168.1.2")],
    ),
    expected(
        "scan/test12-icmp-portscan.pcap",
        &[("scan.sweep", "192.168.1.109", "192.168.1.0/24")],
    ),
    expected(
        "flood/amp.UDP.isakmp.pcap",
        &[("flood.amplification", "reflectors/many", "10.10.10.10")],
    ),
    expected(
        "flood/amp.dns.RRSIG.fragmented.pcap",
        &[
            ("flood.amplification", "reflectors/many", "10.10.10.10"),
            ("flood.fragment", "many", "10.10.10.10"),
        ],
    ),
    // Every source and every destination is forged: there is no single victim.
    expected(
        "flood/dosattack.pcap",
        &[("flood.syn", "spoofed/many", "many")],
    ),
    expected(
        "bruteforce/ssh-bruteforce-902.pcap",
        &[("bruteforce", "147.32.80.40", "147.32.80.37")],
    ),
    expected(
        "bruteforce/ftp-bruteforce.pcap",
        &[("bruteforce", "192.168.56.1", "192.168.56.101")],
    ),
    expected(
        "c2/test-cc-capture-2.pcap",
        &[("beacon", "147.32.80.37", "141.193.213.20")],
    ),
    expected(
        "c2/blaster.pcap",
        &[("suspicious_port", "10.234.0.239", "10.234.2.116")],
    ),
    expected(
        "tunnel/dns-tunnel-iodine.pcap",
        &[("tunnel.dns", "10.0.2.30", "10.0.2.20")],
    ),
    expected(
        "tunnel/dns_txt_c2.pcap",
        &[("tunnel.dns", "192.168.100.121", "192.168.100.2")],
    ),
    expected(
        "mixed/hackeire2011_c2.pcap",
        &[
            ("scan.vertical", "10.20.0.110", "192.168.10.53"),
            ("scan.sweep", "10.20.0.110", "192.168.10.0/24"),
            ("scan.horizontal", "10.20.0.110", "192.168.10.0/24"),
        ],
    ),
    expected(
        "mixed/xscan_capture.pcap",
        &[
            ("scan.vertical", "192.168.1.125", "192.168.1.120"),
            ("bruteforce", "192.168.1.125", "192.168.1.120"),
        ],
    ),
];

/// Ordinary traffic, and odd packets without ill intent.
const BENIGN: [&str; 2] = ["benign", "encap-frag"];

#[test]
fn every_attack_is_found_and_nobody_is_mistaken_for_another() -> anyhow::Result<()> {
    let Some(data) = data::path()? else {
        return Ok(());
    };
    let mut wrong = Vec::new();
    for Expected { capture, findings } in &ATTACKS {
        let found = findings_of(&data::file(&data.join("pcap"), capture))?;
        print_table(capture, &found)?;
        for (kind, attacker, victim) in *findings {
            let matches = |finding: &Value| {
                let field = |name: &str| text(finding, &format!("/finding/{name}")).ok();
                field("kind") == Some(kind)
                    && field("attacker") == Some(attacker)
                    && field("victim") == Some(victim)
            };
            if !found.iter().any(matches) {
                wrong.push(format!("{capture}: no {kind} {attacker} > {victim}"));
            }
            // The other way round it would be the victim that is acted upon.
            for finding in &found {
                if text(finding, "/finding/kind")? == *kind
                    && text(finding, "/finding/attacker")? == *victim
                {
                    wrong.push(format!("{capture}: the victim is the attacker: {finding}"));
                }
            }
        }
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

#[test]
fn ordinary_traffic_has_no_finding_of_high_severity() -> anyhow::Result<()> {
    let Some(data) = data::path()? else {
        return Ok(());
    };
    let mut captures = 0;
    for folder in BENIGN {
        for entry in std::fs::read_dir(data.join("pcap").join(folder))? {
            let path = entry?.path();
            let found = findings_of(&path)?;
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            print_table(&format!("{folder}/{name}"), &found)?;
            for finding in &found {
                let severity: Severity = text(finding, "/finding/severity")?.parse()?;
                ensure!(severity < Severity::High, "{name}: {finding}");
            }
            captures += 1;
        }
    }
    ensure!(captures >= 17, "{captures} captures");
    Ok(())
}

#[test]
fn steps_of_a_finding_share_its_id_and_end_once() -> anyhow::Result<()> {
    let Some(data) = data::path()? else {
        return Ok(());
    };
    let found = findings_of(&data::file(
        &data.join("pcap"),
        "mixed/hackeire2011_c2.pcap",
    ))?;
    let mut open = std::collections::BTreeMap::new();
    for finding in &found {
        let id = finding
            .pointer("/finding/id")
            .and_then(Value::as_u64)
            .context("id")?;
        match text(finding, "/finding/state")? {
            "start" => ensure!(open.insert(id, true).is_none(), "{finding}"),
            "update" => ensure!(open.get(&id) == Some(&true), "{finding}"),
            _ => ensure!(open.insert(id, false) == Some(true), "{finding}"),
        }
    }
    ensure!(open.len() >= 8 && open.values().all(|is_open| !is_open));
    Ok(())
}

/// However often the flow table is read between two seconds, and whatever its size, the same is found.
#[test]
fn findings_do_not_depend_on_how_the_flow_table_is_read() -> anyhow::Result<()> {
    let Some(data) = data::path()? else {
        return Ok(());
    };
    for name in [
        "scan/nmap_tcp_syn_scan.pcap",
        "bruteforce/ssh-bruteforce-902.pcap",
        "c2/test-cc-capture-2.pcap",
        "tunnel/dns-tunnel-iodine.pcap",
        "flood/dosattack.pcap",
        "flood/amp.UDP.isakmp.pcap",
    ] {
        let file = data::file(&data.join("pcap"), name);
        let whole = lines(&play(1 << 16), &file)?;
        ensure!(!whole.is_empty(), "{name} has no findings");
        // A table this small evicts all the time, so that flows come in many small deltas.
        for slots in [64, 1024] {
            let pieces = lines(&play(slots), &file)?;
            ensure!(
                pieces == whole,
                "{name}, {slots} slots:\n{pieces:#?}\n{whole:#?}"
            );
        }
    }
    Ok(())
}

fn play(slots: u32) -> Play {
    Play {
        slots,
        sampling: Sampling::FirstAndQuestions(4),
        interval: Duration::from_secs(3600),
        hash_keys: FIXED_HASH_KEYS,
        detect: Some(DetectSettings::default()),
        inner: false,
        rules: Rules::default(),
        logs: Vec::new(),
    }
}

fn lines(play: &Play, file: &Path) -> anyhow::Result<Vec<String>> {
    let found = play.lines(file)?;
    let kind = |line: &Value| line.get("event_type").and_then(Value::as_str) == Some("finding");
    Ok(found
        .iter()
        .filter(|line| kind(line))
        .map(Value::to_string)
        .collect())
}

fn findings_of(file: &Path) -> anyhow::Result<Vec<Value>> {
    let lines = lines(&play(1 << 16), file).with_context(|| file.display().to_string())?;
    lines
        .iter()
        .map(|line| Ok(serde_json::from_str(line)?))
        .collect()
}

#[expect(
    clippy::print_stdout,
    reason = "the table is what this test is read for"
)]
fn print_table(capture: &str, found: &[Value]) -> anyhow::Result<()> {
    let mut told = 0;
    for finding in found {
        if text(finding, "/finding/state")? != "end" {
            continue;
        }
        told += 1;
        let field = |name: &str| text(finding, &format!("/finding/{name}"));
        println!(
            "{capture:40} {:19} {:8} {:>17} > {:17} {}",
            field("kind")?,
            field("severity")?,
            field("attacker")?,
            field("victim")?,
            field("message")?
        );
    }
    if told == 0 {
        println!("{capture:40} -");
    }
    Ok(())
}
