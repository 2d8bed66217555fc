//! One open connection.

use netsec_common::packet::{FlowKey, protocol};

use super::super::activity::{Activity, outcome};
use super::super::key::opposite;
use super::super::tcp::{RST, SYN, SYN_ACK};
use super::super::{Connection, EndCause, Side, is_closed};
use super::{Ended, Timeouts};
use crate::event::FlowDelta;
use crate::hook::HookId;
use crate::time::WallTime;

/// Two half connections: that of the canonical key, and its opposite.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    hook: HookId,
    halves: [Half; 2],
    watched: Watched,
}

/// What of a connection was told as [`Activity`].
#[derive(Clone, Copy, Debug, Default)]
struct Watched {
    /// Counts of each half in partial records that were written.
    before: [Volume; 2],
    /// Counts of each half that were told.
    told: [Volume; 2],
    /// First packet of the connection, once partial records were written.
    began: Option<WallTime>,
    opened: bool,
    decided: bool,
}

/// Packets and bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Volume {
    packets: u64,
    bytes: u64,
}

impl Volume {
    const fn plus(self, side: &Side) -> Self {
        Self {
            packets: self.packets + side.packets,
            bytes: self.bytes + side.bytes,
        }
    }
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Half {
    side: Side,
    first_tcp_flags: u8,
    /// First and last packet, once there was one.
    times: Option<(WallTime, WallTime)>,
    /// The hook that saw it first.
    hook: Option<HookId>,
}

/// Each hook finds out for itself when a tick of the kernel's clock begins: they differ by some 0.25 ms.
const SKEW_NS: u64 = 500_000;

impl Entry {
    pub(super) fn new(hook: HookId) -> Self {
        Self {
            hook,
            halves: [Half::default(); 2],
            watched: Watched::default(),
        }
    }

    pub(super) const fn half_mut(&mut self, flipped: bool) -> &mut Half {
        let [straight, opposite] = &mut self.halves;
        if flipped { opposite } else { straight }
    }

    /// Whether the delta belongs to a later TCP connection between the same endpoints.
    pub(super) fn is_reused_by(&self, flipped: bool, delta: &FlowDelta) -> bool {
        let [straight, opposite] = &self.halves;
        let half = if flipped { opposite } else { straight };
        delta.opened
            && delta.first_tcp_flags & SYN != 0
            // Within one tick it may be the same connection on another CPU.
            && half.times.is_some_and(|(_, last)| last < delta.first)
            && self.is_closed()
    }

    pub(super) fn is_closed(&self) -> bool {
        let [a, b] = self.halves;
        is_closed(a.side.tcp_flags, b.side.tcp_flags)
    }

    /// Whether it is known what came of opening it.
    pub(super) const fn is_decided(&self) -> bool {
        self.watched.decided
    }

    pub(super) fn has_packets(&self) -> bool {
        self.halves.iter().any(|half| half.side.packets != 0)
    }

    pub(super) fn last(&self) -> WallTime {
        let times = self.halves.iter().filter_map(|half| half.times);
        times.map(|(_, last)| last).max().unwrap_or_default()
    }

    pub(super) fn first(&self) -> WallTime {
        let times = self.halves.iter().filter_map(|half| half.times);
        times.map(|(first, _)| first).min().unwrap_or_default()
    }

    pub(super) fn due(&self, now: WallTime, timeouts: &Timeouts) -> Option<EndCause> {
        let quiet = now.since(self.last());
        if !timeouts.idle.is_zero() && quiet >= timeouts.idle {
            return Some(EndCause::IdleTimeout);
        }
        if quiet >= timeouts.closed && self.is_closed() {
            return Some(EndCause::Closed);
        }
        let active = !timeouts.active.is_zero() && now.since(self.first()) >= timeouts.active;
        (active && self.has_packets()).then_some(EndCause::ActiveTimeout)
    }

    /// Forgets what was reported; who began it is kept.
    pub(super) fn restart(&mut self) {
        let (first, last) = (self.first(), self.last());
        self.watched.began.get_or_insert(first);
        for (half, before) in self.halves.iter_mut().zip(&mut self.watched.before) {
            *before = before.plus(&half.side);
            half.side.packets = 0;
            half.side.bytes = 0;
            half.times = half.times.map(|_| (last, last));
        }
    }

    /// The key from originator to responder, and whether that is the opposite of `flow`.
    pub(super) fn oriented(&self, flow: &FlowKey) -> (FlowKey, bool) {
        let opposite = opposite(flow).filter(|key| self.is_opposite_originator(flow, key));
        opposite.map_or((*flow, false), |key| (key, true))
    }

    /// The originator sent the SYN; failing that, the first packet; failing that, it has the
    /// higher port, or is the one that sent an ICMP request.
    fn is_opposite_originator(&self, flow: &FlowKey, opposite: &FlowKey) -> bool {
        let [straight, other] = &self.halves;
        let (Some((first, _)), Some((other_first, _))) = (straight.times, other.times) else {
            let half = if straight.times.is_some() {
                straight
            } else {
                other
            };
            // Alone, a SYN-ACK or a RST still says that the other side began.
            let flags = half.first_tcp_flags;
            let answers = flags & SYN_ACK == SYN_ACK || flags & RST != 0;
            return straight.times.is_some() == answers;
        };
        let handshake = |half: &Half| half.first_tcp_flags & SYN_ACK;
        match (handshake(straight), handshake(other)) {
            (SYN, other) if other != SYN => false,
            (straight, SYN) if straight != SYN => true,
            (SYN_ACK, other) if other != SYN_ACK => true,
            (straight, SYN_ACK) if straight != SYN_ACK => false,
            _ if !is_same_tick((straight, first), (other, other_first)) => other_first < first,
            // Both in one tick of the kernel's clock.
            _ => is_request(opposite) && !is_request(flow),
        }
    }

    pub(super) fn end(&self, flow: &FlowKey, cause: EndCause) -> Ended {
        let (key, flipped) = self.oriented(flow);
        let [a, b] = self.halves;
        let (originator, responder) = if flipped { (b, a) } else { (a, b) };
        Ended {
            connection: Connection {
                hook: self.hook,
                key,
                start: self.first(),
                end: self.last(),
                originator: originator.side,
                responder: responder.side,
            },
            cause,
        }
    }
}

impl Entry {
    /// What is new since the last time, or became known by waiting until `now`. `since` is when
    /// that was; `ended` says that the connection leaves the table.
    pub(super) fn activity(
        &mut self,
        flow: &FlowKey,
        since: WallTime,
        now: WallTime,
        ended: Option<EndCause>,
    ) -> Option<Activity> {
        let [a, b] = self.halves;
        let [before_a, before_b] = self.watched.before;
        let totals = [before_a.plus(&a.side), before_b.plus(&b.side)];
        let changed = totals != self.watched.told;
        if !changed && self.watched.decided && ended.is_none() {
            return None;
        }
        let (key, flipped) = self.oriented(flow);
        let [total_a, total_b] = totals;
        let [told_a, told_b] = self.watched.told;
        let (side_a, side_b) = (a.told(total_a, told_a), b.told(total_b, told_b));
        let (originator, responder) = if flipped {
            (side_b, side_a)
        } else {
            (side_a, side_b)
        };
        let start = self.watched.began.unwrap_or_else(|| self.first());
        let connection = Connection {
            hook: self.hook,
            key,
            start,
            end: self.last(),
            originator: originator.0,
            responder: responder.0,
        };
        let outcome = if self.watched.decided {
            None
        } else {
            outcome(&connection, ended.is_some(), now)
        };
        if !changed && outcome.is_none() && ended.is_none() {
            return None;
        }
        let opened = !self.watched.opened;
        self.watched.told = totals;
        self.watched.opened = true;
        self.watched.decided |= outcome.is_some();
        Some(Activity {
            connection,
            sent: originator.1,
            answered: responder.1,
            // What is read late was counted before the last look.
            since: since.max(start).min(self.last()),
            first_tcp_flags: (originator.2, responder.2),
            opened,
            outcome,
            ended,
        })
    }
}

/// Whether two halves began at one time, as far as can be told.
fn is_same_tick((a, first): (&Half, WallTime), (b, other): (&Half, WallTime)) -> bool {
    let apart = first.ns_since(other).unsigned_abs();
    apart == 0 || a.hook != b.hook && apart < SKEW_NS
}

/// Whether a flow looks like the originator's: towards the lower port, or an ICMP request.
const fn is_request(key: &FlowKey) -> bool {
    match key.protocol() {
        protocol::ICMP => matches!(key.source_port(), 8 | 10 | 13 | 15 | 17),
        protocol::ICMPV6 => matches!(key.source_port(), 128 | 130 | 133 | 135 | 139 | 144),
        _ => key.destination_port() < key.source_port(),
    }
}

impl Half {
    /// All that it counted, what of it is new, and the flags that it began with.
    const fn told(&self, total: Volume, told: Volume) -> (Side, Side, u8) {
        let tcp_flags = self.side.tcp_flags;
        let whole = Side {
            packets: total.packets,
            bytes: total.bytes,
            tcp_flags,
        };
        let new = Side {
            packets: total.packets.saturating_sub(told.packets),
            bytes: total.bytes.saturating_sub(told.bytes),
            tcp_flags,
        };
        (whole, new, self.first_tcp_flags)
    }

    pub(super) fn add(&mut self, delta: &FlowDelta) {
        // A flow goes on after its connection was written out: what is new began just now.
        let first = if delta.opened {
            delta.first
        } else {
            delta.last
        };
        self.times = Some(match self.times {
            None => {
                self.first_tcp_flags = delta.first_tcp_flags;
                self.hook = Some(delta.hook);
                (first, delta.last)
            }
            Some((start, last)) => {
                // A flow's packets may pass several CPUs, each with a slot of its own that was
                // opened at another packet; two of them can open in one tick.
                let earlier = first < start;
                let opens = first == start && delta.first_tcp_flags & SYN != 0;
                if earlier || opens {
                    self.first_tcp_flags = delta.first_tcp_flags;
                }
                (start.min(first), last.max(delta.last))
            }
        });
        self.side.packets += delta.packets;
        self.side.bytes += delta.bytes;
        self.side.tcp_flags |= delta.tcp_flags;
    }
}
