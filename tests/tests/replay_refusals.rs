//! `netsec replay` on what it cannot play, or not to the end: what it says, on which stream, and the
//! exit code.

use std::fs;
use std::path::Path;
use std::process::Output;

use anyhow::{Context as _, ensure};
use netsec_tests::binary::{command, run};
use netsec_tests::replay::Events;
use netsec_tests::traffic::{gzip, pcap, pcap_of, scene};
use netsec_user::source::capture::End;
use pcap_file::DataLink;
use tempfile::TempDir;

/// Bytes of the header of a pcap file, and of that of a record.
const HEADERS: (usize, usize) = (24, 16);

/// The exit code, and everything that was said on stderr.
fn said(output: &Output) -> anyhow::Result<(i32, String)> {
    let code = output.status.code().context("killed")?;
    Ok((code, String::from_utf8(output.stderr.clone())?))
}

/// A run that refused: nothing on stdout, and these words on stderr.
fn refused(output: &Output, code: i32, words: &[&str]) -> anyhow::Result<()> {
    let found = said(output)?;
    ensure!(output.stdout.is_empty(), "something was played: {found:?}");
    ensure!(found.0 == code, "{found:?}, not {code}");
    for word in words {
        ensure!(found.1.contains(word), "no {word:?} in {found:?}");
    }
    ensure!(!found.1.contains("panicked"), "{found:?}");
    Ok(())
}

#[test]
fn a_cut_capture_is_played_to_the_cut() -> anyhow::Result<()> {
    let frames = scene()?;
    let whole = pcap(&frames)?;
    // Inside the frame of a record, inside its header, and one byte short of the end.
    for (kept, had) in [
        (10, HEADERS.1 + 20),
        (17, 5),
        (frames.len() - 1, usize::MAX),
    ] {
        let record = HEADERS.0
            + frames
                .iter()
                .take(kept)
                .map(|frame| HEADERS.1 + frame.bytes.len())
                .sum::<usize>();
        let cut = record.saturating_add(had).min(whole.len() - 1);
        let args = ["replay", "-", "-o", "jsonl", "--packets", "all"];
        let output = run(args, whole.get(..cut).context("cut")?)?;
        let (code, said) = said(&output)?;
        ensure!(code == 1, "{code} {said}");
        for words in [
            format!("cut short at byte {cut}: "),
            format!("the record at byte {record} needs "),
        ] {
            ensure!(said.contains(&words), "no {words:?} in {said}");
        }
        let events = Events::parse(&output.stdout, End::Complete)?;
        ensure!(events.packets.len() == kept && events.stat("/frames")? == kept as u64);
    }
    Ok(())
}

#[test]
fn a_cut_between_two_records_cannot_be_told_from_the_end() -> anyhow::Result<()> {
    let frames = scene()?;
    let first = frames.first().context("no frame")?;
    let whole = pcap(&frames)?;
    let cut = whole.get(..HEADERS.0 + HEADERS.1 + first.bytes.len());
    let output = run(["replay", "-", "-o", "jsonl"], cut.context("cut")?)?;
    ensure!(said(&output)? == (0, String::new()));
    ensure!(Events::parse(&output.stdout, End::Complete)?.stat("/frames")? == 1);
    Ok(())
}

#[test]
fn a_cut_in_the_compressed_file_is_said_too() -> anyhow::Result<()> {
    let frames = scene()?;
    let compressed = gzip(&pcap(&frames)?)?;
    // Only the check sum at the end is gone: every frame is there.
    let cut = compressed.get(..compressed.len() - 4).context("cut")?;
    let output = run(["replay", "-", "-o", "jsonl", "--quiet"], cut)?;
    let (code, said) = said(&output)?;
    ensure!(
        code == 1 && said.contains("of the compressed file"),
        "{code} {said}"
    );
    let events = Events::parse(&output.stdout, End::Complete)?;
    ensure!(events.stat("/frames")? == frames.len() as u64);
    Ok(())
}

#[test]
fn a_damaged_record_ends_the_capture() -> anyhow::Result<()> {
    let frames = scene()?;
    let mut damaged = pcap(&frames)?;
    // The captured length of the second record: absurd.
    let record = HEADERS.0 + HEADERS.1 + frames.first().context("no frame")?.bytes.len();
    let length = damaged
        .get_mut(record + 8..record + 12)
        .context("no record")?;
    length.copy_from_slice(&[0xff; 4]);
    let output = run(["replay", "-", "-o", "jsonl"], &damaged)?;
    let (code, said) = said(&output)?;
    let expected = format!("damaged at byte {record}: a frame of 4294967295 bytes");
    ensure!(code == 1 && said.contains(&expected), "{code} {said}");
    ensure!(Events::parse(&output.stdout, End::Complete)?.stat("/frames")? == 1);
    Ok(())
}

#[test]
fn a_link_type_that_is_not_read_is_refused_by_name() -> anyhow::Result<()> {
    let frames = scene()?;
    for (link, name) in [
        (DataLink::IEEE802_11, "105 (IEEE802_11)"),
        (DataLink::USB_LINUX, "189 (USB_LINUX)"),
        (DataLink::Unknown(60_000), "60000 (no name known)"),
    ] {
        let output = run(["replay", "-"], &pcap_of(link, &frames)?)?;
        refused(
            &output,
            1,
            &[name, "it reads Ethernet (1), raw IP (", "Linux cooked (113"],
        )?;
    }
    Ok(())
}

#[test]
fn what_is_no_capture_is_refused_with_a_remedy() -> anyhow::Result<()> {
    for (stdin, words) in [
        (&b""[..], "standard input is empty"),
        (b"\xd4\xc3", "nothing to read"),
        (
            b"\xd4\xc3\xb2\xa1\x02\x00\x04\x00",
            "ends after 8 bytes, in its pcap header of 24",
        ),
        (
            b"GET / HTTP/1.1\r\n\r\n",
            "no capture: it begins with [47, 45, 54, 20]",
        ),
        (
            b"PK\x03\x04and so on",
            "decompress it and pipe it into `netsec replay -`",
        ),
    ] {
        refused(&run(["replay", "-"], stdin)?, 1, &[words])?;
    }
    let directory = TempDir::new()?;
    let path = |path: &Path| path.to_str().map(str::to_owned).context("odd path");
    let here = path(directory.path())?;
    refused(
        &run(["replay", &here], b"")?,
        1,
        &[&here, "is a directory: name a capture"],
    )?;
    let missing = path(&directory.path().join("missing.pcap"))?;
    let words = ["cannot open", &missing, "No such file"];
    refused(&run(["replay", &missing], b"")?, 1, &words)?;
    Ok(())
}

#[test]
fn a_filter_that_cannot_be_read_is_shown_where() -> anyhow::Result<()> {
    let directory = TempDir::new()?;
    let file = directory.path().join("scene.pcap");
    fs::write(&file, pcap(&scene()?)?)?;
    let file = file.to_str().context("odd path")?;
    for (filter, marked) in [
        ("tcp and prot 5", "prot"),
        ("port 99999", "99999"),
        ("host 10.0.0.300", "10.0.0.300"),
    ] {
        let output = run(["replay", file, filter], b"")?;
        refused(&output, 2, &["netsec: error: filter: "])?;
        let (_, said) = said(&output)?;
        let mut lines = said.lines().skip(1);
        let (line, marks) = (lines.next().context("one line")?, lines.next());
        let marks = marks.context("no marks")?;
        let from = marks.find('^').context("no caret")?;
        ensure!(
            line.trim() == filter && line.get(from..marks.len()) == Some(marked),
            "{said}"
        );
    }
    // Before the capture is even opened.
    refused(&run(["replay", "/missing", "prot"], b"")?, 2, &["prot"])
}

#[test]
fn an_output_that_is_full_is_a_failure() -> anyhow::Result<()> {
    let full = fs::OpenOptions::new().write(true).open("/dev/full")?;
    let directory = TempDir::new()?;
    let file = directory.path().join("scene.pcap");
    fs::write(&file, pcap(&scene()?)?)?;
    let output = command(["replay"])?.arg(&file).stdout(full).output()?;
    let (code, said) = said(&output)?;
    let expected = "netsec: error: cannot write the output: No space left on device\n";
    ensure!((code, said.as_str()) == (1, expected), "{code} {said}");
    Ok(())
}

#[test]
fn arguments_that_make_no_sense_are_refused() -> anyhow::Result<()> {
    for args in [
        &["replay"][..],
        &["replay", "-", "--packets", "first:0"],
        &["replay", "-", "--interval", "soon"],
        &["replay", "-", "-o", "xml"],
        &["replay", "-", "--flow-slots", "0"],
        &["replay", "-", "--no-such-flag"],
    ] {
        let output = run(args, b"")?;
        refused(&output, 2, &["error: "]).with_context(|| args.join(" "))?;
    }
    Ok(())
}
