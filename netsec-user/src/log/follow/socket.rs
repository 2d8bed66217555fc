//! EVE from a Unix socket: `filetype: unix_stream`, where Suricata connects to us.

use std::fs;
use std::io::{self, Read as _};
use std::os::unix::fs::FileTypeExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use super::super::decode::Decoder;
use super::super::framing::{Framing, LineBuffer};
use super::super::place::{At, Place};
use super::super::record::Record;
use super::super::tally::Tally;
use super::TURN_BYTES;

/// Writers at the same time.
const WRITERS_MAX: usize = 16;
/// Bytes taken from a writer at a time.
const READ_BYTES: usize = 64 << 10;

/// Listens on a socket, and reads what writers send.
#[derive(Debug)]
pub struct FollowSocket {
    path: PathBuf,
    listener: UnixListener,
    writers: Vec<Writer>,
    decoder: Decoder,
    tally: Tally,
    /// Writers that came.
    pub connected: u64,
    /// Writers that were turned away.
    pub refused: u64,
}

#[derive(Debug)]
struct Writer {
    stream: UnixStream,
    lines: LineBuffer,
    decoder: Decoder,
}

impl FollowSocket {
    /// Makes the socket. One that an ended process left is replaced; a file is not.
    ///
    /// # Errors
    ///
    /// When something else has the name, somebody listens there, or it cannot be made.
    pub fn bind(path: PathBuf, decoder: Decoder) -> io::Result<Self> {
        if let Ok(metadata) = fs::symlink_metadata(&path) {
            if !metadata.file_type().is_socket() {
                let text = "it is there and is no socket: name another path";
                return Err(io::Error::new(io::ErrorKind::AlreadyExists, text));
            }
            if UnixStream::connect(&path).is_ok() {
                let text = "another process listens there: stop it, or name another path";
                return Err(io::Error::new(io::ErrorKind::AddrInUse, text));
            }
            fs::remove_file(&path)?;
        }
        let listener = UnixListener::bind(&path)?;
        listener.set_nonblocking(true)?;
        Ok(Self {
            path,
            listener,
            writers: Vec::new(),
            decoder,
            tally: Tally::default(),
            connected: 0,
            refused: 0,
        })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What became of the lines.
    #[must_use]
    pub const fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Hands on what is new; true when there is more at once.
    ///
    /// # Errors
    ///
    /// Those of `each`.
    pub fn poll(
        &mut self,
        each: &mut dyn FnMut(Place<'_>, &Record<'_>) -> io::Result<()>,
    ) -> io::Result<bool> {
        while let Ok((stream, _)) = self.listener.accept() {
            if self.writers.len() >= WRITERS_MAX || stream.set_nonblocking(true).is_err() {
                self.refused += 1;
                continue;
            }
            self.connected += 1;
            self.writers.push(Writer {
                stream,
                lines: LineBuffer::new(Some(Framing::Lines)),
                decoder: self.decoder.clone(),
            });
        }
        let mut more = false;
        let mut failed = None;
        let (name, tally) = (format!("unix:{}", self.path.display()), &mut self.tally);
        self.writers
            .retain_mut(|writer| match writer.read(&name, tally, each) {
                Ok(Turn::Open { more: rest }) => {
                    more |= rest;
                    true
                }
                Ok(Turn::Gone) => false,
                Err(error) => {
                    failed = Some(error);
                    true
                }
            });
        failed.map_or(Ok(more), Err)
    }
}

impl Drop for FollowSocket {
    fn drop(&mut self) {
        // The name would be in the way of the next one.
        let _gone = fs::remove_file(&self.path);
    }
}

/// What became of a writer.
enum Turn {
    Open { more: bool },
    Gone,
}

impl Writer {
    fn read(
        &mut self,
        name: &str,
        tally: &mut Tally,
        each: &mut dyn FnMut(Place<'_>, &Record<'_>) -> io::Result<()>,
    ) -> io::Result<Turn> {
        let mut bytes = [0; READ_BYTES];
        let mut read = 0;
        while read < TURN_BYTES {
            match self.stream.read(&mut bytes) {
                Ok(0) => break,
                Ok(count) => {
                    read += u64::try_from(count).unwrap_or_default();
                    self.lines.push(bytes.get(..count).unwrap_or_default());
                    self.hand_on(name, tally, each)?;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Ok(Turn::Open { more: false });
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        if read >= TURN_BYTES {
            return Ok(Turn::Open { more: true });
        }
        // The writer has gone; its last line may be cut, which the decoder then says.
        let at = At::Line(self.lines.lines() + 1);
        if let Some(piece) = self.lines.rest() {
            let place = Place { file: name, at };
            tally.take(&mut self.decoder, piece, at, |record| each(place, record))?;
        }
        Ok(Turn::Gone)
    }

    fn hand_on(
        &mut self,
        name: &str,
        tally: &mut Tally,
        each: &mut dyn FnMut(Place<'_>, &Record<'_>) -> io::Result<()>,
    ) -> io::Result<()> {
        loop {
            let at = At::Line(self.lines.lines() + 1);
            let Some(piece) = self.lines.next_piece() else {
                return Ok(());
            };
            let place = Place { file: name, at };
            tally.take(&mut self.decoder, piece, at, |record| each(place, record))?;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::super::super::decode::Wanted;
    use super::*;

    fn decoder() -> Decoder {
        Decoder::new(Wanted::Everything)
    }

    const LINE: &[u8] =
        b"{\"timestamp\":\"2021-06-06T15:59:46Z\",\"event_type\":\"stats\",\"stats\":{}}\n";

    #[test]
    fn writers_come_and_go() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("eve.sock");
        // A socket that a dead process left behind.
        drop(UnixListener::bind(&path).unwrap());
        let mut socket = FollowSocket::bind(path.clone(), decoder()).unwrap();
        let mut seen = 0;
        let mut each = |_: Place<'_>, _: &Record<'_>| {
            seen += 1;
            Ok(())
        };
        for _ in 0..2 {
            let mut writer = UnixStream::connect(&path).unwrap();
            let (head, tail) = LINE.split_at(20);
            writer.write_all(head).unwrap();
            socket.poll(&mut each).unwrap();
            writer.write_all(tail).unwrap();
            writer.write_all(LINE).unwrap();
            writer.write_all(head).unwrap();
            drop(writer);
            socket.poll(&mut each).unwrap();
        }
        assert_eq!(seen, 4);
        let tally = socket.tally();
        assert_eq!((tally.read, tally.used, tally.malformed), (6, 4, 2));
        assert_eq!((socket.connected, socket.writers.len()), (2, 0));
        let other = FollowSocket::bind(path.clone(), decoder()).unwrap_err();
        assert_eq!(other.kind(), io::ErrorKind::AddrInUse);
        drop(socket);
        assert!(!path.exists());
        fs::write(&path, "file").unwrap();
        assert!(FollowSocket::bind(path, decoder()).is_err());
    }

    /// A line of ten megabytes, zero bytes, bytes that are no text, and a writer beyond the limit.
    #[test]
    fn odd_lines_stop_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("eve.sock");
        let mut socket = FollowSocket::bind(path.clone(), decoder()).unwrap();
        let mut writer = UnixStream::connect(&path).unwrap();
        let writing = std::thread::spawn(move || {
            let long = format!(
                "{{\"timestamp\":\"2021-06-06T15:59:46Z\",\"event_type\":\"alert\",\"alert\":{{\
                 \"signature_id\":7,\"signature\":\"{}\"}}}}\n",
                "x".repeat(10 << 20)
            );
            writer.write_all(long.as_bytes()).unwrap();
            writer.write_all(b"\0\0\0").unwrap();
            writer.write_all(LINE).unwrap();
            writer.write_all(b"\xff\xfe\n").unwrap();
            writer.write_all(LINE).unwrap();
        });
        let mut longest = 0;
        let mut each = |_: Place<'_>, record: &Record<'_>| {
            if let Record::Event(event) = record
                && let crate::log::EventDetail::Alert(alert) = &event.detail
            {
                longest = alert.signature.len();
            }
            Ok(())
        };
        while !writing.is_finished() || !socket.writers.is_empty() || socket.connected == 0 {
            socket.poll(&mut each).unwrap();
        }
        writing.join().unwrap();
        assert_eq!(longest, 10 << 20);
        let tally = socket.tally();
        assert_eq!((tally.read, tally.used, tally.malformed), (4, 3, 1));
        assert_eq!(tally.nul_bytes, 3);
    }
}
