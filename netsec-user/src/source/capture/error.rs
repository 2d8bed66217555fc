//! Why a capture cannot be read at all.

use std::io;

use thiserror::Error;

use super::buffer::{Buffer, Stop};
use super::end::{Damage, End};
use super::link;

/// Why a capture cannot be read, or not any further.
#[derive(Debug, Error)]
pub enum CaptureError {
    /// The file cannot be opened.
    #[error("cannot open {file}")]
    Open {
        /// The file.
        file: String,
        /// What the system says.
        source: io::Error,
    },
    /// Reading failed.
    #[error("cannot read {file} beyond byte {offset}")]
    Read {
        /// The file.
        file: String,
        /// Bytes of the (uncompressed) capture that were read.
        offset: u64,
        /// What the system says.
        source: io::Error,
    },
    /// The path is that of a directory.
    #[error("{file} is a directory: name a capture file in it")]
    Directory {
        /// The path.
        file: String,
    },
    /// Standard input is a terminal.
    #[error(
        "standard input is a terminal: pipe a capture in (`tcpdump -w - | netsec replay -`) or name a file"
    )]
    Terminal,
    /// The file is empty.
    #[error("{file} is empty: it has not even a capture header")]
    Empty {
        /// The file.
        file: String,
    },
    /// The file ends in its header.
    #[error("{file} ends after {had} bytes, in its {format} header of {needed}: nothing to read")]
    HeaderCut {
        /// The file.
        file: String,
        /// Name of the format.
        format: &'static str,
        /// Bytes the header has to have.
        needed: u64,
        /// Bytes that are there.
        had: u64,
    },
    /// The header is damaged.
    #[error("{file} has a damaged {format} header: {damage}")]
    Header {
        /// The file.
        file: String,
        /// Name of the format.
        format: &'static str,
        /// What is wrong.
        damage: Damage,
    },
    /// The file is of a kind that is known but not read.
    #[error("{file} is {kind}, which netsec does not read: {remedy}")]
    Foreign {
        /// The file.
        file: String,
        /// What it is.
        kind: &'static str,
        /// What to do.
        remedy: &'static str,
    },
    /// The file is no capture.
    #[error(
        "{file} is no capture: it begins with {first:02x?}; netsec reads pcap and pcapng, also in gzip"
    )]
    NotACapture {
        /// The file.
        file: String,
        /// Its first bytes.
        first: [u8; 4],
    },
    /// The file is of a version of pcap that is not known.
    #[error(
        "{file} is pcap version {major}.{minor}, and only 2.x is known: convert it with `editcap -F pcap`"
    )]
    Version {
        /// The file.
        file: String,
        /// Major version.
        major: u16,
        /// Minor version.
        minor: u16,
    },
    /// The frames begin with something that netsec does not read.
    #[error(
        "{file} has link type {number} ({}), which netsec does not read; it reads {}",
        link::name(*number),
        link::SUPPORTED
    )]
    LinkType {
        /// The file.
        file: String,
        /// Number in the registry of [tcpdump.org](https://www.tcpdump.org/linktypes.html).
        number: u32,
    },
}

/// The error for a header that cannot be read.
pub(super) fn in_header(file: &str, format: &'static str, stop: Stop) -> CaptureError {
    let file = file.to_owned();
    match stop {
        Stop::End(End::Complete) => CaptureError::Empty { file },
        Stop::End(End::Truncated { needed, had, .. }) => CaptureError::HeaderCut {
            file,
            format,
            needed,
            had,
        },
        Stop::End(End::Damaged { damage, .. }) => CaptureError::Header {
            file,
            format,
            damage,
        },
        Stop::Read(source) => CaptureError::Read {
            file,
            offset: 0,
            source,
        },
    }
}

/// The error for a file that is neither pcap nor pcapng.
pub(super) fn not_a_capture(file: &str, buffer: &mut Buffer) -> CaptureError {
    let first = match buffer.peek(0) {
        Ok(first) => first,
        Err(stop) => return in_header(file, "capture", stop),
    };
    let file = file.to_owned();
    match FOREIGN.iter().find(|(magic, ..)| first.starts_with(magic)) {
        Some(&(_, kind, remedy)) => CaptureError::Foreign { file, kind, remedy },
        None => CaptureError::NotACapture { file, first },
    }
}

const CONVERT: &str = "convert it with Wireshark's `editcap -F pcapng FILE NEW`";
const DECOMPRESS: &str = "decompress it and pipe it into `netsec replay -`";

/// First bytes, kind, remedy.
const FOREIGN: [(&[u8], &str, &str); 13] = [
    (b"\xa1\xb2\xcd\x34", "Kuznetzov's modified pcap", CONVERT),
    (b"\x34\xcd\xb2\xa1", "Kuznetzov's modified pcap", CONVERT),
    (b"\xa1\xb2\x34\xcd", "an IXIA variant of pcap", CONVERT),
    (b"\xcd\x34\xb2\xa1", "an IXIA variant of pcap", CONVERT),
    (b"snoo", "a Solaris snoop capture", CONVERT),
    (b"GMBU", "a Microsoft Network Monitor capture", CONVERT),
    (b"RTSS", "a Microsoft Network Monitor capture", CONVERT),
    (b"\x1f\x8b", "gzip within gzip", DECOMPRESS),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd", DECOMPRESS),
    (b"\xfd7zX", "compressed with xz", DECOMPRESS),
    (b"BZh", "compressed with bzip2", DECOMPRESS),
    (b"\x04\x22\x4d\x18", "compressed with lz4", DECOMPRESS),
    (b"PK\x03\x04", "a zip archive", DECOMPRESS),
];
