//! The block table on the host and in the kernel, written alike and given the same frames.

#![expect(
    clippy::unwrap_used,
    reason = "a test that is wrong itself, or engines that disagree, end it"
)]

use netsec_common::block::{Action, BlockKey, List, Mode, Narrowing};
use netsec_common::ledger::{Class, Counter, Snapshot};
use netsec_common::packet::Start;
use netsec_user::block::{Block, Enforcer, HostEnforcer, KernelEnforcer, TableEnforcer};
use netsec_user::hook::HookId;
use netsec_user::source::compare::Comparison;
use netsec_user::source::host::HostFrame;
use netsec_user::time::WallTime;

use crate::kernel;
use crate::sourced::{Shape, frame};

/// Every counter that says what the block table did, packets and bytes.
pub type Moved = Vec<(Counter, u64)>;

/// Both engines, written alike.
#[expect(
    missing_debug_implementations,
    reason = "tables do not show themselves"
)]
pub struct Both {
    comparison: Comparison,
    host: HostEnforcer,
    kernel: KernelEnforcer,
    before: Snapshot,
}

/// Noon of some day, in a time at which ticks are microseconds.
pub const NOON: WallTime = WallTime::from_ns(1_700_000_000_000_000_000);

impl Both {
    /// Two empty tables; `None` when the kernel cannot be tested here.
    ///
    /// # Panics
    ///
    /// When it can, and does not load the program.
    #[must_use]
    pub fn new(mode: Mode) -> Option<Self> {
        let object = kernel::object().unwrap()?;
        let settings = kernel::settings().engine;
        let (comparison, host, kernel) =
            Comparison::load_blocking(object, HookId(0), &settings, 1_000).unwrap();
        let mut both = Self {
            comparison,
            host: TableEnforcer::new(host),
            kernel: TableEnforcer::new(kernel),
            before: Snapshot::default(),
        };
        both.each(|enforcer| enforcer.set_mode(mode));
        Some(both)
    }

    /// Does the same to both.
    pub fn each(&mut self, mut change: impl FnMut(&mut dyn Enforcer)) {
        change(&mut self.host);
        change(&mut self.kernel);
    }

    /// Inserts an entry without end.
    ///
    /// # Panics
    ///
    /// When a table refuses it.
    pub fn insert(
        &mut self,
        list: List,
        prefix: &str,
        narrowing: Narrowing,
        action: Action,
        id: u64,
    ) {
        self.insert_until(list, prefix, narrowing, action, id, None);
    }

    /// Inserts an entry.
    ///
    /// # Panics
    ///
    /// When a table refuses it.
    pub fn insert_until(
        &mut self,
        list: List,
        prefix: &str,
        narrowing: Narrowing,
        action: Action,
        decision_id: u64,
        until: Option<WallTime>,
    ) {
        let block = Block {
            key: key(list, prefix, narrowing),
            action,
            decision_id,
            until,
        };
        self.each(|enforcer| {
            enforcer.insert(&block).unwrap();
        });
    }

    /// Drops all from a prefix, by decision 1.
    pub fn block(&mut self, prefix: &str) {
        self.insert(List::Block, prefix, Narrowing::Any, Action::Drop, 1);
    }

    /// Lets all from a prefix pass, by decision 2.
    pub fn allow(&mut self, prefix: &str) {
        self.insert(List::Allow, prefix, Narrowing::Any, Action::Drop, 2);
    }

    /// Sends a frame through both, which have to agree on everything, and gives what moved of the
    /// table's counters besides the flow's.
    ///
    /// # Panics
    ///
    /// When they do not agree, or a frame is counted in no way or in two.
    pub fn send(&mut self, bytes: &[u8], at: WallTime) -> Moved {
        let frame = HostFrame {
            time: at,
            start: Start::Ethernet,
            wire_bytes: u32::try_from(bytes.len()).unwrap(),
            bytes,
        };
        assert!(self.comparison.frame(&frame).unwrap(), "it was not sent");
        let now = self.comparison.ledger();
        let moved = now.since(&self.before);
        self.before = now;
        assert_eq!(now.imbalance(), 0);
        let in_flow = moved.get(Counter::FlowPackets);
        let dropped_or_malformed: u64 = moved
            .iter()
            .filter(|(counter, _)| matches!(counter.class(), Class::Dropped | Class::Malformed))
            .map(|(_, value)| value)
            .sum();
        assert_eq!(in_flow + dropped_or_malformed, 1, "counted once: {moved:?}");
        let is_verdict =
            |counter: &Counter| matches!(counter.class(), Class::Dropped | Class::Verdict);
        moved
            .iter()
            .filter(|(counter, value)| is_verdict(counter) && *value != 0)
            .collect()
    }

    /// As [`Self::sends_at`], at [`NOON`].
    pub fn sends(&mut self, shape: Shape, expected: &[(Counter, Counter)]) {
        self.sends_at(shape, NOON, expected);
    }

    /// Sends a frame through both. Each pair is a counter of frames and one of their bytes.
    ///
    /// # Panics
    ///
    /// When other counters move.
    pub fn sends_at(&mut self, shape: Shape, at: WallTime, expected: &[(Counter, Counter)]) {
        let bytes = frame(&shape);
        let moved = self.send(&bytes, at);
        let mut wanted: Moved = expected
            .iter()
            .flat_map(|(packets, all)| [(*packets, 1), (*all, bytes.len() as u64)])
            .collect();
        wanted.sort_by_key(|(counter, _)| *counter as u32);
        assert_eq!(moved, wanted, "{shape:?}");
    }

    /// Compares all flows. To be called after the last frame.
    ///
    /// # Panics
    ///
    /// When they differ.
    pub fn agree(&mut self) {
        self.comparison.finish().unwrap();
    }

    /// The entry's counts, the same on both: packets, bytes, first and last.
    ///
    /// # Panics
    ///
    /// When they are not the same, or it is on none.
    #[must_use]
    pub fn counts(&self, key: &BlockKey) -> (u64, u64, Option<WallTime>, Option<WallTime>) {
        let on_host = self.host.get(key).unwrap();
        let in_kernel = self.kernel.get(key).unwrap();
        assert_eq!(
            (on_host.packets, on_host.bytes),
            (in_kernel.packets, in_kernel.bytes)
        );
        (on_host.packets, on_host.bytes, on_host.first, on_host.last)
    }
}

/// The key of an entry.
///
/// # Panics
///
/// When `prefix` is none.
#[must_use]
pub fn key(list: List, prefix: &str, narrowing: Narrowing) -> BlockKey {
    BlockKey {
        list,
        prefix: prefix.parse().unwrap(),
        narrowing,
    }
}

/// Dropped by a block.
pub const BLOCK: (Counter, Counter) = (Counter::DroppedByBlock, Counter::DroppedByBlockBytes);
/// Dropped beyond a rate.
pub const LIMIT: (Counter, Counter) = (
    Counter::DroppedByRateLimit,
    Counter::DroppedByRateLimitBytes,
);
/// Dropped as everything is closed.
pub const CLOSED: (Counter, Counter) = (Counter::DroppedClosed, Counter::DroppedClosedBytes);
/// Passed within a rate.
pub const WITHIN: (Counter, Counter) = (Counter::PassedRateLimit, Counter::PassedRateLimitBytes);
/// Passed a block by the allowlist.
pub const ALLOWED: (Counter, Counter) = (Counter::SavedByAllowlist, Counter::SavedByAllowlistBytes);
/// Passed a block by the kernel's guard.
pub const GUARD: (Counter, Counter) = (Counter::SavedByGuard, Counter::SavedByGuardBytes);
/// Passed a block as everything is open.
pub const OPEN: (Counter, Counter) = (Counter::PassedOpen, Counter::PassedOpenBytes);
/// Met an entry that has ended.
pub const EXPIRED: (Counter, Counter) = (Counter::ExpiredSeen, Counter::ExpiredSeenBytes);
/// Would have been dropped by a block.
pub const WOULD: (Counter, Counter) = (Counter::WouldDropByBlock, Counter::WouldDropByBlockBytes);
