//! Frames through the engine: every packet is in a slot, in a record, or counted as lost.

use std::collections::BTreeMap;

use arbitrary::{Result, Unstructured};
use netsec_common::fixtures::{Case, Rig, Table};
use netsec_common::flow::{FlowRecord, WAYS};
use netsec_common::ledger::Counter;
use netsec_common::packet::FlowKey;
use netsec_common::sample::{SAMPLE_BYTES_MAX, Sampling};
use netsec_common::ticks::Ticks;
use netsec_user::source::delta::{Change, DeltaReader};

use crate::frame::{self, Given};

/// What a step's first byte asks for; any other is one more frame.
mod step {
    pub(super) const READ: u8 = 0;
    pub(super) const RECORDS_FULL: u8 = 1;
    pub(super) const RECORDS_TAKEN: u8 = 2;
    pub(super) const SAMPLES_FULL: u8 = 3;
    pub(super) const SAMPLES_TAKEN: u8 = 4;
    pub(super) const SAMPLING: u8 = 5;
    pub(super) const REPEAT: u8 = 6;
    pub(super) const LONG_PAUSE: u8 = 7;
    pub(super) const FRAME: u8 = 8;
}

/// Runs the steps that the input describes, and checks the books after each.
pub fn check(data: &[u8]) {
    let mut input = Unstructured::new(data);
    if let Ok(mut bench) = Bench::new(&mut input) {
        while !input.is_empty() && bench.step(&mut input).is_ok() {}
        bench.read();
        bench.check_deltas();
    }
}

/// Frames that one seed holds.
const TOGETHER: usize = 12;

/// The fixtures' frames, each alone and repeated, and some together: as they are, with readings
/// between, with a full record queue, with long pauses.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    const AGAIN: [u8; 5] = [step::REPEAT, 130, step::READ, step::REPEAT, 3];
    const PAUSE: [u8; 7] = [step::REPEAT, 2, step::LONG_PAUSE, 0, 0, 0, 0x10];
    let cases: Vec<_> = frame::all_cases().collect();
    let mut seeds = Vec::new();
    for case in &cases {
        seeds.push([head(0), step_of(case), AGAIN.to_vec()].concat());
    }
    for some in cases.chunks(TOGETHER) {
        for between in [&[][..], &[step::READ], &[step::RECORDS_FULL], &PAUSE] {
            let steps = some.iter().map(|case| [&step_of(case), between].concat());
            seeds.push([head(0), steps.collect::<Vec<_>>().concat()].concat());
        }
    }
    seeds
}

fn head(set_bits: u8) -> Vec<u8> {
    let idle = 50_u16.to_le_bytes();
    let sampling = [1, 2];
    let snap = 64_u16.to_le_bytes();
    [
        vec![set_bits],
        idle.to_vec(),
        sampling.to_vec(),
        snap.to_vec(),
    ]
    .concat()
}

fn step_of(case: &Case) -> Vec<u8> {
    let later = 10_i16.to_le_bytes();
    [
        vec![step::FRAME],
        later.to_vec(),
        frame::written_counted(case),
    ]
    .concat()
}

/// Packets and bytes.
type Volume = (u64, u64);

/// Packets and bytes by flow.
type Sums = BTreeMap<FlowKey, Volume>;

fn add(sums: &mut Sums, key: FlowKey, (packets, bytes): Volume) {
    let sum = sums.entry(key).or_default();
    *sum = (sum.0 + packets, sum.1 + bytes);
}

fn total(volumes: impl IntoIterator<Item = Volume>) -> Volume {
    volumes
        .into_iter()
        .fold((0, 0), |sum, volume| (sum.0 + volume.0, sum.1 + volume.1))
}

fn volume(record: &FlowRecord) -> Volume {
    (record.packets.into(), record.bytes)
}

/// An engine, its reader, and what each of them was given.
struct Bench {
    rig: Rig,
    reader: DeltaReader,
    now: Ticks,
    last: Option<Given>,
    given: Sums,
    delivered: Sums,
    opened: u64,
    records_read: usize,
}

impl Bench {
    fn new(input: &mut Unstructured<'_>) -> Result<Self> {
        let rig = Rig::new(u32::from(input.arbitrary::<u8>()? % 3));
        rig.control.set_idle_ticks(input.arbitrary::<u16>()?.into());
        let reader = DeltaReader::new(Table::FIRST_SLOT as usize / WAYS + rig.table.sets.len());
        let bench = Self {
            rig,
            reader,
            now: Ticks(0),
            last: None,
            given: Sums::new(),
            delivered: Sums::new(),
            opened: 0,
            records_read: 0,
        };
        bench.set_sampling(input)?;
        Ok(bench)
    }

    fn set_sampling(&self, input: &mut Unstructured<'_>) -> Result<()> {
        let (mode, n) = (input.arbitrary::<u8>()? % 5, input.arbitrary::<u8>()?);
        let snap = input.arbitrary::<u16>()?;
        let sampling = Sampling::from_abi(u64::from(mode) << 32 | u64::from(n));
        self.rig.sample(sampling, snap.into());
        Ok(())
    }

    fn step(&mut self, input: &mut Unstructured<'_>) -> Result<()> {
        match input.arbitrary()? {
            step::READ => {
                self.read();
                self.check_deltas();
            }
            step::RECORDS_FULL => self.rig.table.records.full.set(true),
            step::RECORDS_TAKEN => self.rig.table.records.full.set(false),
            step::SAMPLES_FULL => self.rig.samples.full.set(true),
            step::SAMPLES_TAKEN => self.rig.samples.full.set(false),
            step::SAMPLING => self.set_sampling(input)?,
            step::REPEAT => {
                if let Some(given) = self.last.clone() {
                    (0..input.arbitrary::<u8>()?).for_each(|_| self.frame(&given));
                }
            }
            step::LONG_PAUSE => self.pause(input.arbitrary()?),
            _ => {
                self.pause(input.arbitrary::<i16>()?.into());
                let given = Given::counted(input)?;
                self.frame(&given);
                self.last = Some(given);
            }
        }
        Ok(())
    }

    fn pause(&mut self, ticks: i32) {
        self.now = Ticks(self.now.0.wrapping_add_signed(ticks));
    }

    /// Runs a frame, and checks that it moved what it has to and nothing else.
    fn frame(&mut self, given: &Given) {
        let before = self.rig.counters();
        let samples = self.rig.samples.sent.borrow().len();
        given.lend(|frame| self.rig.process(frame, self.now));
        let after = self.rig.counters();
        let moved = after.since(&before);
        let wire_bytes = u64::from(given.wire_bytes);
        assert_eq!(after.imbalance(), 0);
        assert_eq!(
            (
                moved.get(Counter::Frames),
                moved.get(Counter::Bytes),
                moved.explained()
            ),
            (1, wire_bytes, 1)
        );
        let flow = (
            moved.get(Counter::FlowPackets),
            moved.get(Counter::FlowBytes),
        );
        match given.parse() {
            Ok(packet) => {
                assert_eq!(flow, (1, wire_bytes));
                add(&mut self.given, packet.key, flow);
            }
            Err(reason) => {
                assert_eq!((flow, moved.get(reason)), ((0, 0), 1), "{}", reason.name());
            }
        }
        let delivery = (moved.get(Counter::Samples), moved.get(Counter::SamplesLost));
        self.check_sample(given, samples, delivery);
        self.check_conservation();
    }

    fn check_sample(&self, given: &Given, before: usize, (sent, lost): Volume) {
        let samples = self.rig.samples.sent.borrow();
        let new = samples.get(before..).unwrap_or_default();
        assert_eq!((new.len() as u64, sent + lost <= 1), (sent, true));
        let control = &self.rig.control;
        match control.sampling() {
            Sampling::All => assert_eq!(sent + lost, 1),
            Sampling::Off => assert_eq!(sent + lost, 0),
            Sampling::FirstOfFlow(_) | Sampling::FirstAndQuestions(_) | Sampling::OneIn(_) => {}
        }
        for (bytes, wire_bytes) in new {
            assert!(given.bytes.starts_with(bytes));
            assert_eq!(*wire_bytes, given.wire_bytes);
            let snap = match control.sampling() {
                Sampling::FirstAndQuestions(_) => control.snap_bytes().max(SAMPLE_BYTES_MAX),
                _ => control.snap_bytes(),
            };
            assert!(bytes.len() <= snap.min(*wire_bytes) as usize);
        }
    }

    /// All packets and bytes given are in a slot, in a record sent, or in a record counted as lost.
    fn check_conservation(&self) {
        let counters = self.rig.counters();
        let pair = |packets, bytes| (counters.get(packets), counters.get(bytes));
        let in_slots = total(self.slots());
        let sent = pair(Counter::ExportedPackets, Counter::ExportedBytes);
        let lost = pair(Counter::RecordsLostPackets, Counter::RecordsLostBytes);
        let given = total(self.given.values().copied());
        assert_eq!(total([in_slots, sent, lost]), given);
        assert_eq!(pair(Counter::FlowPackets, Counter::FlowBytes), given);
    }

    fn slots(&self) -> impl Iterator<Item = Volume> {
        let slots = self.rig.table.sets.iter().flat_map(|set| &set.ways);
        slots.filter_map(|slot| {
            let snapshot = slot.snapshot(1).expect("nobody writes")?;
            Some((snapshot.counts.packets.into(), snapshot.counts.bytes))
        })
    }

    fn read(&mut self) {
        let table = &self.rig.table;
        let records = table.records.sent.borrow();
        let new = records.get(self.records_read..).unwrap_or_default();
        self.records_read = records.len();
        let (delivered, opened) = (&mut self.delivered, &mut self.opened);
        let first = Table::FIRST_SLOT as usize / WAYS;
        self.reader.read(
            (first..).zip(&table.sets),
            |take| new.iter().for_each(take),
            &mut |change: &Change| {
                add(delivered, change.key, (change.packets, change.bytes));
                *opened += u64::from(change.opened);
            },
        );
    }

    /// After a reading, what was delivered of each flow and what was lost of it is all of it.
    fn check_deltas(&self) {
        let mut lost = Sums::new();
        for record in self.rig.table.records.lost.borrow().iter() {
            add(&mut lost, record.key, volume(record));
        }
        assert_eq!(self.reader.torn_reads(), 0);
        assert!(
            self.delivered
                .keys()
                .all(|key| self.given.contains_key(key))
        );
        for (key, given) in &self.given {
            let of = |sums: &Sums| sums.get(key).copied().unwrap_or_default();
            let (delivered, lost) = (of(&self.delivered), of(&lost));
            // Of a lost record the reader may have had a part.
            for (given, delivered, lost) in [
                (given.0, delivered.0, lost.0),
                (given.1, delivered.1, lost.1),
            ] {
                assert!(
                    delivered <= given,
                    "{delivered} of {given} delivered: {key:?}"
                );
                assert!(
                    given <= delivered + lost,
                    "{delivered} + {lost} of {given}: {key:?}"
                );
            }
        }
        let counters = self.rig.counters();
        let opened = counters.get(Counter::FlowsOpened) + counters.get(Counter::FlowsRestarted);
        let lost = counters.get(Counter::RecordsLost);
        assert!(self.opened <= opened && opened <= self.opened + lost);
    }
}
