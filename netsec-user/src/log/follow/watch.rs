//! Being told at once that a log has grown.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::task::AtomicWaker;
use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};

/// Watches directories for changes. What it misses, on network file systems for one, the next poll
/// by the timer finds.
#[derive(Debug)]
pub struct Watch {
    // Held for its thread; no words are wasted on what it sees.
    watcher: RecommendedWatcher,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    changed: AtomicBool,
    waker: AtomicWaker,
}

impl Watch {
    /// Watches nothing yet.
    ///
    /// # Errors
    ///
    /// When the kernel gives no more inotify instances.
    pub fn new() -> notify::Result<Self> {
        let shared = Arc::new(Shared::default());
        let told = Arc::clone(&shared);
        let watcher = notify::recommended_watcher(move |_event| {
            told.changed.store(true, Ordering::Release);
            told.waker.wake();
        })?;
        Ok(Self { watcher, shared })
    }

    /// Watches the directory of a log, or one that is followed as a whole: a file that does not exist
    /// yet cannot be watched itself, nor does a watch follow a name.
    ///
    /// # Errors
    ///
    /// When the directory does not exist, or there are too many watches.
    pub fn add(&mut self, path: &Path) -> notify::Result<()> {
        let directory = if path.is_dir() {
            path
        } else {
            match path.parent() {
                Some(parent) if !parent.as_os_str().is_empty() => parent,
                _ => Path::new("."),
            }
        };
        self.watcher.watch(directory, RecursiveMode::NonRecursive)
    }

    /// Ready once something has changed since the last time.
    pub async fn changed(&self) {
        std::future::poll_fn(|context| {
            self.shared.waker.register(context.waker());
            if self.shared.changed.swap(false, Ordering::Acquire) {
                std::task::Poll::Ready(())
            } else {
                std::task::Poll::Pending
            }
        })
        .await;
    }
}
