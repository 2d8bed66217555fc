//! Captures of our own making.

use std::fmt;
use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::flows::{Flows, Random};

/// How packets are shared out over flows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Few,
    Many,
}

impl Shape {
    const fn flows(self) -> Flows {
        match self {
            Self::Few => Flows::Uniform(64),
            Self::Many => Flows::Zipf(1 << 18),
        }
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {MEAN_BYTES} bytes a packet", self.flows())
    }
}

/// Frame lengths and how many of ten frames have them: acknowledgements, questions, some data.
const LENGTHS: [(usize, u32); 3] = [(60, 7), (140, 2), (590, 1)];

/// The mean of them.
const MEAN_BYTES: usize = 129;

/// Time between two packets.
const STEP_US: u32 = 20;

/// 2026-01-01 00:00:00 UTC, seconds since 1970.
const START_S: u32 = 1_767_225_600;

/// Writes a capture unless it is there already, and gives its name.
pub(super) fn write(folder: &Path, shape: Shape, packets: u32) -> Result<PathBuf> {
    let name = match shape {
        Shape::Few => "few",
        Shape::Many => "many",
    };
    let path = folder.join(format!("{name}-{packets}.pcap"));
    if !path.exists() {
        let partial = path.with_extension("partial");
        fill(&partial, shape, packets).with_context(|| partial.display().to_string())?;
        fs::rename(&partial, &path)?;
    }
    Ok(path)
}

fn fill(path: &Path, shape: Shape, packets: u32) -> Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    // Magic number, version 2.4, two unused words, snap length, Ethernet.
    for word in [0xa1b2_c3d4, 4 << 16 | 2, 0, 0, 65_535, 1_u32] {
        file.write_all(&word.to_le_bytes())?;
    }
    let table = shape.flows().table();
    let mut random = Random(0xcab7);
    for number in 0..packets {
        let place = random.below(u32::try_from(table.len())?);
        let flow = table.get(place as usize).copied().unwrap_or_default();
        let frame = frame(number, flow, length(random.below(10)));
        let since_us = u64::from(number) * u64::from(STEP_US);
        let seconds = START_S + u32::try_from(since_us / 1_000_000)?;
        let micros = u32::try_from(since_us % 1_000_000)?;
        let length = u32::try_from(frame.len())?;
        for word in [seconds, micros, length, length] {
            file.write_all(&word.to_le_bytes())?;
        }
        file.write_all(&frame)?;
    }
    Ok(file.flush()?)
}

fn length(of_ten: u32) -> usize {
    let mut upto = 0;
    let found = LENGTHS.iter().find(|(_, share)| {
        upto += share;
        of_ten < upto
    });
    found.map_or(60, |(length, _)| *length)
}

/// A frame of a flow: three of four are TCP with ACK, the others UDP. Without transport checksums,
/// as network cards leave them to captures. `number` makes sequence numbers that go up.
fn frame(number: u32, flow: u64, length: usize) -> Vec<u8> {
    let [s0, s1, s2, s3, p0, p1, p2, p3] = flow.to_le_bytes();
    let is_tcp = s3 % 4 != 0;
    let total = u16::try_from(length - 14).unwrap_or(u16::MAX);
    let mut ip = vec![0x45, 0];
    ip.extend(total.to_be_bytes());
    ip.extend([0, 0, 0x40, 0, 64, if is_tcp { 6 } else { 17 }, 0, 0]);
    ip.extend([s0, s1, s2, s3, 192, 0, 2, 1]);
    let checksum = checksum(&ip);
    if let Some(place) = ip.get_mut(10..12) {
        place.copy_from_slice(&checksum.to_be_bytes());
    }
    let mut frame = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0];
    frame.extend(ip);
    frame.extend([p0, p1, p2, p3]);
    if is_tcp {
        frame.extend(number.wrapping_mul(600).to_be_bytes());
        frame.extend([0, 0, 0, 1, 0x50, 0x10, 0x40, 0, 0, 0, 0, 0]);
    } else {
        frame.extend((total - 20).to_be_bytes());
        frame.extend([0, 0]);
    }
    frame.resize(length, 0);
    frame
}

/// The Internet checksum (RFC 1071) of an even number of bytes.
fn checksum(bytes: &[u8]) -> u16 {
    let sum: u32 = bytes
        .as_chunks()
        .0
        .iter()
        .map(|pair| u32::from(u16::from_be_bytes(*pair)))
        .sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    let folded = (folded & 0xffff) + (folded >> 16);
    !u16::try_from(folded).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_have_their_shares() {
        let sum: usize = (0..10).map(length).sum();
        assert_eq!(sum / 10, MEAN_BYTES);
    }

    /// The example of RFC 1071, section 3.
    #[test]
    fn the_checksum_is_that_of_the_internet() {
        let bytes = [0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7];
        assert_eq!(checksum(&bytes), !0xddf2);
    }
}
