//! pcapng.

use super::fixture::{Style, block, enhanced, frame, interface, obsolete, option, section, simple};
use super::{Content, read, read_whole, refusal};
use crate::source::capture::{Damage, End, SkippedLink};

const US: u64 = 1_700_000_000_000_000;
const NS: i64 = 1_700_000_000_000_000_000;

fn name(style: Style, name: &[u8]) -> Vec<u8> {
    option(style, 2, name)
}

#[test]
fn three_kinds_of_packet_block_in_both_orders() {
    for style in [Style::ALL[0], Style::ALL[1]] {
        let frames = [frame(1, 61), frame(2, 60), frame(3, 0), frame(4, 63)];
        let mut short = frame(4, 80);
        short.bytes.truncate(63);
        let file = [
            section(style),
            interface(style, 1, 63, &[name(style, b"eth0")]),
            block(style, 0x0bad, b"unknown block"),
            enhanced(style, 0, US, &frames[0]),
            obsolete(style, 0, US + 1, &frames[1]),
            enhanced(style, 0, US + 2, &frames[2]),
            // Padding must not become part of the frame.
            simple(style, &short),
            block(style, 5, &[0; 12]),
        ]
        .concat();
        let read = read_whole(&file);
        let expect = [(NS, 0), (NS + 1000, 1), (NS + 2000, 2), (NS + 2000, 3)].map(|(ns, i)| {
            (
                ns,
                "eth0".to_owned(),
                frames[i].wire,
                frames[i].bytes.clone(),
            )
        });
        assert_eq!(read.len(), 4);
        for (got, expect) in read.iter().zip(&expect).take(3) {
            assert_eq!(got, expect, "{style:?}");
        }
        assert_eq!(
            (read[3].0, &read[3].3),
            (NS + 2000, &short.bytes),
            "no time of its own"
        );
        assert_eq!(read[3].2, short.wire);
    }
}

#[test]
fn every_interface_has_its_own_clock() {
    let style = Style::ALL[1];
    let resolution = |value| option(style, 9, &[value]);
    let offset = option(style, 14, &style.i64(-10));
    let file = [
        section(style),
        interface(style, 1, 0, &[name(style, b"ns"), resolution(9)]),
        interface(style, 1, 0, &[name(style, b"s"), resolution(0), offset]),
        interface(style, 1, 0, &[name(style, b"2^-10"), resolution(0x8a)]),
        interface(style, 1, 0, &[name(style, b"ps"), resolution(12)]),
        interface(style, 1, 0, &[name(style, b"never"), resolution(0x7f)]),
        interface(style, 1, 0, &[name(style, b"2^-127"), resolution(0xff)]),
        enhanced(style, 0, NS.cast_unsigned() + 7, &frame(1, 10)),
        enhanced(style, 1, 1_700_000_010, &frame(1, 10)),
        enhanced(style, 2, 3 * 1024 + 512, &frame(1, 10)),
        enhanced(style, 3, 5_999, &frame(1, 10)),
        enhanced(style, 4, u64::MAX, &frame(1, 10)),
        enhanced(style, 5, u64::MAX, &frame(1, 10)),
    ]
    .concat();
    let times: Vec<_> = read_whole(&file)
        .into_iter()
        .map(|(ns, name, ..)| (name, ns))
        .collect();
    let expect = [
        ("ns", NS + 7),
        ("s", NS),
        ("2^-10", 3_500_000_000),
        ("ps", 5),
        ("never", 0),
        ("2^-127", 0),
    ];
    assert_eq!(times, expect.map(|(name, ns)| (name.to_owned(), ns)));
}

#[test]
fn times_out_of_range_are_clamped_and_counted() {
    let style = Style::LITTLE;
    let far = option(style, 14, &style.i64(i64::MIN));
    let back = option(style, 14, &style.i64(-18_446_744_073_709));
    let file = [
        section(style),
        interface(style, 1, 0, &[]),
        interface(style, 1, 0, &[far]),
        interface(style, 1, 0, &[back]),
        enhanced(style, 0, u64::MAX, &frame(1, 10)),
        enhanced(style, 1, 0, &frame(1, 10)),
        enhanced(style, 2, u64::MAX, &frame(1, 10)),
    ]
    .concat();
    let content = read(&file).unwrap();
    let times: Vec<_> = content.frames.iter().map(|frame| frame.0).collect();
    assert_eq!(times, [i64::MAX, i64::MIN, 551_615_000]);
    assert_eq!(
        content.clamped, 2,
        "the last time is in range with its offset"
    );
}

#[test]
fn sections_have_their_own_order_and_interfaces() {
    let (little, big) = (Style::ALL[0], Style::ALL[1]);
    let file = [
        section(little),
        interface(little, 1, 0, &[name(little, b"a")]),
        interface(little, 101, 0, &[name(little, b"b")]),
        enhanced(little, 1, US, &frame(1, 20)),
        section(big),
        interface(big, 101, 0, &[name(big, b"b")]),
        interface(big, 1, 0, &[]),
        enhanced(big, 0, US, &frame(2, 20)),
        enhanced(big, 1, US, &frame(3, 20)),
        section(little),
        enhanced(little, 0, US, &frame(4, 20)),
    ];
    let offset: usize = file[..10].iter().map(Vec::len).sum();
    let content = read(&file.concat()).unwrap();
    let names: Vec<_> = content
        .frames
        .iter()
        .map(|frame| frame.1.as_str())
        .collect();
    assert_eq!(names, ["b", "b", "test#1"]);
    assert_eq!(
        content.end,
        End::Damaged {
            offset: offset as u64,
            damage: Damage::Interface {
                interface: 0,
                described: 0
            }
        },
        "the last section describes none"
    );
}

#[test]
fn frames_of_unsupported_interfaces_are_counted() {
    let style = Style::LITTLE;
    let file = [
        section(style),
        interface(style, 189, 0, &[name(style, b"usbmon0")]),
        interface(style, 1, 0, &[name(style, b"eth0")]),
        enhanced(style, 0, US, &frame(1, 20)),
        enhanced(style, 1, US, &frame(2, 20)),
        simple(style, &frame(3, 20)),
    ]
    .concat();
    let Content {
        frames,
        end,
        skipped,
        ..
    } = read(&file).unwrap();
    assert_eq!(frames.len(), 1);
    assert_eq!(frames[0].1, "eth0");
    assert_eq!(end, End::Complete);
    assert_eq!(
        skipped,
        [SkippedLink {
            number: 189,
            frames: 2
        }]
    );
    assert_eq!(skipped[0].name(), "USB_LINUX");
}

#[test]
fn a_file_without_supported_interface_is_refused() {
    let style = Style::LITTLE;
    let file = [
        section(style),
        interface(style, 189, 0, &[]),
        interface(style, 105, 0, &[]),
        enhanced(style, 0, US, &frame(1, 20)),
    ]
    .concat();
    assert!(refusal(&file).contains("link type 189 (USB_LINUX)"));
}

#[test]
fn names_are_fit_for_a_terminal() {
    let style = Style::LITTLE;
    let long = [b'x'; 500];
    let file = [
        section(style),
        interface(style, 1, 0, &[name(style, b"e\x1b[2Jth\xff")]),
        interface(style, 1, 0, &[name(style, &long)]),
        interface(style, 1, 0, &[name(style, b"\0")]),
        enhanced(style, 0, US, &frame(1, 20)),
        enhanced(style, 1, US, &frame(1, 20)),
        enhanced(style, 2, US, &frame(1, 20)),
    ]
    .concat();
    let names: Vec<_> = read_whole(&file).into_iter().map(|frame| frame.1).collect();
    assert_eq!(
        names,
        ["e\u{fffd}[2Jth\u{fffd}", &"x".repeat(128), "test#2"]
    );
}

#[test]
fn pcap_file_writes_what_is_read() {
    use pcap_file::DataLink;
    use pcap_file::pcapng::blocks::enhanced_packet::EnhancedPacketBlock;
    use pcap_file::pcapng::blocks::interface_description::{
        InterfaceDescriptionBlock, InterfaceDescriptionOption,
    };
    use pcap_file::pcapng::{PcapNgBlock as _, PcapNgWriter};
    use std::borrow::Cow;
    use std::time::Duration;

    let mut writer = PcapNgWriter::new(Vec::new()).unwrap();
    let described = InterfaceDescriptionBlock {
        linktype: DataLink::ETHERNET,
        snaplen: 0,
        options: vec![
            InterfaceDescriptionOption::IfName(Cow::Borrowed("wlan7")),
            InterfaceDescriptionOption::IfTsResol(9),
        ],
    };
    writer.write_block(&described.into_block()).unwrap();
    let bytes = frame(9, 99).bytes;
    let packet = EnhancedPacketBlock {
        interface_id: 0,
        timestamp: Duration::from_nanos(NS.unsigned_abs() + 3),
        original_len: 1500,
        data: Cow::Borrowed(&bytes),
        options: vec![],
    };
    writer.write_block(&packet.into_block()).unwrap();
    let read = read_whole(&writer.into_inner());
    assert_eq!(read.len(), 1);
    assert_eq!(
        (read[0].1.as_str(), read[0].2, &read[0].3),
        ("wlan7", 1500, &bytes)
    );
}
