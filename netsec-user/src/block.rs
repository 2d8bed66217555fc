//! The block table, as the rest of the sensor sees it: what is dropped, and what is never.
//!
//! An [`Enforcer`] writes entries and reads back what they did. Times are wall time here; in the
//! table they are ticks of the kernel's clock, so that a step of the wall clock neither lengthens nor
//! shortens a block.

mod settings;
mod table;

use std::net::IpAddr;
use std::time::Duration;

use netsec_common::block::{Action, BlockKey, Mode, OnSilence, Prefix};

use crate::time::WallTime;

pub use settings::{BlockSettings, ModeSetting, OnExit, SilenceSetting};
pub use table::{HostEnforcer, KernelEnforcer, TableEnforcer};

/// An entry of the block table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    /// What it matches, on which list.
    pub key: BlockKey,
    /// What becomes of that; of no meaning on the allowlist.
    pub action: Action,
    /// The decision it stands for.
    pub decision_id: u64,
    /// When it ends; `None` is never.
    pub until: Option<WallTime>,
}

/// An entry and what it did so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockState {
    /// The entry.
    pub block: Block,
    /// Packets that it dropped, or would have dropped in a dry run; on the allowlist, packets that
    /// it saved from a block.
    pub packets: u64,
    /// Bytes of those, link headers included.
    pub bytes: u64,
    /// The first of them.
    pub first: Option<WallTime>,
    /// The latest of them.
    pub last: Option<WallTime>,
}

/// What an insert did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inserted {
    /// There was no such entry.
    New,
    /// There was one; it has the new action, decision and end. It goes on counting when the decision
    /// is the same, and begins anew otherwise.
    Replaced,
}

/// Why an entry was not inserted. Nothing has changed then, and the refusal was counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BlockError {
    /// Every place is taken by a live entry.
    #[error(
        "the block table is full: {capacity} entries, all of them live\n\
         try: a larger capacity, wider prefixes, or shorter blocks"
    )]
    Full {
        /// Entries that it holds.
        capacity: u32,
    },
    /// More different shapes than a packet can be checked for.
    #[error(
        "the {family} {list} already holds {max} different combinations of prefix length and \
         narrowing, and {prefix} would be one more\n\
         try: a prefix length that is in use"
    )]
    Shapes {
        /// `IPv4` or `IPv6`.
        family: &'static str,
        /// `blocklist` or `allowlist`.
        list: &'static str,
        /// The prefix that was to be inserted.
        prefix: Prefix,
        /// Most shapes of one family on one list.
        max: usize,
    },
    /// A rate over [`Action::RATE_MAX`].
    #[error("{packets_per_s} packets/s cannot be limited; the most is {max}", max = Action::RATE_MAX)]
    Rate {
        /// The rate asked for.
        packets_per_s: u32,
    },
    /// A port of a protocol that has none, or port 0.
    #[error(
        "no packet is to port {port} of protocol {protocol}: ports are 1 to 65535 of TCP (6), UDP (17) \
         and SCTP (132)"
    )]
    Port {
        /// IP protocol number.
        protocol: u8,
        /// The port asked for.
        port: u16,
    },
}

/// How full the table is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Entries in the table, expired ones that were not yet removed included.
    pub entries: u32,
    /// Most entries that it holds.
    pub capacity: u32,
    /// Inserts that were refused since the table was made.
    pub refused: u64,
}

/// What holds when the agent falls silent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeadMan {
    /// How long without a heartbeat is too long; `None` is never.
    pub limit: Option<Duration>,
    /// What holds then.
    pub on_silence: OnSilence,
}

/// What a packet meets at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InForce {
    /// The mode that was set.
    pub mode: Mode,
    /// What silence did: `Some` when the agent has been silent for longer than the limit.
    pub silent: Option<OnSilence>,
}

/// Writes the block table and reads it back. One at a time: there may be one writer only.
///
/// What it writes holds from the next packet on.
pub trait Enforcer {
    /// Inserts an entry, or replaces the one of the same key. Expired entries make room when the
    /// table is full; a live one never does.
    ///
    /// # Errors
    ///
    /// [`BlockError`].
    fn insert(&mut self, block: &Block) -> Result<Inserted, BlockError>;

    /// Removes an entry, and gives what it was and did; `None` when there is none.
    fn remove(&mut self, key: &BlockKey) -> Option<BlockState>;

    /// The entry of a key, live or expired.
    fn get(&self, key: &BlockKey) -> Option<BlockState>;

    /// Shows every entry, live or expired, in no particular order.
    fn visit(&self, visitor: &mut dyn FnMut(&BlockState));

    /// Shows every entry of part number `part` of `parts` parts of about the same size: a large table takes
    /// longer than the caller may have.
    fn visit_part(&self, part: usize, parts: usize, visitor: &mut dyn FnMut(&BlockState));

    /// The entry that decides on packets of a source: on the blocklist, or else on the allowlist when
    /// both match. A port needs its protocol.
    fn decisive(
        &self,
        source: IpAddr,
        protocol: Option<u8>,
        port: Option<u16>,
        now: WallTime,
    ) -> Option<BlockState>;

    /// How full the table is.
    fn usage(&self) -> Usage;

    /// What was set last.
    fn mode(&self) -> Mode;

    /// Changes what is done, from the next packet on.
    fn set_mode(&mut self, mode: Mode);

    /// Changes what holds when the agent falls silent.
    fn set_dead_man(&mut self, dead_man: DeadMan);

    /// What was set last.
    fn dead_man(&self) -> DeadMan;

    /// Says that the agent is alive.
    fn heartbeat(&mut self, now: WallTime);

    /// What a packet meets at `now`.
    fn in_force(&self, now: WallTime) -> InForce;

    /// Samples the first packet that each entry drops, and then one in `n` of it; 0 is none at all.
    fn set_drop_sampling(&mut self, n: u32);
}
