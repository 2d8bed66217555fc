//! Compressed captures.

use super::fixture::{Frame, Style, classic, enhanced, frame, gzip, interface, section};
use super::{open, read, read_whole, refusal};
use crate::source::capture::{CaptureError, Damage, End};

fn frames(count: u32) -> Vec<Frame> {
    (0..count).map(|seed| frame(seed, 60)).collect()
}

#[test]
fn gzip_is_told_by_content() {
    let style = Style::LITTLE;
    let plain = classic(style, 1, &frames(3));
    assert_eq!(read_whole(&gzip(&plain)), read_whole(&plain));
    let ng = [
        section(style),
        interface(style, 1, 0, &[]),
        enhanced(style, 0, 1, &frame(1, 9)),
    ];
    assert_eq!(read_whole(&gzip(&ng.concat())), read_whole(&ng.concat()));
    assert!(refusal(&gzip(&gzip(&plain))).contains("gzip within gzip"));
    assert!(refusal(&gzip(b"")).contains("is empty"));
}

#[test]
fn several_members_are_one_file() {
    let plain = classic(Style::LITTLE, 1, &frames(5));
    let (first, second) = plain.split_at(77);
    let file = [gzip(first), gzip(b""), gzip(second)].concat();
    assert_eq!(read_whole(&file), read_whole(&plain));
}

#[test]
fn position_counts_compressed_bytes() {
    let file = gzip(&classic(Style::LITTLE, 1, &frames(500)));
    let mut capture = open(&file).unwrap();
    let mut last = 0;
    while capture.next_frame().unwrap().is_some() {
        let position = capture.position_bytes();
        assert!(position >= last && position <= file.len() as u64);
        last = capture.position_bytes();
    }
    assert_eq!(capture.position_bytes(), file.len() as u64);
}

/// Many cuts, all through the stream: the frames are a growing prefix, and the cut is told.
#[test]
fn a_cut_gives_what_was_there() {
    let plain = classic(Style::LITTLE, 1, &frames(300));
    let whole = read_whole(&plain);
    let file = gzip(&plain);
    let mut most = 0;
    for cut in 1..file.len() {
        let content = match read(&file[..cut]) {
            Ok(content) => content,
            Err(CaptureError::Header {
                damage: Damage::Gzip { .. },
                ..
            }) => continue,
            Err(CaptureError::HeaderCut { .. } | CaptureError::NotACapture { .. }) if cut < 2 => {
                continue;
            }
            Err(error) => panic!("cut at {cut}: {error}"),
        };
        let count = content.frames.len();
        assert!(count >= most, "cut at {cut}: {count} frames, {most} before");
        most = count;
        assert_eq!(content.frames, whole[..count]);
        let End::Damaged {
            offset,
            damage: Damage::Gzip { position, reason },
        } = content.end
        else {
            panic!("cut at {cut}: {}", content.end);
        };
        assert_eq!(position, cut as u64);
        assert_eq!(reason, "the gzip stream is cut short");
        let record = 16 + 60;
        assert_eq!(
            (offset - 24) / record,
            count as u64,
            "what was decompressed was read"
        );
    }
    assert_eq!(most, 300, "only the checksum is missing at the last cuts");
}

#[test]
fn a_wrong_checksum_and_trailing_bytes_are_told() {
    let plain = classic(Style::LITTLE, 1, &frames(30));
    let mut file = gzip(&plain);
    let checksum = file.len() - 8;
    file[checksum] ^= 1;
    let trailing = [gzip(&plain), vec![0; 512]].concat();
    for file in [file, trailing] {
        let content = read(&file).unwrap();
        assert_eq!(content.frames.len(), 30);
        assert!(
            matches!(
                content.end,
                End::Damaged { offset, damage: Damage::Gzip { .. } } if offset == plain.len() as u64
            ),
            "{}",
            content.end
        );
    }
}
