//! One frame through parser, flow cache, ledger and sampling.

use crate::block::{BlockTable, Ruling, suspect, suspect_unfiltered};
use crate::config::{Config, Control};
use crate::flow::{FlowTable, Observation, Place, account};
use crate::ledger::{Counter, Row};
use crate::packet::{FlowKey, Frame, Opening, Packet, PacketBytes, Sender, parse_from, protocol};
use crate::sample::{Delivery, QUESTIONS_MAX, SAMPLE_BYTES_MAX, SampleSink, Sampling};
use crate::ticks::Ticks;

mod inner;
mod known;

use inner::Closed;
pub use inner::{Inside, Passage};
pub use known::{Rest, process_known_v4, process_known_v6};

/// Port of DNS servers.
const DNS_PORT: u16 = 53;

/// What becomes of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It goes on.
    Pass,
    /// A live entry of the block table drops it.
    Drop,
}

/// What the engine works on: one CPU's share of the state.
#[derive(Debug)]
pub struct Engine<'a, T, B, S> {
    /// Fixed at load.
    pub config: &'a Config,
    /// Changed while running.
    pub control: &'a Control,
    /// This CPU's row of the ledger.
    pub row: &'a Row,
    /// This CPU's share of the flow table.
    pub table: &'a T,
    /// What is dropped.
    pub blocks: &'a B,
    /// Where header samples go.
    pub samples: &'a S,
}

impl<T: FlowTable, B: BlockTable, S> Engine<'_, T, B, S> {
    /// Counts a frame, rules on it, accounts its flow if it passes, samples it, and says what becomes
    /// of it.
    #[inline(always)]
    pub fn process<P: PacketBytes>(&self, frame: &Frame<'_, P>, now: Ticks) -> Verdict
    where
        S: SampleSink<P>,
    {
        match self.process_known(frame, now) {
            Some(verdict) => verdict,
            None => self.process_any(frame, now),
        }
    }

    /// The short ways alone. When `None`, nothing was done.
    #[inline(always)]
    pub fn process_known<P: PacketBytes>(
        &self,
        frame: &Frame<'_, P>,
        now: Ticks,
    ) -> Option<Verdict> {
        let Self {
            config,
            table,
            blocks,
            ..
        } = *self;
        let rest = || Some((self.control, self.row, now));
        process_known_v4(frame, config, table, blocks, rest)
            .or_else(|| process_known_v6(frame, config, table, blocks, rest))
    }

    /// The same the long way: for frames that the short ways left alone.
    #[inline(always)]
    pub fn process_any<P: PacketBytes>(&self, frame: &Frame<'_, P>, now: Ticks) -> Verdict
    where
        S: SampleSink<P>,
    {
        self.process_through(frame, now, &Closed)
    }

    /// As [`process_any`](Self::process_any), with tunnels opened by `inside`.
    #[inline(always)]
    pub fn process_through<P: PacketBytes>(
        &self,
        frame: &Frame<'_, P>,
        now: Ticks,
        inside: &impl Inside,
    ) -> Verdict
    where
        S: SampleSink<P>,
    {
        self.row.begin();
        if frame.counted_before {
            self.row.count(Counter::Forwarded);
            self.row
                .add(Counter::ForwardedBytes, u64::from(frame.wire_bytes));
            self.row.end();
            return Verdict::Pass;
        }
        self.row.count(Counter::Frames);
        self.row.add(Counter::Bytes, u64::from(frame.wire_bytes));
        let (accounted, ruling) = match inside.outermost() {
            Some(passage) => (passage.accounted(), Ruling::PASS),
            None => self.take(frame, now, inside),
        };
        let accounted = accounted.map(|accounted| self.follow(frame.bytes, accounted, inside));
        self.sample(frame, accounted, ruling);
        self.row.end();
        if ruling.drops() {
            Verdict::Drop
        } else {
            Verdict::Pass
        }
    }

    /// What accounting told, and what was ruled; of a frame that is dropped nothing is accounted.
    #[inline(always)]
    fn take<P: PacketBytes>(
        &self,
        frame: &Frame<'_, P>,
        now: Ticks,
        inside: &impl Inside,
    ) -> (Option<Accounted>, Ruling) {
        if !self.config.is_current() {
            self.row.count(Counter::NoFlowSet);
            return (None, Ruling::PASS);
        }
        let mut sender = Sender::default();
        let parsed = parse_from(frame, self.row, &mut sender);
        let parsed = inner::merged(frame.bytes, parsed, inside);
        // A blocked source does not get by with a transport header that cannot be read.
        let suspect = match &parsed {
            Ok((packet, _)) => suspect(self.blocks, &packet.key),
            Err(_) => sender
                .key()
                .and_then(|key| suspect_unfiltered(self.blocks, &key)),
        };
        let ruling = match suspect {
            Some(suspect) => self.blocks.judge(&suspect, frame.wire_bytes, self.row),
            None => Ruling::PASS,
        };
        if ruling.drops() {
            return (None, ruling);
        }
        let accounted = match parsed {
            Ok((packet, opening)) => {
                self.account(&packet, frame.wire_bytes, now)
                    .map(|accounted| Accounted {
                        opening,
                        ..accounted
                    })
            }
            Err(reason) => Err(reason),
        };
        match accounted {
            Ok(accounted) => (Some(accounted), ruling),
            Err(reason) => {
                self.row.count(reason);
                (None, ruling)
            }
        }
    }

    #[inline(always)]
    fn account(&self, packet: &Packet, bytes: u32, now: Ticks) -> Result<Accounted, Counter> {
        let seen = Observation {
            now,
            bytes,
            tcp_flags: packet.tcp_flags,
        };
        let packets = account(
            self.table,
            Place::of(&packet.key, self.config),
            &packet.key,
            seen,
            self.control.idle_ticks(),
            self.row,
        )?;
        Ok(Accounted {
            packets,
            is_question: is_question(&packet.key),
            opening: None,
        })
    }

    /// `accounted` is `None` for a frame in no flow.
    #[inline(always)]
    fn sample<P: PacketBytes>(
        &self,
        frame: &Frame<'_, P>,
        accounted: Option<Accounted>,
        ruling: Ruling,
    ) where
        S: SampleSink<P>,
    {
        let mut snap_bytes = self.control.snap_bytes();
        let wanted = match self.control.sampling() {
            Sampling::Off => false,
            Sampling::FirstOfFlow(n) => accounted.is_some_and(|flow| flow.packets <= n),
            Sampling::FirstAndQuestions(n) => accounted.is_some_and(|flow| {
                if flow.is_question {
                    snap_bytes = SAMPLE_BYTES_MAX;
                }
                flow.packets <= n || flow.is_question && flow.packets <= QUESTIONS_MAX
            }),
            Sampling::OneIn(n) => self.row.one_in(n),
            Sampling::All => true,
        };
        if !wanted && !ruling.is_sampled() {
            return;
        }
        let captured = frame.wire_bytes.min(snap_bytes);
        let fate = ruling.fate(self.blocks);
        match self.samples.sample(frame, captured, fate) {
            Delivery::Sent => self.row.count(Counter::Samples),
            Delivery::Lost => {
                self.row.count(Counter::SamplesLost);
                self.row
                    .add(Counter::SamplesLostBytes, u64::from(frame.wire_bytes));
            }
        }
    }
}

/// What accounting a frame tells of its flow.
#[derive(Clone, Copy)]
struct Accounted {
    /// Packets it has now.
    packets: u32,
    /// Whether it carries questions to a DNS server.
    is_question: bool,
    /// Where in it a tunnel begins.
    opening: Option<Opening>,
}

/// Whether a packet of this flow carries questions to a DNS server.
#[inline(always)]
const fn is_question(key: &FlowKey) -> bool {
    key.protocol() == protocol::UDP && key.destination_port() == DNS_PORT
}

#[cfg(test)]
mod tests;
