//! The other end of the socket: what the command asks the agent.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::wire::{Answer, FRAME_BYTES_MAX, Failure, FrameRef, Outcome, Reply, Request, VERSION};

/// How long an answer may take: the comparison of a million entries included.
const PATIENCE: Duration = Duration::from_secs(60);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens.
    #[error(
        "no netsec is running here: nobody listens on {}\n\
         try: sudo netsec run --enforce, or --socket FILE if it listens elsewhere", path.display()
    )]
    NoAgent {
        /// The socket.
        path: PathBuf,
    },
    /// The socket is not for this user.
    #[error(
        "{}: permission denied: it is for root, and for reading for the group netsec\ntry: sudo",
        path.display()
    )]
    Privilege {
        /// The socket.
        path: PathBuf,
    },
    /// The agent's refusal.
    #[error(transparent)]
    Refused(Failure),
    /// The connection broke.
    #[error("the connection to the running netsec broke")]
    Broken(#[source] io::Error),
    /// Of another version.
    #[error(
        "the running netsec speaks version {version} of the protocol, this one {VERSION}: restart it"
    )]
    Version {
        /// The agent's.
        version: u32,
    },
}

/// A connection to a running agent.
#[derive(Debug)]
pub struct Client {
    stream: BufReader<UnixStream>,
}

impl Client {
    /// Connects.
    ///
    /// # Errors
    ///
    /// When nobody listens, or this user may not connect.
    pub fn connect(path: &Path) -> Result<Self, ClientError> {
        let path = path.to_owned();
        let stream = UnixStream::connect(&path).map_err(|error| {
            let is = |kind| error.kind() == kind;
            if is(io::ErrorKind::PermissionDenied) {
                ClientError::Privilege { path }
            } else if is(io::ErrorKind::NotFound) || is(io::ErrorKind::ConnectionRefused) {
                ClientError::NoAgent { path }
            } else {
                ClientError::Broken(error)
            }
        })?;
        stream
            .set_read_timeout(Some(PATIENCE))
            .map_err(ClientError::Broken)?;
        Ok(Self {
            stream: BufReader::new(stream),
        })
    }

    /// Asks, and waits for the answer.
    ///
    /// # Errors
    ///
    /// The agent's refusal, or a broken connection.
    pub fn ask(&mut self, request: &Request) -> Result<Answer, ClientError> {
        let frame = FrameRef {
            version: VERSION,
            request,
        };
        let line = self.exchange(&frame).map_err(ClientError::Broken)?;
        let reply: Reply = serde_json::from_slice(&line).map_err(|error| {
            ClientError::Broken(io::Error::new(io::ErrorKind::InvalidData, error))
        })?;
        if reply.version != VERSION {
            return Err(ClientError::Version {
                version: reply.version,
            });
        }
        match reply.result {
            Outcome::Ok(answer) => Ok(*answer),
            Outcome::Error(failure) => Err(ClientError::Refused(failure)),
        }
    }

    fn exchange(&mut self, frame: &FrameRef<'_>) -> io::Result<Vec<u8>> {
        let mut line = serde_json::to_vec(frame)?;
        line.push(b'\n');
        self.stream.get_mut().write_all(&line)?;
        line.clear();
        // Answers hold up to a page of entries with their reasons.
        let limit = 16 * FRAME_BYTES_MAX as u64;
        self.stream
            .by_ref()
            .take(limit)
            .read_until(b'\n', &mut line)?;
        if line.last() != Some(&b'\n') {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(line)
    }
}
