//! Files that are cut or wrong: everything before is read, and the place is told.

use super::fixture::{Style, block, classic, enhanced, frame, interface, option, section, simple};
use super::{Owned, read, read_whole, refusal};
use crate::source::capture::{CaptureError, Damage, End};

/// Every prefix of a file gives the frames whose records end in it, and the place of the cut.
fn cut_everywhere(parts: &[Vec<u8>], header_bytes: usize) {
    let file = parts.concat();
    let whole = read_whole(&file);
    let ends: Vec<usize> = parts
        .iter()
        .scan(0, |end, part| {
            *end += part.len();
            Some(*end)
        })
        .collect();
    let header_parts = parts.len() - whole.len();
    for cut in 0..file.len() {
        let content = match read(&file[..cut]) {
            Ok(content) => content,
            Err(error) => {
                assert!(cut < header_bytes, "cut at {cut}: {error}");
                let named = matches!(
                    error,
                    CaptureError::Empty { .. } | CaptureError::HeaderCut { .. }
                );
                assert!(named, "cut at {cut}: {error}");
                continue;
            }
        };
        assert!(cut >= header_bytes, "cut at {cut}");
        let records = ends.iter().filter(|end| **end <= cut).count();
        let frames: &[Owned] = &whole[..records.saturating_sub(header_parts)];
        assert_eq!(content.frames, frames, "cut at {cut}");
        let offset = if records == 0 { 0 } else { ends[records - 1] };
        match content.end {
            End::Complete => assert_eq!(offset, cut),
            End::Truncated {
                offset: at,
                needed,
                had,
            } => {
                assert_eq!(at, offset as u64);
                assert_eq!(at + had, cut as u64);
                assert!(needed > had, "cut at {cut}");
                assert!(at + needed <= ends[records] as u64, "cut at {cut}");
            }
            End::Damaged { .. } => panic!("cut at {cut}: {}", content.end),
        }
    }
}

#[test]
fn pcap_cut_at_every_byte() {
    for style in Style::ALL {
        let mut parts = vec![classic(style, 1, &[])];
        for frame in [frame(1, 60), frame(2, 0), frame(3, 61)] {
            parts.push(classic(style, 1, &[frame]).split_off(24));
        }
        cut_everywhere(&parts, 24);
    }
}

#[test]
fn pcapng_cut_at_every_byte() {
    for style in [Style::ALL[0], Style::ALL[1]] {
        let parts = [
            section(style),
            interface(style, 1, 0, &[option(style, 2, b"eth0")]),
            enhanced(style, 0, 5, &frame(1, 61)),
            enhanced(style, 0, 6, &frame(2, 0)),
            simple(style, &{
                let mut frame = frame(3, 20);
                frame.wire = 20;
                frame
            }),
        ];
        cut_everywhere(&parts, parts[0].len());
    }
}

/// A good section with one frame, then `bad`.
fn after_one_frame(bad: &[u8]) -> (u64, End) {
    let style = Style::LITTLE;
    let mut file = [
        section(style),
        interface(style, 1, 0, &[]),
        enhanced(style, 0, 5, &frame(1, 60)),
    ]
    .concat();
    let offset = file.len() as u64;
    file.extend(bad);
    file.extend(enhanced(style, 0, 6, &frame(2, 60)));
    let content = read(&file).unwrap();
    assert_eq!(content.frames.len(), 1, "nothing after the damage");
    (offset, content.end)
}

fn damage_of(bad: &[u8]) -> Damage {
    let (offset, end) = after_one_frame(bad);
    match end {
        End::Damaged { offset: at, damage } => {
            assert_eq!(at, offset);
            damage
        }
        End::Complete | End::Truncated { .. } => panic!("{end}"),
    }
}

#[test]
fn damaged_blocks_are_located_and_explained() {
    let style = Style::LITTLE;
    let mut long = enhanced(style, 0, 6, &frame(2, 60));
    long[20..24].copy_from_slice(&style.u32(100));
    assert_eq!(damage_of(&long), Damage::FrameLength { bytes: 100 });

    let mut trailer = block(style, 99, b"body");
    trailer[12..16].copy_from_slice(&style.u32(20));
    assert_eq!(
        damage_of(&trailer),
        Damage::BlockTrailer {
            leading: 16,
            trailing: 20
        }
    );

    let short = [style.u32(6), style.u32(28)].concat();
    assert_eq!(
        damage_of(&short),
        Damage::BlockLength { kind: 6, bytes: 28 }
    );
    let endless = [style.u32(99), style.u32(u32::MAX)].concat();
    assert_eq!(
        damage_of(&endless),
        Damage::BlockLength {
            kind: 99,
            bytes: u32::MAX
        }
    );

    let stranger = enhanced(style, 3, 6, &frame(2, 60));
    assert_eq!(
        damage_of(&stranger),
        Damage::Interface {
            interface: 3,
            described: 1
        }
    );

    let mut order = section(style);
    order[8] = 0;
    assert_eq!(damage_of(&order), Damage::ByteOrder { magic: 0x1a2b_3c00 });
    let mut version = section(style);
    version[12] = 2;
    assert_eq!(damage_of(&version), Damage::Version { major: 2, minor: 0 });
}

#[test]
fn an_interface_too_many_is_refused() {
    let style = Style::LITTLE;
    let mut file = section(style);
    for _ in 0..=65_536 {
        file.extend(interface(style, 189, 0, &[]));
    }
    assert!(refusal(&file).contains("link type 189"));
    let mut file = section(style);
    for _ in 0..=65_536 {
        file.extend(interface(style, 1, 0, &[option(style, 2, b"eth0")]));
    }
    let content = read(&file).unwrap();
    let offset = (file.len() - interface(style, 1, 0, &[option(style, 2, b"eth0")]).len()) as u64;
    assert_eq!(
        content.end,
        End::Damaged {
            offset,
            damage: Damage::Interfaces
        }
    );
}

#[test]
fn a_length_without_the_padding_is_understood() {
    let style = Style::LITTLE;
    let mut odd = enhanced(style, 0, 6, &frame(2, 60));
    let length = style.u32(u32::try_from(odd.len()).unwrap() - 3);
    let trailer = odd.len() - 4;
    odd[4..8].copy_from_slice(&length);
    odd[trailer..].copy_from_slice(&length);
    let file = [section(style), interface(style, 1, 0, &[]), odd].concat();
    assert_eq!(read_whole(&file).len(), 1);
}

#[test]
fn a_damaged_first_section_is_refused() {
    let mut file = section(Style::LITTLE);
    file[8] = 0;
    let error = refusal(&file);
    assert!(
        error.contains("damaged pcapng section header: a section's byte-order magic"),
        "{error}"
    );
}

#[test]
fn an_end_reads_as_a_sentence() {
    let end = End::Truncated {
        offset: 100,
        needed: 76,
        had: 20,
    };
    assert_eq!(
        end.to_string(),
        "cut short at byte 120: the record at byte 100 needs 76 bytes and has 20; \
         all frames before it were read"
    );
}
