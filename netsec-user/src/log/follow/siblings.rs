//! Files that a rotation made of a log: `eve.json.1`, `eve.json-20261123`, `conn.2024-04-19.log`.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::head::{Head, Identity};

/// A file beside a log that its rotation may have made.
#[derive(Debug)]
pub(super) struct Sibling {
    pub(super) file: File,
    pub(super) identity: Identity,
    pub(super) head: Head,
    pub(super) bytes: u64,
    /// Last change, nanoseconds since 1970.
    pub(super) changed_ns: i128,
    path: PathBuf,
}

/// The rotated files beside `path`, in the order in which they were written. Compressed ones are
/// left out: what is in them was read before they were compressed.
pub(super) fn of(path: &Path) -> Vec<Sibling> {
    let (Some(directory), Some(name)) = (path.parent(), path.file_name()) else {
        return Vec::new();
    };
    let directory = if directory.as_os_str().is_empty() {
        Path::new(".")
    } else {
        directory
    };
    let name = name.to_string_lossy();
    let Ok(entries) = fs::read_dir(directory) else {
        return Vec::new();
    };
    let mut found: Vec<Sibling> = entries
        .filter_map(Result::ok)
        .filter(|entry| {
            let other = entry.file_name();
            let other = other.to_string_lossy();
            is_rotated(&name, &other)
        })
        .filter_map(|entry| Sibling::open(entry.path()).ok().flatten())
        .collect();
    found.sort_by(|a, b| {
        let order = a.changed_ns.cmp(&b.changed_ns);
        // Within one tick of the file system's clock: `.2` is older than `.1`.
        order
            .then_with(|| number(&b.path).cmp(&number(&a.path)))
            .then_with(|| a.path.cmp(&b.path))
    });
    found
}

/// Whether `other` is what a rotation may have made of `name`: `eve.json.1`, `eve.json-20261123`, or
/// with a date before the extension, `conn.2024-04-19.log`.
fn is_rotated(name: &str, other: &str) -> bool {
    if [".gz", ".xz", ".zst", ".bz2"]
        .iter()
        .any(|end| other.ends_with(end))
    {
        return false;
    }
    let behind = |rest: &str| rest.starts_with(['.', '-', '_']);
    if other.strip_prefix(name).is_some_and(behind) {
        return true;
    }
    let Some((stem, extension)) = name.rsplit_once('.') else {
        return false;
    };
    let middle = other
        .strip_prefix(stem)
        .and_then(|rest| rest.strip_suffix(extension));
    middle.is_some_and(|middle| {
        let mut middle = middle.chars();
        matches!(middle.next(), Some('.' | '-' | '_'))
            && middle.next().is_some_and(|c| c.is_ascii_digit())
    })
}

impl Sibling {
    fn open(path: PathBuf) -> io::Result<Option<Self>> {
        if !fs::symlink_metadata(&path)?.is_file() {
            return Ok(None);
        }
        let file = File::open(&path)?;
        let metadata = file.metadata()?;
        Ok(Some(Self {
            identity: Identity::of(&metadata),
            head: Head::read(&file, u64::MAX)?,
            bytes: metadata.len(),
            changed_ns: changed_ns(&metadata),
            file,
            path,
        }))
    }
}

/// When a file was last written to.
fn changed_ns(metadata: &fs::Metadata) -> i128 {
    i128::from(metadata.mtime()) * 1_000_000_000 + i128::from(metadata.mtime_nsec())
}

/// The number of `eve.json.12`.
fn number(path: &Path) -> Option<u64> {
    path.extension()?.to_str()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::is_rotated;

    #[test]
    fn other_logs_are_no_rotations() {
        for other in [
            "eve.json.1",
            "eve.json-20261123",
            "eve.2026-11-23.json",
            "eve-1.json",
        ] {
            assert!(is_rotated("eve.json", other), "{other}");
        }
        for other in [
            "eve.json",
            "eve.json.1.gz",
            "eve-alerts.json",
            "event.json",
            "eve.jsonl",
        ] {
            assert!(!is_rotated("eve.json", other), "{other}");
        }
    }
}
