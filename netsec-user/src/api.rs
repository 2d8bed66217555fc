//! The control socket: JSON lines, one request and one answer at a time.
//!
//! `{"version":1,"request":{"do":"status"}}` is answered by `{"version":1,"ok":{…}}` or
//! `{"version":1,"error":{"kind":"refused","message":"…"}}`. Whoever can connect may read: root, and
//! the group `netsec` where there is one. Only root may change anything.

mod answer;
pub mod client;
pub mod pinned;
pub mod server;
pub mod wire;

pub use self::answer::{Around, answer};
