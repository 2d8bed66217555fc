//! The coverage ledger: every frame is counted, and every counter has one reason.
//!
//! The identity that [`Snapshot::imbalance`] checks holds after every frame:
//!
//! ```text
//! frames = flow_packets + Σ not-IP kinds + Σ malformed reasons + Σ dropped + unaccounted
//! ```
//!
//! What is inside of tunnels has an identity of its own, [`Snapshot::inner_imbalance`], because those
//! packets are in frames that the first one has counted:
//!
//! ```text
//! tunnelled = inner_flow_packets + Σ inner not-IP kinds + Σ inner malformed reasons
//!           + Σ unread reasons + inner unaccounted
//! ```

mod counter;

use core::fmt;

use crate::word::{Mark, Word, observe, publish};

pub use counter::{Class, Counter};

/// Number of counters in a [`Row`].
pub const COUNTERS: usize = Counter::ALL.len();

/// One CPU's share of the ledger, written by that CPU alone, but for the marks.
///
/// `sequence` is odd while a frame is being counted, so that a reader can take a snapshot in which
/// the identity holds exactly.
#[derive(Debug)]
#[repr(C, align(64))]
pub struct Row {
    sequence: Word,
    countdown: Word,
    counters: [Word; COUNTERS],
    plain: [Plain; PlainKind::COUNT],
    touched: Touched,
}

/// Which sets of the flow table a packet has been to since user space last asked: it reads those, and not
/// the whole table. Sets whose numbers have the low bits in common share a mark; 16 KiB, which a CPU holds
/// close.
#[repr(transparent)]
struct Touched([Mark; MARKS]);

/// Marks of a [`Row`]. A power of two.
pub const MARKS: usize = 1 << 14;

impl fmt::Debug for Touched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Touched").finish_non_exhaustive()
    }
}

/// Plain packets of one kind, which each counter that they move is told of only when it is read: two
/// additions a packet in place of seven.
#[derive(Debug)]
#[repr(C)]
struct Plain {
    packets: Word,
    bytes: Word,
}

/// What kind of plain packet one is: three bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PlainKind(pub(crate) u64);

impl PlainKind {
    /// UDP; TCP otherwise.
    pub(crate) const UDP: u64 = 1;
    /// With a VLAN tag.
    pub(crate) const TAGGED: u64 = 1 << 1;
    /// IPv6; IPv4 otherwise.
    pub(crate) const V6: u64 = 1 << 2;

    const COUNT: usize = 8;

    /// The counters that a packet of this kind moves by one.
    fn counters(self) -> impl Iterator<Item = Counter> {
        let has = |bit| self.0 & bit != 0;
        let version = if has(Self::V6) {
            Counter::Ipv6
        } else {
            Counter::Ipv4
        };
        let transport = if has(Self::UDP) {
            Counter::Udp
        } else {
            Counter::Tcp
        };
        let tag = has(Self::TAGGED).then_some(Counter::Vlan);
        [Counter::Frames, version, transport, Counter::FlowPackets]
            .into_iter()
            .chain(tag)
    }
}

const _: () = assert!(size_of::<Row>().is_multiple_of(64));
const _: () = assert!(core::mem::offset_of!(Row, counters) == 16);

impl Default for Row {
    fn default() -> Self {
        Self::new()
    }
}

impl Row {
    /// A row with every counter at zero.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            sequence: Word::new(),
            countdown: Word::new(),
            counters: [const { Word::new() }; COUNTERS],
            plain: [const {
                Plain {
                    packets: Word::new(),
                    bytes: Word::new(),
                }
            }; PlainKind::COUNT],
            touched: Touched([const { Mark::new() }; MARKS]),
        }
    }

    /// Adds one to a counter.
    #[inline(always)]
    pub fn count(&self, counter: Counter) {
        self.add(counter, 1);
    }

    /// Adds `amount` to a counter. The row has one writer, so no atomic addition is needed.
    #[inline(always)]
    pub fn add(&self, counter: Counter, amount: u64) {
        if let Some(cell) = self.counters.get(counter as usize) {
            cell.store(cell.load().wrapping_add(amount));
        }
    }

    /// Counts a plain packet of a flow.
    #[inline(always)]
    pub(crate) fn count_plain(&self, kind: PlainKind, bytes: u64) {
        let kind = (kind.0 & 7) as usize;
        if let Some(plain) = self.plain.get(kind) {
            plain.packets.store(plain.packets.load().wrapping_add(1));
            plain.bytes.store(plain.bytes.load().wrapping_add(bytes));
        }
    }

    /// Counts a plain packet that its block drops.
    #[inline(always)]
    pub(crate) fn count_dropped(&self, kind: PlainKind, bytes: u64) {
        self.count(Counter::Frames);
        self.add(Counter::Bytes, bytes);
        self.count(if kind.0 & PlainKind::V6 == 0 {
            Counter::Ipv4
        } else {
            Counter::Ipv6
        });
        self.count(if kind.0 & PlainKind::UDP == 0 {
            Counter::Tcp
        } else {
            Counter::Udp
        });
        if kind.0 & PlainKind::TAGGED != 0 {
            self.count(Counter::Vlan);
        }
        self.count(Counter::DroppedByBlock);
        self.add(Counter::DroppedByBlockBytes, bytes);
    }

    /// Says that a packet has been to a set of the flow table, after it was written.
    #[inline(always)]
    pub(crate) fn touch(&self, set: u32) {
        publish();
        if let Some(mark) = self.touched.0.get(set as usize & (MARKS - 1)) {
            mark.set();
        }
    }

    /// Gives each mark that was set, and takes it back: of a set that was written before, or will be
    /// marked again.
    #[cfg(not(target_arch = "bpf"))]
    pub fn take_touched(&self, mut each: impl FnMut(usize)) {
        for (index, mark) in self.touched.0.iter().enumerate() {
            if mark.take() {
                each(index);
            }
        }
    }

    /// Counts why a packet in a tunnel is in no flow; `reason` is that of a frame.
    #[inline(always)]
    pub(crate) fn count_inside(&self, reason: Counter) {
        if let Some(cell) = self
            .counters
            .get((reason as u32 + Counter::INWARDS) as usize)
        {
            cell.store(cell.load().wrapping_add(1));
        }
    }

    /// True once in `n` calls: the clock of 1-in-n sampling. `n` = 0 is never.
    #[inline(always)]
    pub fn one_in(&self, n: u32) -> bool {
        if n == 0 {
            return false;
        }
        let left = self.countdown.load();
        let due = left == 0;
        let next = if due {
            u64::from(n) - 1
        } else {
            (left - 1).min(u64::from(n) - 1)
        };
        self.countdown.store(next);
        due
    }

    /// Marks the start of a frame.
    #[inline(always)]
    pub fn begin(&self) {
        let sequence = self.sequence.load();
        self.sequence.store(sequence.wrapping_add(1));
        publish();
    }

    /// Marks the end of a frame.
    #[inline(always)]
    pub fn end(&self) {
        publish();
        let sequence = self.sequence.load();
        self.sequence.store(sequence.wrapping_add(1));
    }

    /// Copies the row as it stood between two frames, or `None` when `tries` attempts each met a
    /// frame in progress.
    #[must_use]
    pub fn snapshot(&self, tries: u32) -> Option<Snapshot> {
        for _ in 0..tries {
            let before = self.sequence.load();
            observe();
            let snapshot = self.read();
            observe();
            let after = self.sequence.load();
            if before == after && before.is_multiple_of(2) {
                return Some(snapshot);
            }
            core::hint::spin_loop();
        }
        None
    }

    /// Copies the counters as they are, in the middle of a frame or not.
    #[must_use]
    pub fn read(&self) -> Snapshot {
        let mut snapshot = Snapshot::default();
        for (value, cell) in snapshot.0.iter_mut().zip(&self.counters) {
            *value = cell.load();
        }
        for (kind, plain) in (0..).zip(&self.plain) {
            let (packets, bytes) = (plain.packets.load(), plain.bytes.load());
            for counter in PlainKind(kind).counters() {
                snapshot.add(counter, packets);
            }
            snapshot.add(Counter::Bytes, bytes);
            snapshot.add(Counter::FlowBytes, bytes);
        }
        snapshot
    }
}

/// Where the parser counts what it meets.
pub trait Tally {
    /// Adds one to a counter.
    fn count(&self, counter: Counter);
}

impl Tally for Row {
    #[inline(always)]
    fn count(&self, counter: Counter) {
        self.add(counter, 1);
    }
}

/// Counts nothing: for packets in tunnels, as the attributes are those of frames.
#[derive(Clone, Copy, Debug)]
pub struct Untold;

impl Tally for Untold {
    #[inline(always)]
    fn count(&self, _counter: Counter) {}
}

/// The counters at one moment, of one CPU or summed over several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Snapshot([u64; COUNTERS]);

impl Default for Snapshot {
    fn default() -> Self {
        Self([0; COUNTERS])
    }
}

impl Snapshot {
    /// The value of one counter.
    #[must_use]
    pub fn get(&self, counter: Counter) -> u64 {
        self.0.get(counter as usize).copied().unwrap_or_default()
    }

    fn add(&mut self, counter: Counter, amount: u64) {
        if let Some(value) = self.0.get_mut(counter as usize) {
            *value = value.wrapping_add(amount);
        }
    }

    /// The sum of all counters of a class.
    #[must_use]
    pub fn sum(&self, class: Class) -> u64 {
        self.iter()
            .filter(|(counter, _)| counter.class() == class)
            .map(|(_, value)| value)
            .sum()
    }

    /// Every counter with its value, in ledger order.
    pub fn iter(&self) -> impl Iterator<Item = (Counter, u64)> + '_ {
        Counter::ALL.into_iter().zip(self.0.iter().copied())
    }

    /// Adds another snapshot to this one: another CPU, or another interface.
    pub fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.0.iter_mut().zip(other.0) {
            *mine = mine.wrapping_add(theirs);
        }
    }

    /// What was counted since an earlier snapshot.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let mut difference = *self;
        for (mine, theirs) in difference.0.iter_mut().zip(earlier.0) {
            *mine = mine.wrapping_sub(theirs);
        }
        difference
    }

    /// Frames with an outcome: in a flow, not IP, malformed, dropped or unaccounted.
    #[must_use]
    pub fn explained(&self) -> u64 {
        self.get(Counter::FlowPackets)
            .wrapping_add(self.sum(Class::NotIp))
            .wrapping_add(self.sum(Class::Malformed))
            .wrapping_add(self.sum(Class::Dropped))
            .wrapping_add(self.sum(Class::Unaccounted))
    }

    /// Frames seen minus frames explained: zero when the identity holds.
    #[must_use]
    pub fn imbalance(&self) -> i64 {
        self.get(Counter::Frames)
            .wrapping_sub(self.explained())
            .cast_signed()
    }

    /// Packets in tunnels with an outcome.
    #[must_use]
    pub fn inner_explained(&self) -> u64 {
        self.get(Counter::InnerFlowPackets)
            .wrapping_add(self.sum(Class::InnerNotIp))
            .wrapping_add(self.sum(Class::InnerMalformed))
            .wrapping_add(self.sum(Class::InnerUnread))
            .wrapping_add(self.sum(Class::InnerUnaccounted))
    }

    /// Tunnel headers met minus packets in them explained: zero when the second identity holds.
    #[must_use]
    pub fn inner_imbalance(&self) -> i64 {
        self.get(Counter::Tunnelled)
            .wrapping_sub(self.inner_explained())
            .cast_signed()
    }
}

#[cfg(test)]
mod tests;
