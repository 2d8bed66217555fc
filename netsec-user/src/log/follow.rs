//! Logs that grow, are rotated, truncated, deleted and made anew, and a socket that Suricata writes
//! to.
//!
//! A follower is asked for what is new by [`Feed::poll`]; it starts no thread and reads no clock.
//!
//! * **Rename.** The file is read on under its open descriptor, until it was quiet for
//!   [`QUIET`]; files that came and went between two looks are found beside it. Nothing is lost.
//! * **Truncation** (`copytruncate`). What was not read yet is read from the copy, when there is one
//!   beside the file. Truncations without a copy are counted: how much they cost nobody can know.
//! * **Deletion, absence, a directory or FIFO in its place, no permission**: counted, waited for.
//! * **Restart.** A position is an inode, an offset and a hash of the file's first bytes, so that
//!   neither a rotation meanwhile nor an inode that was given out again misleads.

mod directory;
mod feed;
mod file;
mod head;
mod open;
mod position;
mod siblings;
mod socket;
mod watch;

use std::time::Duration;

pub use self::directory::FollowDirectory;
pub use self::feed::{Feed, FeedError, Feeds};
pub use self::file::{FollowCounts, FollowFile, Start};
pub use self::head::{Head, Identity};
pub use self::position::{Position, PositionError, Positions};
pub use self::socket::FollowSocket;
pub use self::watch::Watch;

/// Time without a new byte after which a file that was renamed away is let go.
pub const QUIET: Duration = Duration::from_secs(30);

/// Bytes of one file that are read before the next has its turn.
const TURN_BYTES: u64 = 4 << 20;
