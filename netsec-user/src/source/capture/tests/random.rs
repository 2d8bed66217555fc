//! Properties over random and mutated files, read in random pieces.

use std::io::{self, Read};

use proptest::prelude::*;

use super::fixture::{Style, classic, enhanced, frame, gzip, interface, obsolete, section, simple};
use super::{Content, read};
use crate::source::capture::{Capture, End, FRAME_BYTES_MAX};

/// Gives at most so many bytes a read, and an interruption now and then.
struct Dribble {
    bytes: io::Cursor<Vec<u8>>,
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
        self.bytes.read(&mut into[..piece])
    }
}

fn samples() -> Vec<Vec<u8>> {
    let mut files = Vec::new();
    for style in Style::ALL {
        files.push(classic(
            style,
            1,
            &[frame(1, 60), frame(2, 7), frame(3, 33)],
        ));
        files.push(
            [
                section(style),
                interface(style, 1, 0, &[]),
                interface(style, 189, 50, &[]),
                enhanced(style, 0, 1, &frame(1, 60)),
                obsolete(style, 1, 2, &frame(2, 7)),
                section(style),
                interface(style, 101, 0, &[]),
                simple(style, &frame(3, 33)),
            ]
            .concat(),
        );
    }
    let packed: Vec<_> = files.iter().map(|file| gzip(file)).collect();
    files.extend(packed);
    files
}

/// What holds for any file that can be opened.
fn check(file: &[u8], content: &Content) {
    for (_, name, wire, bytes) in &content.frames {
        assert!(bytes.len() <= FRAME_BYTES_MAX as usize);
        assert!(*wire as usize >= bytes.len());
        assert!(!name.is_empty());
    }
    if let End::Truncated {
        offset,
        needed,
        had,
    } = content.end
    {
        assert!(had < needed);
        if !file.starts_with(&[0x1f, 0x8b]) {
            assert_eq!(offset + had, file.len() as u64);
        }
    }
}

proptest! {
    #[test]
    fn random_bytes_never_panic(
        magic in prop::sample::select(vec![
            vec![], vec![0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0], vec![0xa1, 0xb2, 0x3c, 0x4d, 0, 2, 0, 4],
            section(Style::ALL[0]), section(Style::ALL[1]), vec![0x1f, 0x8b, 8, 0],
        ]),
        tail in prop::collection::vec(any::<u8>(), 0..600),
    ) {
        let file = [magic, tail].concat();
        if let Ok(content) = read(&file) {
            check(&file, &content);
        }
    }

    #[test]
    fn mutated_files_never_panic(
        sample in prop::sample::select(samples()),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut file = sample;
        for (at, value) in changes {
            let at = at.index(file.len());
            file[at] = value;
        }
        file.truncate(cut.index(file.len()) + 1);
        if let Ok(content) = read(&file) {
            check(&file, &content);
        }
    }

    #[test]
    fn pieces_make_no_difference(
        sample in prop::sample::select(samples()),
        piece in 1_usize..40,
    ) {
        let whole = read(&sample).unwrap();
        let bytes = io::Cursor::new(sample);
        let dribble = Dribble { bytes, piece, interrupt: false };
        let mut capture = Capture::from_reader("test", dribble).unwrap();
        let mut frames = 0;
        while let Some(frame) = capture.next_frame().unwrap() {
            let (ns, _, wire, bytes) = &whole.frames[frames];
            prop_assert_eq!(frame.time.as_ns(), *ns);
            prop_assert_eq!(frame.wire_bytes, *wire);
            prop_assert_eq!(frame.bytes, &bytes[..]);
            frames += 1;
        }
        prop_assert_eq!(frames, whole.frames.len());
        prop_assert_eq!(capture.end(), Some(&whole.end));
    }
}
