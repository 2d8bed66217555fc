//! `netsec replay --engine kernel` and `both`, as their user runs them.

#![expect(clippy::unwrap_used, reason = "tests panic")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use netsec_tests::binary::{netsec, run};
use netsec_tests::kernel;
use netsec_tests::traffic::{Frame, pcap, scene};
use tempfile::TempDir;

/// Exit code when a privilege is missing.
const PRIVILEGE: i32 = 4;

/// A capture with these frames, and the folder it goes with.
fn capture(frames: &[Frame]) -> (TempDir, PathBuf) {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("scene.pcap");
    fs::write(&file, pcap(frames).unwrap()).unwrap();
    (folder, file)
}

/// Every frame and every flow as JSON, by an engine.
fn replay(engine: &str, file: &Path) -> Output {
    let arguments = ["replay", "-o", "jsonl", "--packets", "all", "--engine"];
    let arguments = arguments.map(PathBuf::from).into_iter();
    run(arguments.chain([engine.into(), file.to_path_buf()]), b"").unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn the_kernels_engine_writes_what_the_hosts_does() {
    if kernel::object().unwrap().is_none() {
        return;
    }
    let frames = scene().unwrap();
    let (_folder, file) = capture(&frames);
    let host = replay("host", &file);
    assert!(host.status.success(), "{}", said(&host));
    for (engine, remark) in [
        ("kernel", String::new()),
        (
            "both",
            format!("netsec: {} frames: no difference\n", frames.len()),
        ),
    ] {
        let output = replay(engine, &file);
        assert!(output.status.success(), "{engine}: {}", said(&output));
        assert_eq!(said(&output), remark);
        assert_eq!(
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&host.stdout),
            "{engine}"
        );
    }
}

#[test]
fn one_frame_is_not_said_to_be_several() {
    if kernel::object().unwrap().is_none() {
        return;
    }
    let mut frames = scene().unwrap();
    frames.truncate(1);
    let (_folder, file) = capture(&frames);
    let output = replay("both", &file);
    assert_eq!(said(&output), "netsec: 1 frame: no difference\n");
    // Less than an Ethernet header: the kernel does not take it.
    frames[0].bytes.truncate(10);
    let (_folder, file) = capture(&frames);
    let output = replay("kernel", &file);
    let expected = "not sent through the kernel: 1 frame: 1 shorter than 14 bytes\n";
    assert!(said(&output).ends_with(expected), "{}", said(&output));
}

#[test]
fn without_privilege_only_the_hosts_engine_runs() {
    if kernel::object().unwrap().is_none() {
        return;
    }
    let (_folder, file) = capture(&scene().unwrap());
    for engine in ["host", "kernel", "both"] {
        let output = Command::new("setpriv")
            .args(["--bounding-set=-all", "--inh-caps=-all"])
            .arg(netsec().unwrap())
            .args(["replay", "--engine", engine])
            .arg(&file)
            .env_remove("RUST_LOG")
            .output()
            .unwrap();
        if engine == "host" {
            assert!(output.status.success(), "{}", said(&output));
            continue;
        }
        assert_eq!(output.status.code(), Some(PRIVILEGE), "{engine}");
        assert!(output.stdout.is_empty(), "{engine} wrote something");
        let said = said(&output);
        for part in ["lacks CAP_BPF and CAP_NET_ADMIN and CAP_PERFMON", "sudo"] {
            assert!(said.contains(part), "{engine}: {said}");
        }
    }
}
