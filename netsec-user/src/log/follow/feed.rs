//! Logs of all kinds, by what the operator wrote.

use std::io;
use std::path::{Path, PathBuf};

use super::super::decode::Decoder;
use super::super::place::Place;
use super::super::record::Record;
use super::super::tally::Tally;
use super::directory::FollowDirectory;
use super::file::{FollowCounts, FollowFile, Start};
use super::position::{Position, PositionError, Positions};
use super::socket::FollowSocket;
use crate::time::WallTime;

/// Before the path of a socket.
const SOCKET: &str = "unix:";

/// One log, the logs of one directory, or a socket.
#[derive(Debug)]
pub enum Feed {
    /// A log.
    File(Box<FollowFile>),
    /// The logs of a directory.
    Directory(Box<FollowDirectory>),
    /// A socket that Suricata writes to.
    Socket(Box<FollowSocket>),
}

/// A feed that cannot be opened.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {path}")]
pub struct FeedError {
    path: PathBuf,
    #[source]
    source: io::Error,
}

impl Feed {
    /// Opens `PATH` of a file or a directory, or `unix:PATH` of a socket to make. A file need not
    /// exist yet; what is added to it from `now` on is new.
    ///
    /// # Errors
    ///
    /// When a socket cannot be made.
    pub fn open(
        what: &str,
        start: Start,
        saved: &Positions,
        decoder: &Decoder,
        now: WallTime,
    ) -> Result<Self, FeedError> {
        if let Some(path) = what.strip_prefix(SOCKET) {
            let path = PathBuf::from(path);
            let socket = FollowSocket::bind(path.clone(), decoder.clone());
            let socket = socket.map_err(|source| FeedError { path, source })?;
            return Ok(Self::Socket(Box::new(socket)));
        }
        let path = PathBuf::from(what);
        Ok(if path.is_dir() {
            let directory = FollowDirectory::new(path, start, saved.clone(), decoder.clone(), now);
            Self::Directory(Box::new(directory))
        } else {
            let saved = saved.of(&path);
            Self::File(Box::new(FollowFile::new(
                path,
                start,
                &saved,
                decoder.clone(),
                now,
            )))
        })
    }

    /// Hands on what is new; true when there is more at once.
    ///
    /// # Errors
    ///
    /// Those of `each`.
    pub fn poll(
        &mut self,
        now: WallTime,
        each: &mut dyn FnMut(Place<'_>, &Record<'_>) -> io::Result<()>,
    ) -> io::Result<bool> {
        match self {
            Self::File(file) => file.poll(now, each),
            Self::Directory(directory) => directory.poll(now, each),
            Self::Socket(socket) => socket.poll(each),
        }
    }

    /// What it is called, and what became of its lines, file by file.
    #[must_use]
    pub fn tallies(&self) -> Vec<(String, &Tally, FollowCounts)> {
        let of = |file: &'_ FollowFile| file.path().display().to_string();
        match self {
            Self::File(file) => vec![(of(file), file.tally(), file.counts())],
            Self::Directory(directory) => directory
                .files()
                .map(|file| (of(file), file.tally(), file.counts()))
                .collect(),
            Self::Socket(socket) => {
                let name = format!("{SOCKET}{}", socket.path().display());
                vec![(name, socket.tally(), FollowCounts::default())]
            }
        }
    }

    /// The path, and why it cannot be read at the moment.
    #[must_use]
    pub fn trouble(&self) -> Option<(&Path, &str)> {
        match self {
            Self::File(file) => Some((file.path(), file.trouble()?)),
            Self::Directory(directory) => Some((directory.path(), directory.trouble()?)),
            Self::Socket(_) => None,
        }
    }

    /// Where it is in the file system.
    #[must_use]
    pub fn path(&self) -> &Path {
        match self {
            Self::File(file) => file.path(),
            Self::Directory(directory) => directory.path(),
            Self::Socket(socket) => socket.path(),
        }
    }

    fn positions(&self) -> Vec<Position> {
        match self {
            Self::File(file) => file.positions(),
            Self::Directory(directory) => {
                directory.files().flat_map(FollowFile::positions).collect()
            }
            Self::Socket(_) => Vec::new(),
        }
    }
}

/// Several feeds, and the file that keeps their positions.
#[derive(Debug, Default)]
pub struct Feeds {
    feeds: Vec<Feed>,
    state: Option<PathBuf>,
}

impl Feeds {
    /// Opens each of `what`, with a copy of `decoder` for every file. Positions are kept in `state`,
    /// which is read now; damage there is reported and costs the positions only.
    ///
    /// # Errors
    ///
    /// When a socket cannot be made.
    pub fn open(
        what: &[String],
        start: Start,
        state: Option<PathBuf>,
        decoder: &Decoder,
        now: WallTime,
    ) -> Result<(Self, Option<PositionError>), FeedError> {
        let loaded = state.as_deref().map(Positions::load);
        let (saved, damage) = match loaded {
            None => (Positions::default(), None),
            Some(Ok(saved)) => (saved, None),
            Some(Err(error)) => (Positions::default(), Some(error)),
        };
        let feeds = what
            .iter()
            .map(|what| Feed::open(what, start, &saved, decoder, now))
            .collect::<Result<_, _>>()?;
        Ok((Self { feeds, state }, damage))
    }

    /// Hands on what is new; true when there is more at once.
    ///
    /// # Errors
    ///
    /// Those of `each`.
    pub fn poll(
        &mut self,
        now: WallTime,
        each: &mut dyn FnMut(Place<'_>, &Record<'_>) -> io::Result<()>,
    ) -> io::Result<bool> {
        let mut more = false;
        for feed in &mut self.feeds {
            more |= feed.poll(now, each)?;
        }
        Ok(more)
    }

    /// Keeps the positions, where there is a file for them.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn save(&self) -> Result<(), PositionError> {
        let Some(state) = &self.state else {
            return Ok(());
        };
        let positions = self.feeds.iter().flat_map(Feed::positions).collect();
        Positions::new(positions).save(state)
    }

    /// The feeds.
    #[must_use]
    pub fn feeds(&self) -> &[Feed] {
        &self.feeds
    }
}
