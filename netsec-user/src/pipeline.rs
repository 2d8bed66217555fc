//! From a source's events to what the outputs say.

mod detecting;
mod enforcing;
mod logs;
mod settings;
mod showing;

use std::io;

use netsec_common::ledger::Snapshot;

pub use self::enforcing::DecisionCounts;
use self::enforcing::Enforcing;
pub use self::settings::PipelineSettings;
use crate::anomaly::Traffic;
use crate::connection::{ConnectionTable, Ended, Handshakes, KeyHash, RecentTraffic};
use crate::correlate::Correlator;
use crate::decide::DroppedPackets;
use crate::detect::Detectors;
use crate::event::{FlowDelta, Sample, Sink};
use crate::finding::Severity;
use crate::hook::{Hook, HookId};
use crate::log::{LogError, LogReader};
use crate::output::Output;
use crate::summary::{HookSummary, Summary, Tally, Volume};
use crate::time::WallTime;

/// Activities of connections that are gone, after which the detectors are told at once.
const ACTIVITIES_MAX: usize = 1 << 16;

/// What a source knows of one hook at one moment.
#[derive(Clone, Copy, Debug)]
pub struct HookReading {
    /// Which hook.
    pub hook: HookId,
    /// Its counters since the start.
    pub ledger: Snapshot,
    /// Slots that could not be read between two packets, since the start.
    pub torn_reads: u64,
}

/// Joins, filters, adds up, and writes.
#[derive(Debug)]
pub struct Pipeline<O> {
    settings: PipelineSettings,
    output: O,
    /// For each hook, the number of its interface: hooks of one interface share it.
    interfaces: Vec<u16>,
    hooks: Vec<Hook>,
    table: ConnectionTable,
    handshakes: Handshakes,
    recent: RecentTraffic,
    /// Whether somebody may ask what a block would cut.
    decides: bool,
    interval: Part,
    total: Part,
    packets_written: u64,
    ended: Vec<Ended>,
    detectors: Option<Detectors>,
    traffic: Option<Traffic>,
    /// End of the last second that detectors and features looked at.
    looked: WallTime,
    worst: Option<Severity>,
    failed: Option<io::Error>,
    correlator: Option<Correlator>,
    enforcing: Option<Enforcing>,
    dropped: DroppedPackets,
    /// Logs that are read at the end, when all connections are known.
    logs: Vec<LogReader>,
    log_errors: Vec<LogError>,
}

/// What was counted in a part of the run.
#[derive(Debug)]
struct Part {
    start: Option<WallTime>,
    tally: Tally,
    opened: u64,
    ended: u64,
    read: Volume,
    /// The same of packets in tunnels.
    read_inner: Volume,
    torn_reads: u64,
    /// The ledgers at the start.
    ledgers: Vec<Snapshot>,
}

impl Part {
    fn new(settings: &PipelineSettings) -> Self {
        Self {
            start: None,
            tally: Tally::new(&KeyHash::new(settings.hash_keys)),
            opened: 0,
            ended: 0,
            read: Volume::default(),
            read_inner: Volume::default(),
            torn_reads: 0,
            ledgers: Vec::new(),
        }
    }
}

impl<O: Output> Pipeline<O> {
    /// A pipeline that has seen nothing yet.
    #[must_use]
    pub fn new(settings: PipelineSettings, output: O) -> Self {
        let mut table = ConnectionTable::new(settings.timeouts, settings.hash_keys);
        let detect = settings.detect.clone();
        let detectors = detect.map(|detect| Detectors::new(detect, settings.hash_keys));
        if detectors.is_some() {
            table.watch();
        }
        Self {
            table,
            detectors,
            traffic: None,
            looked: WallTime::default(),
            worst: None,
            interval: Part::new(&settings),
            total: Part::new(&settings),
            settings,
            output,
            handshakes: Handshakes::default(),
            recent: RecentTraffic::default(),
            decides: false,
            interfaces: Vec::new(),
            hooks: Vec::new(),
            packets_written: 0,
            ended: Vec::new(),
            failed: None,
            correlator: None,
            enforcing: None,
            dropped: DroppedPackets::default(),
            logs: Vec::new(),
            log_errors: Vec::new(),
        }
    }

    /// The output, with all that was written to it.
    pub fn into_output(self) -> O {
        self.output
    }

    /// Makes a hook known, and gives its number.
    pub fn add_hook(&mut self, hook: Hook) -> HookId {
        let id = u16::try_from(self.hooks.len()).unwrap_or(u16::MAX);
        let interface = self
            .hooks
            .iter()
            .zip(&self.interfaces)
            .find(|(known, _)| known.interface == hook.interface)
            .map_or(id, |(_, interface)| *interface);
        self.output.add_hook(&hook);
        self.hooks.push(hook);
        self.interfaces.push(interface);
        HookId(id)
    }

    /// The hooks, in the order of their numbers.
    pub fn hooks(&self) -> &[Hook] {
        &self.hooks
    }

    /// Marks the beginning of traffic time.
    pub fn start(&mut self, now: WallTime) {
        self.interval.start.get_or_insert(now);
        self.total.start.get_or_insert(now);
    }

    /// Whether the packet limit is reached or the output has failed.
    #[must_use]
    pub fn is_done(&self) -> bool {
        let limit = self.settings.packet_limit;
        self.failed.is_some() || limit.is_some_and(|limit| self.packets_written >= limit)
    }

    /// When the next summary is due.
    #[must_use]
    pub fn next_summary(&self) -> Option<WallTime> {
        Some(self.interval.start?.plus(self.settings.interval?))
    }

    /// Moves traffic time on: ends connections, and sums up when the interval is over.
    ///
    /// Everything the sources counted before `now` has to be delivered by then.
    ///
    /// # Errors
    ///
    /// The writer's.
    pub fn tick(&mut self, now: WallTime, readings: &[HookReading]) -> io::Result<()> {
        let mut ended = std::mem::take(&mut self.ended);
        self.table.expire(now, &mut ended);
        self.write_ended(&mut ended);
        self.ended = ended;
        self.detect(now);
        self.try_out(now)?;
        if let Some(correlator) = &mut self.correlator {
            correlator.tick(now);
            logs::tell(correlator, &mut self.output, now)?;
        }
        if let (Some(due), Some(interval)) = (self.next_summary(), self.settings.interval)
            && now >= due
        {
            let summary = self.sum_up(&self.interval, due, readings, false);
            self.output.summary(&summary)?;
            self.count_losses(&summary);
            if let Some(correlator) = &mut self.correlator {
                correlator.compare(now);
                logs::tell(correlator, &mut self.output, now)?;
            }
            // A quiet stretch of several intervals gives one summary, not many empty ones.
            let interval_ns = i64::try_from(interval.as_nanos())
                .unwrap_or(i64::MAX)
                .max(1);
            let behind = now.ns_since(due) / interval_ns;
            let next = due.plus_ns(behind.saturating_mul(interval_ns));
            self.begin_interval(next, readings);
        }
        self.check()?;
        self.output.flush()
    }

    /// Writes what is still open, and the last summary.
    ///
    /// # Errors
    ///
    /// The writer's.
    pub fn finish(&mut self, now: WallTime, readings: &[HookReading]) -> io::Result<()> {
        self.check()?;
        let mut ended = std::mem::take(&mut self.ended);
        self.table.drain(&mut ended);
        self.write_ended(&mut ended);
        self.detect_last(now);
        self.check()?;
        self.begin_interval(now, readings);
        let summary = self.sum_up(&self.total, now, readings, true);
        self.count_losses(&summary);
        self.finish_logs(now)?;
        self.try_out(now)?;
        self.output.summary(&summary)?;
        self.output.flush()
    }

    /// Adds the interval to the total and begins a new one.
    fn begin_interval(&mut self, start: WallTime, readings: &[HookReading]) {
        let done = std::mem::replace(&mut self.interval, Part::new(&self.settings));
        self.total.tally.merge(&done.tally);
        self.total.opened += done.opened;
        self.total.ended += done.ended;
        self.total.read.add(done.read);
        self.total.read_inner.add(done.read_inner);
        self.interval.start = Some(start);
        self.interval.ledgers = readings.iter().map(|reading| reading.ledger).collect();
        self.interval.torn_reads = readings.iter().map(|reading| reading.torn_reads).sum();
    }

    fn sum_up(
        &self,
        part: &Part,
        end: WallTime,
        readings: &[HookReading],
        is_final: bool,
    ) -> Summary {
        let hooks = readings.iter().enumerate().map(|(index, reading)| {
            let before = part.ledgers.get(index).copied().unwrap_or_default();
            HookSummary {
                hook: reading.hook,
                interval: reading.ledger.since(&before),
                total: reading.ledger,
            }
        });
        let torn_reads: u64 = readings.iter().map(|reading| reading.torn_reads).sum();
        Summary {
            start: part.start.unwrap_or(end),
            end,
            is_final,
            hooks: hooks.collect(),
            protocols: part.tally.protocols(),
            talkers: part.tally.talkers(self.settings.top),
            services: part.tally.services(self.settings.top),
            opened: part.opened,
            ended: part.ended,
            active: self.table.len() as u64,
            read: part.read,
            read_inner: self.settings.inner.then_some(part.read_inner),
            findings: self.detect_totals().unwrap_or_default().campaigns,
            torn_reads: torn_reads.saturating_sub(part.torn_reads),
        }
    }

    fn write_ended(&mut self, ended: &mut Vec<Ended>) {
        for Ended { connection, cause } in ended.drain(..) {
            // What is in a tunnel may be made up, handshakes too.
            if !connection.key.is_inner() {
                self.handshakes.note(&connection);
            }
            let told = !connection.key.is_inner() || self.settings.detect_inner;
            if let Some(correlator) = self.correlator.as_mut().filter(|_| told) {
                correlator.ended(&connection);
            }
            if !self.settings.filter.matches_connection(&connection.key) {
                continue;
            }
            self.interval.ended += 1;
            if self.settings.connections && self.failed.is_none() {
                let written = self
                    .output
                    .connection(&connection, connection.state(), cause);
                self.failed = written.err();
            }
        }
    }

    fn check(&mut self) -> io::Result<()> {
        self.failed.take().map_or(Ok(()), Err)
    }
}

impl<O: Output> Sink for Pipeline<O> {
    fn sample(&mut self, sample: Sample) {
        if self.is_done() {
            return;
        }
        self.dropped.note(&sample);
        let view = self.view(&sample);
        self.detect_packet(sample.time, &view);
        if self.settings.packets && self.wants(&view) {
            self.packets_written += 1;
            self.failed = self.output.packet(&sample, &view).err();
        }
    }

    fn flow(&mut self, delta: &FlowDelta) {
        let volume = Volume {
            bytes: delta.bytes,
            packets: delta.packets,
        };
        let inner = delta.key.is_inner();
        if inner {
            self.interval.read_inner.add(volume);
        } else {
            self.interval.read.add(volume);
            if self.decides {
                self.recent.add(delta);
            }
        }
        let interface = self.interfaces.get(usize::from(delta.hook.0));
        let interface = interface.copied().unwrap_or_default();
        let mut ended = std::mem::take(&mut self.ended);
        let view = self.table.apply(interface, delta, &mut ended);
        self.write_ended(&mut ended);
        self.ended = ended;
        if self.table.activities_waiting() >= ACTIVITIES_MAX {
            self.tell_gone();
        }
        let Some(view) = view else { return };
        let told = !inner || self.settings.detect_inner;
        if let Some(correlator) = self.correlator.as_mut().filter(|_| told) {
            correlator.delta(delta, &view.key, view.opened);
        }
        let filter = &self.settings.filter;
        // The bytes of what is in a tunnel are among the tunnel's.
        if !inner && filter.matches_direction(&delta.key, &view.key) {
            self.interval.tally.add(delta, &view.key);
        }
        if view.opened && self.settings.filter.matches_connection(&view.key) {
            self.interval.opened += 1;
        }
    }
}
