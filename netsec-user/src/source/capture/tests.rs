//! Captures written byte by byte, read back.

mod classic;
mod damage;
mod fixture;
mod gzip;
mod ng;
mod random;

use std::io::Cursor;

use super::{Capture, CaptureError, End, SkippedLink};

/// A frame as owned values: nanoseconds, interface name, wire length, bytes.
type Owned = (i64, String, u32, Vec<u8>);

#[derive(Debug, PartialEq, Eq)]
struct Content {
    frames: Vec<Owned>,
    end: End,
    skipped: Vec<SkippedLink>,
    clamped: u64,
}

fn open(file: &[u8]) -> Result<Capture, CaptureError> {
    Capture::from_reader("test", Cursor::new(file.to_vec()))
}

fn read(file: &[u8]) -> Result<Content, CaptureError> {
    open(file).map(drain)
}

fn drain(mut capture: Capture) -> Content {
    let mut frames = Vec::new();
    loop {
        let before = capture.interfaces().to_vec();
        let Some(frame) = capture.next_frame().unwrap() else {
            break;
        };
        let at = frame.interface as usize;
        let (ns, wire, bytes) = (frame.time.as_ns(), frame.wire_bytes, frame.bytes.to_vec());
        assert!(capture.interfaces().starts_with(&before));
        frames.push((ns, capture.interfaces()[at].clone(), wire, bytes));
    }
    assert!(capture.next_frame().unwrap().is_none(), "the end is final");
    Content {
        frames,
        end: capture.end().cloned().unwrap(),
        skipped: capture.skipped().to_vec(),
        clamped: capture.clamped_times(),
    }
}

/// Reads a file that is whole.
fn read_whole(file: &[u8]) -> Vec<Owned> {
    let content = read(file).unwrap();
    assert_eq!(content.end, End::Complete);
    assert_eq!(content.skipped, []);
    content.frames
}

fn refusal(file: &[u8]) -> String {
    open(file).unwrap_err().to_string()
}

#[test]
fn a_missing_file_and_a_directory_are_named() {
    let directory = tempfile::tempdir().unwrap();
    let missing = directory.path().join("missing.pcap");
    let error = Capture::open(&missing).unwrap_err().to_string();
    assert_eq!(error, format!("cannot open {}", missing.display()));
    let error = Capture::open(directory.path()).unwrap_err().to_string();
    assert!(
        error.ends_with("is a directory: name a capture file in it"),
        "{error}"
    );
}

#[test]
fn a_file_knows_its_size_and_lends_its_name() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.pcap");
    let file = fixture::classic(fixture::Style::LITTLE, 1, &[fixture::frame(1, 60)]);
    std::fs::write(&path, &file).unwrap();
    let mut capture = Capture::open(&path).unwrap();
    assert_eq!(capture.size_bytes(), Some(file.len() as u64));
    assert_eq!(capture.interfaces(), ["a.pcap"]);
    while capture.next_frame().unwrap().is_some() {}
    assert_eq!(capture.position_bytes(), file.len() as u64);
}

#[test]
fn what_is_no_capture_is_named() {
    assert!(refusal(b"").contains("test is empty"));
    assert!(refusal(b"ab").contains("ends after 2 bytes, in its capture header of 4"));
    assert!(refusal(b"#separator \\x09").contains("begins with [23, 73, 65, 70]"));
    assert!(refusal(b"\x28\xb5\x2f\xfd....").contains("compressed with zstd"));
    assert!(refusal(b"\x34\xcd\xb2\xa1....").contains("Kuznetzov's modified pcap"));
    assert!(refusal(b"\xa1\xb2\xcd\x34....").contains("editcap"));
}
