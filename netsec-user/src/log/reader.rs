//! One log from its beginning to its end.

use std::fs::File;
use std::io::{self, Chain, Cursor, Read};
use std::ops::ControlFlow;
use std::path::Path;

use flate2::read::MultiGzDecoder;

use super::decode::{Decoder, Ignored, Line, Malformed};
use super::framing::{LineBuffer, Piece};
use super::place::At;
use super::record::Record;
use super::tally::Tally;

const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// Why a log could not be read to its end. Single lines that cannot be read are no error.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// It cannot be opened.
    #[error("cannot open {file}")]
    Open {
        /// The file.
        file: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It cannot be read further.
    #[error("{file}: cannot be read behind line {line}; what came before is used")]
    Read {
        /// The file.
        file: String,
        /// Lines that were read.
        line: u64,
        /// Why: for gzip, that it is damaged or ends early.
        #[source]
        source: io::Error,
    },
    /// What takes the records failed.
    #[error("cannot write the output")]
    Output(#[source] io::Error),
}

/// Reads one log, plain or gzip, whatever kind it is.
pub struct LogReader {
    file: String,
    input: Box<dyn Read + Send>,
    lines: LineBuffer,
    decoder: Decoder,
    tally: Tally,
}

impl std::fmt::Debug for LogReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LogReader")
            .field("file", &self.file)
            .field("tally", &self.tally)
            .finish_non_exhaustive()
    }
}

impl LogReader {
    /// Opens a file; `-` is standard input.
    ///
    /// # Errors
    ///
    /// When it cannot be opened, or is a directory.
    pub fn open(file: &Path, decoder: Decoder) -> Result<Self, LogError> {
        let name = file.display().to_string();
        let failed = |source| LogError::Open {
            file: name.clone(),
            source,
        };
        let input: Box<dyn Read + Send> = if file == Path::new("-") {
            Box::new(io::stdin())
        } else {
            let file = File::open(file).map_err(failed)?;
            if file.metadata().map_err(failed)?.is_dir() {
                return Err(failed(io::ErrorKind::IsADirectory.into()));
            }
            Box::new(file)
        };
        let name = if name == "-" { "standard input" } else { &name };
        Self::new(name, input, decoder)
    }

    /// Reads from anything; `file` is what errors call it.
    ///
    /// # Errors
    ///
    /// When its first bytes cannot be read.
    pub fn new(
        file: &str,
        mut input: Box<dyn Read + Send>,
        decoder: Decoder,
    ) -> Result<Self, LogError> {
        let mut first = Vec::new();
        let read = input.by_ref().take(2).read_to_end(&mut first);
        read.map_err(|source| LogError::Open {
            file: file.to_owned(),
            source,
        })?;
        let is_gzip = first == GZIP_MAGIC;
        let whole: Chain<Cursor<Vec<u8>>, _> = Cursor::new(first).chain(input);
        Ok(Self {
            file: file.to_owned(),
            input: if is_gzip {
                Box::new(MultiGzDecoder::new(whole))
            } else {
                Box::new(whole)
            },
            lines: LineBuffer::new(None),
            decoder,
            tally: Tally::default(),
        })
    }

    /// What errors call it.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.file
    }

    /// What became of the lines so far.
    #[must_use]
    pub const fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Reads to the end, or until `each` says to stop. `each` gets every record with the number of
    /// its line.
    ///
    /// # Errors
    ///
    /// When the file cannot be read further, or `each` fails.
    pub fn for_each(
        &mut self,
        mut each: impl FnMut(u64, &Record<'_>) -> io::Result<ControlFlow<()>>,
    ) -> Result<(), LogError> {
        let Self {
            file,
            input,
            lines,
            decoder,
            tally,
        } = self;
        loop {
            let filled = lines.fill(input);
            while let Some(line) = number(lines) {
                let Some(piece) = lines.next_piece() else {
                    break;
                };
                if take(decoder, tally, piece, line, &mut each)?.is_break() {
                    return Ok(());
                }
            }
            match filled {
                Ok(0) => break,
                Ok(_) => {}
                Err(source) => {
                    return Err(LogError::Read {
                        file: file.clone(),
                        line: lines.lines(),
                        source,
                    });
                }
            }
        }
        let line = lines.lines() + 1;
        if let Some(piece) = lines.rest() {
            let _stop = take(decoder, tally, piece, line, &mut each)?;
        }
        Ok(())
    }
}

fn number(lines: &LineBuffer) -> Option<u64> {
    lines.lines().checked_add(1)
}

fn take(
    decoder: &mut Decoder,
    tally: &mut Tally,
    piece: Piece<'_>,
    line: u64,
    each: &mut impl FnMut(u64, &Record<'_>) -> io::Result<ControlFlow<()>>,
) -> Result<ControlFlow<()>, LogError> {
    tally
        .take(decoder, piece, At::Line(line), |record| each(line, record))
        .map_err(LogError::Output)
        .map(|flow| flow.unwrap_or(ControlFlow::Continue(())))
}

impl Tally {
    /// Decodes and counts one piece, and hands its record on; gives what `each` gave.
    ///
    /// # Errors
    ///
    /// Those of `each`.
    pub(super) fn take<T>(
        &mut self,
        decoder: &mut Decoder,
        piece: Piece<'_>,
        at: At,
        each: impl FnOnce(&Record<'_>) -> io::Result<T>,
    ) -> io::Result<Option<T>> {
        let bytes = match piece {
            Piece::Bytes(bytes) => bytes,
            Piece::TooLong(bytes) => {
                self.reject(at, Malformed::TooLong(bytes));
                return Ok(None);
            }
        };
        let nuls = bytes.iter().take_while(|byte| **byte == 0).count();
        let bytes = bytes.get(nuls..).unwrap_or_default();
        self.nul_bytes += u64::try_from(nuls).unwrap_or_default();
        if nuls > 0 && bytes.is_empty() {
            self.ignore(&Ignored::Blank);
            return Ok(None);
        }
        match decoder.decode(bytes) {
            Line::Record(record) => {
                let (family, kind) = record.kind();
                self.use_record(family, &kind);
                each(&record).map(Some)
            }
            Line::Ignored(why) => {
                self.ignore(&why);
                Ok(None)
            }
            Line::Malformed(reason) => {
                self.reject(at, reason);
                Ok(None)
            }
        }
    }
}
