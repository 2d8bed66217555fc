//! Logs that are followed beside live traffic.

use std::error::Error as _;
use std::io;

use crate::log::follow::{Feed, Feeds, Watch};
use crate::output::Output;
use crate::pipeline::Pipeline;
use crate::time::WallTime;

/// Logs, and what tells that they have changed.
#[derive(Debug)]
pub(super) struct FollowedLogs {
    feeds: Feeds,
    /// Tells at once; the timer does it when there is none.
    watch: Option<Watch>,
}

impl FollowedLogs {
    pub(super) fn new(feeds: Feeds) -> Self {
        let watched = Watch::new().and_then(|mut watch| {
            let mut paths = feeds.feeds().iter().map(Feed::path);
            paths.try_for_each(|path| watch.add(path))?;
            Ok(watch)
        });
        let watch = match watched {
            Ok(watch) => Some(watch),
            Err(error) => {
                log::warn!("logs are looked at every 20 ms, as changes are not told: {error}");
                None
            }
        };
        Self { feeds, watch }
    }

    /// Ready when one has changed; never without a watch.
    pub(super) async fn changed(&self) {
        match &self.watch {
            Some(watch) => watch.changed().await,
            None => std::future::pending().await,
        }
    }

    /// Hands on what they have, turn by turn, so that a long one does not hold up the kernel's rings.
    pub(super) fn read<O: Output>(&mut self, pipeline: &mut Pipeline<O>) -> io::Result<()> {
        let now = WallTime::now();
        self.feeds
            .poll(now, &mut |place, record| {
                pipeline.record(place, record, now)
            })
            .map(|_more| ())
    }

    /// Keeps how far they were read.
    pub(super) fn save(&self) {
        if let Err(error) = self.feeds.save() {
            let source = error.source();
            let source = source.map_or_else(String::new, ToString::to_string);
            log::warn!("{error}: {source}");
        }
    }

    /// Says what became of their lines.
    pub(super) fn report(&self) {
        for feed in self.feeds.feeds() {
            if let Some((path, trouble)) = feed.trouble() {
                log::warn!("{}: {trouble}", path.display());
            }
            for (name, tally, counts) in feed.tallies() {
                log::info!("{name}: {tally}");
                for bad in &tally.samples {
                    log::warn!("{}: {}", bad.place(&name), bad.reason);
                }
                if counts.truncations > 0 {
                    log::warn!(
                        "{name}: truncated {} times, {} of them with a copy to read on from; {} \
                         bytes of unfinished lines are lost",
                        counts.truncations,
                        counts.copies_found,
                        counts.cut_bytes
                    );
                }
            }
        }
    }
}
