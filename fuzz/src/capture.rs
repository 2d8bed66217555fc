//! A capture file, read whole, in pieces, and through gzip.

// What writes the captures of the reader's own tests.
#[path = "../../netsec-user/src/source/capture/tests/fixture.rs"]
mod fixture;

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{self, Cursor, Read};

use netsec_user::source::capture::{Capture, Damage, End, FRAME_BYTES_MAX, SkippedLink};

use crate::frame;
use fixture::{Frame, Style};

/// Any file is refused or read to an end that can be right; how its bytes arrive makes no
/// difference.
pub fn check(file: &[u8]) {
    let whole = read(Cursor::new(file.to_vec()));
    if is_gzip(file) {
        // Where the bytes end that come before damage depends on how they are read.
        if let Ok(content) = &whole {
            content.check(None);
        }
        return;
    }
    if let Ok(content) = &whole {
        content.check(Some(file));
    }
    let piece = 1 + usize::from(file.last().copied().unwrap_or_default() % 61);
    let pieces = read(Dribble {
        file: Cursor::new(file.to_vec()),
        piece,
        interrupt: false,
    });
    assert_eq!(pieces, whole, "in pieces of {piece} bytes");
    // Compressing costs more than all of the above, and hardly ever tells more.
    if piece % 4 == 0 {
        assert_eq!(read(Cursor::new(fixture::gzip(file))), whole, "in gzip");
    }
}

/// Both formats in both byte orders, with every link type and kind of block, also compressed.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    let links = [0, 1, 9, 12, 50, 51, 101, 104, 105, 108, 113, 228, 229, 276];
    let frames = frames();
    let mut files = Vec::new();
    for (style, link) in Style::ALL.into_iter().cycle().zip(links.repeat(2)) {
        files.push(fixture::classic(style, link, &frames));
        files.push(next_generation(style, link, &frames));
    }
    files.push(fixture::classic_version(
        Style::LITTLE,
        1,
        (543, 0),
        &frames,
    ));
    let packed: Vec<_> = files
        .iter()
        .take(8)
        .map(|file| fixture::gzip(file))
        .collect();
    files.extend(packed);
    files
}

/// Some of the fixtures' frames, of all kinds.
fn frames() -> Vec<Frame> {
    let frames = frame::all_cases().step_by(23).zip(0..);
    frames
        .map(|(case, number)| Frame {
            seconds: 1_700_000_000 + number,
            fraction: number * 7,
            wire: case.wire_bytes,
            bytes: case.frame,
        })
        .collect()
}

fn next_generation(style: Style, link: u32, frames: &[Frame]) -> Vec<u8> {
    let link = u16::try_from(link).unwrap_or_default();
    let options = [
        fixture::option(style, 2, b"eth0"),
        fixture::option(style, 9, &[9]),
        fixture::option(style, 14, &style.i64(-5)),
        fixture::option(style, 0, &[]),
    ];
    let mut file = [
        fixture::section(style),
        fixture::interface(style, link, 0, &options),
        fixture::interface(style, 1, 96, &[fixture::option(style, 9, &[0x86])]),
        fixture::interface(style, 189, 0, &[]),
        fixture::block(style, 5, &[0; 12]),
    ]
    .concat();
    for (frame, number) in frames.iter().zip(0_u64..) {
        file.extend(match number % 4 {
            0 => fixture::enhanced(style, 0, number << 30, frame),
            1 => fixture::obsolete(style, 1, 5, frame),
            2 => fixture::simple(style, frame),
            _ => fixture::enhanced(style, 2, 7, frame),
        });
    }
    file.extend(fixture::section(style));
    file.extend(fixture::interface(style, 101, 0, &[]));
    file.extend(fixture::simple(style, &fixture::frame(3, 33)));
    file
}

fn is_gzip(file: &[u8]) -> bool {
    file.starts_with(&[0x1f, 0x8b])
}

/// What a capture held, the frames as their number, length and hash.
#[derive(Debug, PartialEq, Eq)]
struct Content {
    frames: u64,
    captured_bytes: u64,
    hash: u64,
    end: End,
    interfaces: Vec<String>,
    skipped: Vec<SkippedLink>,
    clamped_times: u64,
}

/// The whole capture, or why it was refused.
fn read(reader: impl Read + Send + 'static) -> Result<Content, String> {
    let mut capture = Capture::from_reader("fuzz", reader).map_err(|error| error.to_string())?;
    let mut hash = DefaultHasher::new();
    let (mut frames, mut captured_bytes, mut position) = (0, 0, 0);
    while capture.advance().expect("memory can be read") {
        let frame = capture.frame().expect("a frame that was moved on to");
        assert!(frame.bytes.len() <= FRAME_BYTES_MAX as usize);
        assert!(frame.bytes.len() <= frame.wire_bytes as usize);
        assert!((frame.interface as usize) < capture.interfaces().len());
        assert!(capture.position_bytes() >= position, "it went back");
        position = capture.position_bytes();
        frames += 1;
        captured_bytes += frame.bytes.len() as u64;
        (frame.time.as_ns(), frame.wire_bytes, frame.bytes).hash(&mut hash);
        capture.interfaces()[frame.interface as usize].hash(&mut hash);
    }
    assert!(capture.frame().is_none() && !capture.advance().expect("the end is final"));
    Ok(Content {
        frames,
        captured_bytes,
        hash: hash.finish(),
        end: capture.end().cloned().expect("an end"),
        interfaces: capture.interfaces().to_vec(),
        skipped: capture.skipped().to_vec(),
        clamped_times: capture.clamped_times(),
    })
}

impl Content {
    /// `plain` is the file, unless it is compressed.
    fn check(&self, plain: Option<&[u8]>) {
        assert!(self.interfaces.iter().all(|name| !name.is_empty()));
        let length = plain.map_or(u64::MAX, |file| file.len() as u64);
        // A frame stands in the file once, behind a header of its own.
        assert!(self.captured_bytes.saturating_add(self.frames * 12) <= length);
        match &self.end {
            End::Complete => {}
            End::Truncated {
                offset,
                needed,
                had,
            } => {
                assert!(had < needed);
                assert!(plain.is_none() || offset + had == length);
            }
            End::Damaged { offset, damage } => {
                assert!(*offset <= length);
                assert!(plain.is_none() || !matches!(damage, Damage::Gzip { .. }));
            }
        }
    }
}

/// Gives a few bytes a read, and an interruption before each.
struct Dribble {
    file: Cursor<Vec<u8>>,
    piece: usize,
    interrupt: bool,
}

impl Read for Dribble {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.interrupt = !self.interrupt;
        if self.interrupt {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let piece = self.piece.min(into.len());
        self.file.read(&mut into[..piece])
    }
}
