//! `netsec detectors test` on this kernel.

#![expect(clippy::panic_in_result_fn, reason = "a test fails by panicking")]

use netsec_tests::{binary, kernel};
use netsec_user::finding::Kind;
use serde_json::Value;

/// Exit code when a check fails.
const FAILED: i32 = 1;

fn run(args: &[&str]) -> anyhow::Result<(Vec<Value>, String, Option<i32>)> {
    let output = binary::run([&["detectors", "test", "-o", "jsonl"], args].concat(), b"")?;
    let lines = str::from_utf8(&output.stdout)?.lines();
    let lines: Result<Vec<Value>, _> = lines.map(serde_json::from_str).collect();
    let errors = String::from_utf8(output.stderr)?;
    Ok((lines?, errors, output.status.code()))
}

#[test]
fn every_detector_and_every_drop_works_on_this_kernel() -> anyhow::Result<()> {
    if kernel::object()?.is_none() {
        return Ok(());
    }
    let (lines, errors, code) = run(&[])?;
    let failed: Vec<_> = lines.iter().filter(|line| line["passed"] != true).collect();
    assert!(failed.is_empty(), "{failed:#?} {errors}");
    assert_eq!(code, Some(0), "{errors}");
    for group in ["detect.ipv4", "detect.ipv6"] {
        for kind in Kind::ALL {
            let is_there = |line: &&Value| line["group"] == group && line["name"] == kind.name();
            assert_eq!(lines.iter().filter(is_there).count(), 1, "{group} {kind}");
        }
    }
    let drops = lines.iter().filter(|line| {
        line["name"]
            .as_str()
            .is_some_and(|name| name.starts_with("drop."))
    });
    assert!(drops.count() >= 12, "{lines:#?}");
    Ok(())
}

#[test]
fn a_detector_that_does_not_fire_is_named() -> anyhow::Result<()> {
    if kernel::object()?.is_none() {
        return Ok(());
    }
    let (lines, errors, code) = run(&["--set", "detect.suspicious_port.ignore_ports=[4444]"])?;
    assert_eq!(code, Some(FAILED), "{errors}");
    assert!(errors.contains("2 of "), "{errors}");
    let failed = lines.iter().filter(|line| line["passed"] == false);
    assert!(
        { failed }.all(|line| line["name"] == "suspicious_port"),
        "{lines:#?}"
    );
    Ok(())
}
