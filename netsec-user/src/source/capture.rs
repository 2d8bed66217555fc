//! Capture files: pcap and pcapng, gzip of either, from a file or a pipe, told by their content.
//!
//! The reader is netsec's own because the `pcap-file` crate refuses files that tcpdump and tshark
//! read (a frame longer than the stated snapshot length, a damaged option), allocates for every
//! pcapng block, and cannot say at which byte a damaged file ended.
//!
//! Formats: [pcap](https://www.ietf.org/archive/id/draft-ietf-opsawg-pcap-05.html) with
//! microseconds or nanoseconds, [pcapng](https://www.ietf.org/archive/id/draft-ietf-opsawg-pcapng-03.html)
//! with any number of sections and interfaces; both byte orders.

mod buffer;
mod classic;
mod end;
mod error;
mod input;
mod link;
mod ng;
mod order;

use std::fmt;
use std::fs::File;
use std::io::{self, IsTerminal as _, Read};
use std::os::fd::AsFd as _;
use std::path::Path;

use netsec_common::packet::Start;

pub use end::{Damage, End};
pub use error::CaptureError;
pub use ng::SkippedLink;

use crate::time::WallTime;
use buffer::{Buffer, Stop};
use classic::Classic;
use input::Input;
use link::Link;
use ng::Ng;

/// Most bytes of one frame that a capture may hold, tcpdump's `MAXIMUM_SNAPLEN`; a longer one means
/// that the file is damaged.
pub const FRAME_BYTES_MAX: u32 = 262_144;

/// One frame of a capture.
#[derive(Clone, Copy, Debug)]
pub struct CaptureFrame<'a> {
    /// When it was captured.
    ///
    /// A pcapng *simple packet* has no time and gets that of the frame before it.
    pub time: WallTime,
    /// Index in [`Capture::interfaces`].
    pub interface: u32,
    /// What the first byte of `bytes` is.
    pub start: Start,
    /// Length on the wire, bytes, from the link header on; never less than `bytes.len()`.
    pub wire_bytes: u32,
    /// What was captured of it: 0 to [`FRAME_BYTES_MAX`] bytes.
    pub bytes: &'a [u8],
}

/// A capture file being read, frame by frame.
pub struct Capture {
    file: String,
    size_bytes: Option<u64>,
    buffer: Buffer,
    format: Format,
    /// The record moved on to, its offset counted in the buffer.
    current: Option<Record>,
    end: Option<End>,
}

enum Format {
    Classic(Classic),
    Ng(Ng),
}

/// Where a frame is, and what the file says about it.
struct Record {
    time: WallTime,
    interface: u32,
    link: Link,
    wire_bytes: u32,
    /// From the record's start to the frame.
    offset: usize,
    captured: usize,
    /// From the record's start to the next record.
    whole: usize,
}

impl Capture {
    /// Opens a capture file, or standard input when `path` is `-`, and reads its header.
    ///
    /// # Errors
    ///
    /// When it cannot be read, is no capture, or has a link type that netsec does not read.
    pub fn open(path: &Path) -> Result<Self, CaptureError> {
        if path == Path::new("-") {
            return Self::stdin();
        }
        let file = path.display().to_string();
        let fail = |source| CaptureError::Open {
            file: file.clone(),
            source,
        };
        let reader = File::open(path).map_err(fail)?;
        let metadata = reader.metadata().map_err(fail)?;
        if metadata.is_dir() {
            return Err(CaptureError::Directory { file });
        }
        let size = metadata.is_file().then_some(metadata.len());
        let interface = path.file_name().unwrap_or(path.as_os_str());
        Self::start(&file, &interface.to_string_lossy(), size, Box::new(reader))
    }

    /// Reads a capture from `reader`; `name` stands for the file in errors, and for the interface
    /// when the capture does not name it.
    ///
    /// # Errors
    ///
    /// As [`Capture::open`].
    pub fn from_reader(
        name: &str,
        reader: impl Read + Send + 'static,
    ) -> Result<Self, CaptureError> {
        Self::start(name, name, None, Box::new(reader))
    }

    /// The next frame, or `None` at the end, which [`Capture::end`] describes.
    ///
    /// # Errors
    ///
    /// When reading fails. A cut or damaged file is no error but an [`End`].
    #[inline]
    pub fn next_frame(&mut self) -> Result<Option<CaptureFrame<'_>>, CaptureError> {
        self.advance()?;
        Ok(self.frame())
    }

    /// Moves on to the next frame; false at the end.
    ///
    /// # Errors
    ///
    /// As [`Capture::next_frame`].
    #[inline]
    pub fn advance(&mut self) -> Result<bool, CaptureError> {
        self.current = None;
        if self.end.is_some() {
            return Ok(false);
        }
        let record = match &mut self.format {
            Format::Classic(classic) => classic.next(&mut self.buffer),
            Format::Ng(ng) => ng.next(&mut self.buffer),
        };
        match record {
            Ok(mut record) => {
                record.offset = self.buffer.take(record.whole, record.offset);
                self.current = Some(record);
                Ok(true)
            }
            Err(stop) => self.stop(stop).map(|()| false),
        }
    }

    /// The frame that [`Capture::advance`] moved on to.
    #[inline]
    #[must_use]
    pub fn frame(&self) -> Option<CaptureFrame<'_>> {
        let record = self.current.as_ref()?;
        let bytes = self.buffer.taken(record.offset, record.captured);
        Some(CaptureFrame {
            time: record.time,
            interface: record.interface,
            start: record.link.start(bytes),
            wire_bytes: record.wire_bytes,
            bytes,
        })
    }

    /// Where the record of the frame that [`Capture::advance`] moved on to begins in the capture,
    /// uncompressed: bytes from its start. `None` when there is no such frame.
    #[must_use]
    pub fn frame_offset(&self) -> Option<u64> {
        let record = self.current.as_ref()?;
        Some(self.buffer.offset().saturating_sub(record.whole as u64))
    }

    /// Link type of the frame that [`Capture::advance`] moved on to, in words. `None` when there is
    /// no such frame.
    #[must_use]
    pub fn link_name(&self) -> Option<&'static str> {
        self.current.as_ref().map(|record| record.link.words())
    }

    /// How the capture ended; `None` while there may be more frames.
    #[must_use]
    pub const fn end(&self) -> Option<&End> {
        self.end.as_ref()
    }

    /// Names of the interfaces met so far: as the capture names them, else after the file.
    ///
    /// pcapng may add some between two frames, never after the frame that refers to them.
    /// Interfaces of the same name are one.
    #[must_use]
    pub fn interfaces(&self) -> &[String] {
        match &self.format {
            Format::Classic(classic) => classic.interfaces(),
            Format::Ng(ng) => ng.interfaces(),
        }
    }

    /// Frames that were skipped because netsec does not read their interface's link type.
    #[must_use]
    pub fn skipped(&self) -> &[SkippedLink] {
        match &self.format {
            Format::Classic(_) => &[],
            Format::Ng(ng) => ng.skipped(),
        }
    }

    /// Frames whose time is outside of [`WallTime`]'s years 1677 to 2262 and was set to the nearest.
    #[must_use]
    pub const fn clamped_times(&self) -> u64 {
        match &self.format {
            Format::Classic(_) => 0,
            Format::Ng(ng) => ng.clamped_times(),
        }
    }

    /// Bytes of the file read so far, compressed if it is; up to a buffer ahead of the frames.
    #[must_use]
    pub fn position_bytes(&self) -> u64 {
        self.buffer.position_bytes()
    }

    /// Size of the file, bytes; `None` for a pipe.
    #[must_use]
    pub const fn size_bytes(&self) -> Option<u64> {
        self.size_bytes
    }

    /// The file's name, as in errors.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.file
    }

    fn stdin() -> Result<Self, CaptureError> {
        const NAME: &str = "standard input";
        let stdin = io::stdin();
        if stdin.is_terminal() {
            return Err(CaptureError::Terminal);
        }
        let fail = |source| CaptureError::Open {
            file: NAME.to_owned(),
            source,
        };
        let reader = File::from(stdin.as_fd().try_clone_to_owned().map_err(fail)?);
        let metadata = reader.metadata().map_err(fail)?;
        let size = metadata.is_file().then_some(metadata.len());
        Self::start(NAME, "stdin", size, Box::new(reader))
    }

    fn start(
        file: &str,
        interface: &str,
        size_bytes: Option<u64>,
        reader: Box<dyn Read + Send>,
    ) -> Result<Self, CaptureError> {
        let input = Input::new(reader).map_err(|source| CaptureError::Read {
            file: file.to_owned(),
            offset: 0,
            source,
        })?;
        let mut buffer = Buffer::new(input);
        let (format, end) = open_format(file, interface, &mut buffer)?;
        Ok(Self {
            file: file.to_owned(),
            size_bytes,
            buffer,
            format,
            current: None,
            end,
        })
    }

    #[cold]
    fn stop(&mut self, stop: Stop) -> Result<(), CaptureError> {
        match stop {
            Stop::End(end) => {
                self.end = Some(end);
                Ok(())
            }
            Stop::Read(source) => Err(CaptureError::Read {
                file: self.file.clone(),
                offset: self.buffer.offset(),
                source,
            }),
        }
    }
}

/// Reads the header, and what stands before the first frame.
fn open_format(
    file: &str,
    interface: &str,
    buffer: &mut Buffer,
) -> Result<(Format, Option<End>), CaptureError> {
    let magic = buffer
        .peek::<4>(0)
        .map_err(|stop| error::in_header(file, "capture", stop))?;
    if ng::is_magic(magic) {
        let (ng, end) = Ng::open(file, interface, buffer)?;
        return Ok((Format::Ng(ng), end));
    }
    match Classic::open(file, interface, magic, buffer)? {
        Some(classic) => Ok((Format::Classic(classic), None)),
        None => Err(error::not_a_capture(file, buffer)),
    }
}

impl fmt::Debug for Capture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Capture")
            .field("file", &self.file)
            .field("offset", &self.buffer.offset())
            .field("end", &self.end)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
