//! The agent's end of the socket.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net::UnixStream as StdStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use nix::unistd::{Group, chown};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, mpsc, oneshot};

use super::answer::{Around, answer};
use super::wire::{FRAME_BYTES_MAX, Failure, Frame, Outcome, Reply, Request, Terms, VERSION};
use crate::guard::{gather, ssh_client};
use crate::live::Ask;

/// The group whose members may read.
const GROUP: &str = "netsec";

/// Connections at a time.
const CONNECTIONS_MAX: usize = 32;

/// Why the socket cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// Another agent has it.
    #[error(
        "{}: another netsec is running and listens there\n\
         try: --socket FILE for a second one", path.display()
    )]
    Taken {
        /// The socket.
        path: PathBuf,
    },
    /// It cannot be made.
    #[error("{}: cannot listen there\ntry: --socket FILE in another directory", path.display())]
    Listen {
        /// The socket.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
}

/// A socket that is listened to; removed with this value.
#[derive(Debug)]
pub struct Server {
    listener: UnixListener,
    file: SocketFile,
}

/// Removes the socket's file.
#[derive(Debug)]
struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        // It may be gone already.
        drop(fs::remove_file(&self.0));
    }
}

impl Server {
    /// Listens on a path. A socket that nobody listens to any more is replaced.
    ///
    /// # Errors
    ///
    /// [`ServerError`].
    pub fn open(path: &Path) -> Result<Self, ServerError> {
        let listen = |source| ServerError::Listen {
            path: path.to_owned(),
            source,
        };
        if StdStream::connect(path).is_ok() {
            return Err(ServerError::Taken {
                path: path.to_owned(),
            });
        }
        if let Some(directory) = path.parent() {
            fs::create_dir_all(directory).map_err(listen)?;
        }
        let is_socket = |data: fs::Metadata| data.file_type().is_socket();
        if fs::symlink_metadata(path).is_ok_and(is_socket) {
            fs::remove_file(path).map_err(listen)?;
        }
        let listener = UnixListener::bind(path).map_err(listen)?;
        let file = SocketFile(path.to_owned());
        let group = Group::from_name(GROUP).ok().flatten();
        let mode = if group.is_some() { 0o660 } else { 0o600 };
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(listen)?;
        if let Some(group) = group {
            chown(path, None, Some(group.gid)).map_err(|error| listen(error.into()))?;
        }
        Ok(Self { listener, file })
    }

    /// Serves until the sensor has gone.
    pub async fn serve(self, asks: mpsc::Sender<Ask>) {
        let Self { listener, file } = self;
        let bad_frames = Arc::new(AtomicU64::new(0));
        let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        while !asks.is_closed() {
            let Ok(place) = Arc::clone(&places).acquire_owned().await else {
                break;
            };
            let stream = match listener.accept().await {
                Ok((stream, _)) => stream,
                Err(error) => {
                    log::warn!("control socket: {error}");
                    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                    continue;
                }
            };
            let (asks, bad_frames) = (asks.clone(), Arc::clone(&bad_frames));
            tokio::spawn(async move {
                if let Err(error) = converse(stream, &asks, &bad_frames).await {
                    log::debug!("control socket: {error}");
                }
                drop(place);
            });
        }
        drop(file);
    }
}

async fn converse(
    stream: UnixStream,
    asks: &mpsc::Sender<Ask>,
    bad_frames: &Arc<AtomicU64>,
) -> io::Result<()> {
    let is_root = stream.peer_cred()?.uid() == 0;
    let (input, mut output) = stream.into_split();
    let mut input = BufReader::new(input);
    let mut line = Vec::new();
    while read_frame(&mut input, &mut line).await? {
        let request = match parse(&line, is_root) {
            Ok(request) => request,
            Err(failure) => {
                bad_frames.fetch_add(1, Ordering::Relaxed);
                let is_lost = failure.kind == "oversized";
                reply(&mut output, Outcome::Error(failure)).await?;
                if is_lost {
                    break;
                }
                continue;
            }
        };
        let result = pass_on(request, asks, bad_frames.load(Ordering::Relaxed)).await;
        reply(&mut output, result).await?;
    }
    Ok(())
}

/// False at the end of the connection.
async fn read_frame(input: &mut BufReader<OwnedReadHalf>, line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    let mut limited = input.take(FRAME_BYTES_MAX as u64 + 1);
    Ok(limited.read_until(b'\n', line).await? > 0)
}

fn parse(line: &[u8], is_root: bool) -> Result<Request, Failure> {
    let refuse = |kind: &str, message: String| Failure {
        kind: kind.to_owned(),
        message,
    };
    if line.len() > FRAME_BYTES_MAX {
        let text = format!("the request has more than {FRAME_BYTES_MAX} bytes");
        return Err(refuse("oversized", text));
    }
    let frame: Frame = serde_json::from_slice(line)
        .map_err(|error| refuse("malformed", format!("no request of netsec's: {error}")))?;
    if frame.version != VERSION {
        let text = format!("version {} is not spoken here, {VERSION} is", frame.version);
        return Err(refuse("version", text));
    }
    if frame.request.is_write() && !is_root {
        let text = "only root may change what netsec does\ntry: sudo".to_owned();
        return Err(refuse("privilege", text));
    }
    Ok(frame.request)
}

/// Has the sensor's loop serve the request between two readings.
async fn pass_on(request: Request, asks: &mpsc::Sender<Ask>, bad_frames: u64) -> Outcome {
    // What must not be blocked is looked up right before it is decided on.
    let facts = match terms(&request) {
        None => None,
        Some(terms) => {
            let mut facts = gather().await.facts;
            let client = terms.ssh_connection.as_deref().and_then(ssh_client);
            facts.ssh_peers.extend(client);
            Some(facts)
        }
    };
    let (sender, receiver) = oneshot::channel();
    let ask: Ask = Box::new(move |mut desk, watched, set_sampling| {
        if let Some(facts) = facts {
            desk.state.refresh(facts, desk.table);
        }
        let mut around = Around {
            watched,
            set_sampling: Some(set_sampling),
            bad_frames,
        };
        // The client may have gone.
        drop(sender.send(answer(&request, &mut desk, &mut around)));
    });
    let stopping = || Failure {
        kind: "failed".to_owned(),
        message: "netsec is stopping".to_owned(),
    };
    if asks.send(ask).await.is_err() {
        return Outcome::Error(stopping());
    }
    match receiver.await {
        Ok(Ok(answer)) => Outcome::Ok(Box::new(answer)),
        Ok(Err(failure)) => Outcome::Error(failure),
        Err(_) => Outcome::Error(stopping()),
    }
}

/// The terms of a request that the guard has to look at.
const fn terms(request: &Request) -> Option<&Terms> {
    if let Request::Add { terms, .. } | Request::ImportBegin { terms, .. } = request {
        Some(terms)
    } else {
        None
    }
}

async fn reply(output: &mut OwnedWriteHalf, result: Outcome) -> io::Result<()> {
    let reply = Reply {
        version: VERSION,
        result,
    };
    let mut line = serde_json::to_vec(&reply)?;
    line.push(b'\n');
    output.write_all(&line).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::wire::Answer;

    fn kind(line: &[u8], is_root: bool) -> String {
        parse(line, is_root).map_or_else(|failure| failure.kind, |_| "served".to_owned())
    }

    #[test]
    fn reads_are_for_all_that_connect_and_writes_for_root() {
        let status = br#"{"version":1,"request":{"do":"status"}}"#;
        let add = br#"{"version":1,"request":{"do":"add","list":"block","prefix":"192.0.2.1"}}"#;
        assert_eq!(kind(status, false), "served");
        assert_eq!(kind(add, false), "privilege");
        assert_eq!(kind(add, true), "served");
    }

    #[test]
    fn what_is_no_request_is_refused() {
        for (line, wanted) in [
            (&b""[..], "malformed"),
            (b"\n", "malformed"),
            (b"\0\xff", "malformed"),
            (br#"{"version":1}"#, "malformed"),
            (br#"{"version":2,"request":{"do":"status"}}"#, "version"),
            (br#"{"version":1,"request":{"do":"format"}}"#, "malformed"),
            (
                br#"{"version":1,"request":{"do":"status","x":1}}"#,
                "malformed",
            ),
            (
                br#"{"version":1,"request":{"do":"confirm","decision":-1}}"#,
                "malformed",
            ),
        ] {
            assert_eq!(kind(line, true), wanted, "{}", line.escape_ascii());
        }
        assert_eq!(kind(&vec![b'['; FRAME_BYTES_MAX + 1], true), "oversized");
        // Nesting does not overflow the stack.
        assert_eq!(kind(&vec![b'['; FRAME_BYTES_MAX], true), "malformed");
    }

    #[test]
    fn answers_read_back() {
        let reply = Reply {
            version: VERSION,
            result: Outcome::Ok(Box::new(Answer::Done {})),
        };
        let text = serde_json::to_string(&reply).unwrap();
        assert_eq!(text, r#"{"version":1,"ok":{"done":{}}}"#);
        let back: Reply = serde_json::from_str(&text).unwrap();
        assert!(matches!(back.result, Outcome::Ok(answer) if matches!(*answer, Answer::Done {})));
    }
}
