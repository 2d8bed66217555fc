//! Writes captures in either byte order.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;

/// Byte order, and digits after the second of pcap's times.
#[derive(Clone, Copy, Debug)]
pub(super) struct Style {
    pub(super) big: bool,
    pub(super) nanoseconds: bool,
}

impl Style {
    pub(super) const LITTLE: Self = Self {
        big: false,
        nanoseconds: false,
    };

    pub(super) const ALL: [Self; 4] = [
        Self::LITTLE,
        Self {
            big: true,
            nanoseconds: false,
        },
        Self {
            big: false,
            nanoseconds: true,
        },
        Self {
            big: true,
            nanoseconds: true,
        },
    ];

    pub(super) const fn u16(self, value: u16) -> [u8; 2] {
        if self.big {
            value.to_be_bytes()
        } else {
            value.to_le_bytes()
        }
    }

    pub(super) const fn u32(self, value: u32) -> [u8; 4] {
        if self.big {
            value.to_be_bytes()
        } else {
            value.to_le_bytes()
        }
    }

    pub(super) const fn i64(self, value: i64) -> [u8; 8] {
        if self.big {
            value.to_be_bytes()
        } else {
            value.to_le_bytes()
        }
    }
}

#[derive(Clone, Debug)]
pub(super) struct Frame {
    pub(super) seconds: u32,
    pub(super) fraction: u32,
    pub(super) wire: u32,
    pub(super) bytes: Vec<u8>,
}

/// A frame with contents of its own, `bytes` long.
pub(super) fn frame(seed: u32, bytes: usize) -> Frame {
    Frame {
        seconds: 1_700_000_000 + seed,
        fraction: seed * 7,
        wire: u32::try_from(bytes).unwrap() + seed,
        bytes: (0..bytes)
            .map(|i| seed.to_le_bytes()[0] ^ i.to_le_bytes()[0])
            .collect(),
    }
}

pub(super) fn classic(style: Style, link: u32, frames: &[Frame]) -> Vec<u8> {
    classic_version(style, link, (2, 4), frames)
}

pub(super) fn classic_version(
    style: Style,
    link: u32,
    version: (u16, u16),
    frames: &[Frame],
) -> Vec<u8> {
    let magic = if style.nanoseconds {
        0xa1b2_3c4d
    } else {
        0xa1b2_c3d4
    };
    let mut file = style.u32(magic).to_vec();
    file.extend(style.u16(version.0));
    file.extend(style.u16(version.1));
    for word in [0, 0, 65_535, link] {
        file.extend(style.u32(word));
    }
    for frame in frames {
        let captured = u32::try_from(frame.bytes.len()).unwrap();
        for word in [frame.seconds, frame.fraction, captured, frame.wire] {
            file.extend(style.u32(word));
        }
        file.extend(&frame.bytes);
    }
    file
}

/// A block with its two lengths, padded.
pub(super) fn block(style: Style, kind: u32, body: &[u8]) -> Vec<u8> {
    let padded = body.len().next_multiple_of(4);
    let total = style.u32(u32::try_from(padded).unwrap() + 12);
    let mut block = style.u32(kind).to_vec();
    block.extend(total);
    block.extend(body);
    block.resize(8 + padded, 0);
    block.extend(total);
    block
}

pub(super) fn section(style: Style) -> Vec<u8> {
    let mut body = style.u32(0x1a2b_3c4d).to_vec();
    body.extend(style.u16(1));
    body.extend(style.u16(0));
    body.extend(style.i64(-1));
    block(style, 0x0a0d_0d0a, &body)
}

pub(super) fn option(style: Style, code: u16, value: &[u8]) -> Vec<u8> {
    let mut option = style.u16(code).to_vec();
    option.extend(style.u16(u16::try_from(value.len()).unwrap()));
    option.extend(value);
    option.resize(4 + value.len().next_multiple_of(4), 0);
    option
}

pub(super) fn interface(style: Style, link: u16, snapshot: u32, options: &[Vec<u8>]) -> Vec<u8> {
    let mut body = style.u16(link).to_vec();
    body.extend([0, 0]);
    body.extend(style.u32(snapshot));
    body.extend(options.concat());
    block(style, 1, &body)
}

pub(super) fn enhanced(style: Style, interface: u32, ticks: u64, frame: &Frame) -> Vec<u8> {
    let mut body = style.u32(interface).to_vec();
    body.extend(packet(style, ticks, frame));
    body.extend(option(style, 2, &[1, 0, 0, 0]));
    block(style, 6, &body)
}

pub(super) fn obsolete(style: Style, interface: u16, ticks: u64, frame: &Frame) -> Vec<u8> {
    let mut body = style.u16(interface).to_vec();
    body.extend(style.u16(77));
    body.extend(packet(style, ticks, frame));
    block(style, 2, &body)
}

pub(super) fn simple(style: Style, frame: &Frame) -> Vec<u8> {
    let mut body = style.u32(frame.wire).to_vec();
    body.extend(&frame.bytes);
    block(style, 3, &body)
}

fn packet(style: Style, ticks: u64, frame: &Frame) -> Vec<u8> {
    let low = u32::try_from(ticks & 0xffff_ffff).unwrap();
    let high = u32::try_from(ticks >> 32).unwrap();
    let captured = u32::try_from(frame.bytes.len()).unwrap();
    let mut packet = Vec::new();
    for word in [high, low, captured, frame.wire] {
        packet.extend(style.u32(word));
    }
    packet.extend(&frame.bytes);
    packet.resize(packet.len().next_multiple_of(4), 0);
    packet
}

pub(super) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}
