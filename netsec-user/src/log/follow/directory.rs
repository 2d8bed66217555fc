//! All logs of a directory.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::super::decode::Decoder;
use super::super::record::Record;
use super::file::{FollowFile, Start};
use super::head::{Head, Identity};
use super::open::identify;
use super::position::Positions;
use crate::time::WallTime;

/// Most logs followed in one directory.
const FILES_MAX: usize = 1024;

/// Follows every file of a directory that is named `*.log`, `*.json` or `*.jsonl`.
#[derive(Debug)]
pub struct FollowDirectory {
    path: PathBuf,
    decoder: Decoder,
    files: BTreeMap<PathBuf, FollowFile>,
    /// New names of files that are followed, or were, by another.
    renamed: BTreeMap<PathBuf, (Identity, Head)>,
    saved: Positions,
    trouble: Option<String>,
}

impl FollowDirectory {
    /// Follows the logs of `path`: those that are there `now` as `start` says, later ones from their
    /// beginning.
    #[must_use]
    pub fn new(
        path: PathBuf,
        start: Start,
        saved: Positions,
        decoder: Decoder,
        now: WallTime,
    ) -> Self {
        let mut directory = Self {
            path,
            decoder,
            files: BTreeMap::new(),
            renamed: BTreeMap::new(),
            saved,
            trouble: None,
        };
        directory.list(start, now);
        directory
    }

    /// Its name.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The logs, by name.
    pub fn files(&self) -> impl Iterator<Item = &FollowFile> {
        self.files.values()
    }

    /// Why it cannot be listed at the moment.
    #[must_use]
    pub fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }

    /// Hands on what is new; true when there is more at once.
    ///
    /// # Errors
    ///
    /// Those of `each`.
    pub fn poll(
        &mut self,
        now: WallTime,
        each: &mut dyn FnMut(&Record<'_>) -> io::Result<()>,
    ) -> io::Result<bool> {
        self.list(Start::Beginning, now);
        let mut more = false;
        for file in self.files.values_mut() {
            more |= file.poll(now, each)?;
        }
        Ok(more)
    }

    fn list(&mut self, start: Start, now: WallTime) {
        let entries = match fs::read_dir(&self.path) {
            Ok(entries) => entries,
            Err(error) => {
                self.trouble = Some(error.to_string());
                return;
            }
        };
        self.trouble = None;
        let mut paths: Vec<PathBuf> = entries
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| is_log(path) && !self.files.contains_key(path))
            .collect();
        paths.sort();
        for path in paths {
            let Some((identity, head)) = identify(&path) else {
                continue;
            };
            if self
                .renamed
                .get(&path)
                .is_some_and(|(known, _)| *known == identity)
            {
                continue;
            }
            // What a rotation renamed is read on under its old name.
            if self.files.values().any(|file| file.knows(identity, &head)) {
                self.renamed.insert(path, (identity, head));
                continue;
            }
            if self.files.len() >= FILES_MAX {
                self.trouble = Some(format!("more than {FILES_MAX} logs: the rest is not read"));
                break;
            }
            let saved = self.saved.of(&path);
            let file = FollowFile::new(path.clone(), start, &saved, self.decoder.clone(), now);
            self.files.insert(path, file);
        }
    }
}

fn is_log(path: &Path) -> bool {
    let hidden = path
        .file_name()
        .and_then(OsStr::to_str)
        .is_none_or(|name| name.starts_with('.'));
    let extension = path.extension().and_then(OsStr::to_str);
    !hidden && matches!(extension, Some("log" | "json" | "jsonl"))
}
