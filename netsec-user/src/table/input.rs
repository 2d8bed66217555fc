//! Where a table comes from.

use std::fs::File;
use std::io::{self, BufReader, Cursor, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use flate2::read::MultiGzDecoder;

use crate::log::LogError;

const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// Why a table cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// It cannot be opened or read.
    #[error("cannot read {file}")]
    Read {
        /// The file.
        file: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It holds no row.
    #[error(
        "{file} holds no rows that can be scored; what is read: delimited text, Zeek's logs, flow \
         records of eve.json and of netsec -o jsonl"
    )]
    Empty {
        /// The file.
        file: String,
    },
    /// It is no text.
    #[error(
        "{file} is no text: there is a NUL byte at offset {offset}; what is read: delimited text, Zeek's \
         logs, flow records of eve.json and of netsec -o jsonl, plain or gzip (UTF-16 first through \
         `iconv -f UTF-16 -t UTF-8`)"
    )]
    NotText {
        /// The file.
        file: String,
        /// Where, bytes from the beginning of what is unpacked.
        offset: usize,
    },
    /// A log that breaks off.
    #[error(transparent)]
    Log(#[from] LogError),
    /// What takes the rows failed.
    #[error("cannot write the output")]
    Output(#[source] io::Error),
}

/// A file, or all of standard input; gzip is unpacked.
#[derive(Clone, Debug)]
pub struct Input {
    name: String,
    content: Content,
}

#[derive(Clone, Debug)]
enum Content {
    File(PathBuf),
    Bytes(Arc<[u8]>),
}

impl Input {
    /// A file by its path; `-` reads standard input to its end.
    ///
    /// # Errors
    ///
    /// When standard input cannot be read.
    pub fn open(path: &Path) -> Result<Self, TableError> {
        if path != Path::new("-") {
            return Ok(Self {
                name: path.display().to_string(),
                content: Content::File(path.to_owned()),
            });
        }
        let name = "standard input".to_owned();
        let mut bytes = Vec::new();
        match io::stdin().lock().read_to_end(&mut bytes) {
            Ok(_) => Ok(Self::of_bytes(name, bytes)),
            Err(source) => Err(TableError::Read { file: name, source }),
        }
    }

    /// Bytes at hand; `name` is what errors call them.
    #[must_use]
    pub fn of_bytes(name: String, bytes: Vec<u8>) -> Self {
        Self {
            name,
            content: Content::Bytes(bytes.into()),
        }
    }

    /// What errors call it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// From its beginning.
    pub(super) fn reader(&self) -> Result<Box<dyn Read + Send>, TableError> {
        let mut first = Vec::new();
        let open = || -> io::Result<Box<dyn Read + Send>> {
            let mut input: Box<dyn Read + Send> = match &self.content {
                Content::File(path) => Box::new(BufReader::new(File::open(path)?)),
                Content::Bytes(bytes) => Box::new(Cursor::new(Arc::clone(bytes))),
            };
            input.by_ref().take(2).read_to_end(&mut first)?;
            let is_gzip = first == GZIP_MAGIC;
            let whole = Cursor::new(first).chain(input);
            Ok(if is_gzip {
                Box::new(MultiGzDecoder::new(whole))
            } else {
                Box::new(whole)
            })
        };
        open().map_err(|source| self.failed(source))
    }

    /// An error that names the input.
    pub(super) fn failed(&self, source: io::Error) -> TableError {
        TableError::Read {
            file: self.name.clone(),
            source,
        }
    }
}
