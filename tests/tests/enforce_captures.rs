//! Which sources of real captures would be blocked or slowed down, if every kind of finding and every
//! alert were allowed to.
//!
//! The table is printed: `cargo test -p netsec-tests --test enforce_captures -- --nocapture`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use netsec_common::flow::FIXED_HASH_KEYS;
use netsec_common::sample::Sampling;
use netsec_tests::data;
use netsec_tests::replay::{Play, text};
use netsec_user::correlate::Site;
use netsec_user::decide::{EnforceSettings, Rules};
use netsec_user::detect::DetectSettings;
use netsec_user::finding::{Kind, Severity};
use serde_json::Value;

/// Whom the rules of a test call their own: nobody, so that anybody may be the attacker.
fn nobody() -> Site {
    Site {
        local: Vec::new(),
        allow: Vec::new(),
    }
}

fn rules(finding_severity: Severity, site: Site) -> Rules {
    let settings = EnforceSettings {
        findings: Kind::ALL.to_vec(),
        finding_severity,
        alert_severity: 255,
        ..EnforceSettings::default()
    };
    Rules::new(settings, site)
}

/// The decisions on a capture: what is done, and to whom.
fn decisions(
    capture: &Path,
    logs: &[PathBuf],
    rules: &Rules,
) -> anyhow::Result<BTreeSet<(String, String)>> {
    let play = Play {
        slots: 1 << 16,
        sampling: Sampling::FirstAndQuestions(4),
        interval: Duration::from_secs(3600),
        hash_keys: FIXED_HASH_KEYS,
        detect: Some(DetectSettings::default()),
        rules: rules.clone(),
        logs: logs.to_vec(),
        inner: false,
    };
    let lines = play.lines(capture)?;
    let kind = |line: &&Value| line.get("event_type").and_then(Value::as_str) == Some("decision");
    let mut found = BTreeSet::new();
    for line in lines.iter().filter(kind) {
        ensure!(
            line.pointer("/decision/enforced") == Some(&Value::Bool(false)),
            "{line}"
        );
        found.insert((
            text(line, "/decision/action")?.to_owned(),
            text(line, "/src_ip")?.to_owned(),
        ));
        print(&format!(
            "{:32} {}",
            capture.file_name().unwrap_or_default().to_string_lossy(),
            text(line, "/decision/message")?
        ));
    }
    Ok(found)
}

fn captures(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    entries.map(|entry| Ok(entry?.path())).collect()
}

#[expect(
    clippy::print_stdout,
    reason = "the table is what this test is read for"
)]
fn print(line: &str) {
    println!("{line}");
}

#[test]
fn ordinary_traffic_leads_to_nothing() -> anyhow::Result<()> {
    let Some(data) = data::path()? else {
        return Ok(());
    };
    let mut count = 0;
    for folder in ["benign", "encap-frag"] {
        for capture in captures(&data.join("pcap").join(folder))? {
            let name = capture.display().to_string();
            let mut logs = Vec::new();
            if name.contains("http_espn") {
                logs.push(data.join("suricata/http_espn.s8.eve.json.gz"));
            }
            for (severity, site) in [(Severity::Low, Site::default()), (Severity::High, nobody())] {
                let found = decisions(&capture, &logs, &rules(severity, site))?;
                ensure!(found.is_empty(), "{name}: {found:?}");
            }
            count += 1;
        }
    }
    ensure!(count >= 17, "{count} captures");
    Ok(())
}

#[test]
fn neither_forged_sources_nor_victims_of_a_flood_are_blocked() -> anyhow::Result<()> {
    let Some(data) = data::path()? else {
        return Ok(());
    };
    let mut count = 0;
    for capture in captures(&data.join("pcap/flood"))? {
        let found = decisions(&capture, &[], &rules(Severity::Low, nobody()))?;
        let name = capture.display();
        ensure!(
            found.iter().all(|(action, _)| action != "block"),
            "{name}: {found:?}"
        );
        // Who is flooded by reflectors asked for nothing.
        ensure!(
            found.iter().all(|(_, source)| source != "10.10.10.10"),
            "{name}: {found:?}"
        );
        ensure!(
            found.len() < 10,
            "{name}: {} sources would be slowed down",
            found.len()
        );
        count += 1;
    }
    ensure!(count == 3, "{count} captures");
    Ok(())
}

/// A capture, the log beside it, the network attacked, what is done, and about whom.
const ATTACKS: [[&str; 5]; 5] = [
    // Guessing completes handshakes.
    [
        "bruteforce/ssh-bruteforce-902.pcap",
        "",
        "147.32.80.37/32",
        "block",
        "147.32.80.40",
    ],
    [
        "bruteforce/ftp-bruteforce.pcap",
        "",
        "192.168.56.101/32",
        "block",
        "192.168.56.1",
    ],
    // A SYN scan does not.
    [
        "scan/nmap_tcp_syn_scan.pcap",
        "",
        "192.168.1.25/32",
        "limit",
        "192.168.1.10",
    ],
    [
        "scan/nmap_udp_scan.pcap",
        "",
        "192.168.1.25/32",
        "limit",
        "192.168.1.10",
    ],
    [
        "mixed/hackeire2011_c2.pcap",
        "hackeire2011_c2.s8.eve.json.gz",
        "192.168.10.0/24",
        "block",
        "10.20.0.110",
    ],
];

#[test]
fn attackers_are_blocked_when_they_have_shown_who_they_are() -> anyhow::Result<()> {
    let Some(data) = data::path()? else {
        return Ok(());
    };
    for [capture, log, home, action, attacker] in ATTACKS {
        let capture = data::file(&data.join("pcap"), capture);
        let log = Some(data.join("suricata").join(log));
        let logs: Vec<PathBuf> = log.filter(|log| log.is_file()).into_iter().collect();
        let mut site = Site {
            local: vec![home.parse()?],
            allow: Vec::new(),
        };
        let found = decisions(&capture, &logs, &rules(Severity::Medium, site.clone()))?;
        ensure!(
            found.contains(&(action.to_owned(), attacker.to_owned())),
            "{}: {found:?}",
            capture.display()
        );
        // The same with the attacker on the list of those who are trusted.
        site.allow
            .push(attacker.parse::<std::net::IpAddr>()?.into());
        let found = decisions(&capture, &logs, &rules(Severity::Medium, site))?;
        ensure!(
            found.iter().all(|(_, source)| source != attacker),
            "{found:?}"
        );
    }
    Ok(())
}
