//! Features and models of traffic, as an operator uses them.

#![expect(
    clippy::indexing_slicing,
    clippy::panic_in_result_fn,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

use std::fs;
use std::path::Path;

use netsec_tests::replay::text;
use netsec_tests::{binary, data};
use serde_json::Value;

fn run(args: &[&str]) -> anyhow::Result<(String, String, Option<i32>)> {
    let output = binary::run(args, b"")?;
    Ok((
        String::from_utf8(output.stdout)?,
        String::from_utf8(output.stderr)?,
        output.status.code(),
    ))
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Ordinary traffic to learn from.
fn ordinary(data: &Path) -> Vec<String> {
    ["http_espn.pcapng", "many-protocols.pcap"]
        .map(|name| path(&data::file(&data.join("pcap/benign"), name)).to_owned())
        .to_vec()
}

fn findings(lines: &str) -> Vec<Value> {
    let lines = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap());
    lines
        .filter(|line: &Value| line["finding"]["kind"] == "anomaly")
        .collect()
}

#[test]
fn features_are_listed_with_unit_range_and_meaning() -> anyhow::Result<()> {
    let (out, _, code) = run(&["features", "-o", "jsonl"])?;
    assert_eq!(code, Some(0));
    let features: Vec<Value> = out
        .lines()
        .map(serde_json::from_str)
        .collect::<Result<_, _>>()?;
    assert!(features.len() >= 30, "{}", features.len());
    for feature in &features {
        for name in ["name", "of", "unit", "what"] {
            assert!(!text(feature, &format!("/{name}"))?.is_empty());
        }
        assert!(feature["min"].is_number(), "{feature}");
    }
    let (out, _, _) = run(&["features"])?;
    for feature in &features {
        assert!(out.contains(text(feature, "/name")?), "{feature}");
    }
    assert!(out.contains("missing in the first 300 s"), "{out}");
    Ok(())
}

#[test]
fn a_scan_is_unlike_ordinary_traffic_and_the_reasons_are_said() -> anyhow::Result<()> {
    let Some(data) = data::path()? else {
        return Ok(());
    };
    let directory = tempfile::tempdir()?;
    let model = directory.path().join("usual.json");
    let ordinary = ordinary(&data);
    let mut args = vec!["train", "-o", path(&model)];
    args.extend(ordinary.iter().map(String::as_str));
    let (_, errors, code) = run(&args)?;
    assert_eq!(code, Some(0), "{errors}");
    assert!(errors.contains("a model of "), "{errors}");

    let scan = data::file(&data.join("pcap"), "scan/nmap_tcp_syn_scan.pcap");
    let replay = ["replay", path(&scan), "--packets", "off", "--no-flows"];
    let model = ["--model", path(&model)];
    let with_model = [&replay[..], &["-o", "jsonl"], &model].concat();
    let (out, errors, code) = run(&with_model)?;
    assert_eq!(code, Some(0), "{errors}");
    let mut found = findings(&out);
    found.retain(|finding| finding["src_ip"] == "192.168.1.10");
    // However many strange connections there are, it is one campaign.
    let states: Vec<_> = found.iter().map(|line| &line["finding"]["state"]).collect();
    assert_eq!(states.first().map(|state| *state == "start"), Some(true));
    assert_eq!(states.iter().filter(|state| **state == "start").count(), 1);
    let connections = &found[found.len() - 1]["finding"]["evidence"]["connections"];
    assert!(connections.as_u64().unwrap() > 500, "{connections}");
    for finding in &found {
        assert_eq!(finding["dest_ip"], "192.168.1.25", "{finding}");
        let evidence = &finding["finding"]["evidence"];
        assert!(evidence["score"].as_f64().unwrap() > 0.5, "{finding}");
        assert!(evidence["quantile"].as_f64().unwrap() > 0.95, "{finding}");
        let message = text(finding, "/finding/message")?;
        assert!(message.starts_with("score 0."), "{message}");
        assert!(message.contains("usual"), "{message}");
    }
    // Of three hundred connections the strangest is all that 0.999 can mean: no probe is stranger, but
    // hundreds together are no chance.
    assert!(errors.contains("learned from 297 connections"), "{errors}");
    // The scan has nothing in common with what was learned, and that is said.
    assert!(errors.contains("above the 95 % quantile"), "{errors}");
    assert!(errors.contains("learn again"), "{errors}");
    // The same without a model: nothing is called strange.
    let (out, _, _) = run(&[&replay[..], &["-o", "jsonl"]].concat())?;
    assert!(findings(&out).is_empty());
    Ok(())
}

#[test]
fn what_was_learned_is_not_strange_and_replay_learns_the_same() -> anyhow::Result<()> {
    let Some(data) = data::path()? else {
        return Ok(());
    };
    let directory = tempfile::tempdir()?;
    let [trained, replayed] = ["a.json", "b.json"].map(|name| directory.path().join(name));
    let capture = &ordinary(&data)[1];
    run(&["train", capture, "-o", path(&trained)])?;
    let quiet = ["--packets", "off", "--no-flows", "-o", "jsonl"];
    let learning = [
        &["replay", capture, "--train-to", path(&replayed)],
        &quiet[..],
    ]
    .concat();
    run(&learning)?;
    assert_eq!(fs::read(&trained)?, fs::read(&replayed)?);
    let scoring = [&["replay", capture, "--model", path(&trained)], &quiet[..]].concat();
    let (out, errors, _) = run(&scoring)?;
    let strange = findings(&out)
        .iter()
        .filter(|finding| finding["finding"]["state"] == "start")
        .count();
    assert!(strange <= 3, "{strange}");
    assert!(
        errors.contains("no feature has left its usual range"),
        "{errors}"
    );
    Ok(())
}

#[test]
fn a_model_of_a_table_is_refused_by_the_name_of_its_columns() -> anyhow::Result<()> {
    let Some(data) = data::path()? else {
        return Ok(());
    };
    let directory = tempfile::tempdir()?;
    let (table, model) = (
        directory.path().join("t.csv"),
        directory.path().join("m.json"),
    );
    let rows: String = (0..50).map(|n| format!("{n},{}\n", n * n % 17)).collect();
    fs::write(&table, format!("duration,shoe_size\n{rows}"))?;
    run(&["train", path(&table), "-o", path(&model)])?;
    let scan = data::file(&data.join("pcap"), "scan/tcp_scan.pcapng");
    let (_, errors, code) = run(&["replay", path(&scan), "--model", path(&model)])?;
    assert_eq!(code, Some(2));
    let expected = "the model was learned from `shoe_size`, which is no feature of connections";
    assert!(errors.contains(expected), "{errors}");
    // Captures and tables do not mix, and a model needs a place to go.
    let (_, errors, code) = run(&["train", path(&table), path(&scan), "-o", path(&model)])?;
    assert_eq!(code, Some(2), "{errors}");
    let nowhere = directory.path().join("none/m.json");
    let (_, errors, code) = run(&["replay", path(&scan), "--train-to", path(&nowhere)])?;
    assert_eq!(code, Some(2), "{errors}");
    Ok(())
}
