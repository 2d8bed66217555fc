//! The bytes of a capture file, decompressed when they are gzip.

use std::io::{self, BufReader, Chain, Cursor, Read};

use flate2::bufread::MultiGzDecoder;

const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// Compressed bytes that are read at a time.
const COMPRESSED_BYTES: usize = 128 * 1024;

/// Most bytes that are decompressed at a time: what the decoder wrote before it meets damage is
/// lost to its caller, so this is kept small.
const DECOMPRESSED_BYTES: usize = 32 * 1024;

/// A file, which is either a capture or one in gzip.
pub(super) enum Input {
    Plain(Counted),
    Gzip(Box<MultiGzDecoder<BufReader<Counted>>>),
}

/// A reader that counts, and begins with the bytes that were read ahead of it.
pub(super) struct Counted {
    reader: Chain<Cursor<Vec<u8>>, Box<dyn Read + Send>>,
    bytes: u64,
}

impl Input {
    /// Looks at the first two bytes to tell what it is.
    pub(super) fn new(mut reader: Box<dyn Read + Send>) -> io::Result<Self> {
        let mut first = Vec::new();
        reader.by_ref().take(2).read_to_end(&mut first)?;
        let gzip = first == GZIP_MAGIC;
        let counted = Counted {
            reader: Cursor::new(first).chain(reader),
            bytes: 0,
        };
        Ok(if gzip {
            let reader = BufReader::with_capacity(COMPRESSED_BYTES, counted);
            Self::Gzip(Box::new(MultiGzDecoder::new(reader)))
        } else {
            Self::Plain(counted)
        })
    }

    /// Bytes of the file that were used.
    pub(super) fn position_bytes(&self) -> u64 {
        match self {
            Self::Plain(counted) => counted.bytes,
            Self::Gzip(decoder) => {
                let reader = decoder.get_ref();
                let unused = u64::try_from(reader.buffer().len()).unwrap_or_default();
                reader.get_ref().bytes.saturating_sub(unused)
            }
        }
    }

    /// Whether an error is about the compressed data rather than about reading it.
    pub(super) fn is_gzip_damage(&self, error: &io::Error) -> bool {
        matches!(self, Self::Gzip(_))
            && matches!(
                error.kind(),
                io::ErrorKind::UnexpectedEof
                    | io::ErrorKind::InvalidInput
                    | io::ErrorKind::InvalidData
            )
    }
}

impl Read for Input {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(counted) => counted.read(into),
            Self::Gzip(decoder) => {
                let bytes = into.len().min(DECOMPRESSED_BYTES);
                decoder.read(into.get_mut(..bytes).unwrap_or_default())
            }
        }
    }
}

impl Read for Counted {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let bytes = self.reader.read(into)?;
        self.bytes += u64::try_from(bytes).unwrap_or_default();
        Ok(bytes)
    }
}
