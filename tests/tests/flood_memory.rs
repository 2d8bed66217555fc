//! A spoofed flood again and again, through the command: memory stays flat, and a scan hidden in it is
//! found.

#![expect(clippy::panic_in_result_fn, reason = "a test fails by panicking")]

use std::fs;
use std::io::{BufRead as _, BufReader, BufWriter, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use anyhow::Context as _;
use netsec_tests::binary;
use netsec_user::connection::tcp::SYN;
use netsec_user::selftest::Link;
use serde_json::Value;

const LOOPS: u32 = 20;
/// Forged SYN a loop, in so many seconds; then silence until all of them have timed out.
const FORGED: u32 = 8000;
const FLOOD_S: u32 = 8;
const LOOP_S: u32 = 75;
/// How much memory may grow after the first loop.
const GROWTH: f64 = 1.05;

#[test]
fn a_scan_in_a_spoofed_flood_is_found_and_memory_is_flat() -> anyhow::Result<()> {
    let mut child = binary::command(["replay", "-", "--packets", "off", "--no-flows"])?
        .args(["-o", "jsonl", "--interval", "0"])
        // Else glibc hands out large blocks from where the holes of earlier ones stay: its slack is
        // about as large as the bound, and says nothing of what netsec holds.
        .env("MALLOC_MMAP_THRESHOLD_", "131072")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let mut stdin = BufWriter::new(child.stdin.take().context("stdin")?);
    let stdout = BufReader::new(child.stdout.take().context("stdout")?);
    let reader = thread::spawn(move || {
        let lines = stdout.lines().map_while(Result::ok);
        lines
            .filter_map(|line| serde_json::from_str(&line).ok())
            .collect::<Vec<Value>>()
    });
    stdin.write_all(&header())?;
    let mut resident = Vec::new();
    for number in 0..LOOPS {
        one_loop(&mut stdin, number)?;
        stdin.flush()?;
        wait_until_read(child.id())?;
        resident.push(resident_kib(child.id())?);
    }
    drop(stdin);
    assert!(child.wait()?.success());
    let lines = reader.join().map_err(|_panic| anyhow::anyhow!("reader"))?;
    let findings = || lines.iter().filter(|line| line["event_type"] == "finding");
    let scan = findings().find(|line| line["finding"]["kind"] == "scan.vertical");
    let scan = scan.context("the scan was not found")?;
    assert_eq!(scan["src_ip"], "198.51.100.7", "{scan}");
    let flood = findings().find(|line| line["finding"]["kind"] == "flood.syn");
    let flood = flood.context("the flood was not found")?;
    assert_eq!(flood["finding"]["attacker"], "spoofed/many", "{flood}");
    assert_eq!(flood["dest_ip"], "192.0.2.1", "{flood}");
    let first = f64::from(resident[0]);
    let most = resident.iter().copied().max().unwrap_or_default();
    assert!(f64::from(most) <= first * GROWTH, "KiB: {resident:?}");
    Ok(())
}

fn one_loop(out: &mut impl Write, number: u32) -> anyhow::Result<()> {
    let link = Link::default();
    let start = 1_700_000_000 + number * LOOP_S;
    let victim = SocketAddr::from(([192, 0, 2, 1], 80));
    for n in 0..FORGED {
        let forged = Ipv4Addr::from_bits(
            0x0b00_0000 + (n + number * FORGED).wrapping_mul(7919) % 0x0100_0000,
        );
        let frame = link.tcp(SocketAddr::from((forged, 1025)), victim, SYN, 0);
        let seconds = n * FLOOD_S / FORGED;
        let second = start + seconds;
        write(out, second, n % (FORGED / FLOOD_S) * 900, &frame)?;
        // A port every four seconds, from somebody real.
        if n.is_multiple_of(4 * FORGED / FLOOD_S) {
            let port = u16::try_from(1 + number * FLOOD_S + seconds)?;
            let scanner = SocketAddr::from(([198, 51, 100, 7], 40_000));
            let host = SocketAddr::from(([192, 0, 2, 9], port));
            write(out, second, 999_000, &link.tcp(scanner, host, SYN, 0))?;
        }
    }
    // Something goes on, so that time does.
    for second in FLOOD_S..LOOP_S {
        let (a, b) = (SocketAddr::from(([192, 0, 2, 3], 4000)), victim);
        write(out, start + second, 0, &link.udp(a, b, b"still here"))?;
    }
    Ok(())
}

fn header() -> Vec<u8> {
    let mut header = 0xa1b2_c3d4_u32.to_le_bytes().to_vec();
    header.extend([2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    header.extend(65_535_u32.to_le_bytes());
    header.extend(1_u32.to_le_bytes());
    header
}

fn write(out: &mut impl Write, second: u32, micros: u32, frame: &[u8]) -> anyhow::Result<()> {
    let bytes = u32::try_from(frame.len())?;
    let mut record: Vec<u8> = [second, micros, bytes, bytes]
        .iter()
        .flat_map(|word| word.to_le_bytes())
        .collect();
    record.extend(frame);
    Ok(out.write_all(&record)?)
}

/// Waits until the process has read all that is in the pipe, and waits for more.
fn wait_until_read(process: u32) -> anyhow::Result<()> {
    let mut waiting = 0;
    while waiting < 3 {
        thread::sleep(Duration::from_millis(10));
        let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
        let state = stat.rsplit(") ").next().context("state")?;
        waiting = if state.starts_with('S') {
            waiting + 1
        } else {
            0
        };
    }
    Ok(())
}

fn resident_kib(process: u32) -> anyhow::Result<u32> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.context("VmRSS")?.trim().trim_end_matches(" kB");
    Ok(kib.parse()?)
}
