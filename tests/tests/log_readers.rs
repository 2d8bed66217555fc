//! Every real log of the test data: what its README says is in it is read, and nothing is lost.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use netsec_tests::data;
use netsec_user::log::{
    Decoder, Detail, EventDetail, LogReader, Record, Tally, Tuple, Wanted, Zeek, decoder_noise,
};
use netsec_user::time::WallTime;

fn read(file: &Path, mut each: impl FnMut(&Record<'_>)) -> anyhow::Result<Tally> {
    let mut reader = LogReader::open(file, Decoder::new(Wanted::Everything))?;
    reader.for_each(|_, record| {
        each(record);
        Ok(ControlFlow::Continue(()))
    })?;
    let tally = reader.tally().clone();
    let sum = tally.used + tally.ignored() + tally.malformed;
    ensure!(tally.read == sum, "{}: {tally}", file.display());
    Ok(tally)
}

fn of_kind(tally: &Tally, kind: &str) -> u64 {
    let kinds = tally.kinds().iter();
    kinds
        .filter(|(name, _)| name == kind)
        .map(|(_, n)| *n)
        .sum()
}

/// Log, lines, flows, alerts, noise among the alerts.
const EVE: [(&str, u64, u64, u64, u64); 14] = [
    ("cryptowall4_c2.s8", 16, 3, 3, 0),
    ("ctu_test6", 5000, 3512, 745, 0),
    ("dns-tunnel-iodine.s7tiny", 441, 1, 5, 0),
    ("dns-tunnel-iodine.s8", 436, 1, 0, 0),
    ("dns-tunnel-iodine.s8tiny", 441, 1, 5, 0),
    ("hackeire2011_c2.s8", 27_836, 27_672, 51, 31),
    ("http_espn.s8", 194, 39, 2, 2),
    ("nmap_tcp_syn_scan.s7tiny", 1008, 1005, 2, 0),
    ("nmap_tcp_syn_scan.s8", 1006, 1005, 0, 0),
    ("nmap_tcp_syn_scan.s8tiny", 1008, 1005, 2, 0),
    ("ssh-bruteforce-902.s7tiny", 172, 67, 2, 0),
    ("ssh-bruteforce-902.s8", 207, 67, 37, 37),
    ("test-cc-capture-2.s8", 778, 261, 0, 0),
    ("xscan_capture.s8", 4514, 742, 5, 5),
];

#[test]
fn every_eve_log_holds_what_its_readme_says() -> anyhow::Result<()> {
    let Some(data) = data::path()? else {
        return Ok(());
    };
    for (log, lines, flows, alerts, noise) in EVE {
        let name = match log {
            "ctu_test6" => format!("suricata/{log}_eve.json.gz"),
            _ => format!("suricata/{log}.eve.json.gz"),
        };
        let mut noisy = 0;
        let tally = read(&data.join(&name), |record| {
            if let Some(alert) = alert(record) {
                noisy += u64::from(decoder_noise(1, alert.1).is_some());
            }
        })?;
        let counts = (
            tally.read,
            of_kind(&tally, "eve flow"),
            of_kind(&tally, "eve alert"),
            noisy,
        );
        ensure!(
            counts == (lines, flows, alerts, noise),
            "{name}: {counts:?}"
        );
        ensure!(
            tally.malformed == 0 && tally.headers == 0,
            "{name}: {tally}"
        );
        // What is not read is of types that netsec has no use for, and counted by name.
        let unknown: u64 = tally.unknown_types().iter().map(|(_, count)| count).sum();
        ensure!(
            unknown == tally.unknown && tally.ignored() == unknown,
            "{name}: {tally}"
        );
    }
    Ok(())
}

type Told = (WallTime, u64, String, u8, Option<Tuple>);

fn alert(record: &Record<'_>) -> Option<Told> {
    let Record::Event(event) = record else {
        return None;
    };
    let EventDetail::Alert(alert) = &event.detail else {
        return None;
    };
    let signature = alert.signature.to_string();
    Some((
        event.time,
        alert.sid,
        signature,
        alert.severity,
        event.tuple,
    ))
}

/// The two logs of one Suricata tell the same alerts; fast.log has no ICMP code in EVE's place.
#[test]
fn fast_log_tells_what_eve_tells() -> anyhow::Result<()> {
    let Some(data) = data::path()? else {
        return Ok(());
    };
    for (log, _, _, alerts, _) in EVE {
        if log == "ctu_test6" {
            continue;
        }
        let told = |kind: &str| -> anyhow::Result<Vec<String>> {
            let mut told = Vec::new();
            let file = data.join(format!("suricata/{log}.{kind}.gz"));
            let tally = read(&file, |record| {
                told.extend(alert(record).map(|told| format!("{told:?}")));
            })?;
            ensure!(tally.malformed == 0, "{log}: {tally}");
            told.sort();
            Ok(told)
        };
        let (fast, eve) = (told("fast.log")?, told("eve.json")?);
        ensure!(
            fast == eve && fast.len() as u64 == alerts,
            "{log}: {fast:#?} {eve:#?}"
        );
    }
    Ok(())
}

/// A JSON array over many lines, as `jq` writes it.
#[test]
fn a_document_of_alerts_is_read() -> anyhow::Result<()> {
    let Some(data) = data::path()? else {
        return Ok(());
    };
    let mut signatures = BTreeMap::new();
    let tally = read(
        &data.join("suricata/frankh_wrccdc-2018_alerts.json"),
        |record| {
            if let Some(told) = alert(record) {
                *signatures.entry(told.1).or_insert(0) += 1;
            }
        },
    )?;
    ensure!((tally.read, tally.used) == (207, 207), "{tally}");
    ensure!(signatures.len() > 100, "{}", signatures.len());
    Ok(())
}

/// Log, kind, lines, rows, malformed.
const ZEEK: [(&str, &str, u64, u64, u64); 11] = [
    ("apt29_SCRANTON_conn.json.log", "conn", 53, 53, 0),
    ("slips_portscan_vertical_conn.json.log", "conn", 50, 50, 0),
    ("slips_test9_conn.json.log", "conn", 576, 576, 0),
    (
        "derived_rita_2024-04-19_conn.json.gz",
        "conn",
        15_000,
        15_000,
        0,
    ),
    ("proxy_rolling_conn.log.gz", "conn", 7269, 7260, 0),
    ("wrccdc_dns.json.gz", "dns", 53_615, 53_615, 0),
    ("wrccdc_notice.log.gz", "notice", 216, 207, 0),
    ("wrccdc_ssl.json.gz", "ssl", 49_474, 49_474, 0),
    // Damaged: one row short of a column, a cut last line, and no log at all. The last lines of
    // these have no end, so they are one more than `wc -l` says.
    ("bad_has_unknown_field_http.log", "http", 13, 4, 1),
    ("bad_truncated_conn.log", "conn", 67, 58, 1),
    ("bad_text_file_conn.log", "conn", 9, 0, 5),
];

#[test]
fn every_zeek_log_holds_what_its_readme_says() -> anyhow::Result<()> {
    let Some(data) = data::path()? else {
        return Ok(());
    };
    for (name, kind, lines, rows, malformed) in ZEEK {
        let tally = read(&data.join("zeek").join(name), |_| {})?;
        let counts = (
            tally.read,
            of_kind(&tally, &format!("zeek {kind}")),
            tally.malformed,
        );
        ensure!(counts == (lines, rows, malformed), "{name}: {counts:?}");
        ensure!(tally.used == rows, "{name}: {tally}");
    }
    Ok(())
}

/// The hourly files of one kind, in order.
fn hourly(data: &Path, kind: &str) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in data.join("zeek/rita_2024-04-19").read_dir()? {
        let path = entry?.path();
        let name = path.file_name().context("a name")?.to_string_lossy();
        if name.starts_with(&format!("{kind}.")) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

#[test]
fn a_day_of_hourly_logs_is_read_to_the_last_row() -> anyhow::Result<()> {
    let Some(data) = data::path()? else {
        return Ok(());
    };
    for (kind, files, rows) in [
        ("conn", 24, 31_367),
        ("dns", 24, 1833),
        ("notice", 7, 8),
        ("ssh", 24, 6633),
        ("weird", 24, 372),
    ] {
        let mut found = 0;
        let (mut last, mut late) = (WallTime::default(), 0);
        let logs = hourly(&data, kind)?;
        ensure!(logs.len() == files, "{kind}: {} files", logs.len());
        for file in logs {
            let tally = read(&file, |record| {
                late += u64::from(record.time() < last);
                last = last.max(record.time());
            })?;
            ensure!(tally.malformed == 0, "{}: {tally}", file.display());
            found += of_kind(&tally, &format!("zeek {kind}"));
        }
        ensure!(found == rows, "{kind}: {found} rows");
        // Rows are written at a connection's end: about one in five is out of order.
        ensure!(kind != "conn" || late > 5000, "{late} rows out of order");
    }
    Ok(())
}

/// The same 15,000 connections in both forms are the same records.
#[test]
fn both_forms_of_zeeks_rows_are_one() -> anyhow::Result<()> {
    let Some(data) = data::path()? else {
        return Ok(());
    };
    let tell = |zeek: &Zeek<'_>| -> Option<String> {
        let Detail::Conn(conn) = &zeek.detail else {
            return None;
        };
        Some(format!(
            "{} {:?} {:?} {conn:?}",
            zeek.time, zeek.uid, zeek.tuple
        ))
    };
    let mut json = Vec::new();
    read(
        &data.join("zeek/derived_rita_2024-04-19_conn.json.gz"),
        |record| {
            if let Record::Zeek(zeek) = record {
                json.extend(tell(zeek));
            }
        },
    )?;
    let mut tabbed = Vec::new();
    for file in hourly(&data, "conn")? {
        read(&file, |record| {
            if let Record::Zeek(zeek) = record {
                tabbed.extend(tell(zeek));
            }
        })?;
    }
    tabbed.truncate(json.len());
    ensure!(json.len() == 15_000, "{} rows", json.len());
    for (one, other) in json.iter().zip(&tabbed) {
        ensure!(one == other, "{one}\n{other}");
    }
    Ok(())
}
