//! What a block table holds, as callers see it.

use core::fmt;

use super::prefix::Prefix;

/// A point in time on the block table's 64-bit clock, which does not wrap.
///
/// Jiffies since boot on live traffic, microseconds since 1970 in replay. Zero is no point in time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct BlockTime(pub u64);

/// Which list an entry is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum List {
    /// What it matches is dropped or limited.
    Block,
    /// What it matches passes, whatever blocks match as well.
    Allow,
}

/// What becomes of a packet that a block matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// It is dropped.
    Drop,
    /// It passes while there are no more than so many a second, and is dropped otherwise.
    ///
    /// One second's worth may come at once: in any `t` seconds at most `packets_per_s × (t + 1)`
    /// pass. Exact to one tick of the clock when one CPU sees the traffic; each further CPU may let
    /// one packet more through at a time.
    RateLimit {
        /// 0 is dropped always; the most is [`Action::RATE_MAX`].
        packets_per_s: u32,
    },
}

impl Action {
    /// The highest rate that can be limited, packets a second.
    pub const RATE_MAX: u32 = (1 << 24) - 1;
}

/// Which packets of a prefix an entry is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Narrowing {
    /// All.
    #[default]
    Any,
    /// Those of one IP protocol (TCP 6, UDP 17 and so on); fragments among them.
    Protocol(u8),
    /// Those to one destination port. Later fragments have no ports and are not among them.
    Port {
        /// IP protocol number: TCP 6, UDP 17 or SCTP 132.
        protocol: u8,
        /// Destination port.
        port: u16,
    },
}

impl fmt::Display for Narrowing {
    /// Nothing, ` protocol 6` or ` protocol 6 port 22`: to be written after a prefix.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => Ok(()),
            Self::Protocol(protocol) => write!(f, " protocol {protocol}"),
            Self::Port { protocol, port } => write!(f, " protocol {protocol} port {port}"),
        }
    }
}

/// What tells entries apart. Of those that match a packet's source the longest prefix counts, and of
/// that the narrowest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BlockKey {
    /// Which list it is on.
    pub list: List,
    /// Source addresses.
    pub prefix: Prefix,
    /// Which of their packets.
    pub narrowing: Narrowing,
}

/// An entry to be inserted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockEntry {
    /// What it matches.
    pub key: BlockKey,
    /// What becomes of that; of no meaning on the allowlist.
    pub action: Action,
    /// The decision it stands for, for whoever asks why.
    pub decision_id: u64,
    /// When it ends: a packet at that time is not matched any more. `None` is never.
    pub expires: Option<BlockTime>,
}

/// What an entry did so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BlockCounters {
    /// Packets that it dropped, or would have dropped in a dry run; on the allowlist, packets that
    /// it saved from a block.
    pub packets: u64,
    /// Bytes of those, link headers included.
    pub bytes: u64,
    /// The first of them.
    pub first: Option<BlockTime>,
    /// The latest of them.
    pub last: Option<BlockTime>,
}

/// Whether blocks are enforced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Mode {
    /// The block table is not looked at.
    #[default]
    Detect,
    /// What would be dropped is counted and sampled, and passes.
    DryRun,
    /// What the table says is done.
    Enforce,
}

/// What holds while the agent has been silent for longer than its limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum OnSilence {
    /// Live entries hold until they expire.
    #[default]
    Static,
    /// Nothing is dropped.
    Open,
    /// Only what the allowlist matches passes.
    Closed,
}
