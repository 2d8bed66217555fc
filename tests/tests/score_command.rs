//! `netsec score` and `netsec train` as an operator runs them.

#![expect(
    clippy::indexing_slicing,
    clippy::panic_in_result_fn,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

use std::fmt::Write as _;
use std::fs;

use netsec_tests::{binary, data};
use serde_json::Value;

/// Connections of a small network, and one in forty that is not like the others.
fn table() -> String {
    let mut text = "src_ip,dst_ip,src_port,dst_port,protocol,bytes,label\n".to_owned();
    for row in 0..2_000_u32 {
        let strange = row % 40 == 7;
        let (host, port) = (row % 11, [443, 80, 53][row as usize % 3]);
        let bytes = 500 + row * 7919 % 3001;
        if strange {
            let bytes = bytes * 900;
            writeln!(
                text,
                "10.0.0.{host},203.0.113.{},4{row:04},4444,TCP,{bytes},1",
                row % 200
            )
        } else {
            writeln!(
                text,
                "10.0.0.{host},10.0.1.{},4{row:04},{port},TCP,{bytes},0",
                row % 4
            )
        }
        .unwrap();
    }
    text
}

fn run(args: &[&str], stdin: &str) -> anyhow::Result<(String, String, Option<i32>)> {
    let output = binary::run(args, stdin.as_bytes())?;
    Ok((
        String::from_utf8(output.stdout)?,
        String::from_utf8(output.stderr)?,
        output.status.code(),
    ))
}

fn last_line(text: &str) -> Value {
    serde_json::from_str(text.lines().last().unwrap_or_default()).unwrap_or_default()
}

#[test]
fn strange_rows_are_found_and_the_figures_come_last() -> anyhow::Result<()> {
    let args = [
        "score",
        "-",
        "--label",
        "label",
        "--contamination",
        "0.025",
        "-o",
        "jsonl",
    ];
    let (out, err, code) = run(&args, &table())?;
    assert_eq!(code, Some(0), "{err}");
    let summary = last_line(&out);
    assert_eq!(summary["event_type"], "score_summary");
    assert_eq!(
        (&summary["rows"], &summary["anomalies"]),
        (&2_000.into(), &50.into())
    );
    assert_eq!(summary["labelled_anomalies"], 50);
    for figure in ["roc_auc", "average_precision", "precision_at_contamination"] {
        assert!(summary[figure].as_f64() > Some(0.99), "{figure}: {summary}");
    }
    assert_eq!(out.lines().count(), 2_001);
    assert!(
        err.contains("dst_port.rarity (how rare the value is)"),
        "{err}"
    );
    let strange: Value = serde_json::from_str(out.lines().nth(7).unwrap_or_default())?;
    assert_eq!(strange["anomaly"], true, "{strange}");
    assert_eq!(strange["values"]["dst_port"], "4444");
    let reason = strange["reason"].as_str().unwrap_or_default();
    assert!(reason.starts_with("score 0."), "{reason}");
    Ok(())
}

#[test]
fn csv_keeps_every_cell_of_the_input() -> anyhow::Result<()> {
    let text = "name;bytes\n\"a;b\";1\n\"say \"\"x\"\"\";2\n\"a;b\";900\n";
    let (out, err, code) = run(&["score", "-", "-o", "csv", "--features", "bytes"], text)?;
    assert_eq!(code, Some(0), "{err}");
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines[0], "name,bytes,score,quantile,anomaly,reason");
    assert!(lines[1].starts_with("a;b,1,0."), "{out}");
    assert!(lines[2].starts_with("\"say \"\"x\"\"\",2,0."), "{out}");
    assert_eq!(lines.len(), 4);
    Ok(())
}

#[test]
fn a_model_scores_as_the_table_that_it_was_learned_from() -> anyhow::Result<()> {
    let directory = tempfile::tempdir()?;
    let path = |name: &str| directory.path().join(name).display().to_string();
    let (csv, model) = (path("flows.csv"), path("model.json"));
    fs::write(&csv, table())?;
    let (_, err, code) = run(&["train", &csv, "--label", "label", "-o", &model], "")?;
    assert_eq!(code, Some(0), "{err}");
    let direct = run(&["score", &csv, "--label", "label", "-o", "jsonl"], "")?;
    let by_model = run(
        &[
            "score", &csv, "--model", &model, "--label", "label", "-o", "jsonl",
        ],
        "",
    )?;
    let differs = direct
        .0
        .lines()
        .zip(by_model.0.lines())
        .find(|(a, b)| a != b);
    assert_eq!(differs, None);
    assert_eq!(direct.0.lines().count(), by_model.0.lines().count());
    let (out, err, code) = run(&["score", "-", "--model", &model], "a,b\n1,2\n")?;
    assert_eq!((out.as_str(), code), ("", Some(1)));
    assert!(
        err.contains("does not fit the model: there is no column `src_ip`"),
        "{err}"
    );
    fs::write(&model, &fs::read(&model)?[..5_000])?;
    let (_, err, code) = run(&["score", &csv, "--model", &model], "")?;
    assert_eq!(code, Some(1));
    assert!(err.contains("is cut: it ends early"), "{err}");
    Ok(())
}

#[test]
fn wrong_columns_and_empty_tables_are_refused() -> anyhow::Result<()> {
    let (_, err, code) = run(&["score", "-", "--features", "size"], "a,b\n1,2\n3,4\n")?;
    assert_eq!(code, Some(2), "{err}");
    assert!(
        err.contains("there is no column `size`; the columns are a, b"),
        "{err}"
    );
    let (_, err, code) = run(&["score", "-"], "a,b\n")?;
    assert_eq!(code, Some(1));
    assert!(err.contains("holds no rows that can be scored"), "{err}");
    Ok(())
}

#[test]
fn the_table_says_who_spoke_to_whom() -> anyhow::Result<()> {
    let (out, _, _) = run(&["score", "-", "--contamination", "0.025"], &table())?;
    let first = out.lines().next().unwrap_or_default();
    assert!(first.starts_with("! row "), "{first}");
    assert!(first.contains("tcp 10.0.0."), "{first}");
    assert!(first.contains(":4444  score 0."), "{first}");
    Ok(())
}

#[test]
fn what_is_no_text_is_refused_with_the_way_to_score_it() -> anyhow::Result<()> {
    let directory = tempfile::tempdir()?;
    let file = |name: &str, bytes: &[u8]| -> anyhow::Result<String> {
        let path = directory.path().join(name);
        fs::write(&path, bytes)?;
        Ok(path.display().to_string())
    };
    let mut capture = 0xa1b2_c3d4_u32.to_le_bytes().to_vec();
    capture.extend([
        2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 1, 0, 0, 0,
    ]);
    let capture = file("some.pcap", &capture)?;
    let (out, err, code) = run(&["score", &capture], "")?;
    assert_eq!((out.as_str(), code), ("", Some(2)), "{err}");
    let way = format!("netsec replay {capture} --packets off -o jsonl | netsec score -");
    assert!(err.contains(&way), "{err}");
    // As PowerShell writes it.
    let wide: Vec<u8> = "a,b\n1,2\n"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let wide = file("wide.csv", &wide)?;
    let (_, err, code) = run(&["score", &wide], "")?;
    assert_eq!(code, Some(1), "{err}");
    assert!(err.contains("NUL byte at offset 1"), "{err}");
    Ok(())
}

#[test]
fn zeek_and_suricata_are_read_whole() -> anyhow::Result<()> {
    let Some(directory) = data::path()? else {
        return Ok(());
    };
    for (file, rows) in [
        ("zeek/proxy_rolling_conn.log.gz", 7_260),
        ("zeek/slips_test9_conn.json.log", 576),
        ("suricata/ctu_test6_eve.json.gz", 3_512),
    ] {
        let path = directory.join(file).display().to_string();
        let (out, err, code) = run(&["score", &path, "-o", "jsonl"], "")?;
        assert_eq!(code, Some(0), "{file}: {err}");
        assert_eq!(last_line(&out)["rows"], rows, "{file}: {err}");
    }
    Ok(())
}
