//! Every file of the corpus gives the frames that tshark counted, or is refused by its link type.

use std::fs;
use std::path::Path;

use netsec_tests::data;
use netsec_user::source::capture::{Capture, CaptureError, End};
use serde_json::{Map, Value};

/// tshark's names of the link types that netsec reads.
const SUPPORTED: [&str; 10] = [
    "ether",
    "linux-sll",
    "linux-sll2",
    "rawip",
    "rawip4",
    "rawip6",
    "null",
    "loop",
    "ppp",
    "chdlc",
];

/// Files, those of supported link types, frames in these, damaged ones of these.
const TOTALS: (usize, u32, u64, u32) = (287, 253, 2585, 1);

#[test]
fn frames_are_as_tshark_counted() {
    let Some(data) = data::path().unwrap() else {
        return;
    };
    let expected = fs::read(data.join("expected/corpus_frames.json")).unwrap();
    let expected: Map<String, Value> = serde_json::from_slice(&expected).unwrap();
    let mut wrong = Vec::new();
    let (mut read, mut frames, mut damaged) = (0, 0, 0);
    for (file, expect) in &expected {
        let link = expect["linktype"].as_str().unwrap();
        let damage = expect["file_damaged"].as_bool().unwrap();
        let count = expect["frames"].as_u64().unwrap();
        match count_frames(&data.join(file)) {
            Ok((got, end)) if SUPPORTED.contains(&link) => {
                read += 1;
                frames += got;
                damaged += u32::from(damage);
                if got != count || end.is_complete() == damage {
                    wrong.push(format!("{file}: {got} frames, not {count}; {end}"));
                }
            }
            Err(CaptureError::LinkType { .. }) if !SUPPORTED.contains(&link) => {}
            Ok((got, _)) => wrong.push(format!("{file}: {got} frames of {link} read")),
            Err(error) => wrong.push(format!("{error} ({link})")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!((expected.len(), read, frames, damaged), TOTALS);
}

fn count_frames(file: &Path) -> Result<(u64, End), CaptureError> {
    let mut capture = Capture::open(file)?;
    let mut frames = 0;
    while capture.next_frame()?.is_some() {
        frames += 1;
    }
    let end = capture.end().cloned().unwrap_or(End::Complete);
    Ok((frames, end))
}
