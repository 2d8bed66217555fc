//! In what host and kernel differ, in words.

use std::fmt::{self, Write as _};

use netsec_common::flow::{FlowRecord, FlowSet, SlotSnapshot};
use netsec_common::ledger::Snapshot;
use netsec_common::packet::FlowKey;

use crate::event::{FlowDelta, Sample};

/// Bytes of the frame that are shown.
const SHOWN_BYTES: usize = 64;

/// Findings that are shown of each kind.
const SHOWN_FINDINGS: usize = 8;

/// In what two engines differ after one frame.
#[derive(Clone, Debug, Default)]
pub struct Difference {
    /// A line each: what, and its value here and there.
    findings: Vec<String>,
    /// The beginning of the frame, and its length.
    frame: (Vec<u8>, usize),
}

impl Difference {
    /// What differs, a line each.
    #[must_use]
    pub fn findings(&self) -> &[String] {
        &self.findings
    }

    /// An error unless nothing was found; `frame` is the one that shows it.
    pub(super) fn none_in(mut self, frame: &[u8]) -> Result<(), Self> {
        if self.findings.is_empty() {
            return Ok(());
        }
        let shown = frame.iter().copied().take(SHOWN_BYTES).collect();
        self.frame = (shown, frame.len());
        Err(self)
    }

    /// A number that differs.
    pub(super) fn number(
        &mut self,
        name: &str,
        host: impl fmt::Display,
        kernel: impl fmt::Display,
    ) {
        self.findings
            .push(format!("{name}: host {host}, kernel {kernel}"));
    }

    /// Counters that moved differently since `before`.
    #[cold]
    pub(super) fn counters(&mut self, before: &Snapshot, host: &Snapshot, kernel: &Snapshot) {
        let host = host.since(before);
        let kernel = kernel.since(before);
        for ((counter, host), (_, kernel)) in host.iter().zip(kernel.iter()) {
            if host != kernel {
                let name = format!("counter {}", counter.name());
                self.number(&name, format!("+{host}"), format!("+{kernel}"));
            }
        }
    }

    /// Records of flows that left their slots.
    #[inline]
    pub(super) fn records(&mut self, host: &[FlowRecord], kernel: &[FlowRecord]) {
        if host != kernel {
            self.lists("record", host, kernel, record_numbers);
        }
    }

    /// Header samples.
    #[cold]
    pub(super) fn samples(&mut self, host: &[Sample], kernel: &[Sample]) {
        if host != kernel {
            self.lists("sample", host, kernel, sample_numbers);
        }
        for (host, kernel) in host.iter().zip(kernel) {
            let pairs = host.bytes.iter().zip(&kernel.bytes);
            if let Some((at, (host, kernel))) = pairs.enumerate().find(|(_, (a, b))| a != b) {
                self.number(&format!("sample byte {at}"), host, kernel);
            }
        }
    }

    /// Flow deltas.
    #[cold]
    pub(super) fn deltas(&mut self, host: &[FlowDelta], kernel: &[FlowDelta]) {
        if host != kernel {
            self.lists("delta", host, kernel, delta_numbers);
        }
    }

    /// All slots of a table. What a free slot held before does not matter.
    pub(super) fn slots(&mut self, host: &[FlowSet], kernel: &[FlowSet]) {
        if host.len() != kernel.len() {
            self.number("sets", host.len(), kernel.len());
        }
        let ways = |sets: &[FlowSet]| -> Vec<Option<SlotSnapshot>> {
            let slots = sets.iter().flat_map(|set| &set.ways);
            slots.map(|slot| slot.snapshot(1).ok().flatten()).collect()
        };
        let mut shown = 0;
        for (index, (host, kernel)) in ways(host).iter().zip(ways(kernel)).enumerate() {
            if *host != kernel && shown < SHOWN_FINDINGS {
                shown += 1;
                let name = format!("slot {index}");
                self.lists(&name, host.as_slice(), kernel.as_slice(), slot_numbers);
            }
        }
    }

    fn lists<T: PartialEq>(
        &mut self,
        name: &str,
        host: &[T],
        kernel: &[T],
        numbers: fn(&T) -> Vec<(&'static str, i128)>,
    ) {
        if host.len() != kernel.len() {
            self.number(&format!("{name}s"), host.len(), kernel.len());
        }
        let unlike = host.iter().zip(kernel).filter(|(a, b)| a != b);
        for (host, kernel) in unlike.take(SHOWN_FINDINGS) {
            for ((field, host), (_, kernel)) in numbers(host).into_iter().zip(numbers(kernel)) {
                if host != kernel {
                    self.number(&format!("{name} {field}"), host, kernel);
                }
            }
        }
    }
}

impl fmt::Display for Difference {
    /// A finding a line, then the beginning of the frame in hexadecimal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.findings.join("\n"))?;
        let (bytes, length) = &self.frame;
        if !bytes.is_empty() {
            write!(f, "\nfirst {} of {length} bytes:", bytes.len())?;
        }
        for (line, sixteen) in bytes.chunks(16).enumerate() {
            let mut hex = String::new();
            for byte in sixteen {
                write!(hex, " {byte:02x}")?;
            }
            write!(f, "\n{:04x} {hex}", line * 16)?;
        }
        Ok(())
    }
}

type Numbers = Vec<(&'static str, i128)>;

fn key_numbers(key: &FlowKey) -> Numbers {
    const NAMES: [&str; 5] = ["key 0", "key 8", "key 16", "key 24", "key 32"];
    NAMES.into_iter().zip(key.words().map(i128::from)).collect()
}

fn record_numbers(record: &FlowRecord) -> Numbers {
    let mut numbers = key_numbers(&record.key);
    numbers.extend([
        ("bytes", record.bytes.into()),
        ("first", record.first.0.into()),
        ("last", record.last.0.into()),
        ("packets", record.packets.into()),
        ("slot", record.slot.into()),
        ("generation", record.generation.into()),
        ("tcp_flags", record.tcp_flags.into()),
        ("reason", record.reason.into()),
        ("first_tcp_flags", record.first_tcp_flags.into()),
    ]);
    numbers
}

fn slot_numbers(slot: &SlotSnapshot) -> Numbers {
    let mut numbers = key_numbers(&slot.key);
    numbers.extend([
        ("bytes", slot.counts.bytes.into()),
        ("first", slot.counts.first.0.into()),
        ("last", slot.counts.last.0.into()),
        ("packets", slot.counts.packets.into()),
        ("generation", slot.counts.generation.into()),
        ("tcp_flags", slot.counts.tcp_flags.into()),
        ("first_tcp_flags", slot.counts.first_tcp_flags.into()),
    ]);
    numbers
}

fn delta_numbers(delta: &FlowDelta) -> Numbers {
    let mut numbers = key_numbers(&delta.key);
    numbers.extend([
        ("bytes", delta.bytes.into()),
        ("first", delta.first.as_ns().into()),
        ("last", delta.last.as_ns().into()),
        ("packets", delta.packets.into()),
        ("tcp_flags", delta.tcp_flags.into()),
        ("first_tcp_flags", delta.first_tcp_flags.into()),
        ("opened", delta.opened.into()),
        ("reason", delta.ended.map_or(0, |reason| reason as i128)),
    ]);
    numbers
}

fn sample_numbers(sample: &Sample) -> Numbers {
    vec![
        ("time", sample.time.as_ns().into()),
        ("wire_bytes", sample.wire_bytes.into()),
        (
            "captured",
            i128::try_from(sample.bytes.len()).unwrap_or_default(),
        ),
    ]
}
