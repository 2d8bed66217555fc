//! pcap.

use super::fixture::{Frame, Style, classic, classic_version, frame};
use super::{open, read, read_whole, refusal};
use crate::source::capture::{Damage, End, FRAME_BYTES_MAX};
use netsec_common::packet::Start;

#[test]
fn all_four_kinds_are_read() {
    for style in Style::ALL {
        let frames = [frame(1, 60), frame(2, 0), frame(3, 1514)];
        let read = read_whole(&classic(style, 1, &frames));
        assert_eq!(read.len(), 3);
        let unit = if style.nanoseconds { 1 } else { 1000 };
        for (got, wrote) in read.into_iter().zip(frames) {
            let ns = i64::from(wrote.seconds) * 1_000_000_000 + i64::from(wrote.fraction) * unit;
            assert_eq!(
                got,
                (ns, "test".to_owned(), wrote.wire, wrote.bytes),
                "{style:?}"
            );
        }
    }
}

#[test]
fn latest_time_and_odd_fraction_do_not_overflow() {
    let mut late = frame(1, 60);
    (late.seconds, late.fraction) = (u32::MAX, u32::MAX);
    let [(ns, ..)] = &read_whole(&classic(Style::LITTLE, 1, &[late]))[..] else {
        panic!("one frame");
    };
    assert_eq!(*ns, 4_294_967_295_000_000_000 + 4_294_967_295_000);
}

#[test]
fn a_frame_is_never_shorter_on_the_wire_than_captured() {
    let frames = [Frame {
        wire: 32,
        ..frame(1, 34)
    }];
    let [(_, _, wire, bytes)] = &read_whole(&classic(Style::LITTLE, 1, &frames))[..] else {
        panic!("one frame");
    };
    assert_eq!((*wire, bytes.len()), (34, 34));
}

#[test]
fn old_versions_have_the_lengths_the_other_way_round() {
    let wrote = frame(1, 40);
    let mut file = classic_version(Style::LITTLE, 1, (2, 2), std::slice::from_ref(&wrote));
    let (captured, wire) = (file[32..36].to_vec(), file[36..40].to_vec());
    file[32..36].copy_from_slice(&wire);
    file[36..40].copy_from_slice(&captured);
    assert_eq!(read_whole(&file)[0].3, wrote.bytes);
    file[6] = 3;
    assert_eq!(read_whole(&file)[0].3, wrote.bytes, "2.3: the smaller one");
    file[6] = 4;
    assert_ne!(read(&file).unwrap().end, End::Complete);
}

#[test]
fn frame_check_sequence_bits_are_no_link_type() {
    let file = classic(Style::LITTLE, 0x3000_0001, &[frame(1, 60)]);
    let mut capture = open(&file).unwrap();
    assert_eq!(
        capture.next_frame().unwrap().unwrap().start,
        Start::Ethernet
    );
    assert!(refusal(&classic(Style::LITTLE, 0x0001_0001, &[])).contains("link type 65537"));
}

#[test]
fn longest_frame_is_read_and_a_longer_one_is_damage() {
    let longest = frame(1, FRAME_BYTES_MAX as usize);
    let frames: Vec<_> = (0..5).map(|_| longest.clone()).collect();
    let file = classic(Style::LITTLE, 1, &frames);
    assert_eq!(read_whole(&file).len(), 5);

    let too_long = FRAME_BYTES_MAX + 1;
    let mut file = classic(Style::LITTLE, 1, &[frame(1, 60), frame(2, 60)]);
    let second = 24 + 16 + 60;
    file[second + 8..second + 12].copy_from_slice(&too_long.to_le_bytes());
    let content = read(&file).unwrap();
    assert_eq!(content.frames.len(), 1);
    assert_eq!(
        content.end,
        End::Damaged {
            offset: second as u64,
            damage: Damage::FrameLength { bytes: too_long }
        }
    );
}

#[test]
fn unsupported_link_types_and_versions_are_refused_by_name() {
    let error = refusal(&classic(Style::LITTLE, 105, &[]));
    assert!(error.starts_with("test has link type 105 (IEEE802_11), which netsec does not read"));
    assert!(error.contains("Ethernet (1)"), "{error}");
    assert!(refusal(&classic(Style::LITTLE, 9999, &[])).contains("9999 (no name known)"));
    let old = classic_version(Style::ALL[1], 1, (1, 4), &[]);
    assert!(refusal(&old).contains("pcap version 1.4"));
}

#[test]
fn pcap_file_writes_what_is_read() {
    use pcap_file::pcap::{PcapPacket, PcapWriter};
    use std::time::Duration;

    let mut writer = PcapWriter::new(Vec::new()).unwrap();
    let bytes = frame(9, 99).bytes;
    let time = Duration::new(1_234_567_890, 123_456_000);
    writer
        .write_packet(&PcapPacket::new(time, 1500, &bytes))
        .unwrap();
    let read = read_whole(&writer.into_writer());
    assert_eq!(
        read,
        [(1_234_567_890_123_456_000, "test".to_owned(), 1500, bytes)]
    );
}
