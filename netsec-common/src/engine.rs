//! One frame through parser, flow cache, ledger and sampling.

use crate::config::{Config, Control};
use crate::flow::{FlowTable, Observation, account, flow_hash};
use crate::ledger::{Counter, Row};
use crate::packet::{FlowKey, Frame, PacketBytes, parse};
use crate::sample::{Delivery, SampleSink, Sampling};
use crate::ticks::Ticks;

/// What becomes of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It goes on.
    Pass,
}

/// What the engine works on: one CPU's share of the state.
#[derive(Debug)]
pub struct Engine<'a, T, S> {
    /// Fixed at load.
    pub config: &'a Config,
    /// Changed while running.
    pub control: &'a Control,
    /// This CPU's row of the ledger.
    pub row: &'a Row,
    /// This CPU's share of the flow table.
    pub table: &'a T,
    /// Where header samples go.
    pub samples: &'a S,
}

impl<T: FlowTable, S> Engine<'_, T, S> {
    /// Counts a frame, accounts its flow, samples it, and says what becomes of it.
    #[inline(always)]
    pub fn process<P: PacketBytes>(&self, frame: &Frame<'_, P>, now: Ticks) -> Verdict
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
        let packets = match self.account(frame, now) {
            Ok(packets) => Some(packets),
            Err(reason) => {
                self.row.count(reason);
                None
            }
        };
        self.sample(frame, packets);
        self.row.end();
        Verdict::Pass
    }

    #[inline(always)]
    fn account<P: PacketBytes>(&self, frame: &Frame<'_, P>, now: Ticks) -> Result<u32, Counter> {
        if !self.config.is_current() {
            return Err(Counter::NoFlowSet);
        }
        let packet = parse(frame, self.row)?;
        let set_index = set_index(&packet.key, self.config);
        let seen = Observation {
            now,
            bytes: frame.wire_bytes,
            tcp_flags: packet.tcp_flags,
        };
        account(
            self.table,
            set_index,
            &packet.key,
            seen,
            self.control.idle_ticks(),
            self.row,
        )
    }

    /// `packets` is what the frame's flow has now, or `None` for a frame in no flow.
    #[inline(always)]
    fn sample<P: PacketBytes>(&self, frame: &Frame<'_, P>, packets: Option<u32>)
    where
        S: SampleSink<P>,
    {
        let wanted = match self.control.sampling() {
            Sampling::Off => false,
            Sampling::FirstOfFlow(n) => packets.is_some_and(|packets| packets <= n),
            Sampling::OneIn(n) => self.row.one_in(n),
            Sampling::All => true,
        };
        if !wanted {
            return;
        }
        let captured = frame.wire_bytes.min(self.control.snap_bytes());
        match self.samples.sample(frame, captured) {
            Delivery::Sent => self.row.count(Counter::Samples),
            Delivery::Lost => {
                self.row.count(Counter::SamplesLost);
                self.row
                    .add(Counter::SamplesLostBytes, u64::from(frame.wire_bytes));
            }
        }
    }
}

/// Index of a flow's set among the sets of one CPU.
#[inline(always)]
#[must_use]
pub const fn set_index(key: &FlowKey, config: &Config) -> u32 {
    (flow_hash(key, &config.hash_keys) >> 32) as u32 & config.set_mask
}

#[cfg(test)]
mod tests;
