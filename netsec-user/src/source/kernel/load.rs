//! Loading the object: sizes, configuration, one pair of rings per CPU.

use std::time::Duration;

use aya::maps::{Array, ArrayOfMaps, Map, MapData, RingBuf};
use aya::util::nr_cpus;
use aya::{Ebpf, EbpfLoader};
use aya_log::EbpfLogger;
use log::Log;
use netsec_common::config::{Config, Control, WATCHED_MAX};
use netsec_common::flow::FlowSet;
use netsec_common::ledger::{Row, Snapshot};
use nix::sys::mman::ProtFlags;
use nix::sys::resource::{Resource, setrlimit};
use tokio::time::interval;

use super::super::delta::DeltaReader;
use super::super::reading::TICK_NS;
use super::KernelEngine;
use super::blocks::{BlockMaps, BlockSource};
use super::clock::{self, TickClock};
use super::error::KernelError;
use super::privilege::require_capabilities;
use super::programs::{Programs, load_classifier, load_egress, load_xdp};
use super::shared::{Shared, SharedEntry};
use crate::hook::HookId;
use crate::settings::EngineSettings;

/// `BPF_MAP_TYPE_RINGBUF` of `linux/bpf.h`.
pub(super) const RINGBUF: u32 = 27;

/// `Level::Debug` of aya-log; zero is off, and the verifier then drops the log calls.
const LOG_DEBUG: u8 = 4;

/// How often the kernel side's log is read.
const LOG_PERIOD: Duration = Duration::from_millis(50);

/// What a kernel engine is loaded with.
#[derive(Clone, Copy, Debug)]
pub struct KernelSettings {
    /// What the host's engine has as well.
    pub engine: EngineSettings,
    /// Size of each CPU's record ring, bytes: a power of two, at least a page; 0 is a share of 8 MiB,
    /// at least 256 KiB.
    pub records_ring_bytes: u32,
    /// Size of each CPU's packet ring, bytes: a power of two, at least a page; 0 is a share of 4 MiB,
    /// at least 128 KiB.
    pub packets_ring_bytes: u32,
    /// Whether the kernel side logs what it does, a line a frame.
    pub kernel_log: bool,
}

/// What an engine is loaded for.
pub(super) struct Purpose {
    load: fn(&mut Ebpf, Programs) -> Result<(), KernelError>,
    watched: [u32; WATCHED_MAX],
    /// Test runs on one CPU, which has all slots asked for, at times that are injected. Slots are
    /// freed from user space, between two frames.
    pub(super) is_replay: bool,
    pub(super) blocks: BlockSource,
}

impl Purpose {
    /// To count and rule on what an interface receives.
    pub(super) const fn ingress(blocks: BlockSource) -> Self {
        Self {
            load: load_xdp,
            watched: [0; WATCHED_MAX],
            is_replay: false,
            blocks,
        }
    }
}

impl KernelSettings {
    /// Sizes of a CPU's record ring and packet ring, bytes, when there are `cpus`.
    #[must_use]
    pub fn ring_bytes(&self, cpus: u32) -> (u32, u32) {
        (
            ring_bytes(self.records_ring_bytes, 8 << 20, cpus),
            ring_bytes(self.packets_ring_bytes, 4 << 20, cpus),
        )
    }
}

impl KernelEngine {
    /// Loads `object` into the kernel for what an interface receives. Nothing is attached yet.
    ///
    /// # Errors
    ///
    /// When a capability is missing, the object is not netsec's, or the kernel refuses it.
    pub fn load(
        object: &[u8],
        hook: HookId,
        settings: &KernelSettings,
    ) -> Result<Self, KernelError> {
        let purpose = Purpose::ingress(BlockSource::None);
        Self::load_program(object, hook, settings, &purpose).map(|(engine, _)| engine)
    }

    /// As [`Self::load`], for test runs on one CPU: that one has all slots of the settings.
    pub(super) fn load_replay(
        object: &[u8],
        hook: HookId,
        settings: &KernelSettings,
        blocks: &BlockSource,
    ) -> Result<(Self, Option<BlockMaps>), KernelError> {
        let purpose = Purpose {
            is_replay: true,
            ..Purpose::ingress(blocks.clone())
        };
        Self::load_program(object, hook, settings, &purpose)
    }

    /// Loads `object` into the kernel for what an interface sends. Nothing is attached yet.
    ///
    /// `watched` are the indices of interfaces with an ingress engine of their own: frames that the
    /// host forwards from one of them are counted there, and here as forwarded only. Of more than
    /// [`WATCHED_MAX`] the rest is not told apart.
    ///
    /// # Errors
    ///
    /// As [`KernelEngine::load`].
    pub fn load_egress(
        object: &[u8],
        hook: HookId,
        settings: &KernelSettings,
        watched: &[u32],
    ) -> Result<Self, KernelError> {
        let mut purpose = Purpose {
            load: load_egress,
            watched: [0; WATCHED_MAX],
            is_replay: false,
            blocks: BlockSource::None,
        };
        for (place, index) in purpose.watched.iter_mut().zip(watched) {
            *place = *index;
        }
        Self::load_program(object, hook, settings, &purpose).map(|(engine, _)| engine)
    }

    pub(super) fn load_program(
        object: &[u8],
        hook: HookId,
        settings: &KernelSettings,
        purpose: &Purpose,
    ) -> Result<(Self, Option<BlockMaps>), KernelError> {
        require_capabilities()?;
        lift_memory_limit();
        let cpus = cpus()?;
        let engine = &settings.engine;
        let sets_per_cpu = engine.sets_per_cpu(if purpose.is_replay { 1 } else { cpus });
        let (watched, keys) = (purpose.watched, engine.hash_keys);
        let config = Config::new(sets_per_cpu - 1, cpus, watched, keys);
        let mut ebpf = load_object(object, &config, settings.kernel_log, &purpose.blocks)?;
        let rings = |ebpf: &mut Ebpf, name, bytes| create_rings(ebpf, name, cpus, bytes);
        let (records_bytes, packets_bytes) = settings.ring_bytes(cpus);
        let records = rings(&mut ebpf, "RECORDS", records_bytes)?;
        let packets = rings(&mut ebpf, "PACKETS", packets_bytes)?;
        let programs = Programs::new(engine.inner);
        (purpose.load)(&mut ebpf, programs)?;
        load_classifier(&mut ebpf, clock::PROGRAM, |source| KernelError::Program {
            name: clock::PROGRAM,
            source,
        })?;
        if settings.kernel_log {
            start_log(&mut ebpf);
        }

        let sets = sets_per_cpu as usize * cpus as usize;
        let read_write = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        let flows = if purpose.is_replay {
            read_write
        } else {
            ProtFlags::PROT_READ
        };
        let control: Shared<Control> = share(&ebpf, "CONTROL", 1, read_write)?;
        let clock_map = take_clock_map(&mut ebpf)?;
        let engine = Self {
            hook,
            programs,
            clock: if purpose.is_replay {
                TickClock::replaced(&ebpf, &clock_map, TICK_NS)?
            } else {
                TickClock::measure(&ebpf, &clock_map)?
            },
            control,
            rows: share::<Row>(&ebpf, "LEDGER", cpus as usize, read_write)?,
            sets: share::<FlowSet>(&ebpf, "FLOWS", sets, flows)?,
            config,
            records,
            packets,
            reader: DeltaReader::new(sets),
            ledgers: vec![Snapshot::default(); cpus as usize],
            touched: Vec::new(),
            ebpf,
            clock_map,
        };
        engine.set_control(&settings.engine);
        let blocks = engine.block_maps(purpose, &config)?;
        Ok((engine, blocks))
    }

    /// Writes what can change while the engine runs. No frame comes before this: nothing is
    /// attached yet.
    fn set_control(&self, settings: &EngineSettings) {
        if let [control] = self.control.as_slice() {
            control.set_sampling(settings.sampling);
            control.set_snap_bytes(settings.snap_bytes);
            control.set_idle_ticks(settings.idle_ticks(self.clock.tick_ns()));
        }
    }
}

/// The size asked for, or else a CPU's share of `total` bytes, at least a 32nd of it: many CPUs have
/// less traffic each.
fn ring_bytes(asked: u32, total: u32, cpus: u32) -> u32 {
    if asked != 0 {
        return asked;
    }
    let share = (total / cpus.max(1)).max(total / 32);
    1 << share.ilog2()
}

/// CPUs that can ever run, which is what `bpf_get_smp_processor_id` counts.
pub(super) fn cpus() -> Result<u32, KernelError> {
    let count = nr_cpus().map_err(|(path, error)| KernelError::System {
        what: path,
        reason: error.to_string(),
    })?;
    Ok(u32::try_from(count).unwrap_or(u32::MAX))
}

fn load_object(
    object: &[u8],
    config: &Config,
    kernel_log: bool,
    blocks: &BlockSource,
) -> Result<Ebpf, KernelError> {
    let config_bytes = config.to_bytes();
    let sets = (config.set_mask + 1).saturating_mul(config.cpus);
    let log_level = u8::from(kernel_log) * LOG_DEBUG;
    let mut loader = EbpfLoader::new();
    blocks.apply(&mut loader);
    loader
        .override_global("CONFIG", &config_bytes, true)
        .override_global(aya_log::LEVEL, &log_level, false)
        .map_max_entries("FLOWS", sets)
        .map_max_entries("LEDGER", config.cpus)
        .map_max_entries("RECORDS", config.cpus)
        .map_max_entries("PACKETS", config.cpus)
        .load(object)
        .map_err(|source| KernelError::Load {
            release: release(),
            source: Box::new(source),
        })
}

/// One ring per CPU in an array of rings.
fn create_rings(
    ebpf: &mut Ebpf,
    name: &'static str,
    cpus: u32,
    bytes: u32,
) -> Result<Vec<RingBuf<MapData>>, KernelError> {
    let failed = |source| KernelError::Map { name, source };
    let map = ebpf
        .map_mut(name)
        .ok_or(KernelError::ObjectWithout { name })?;
    let mut outer: ArrayOfMaps<_, RingBuf<MapData>> = map.try_into().map_err(failed)?;
    (0..cpus)
        .map(|cpu| {
            let definition = aya_obj::Map::new_from_params(RINGBUF, 0, 0, bytes, 0);
            let inner = MapData::create(definition, name, None).map_err(failed)?;
            let ring = RingBuf::try_from(Map::RingBuf(inner)).map_err(failed)?;
            outer.set(cpu, &ring, 0).map_err(failed)?;
            Ok(ring)
        })
        .collect()
}

/// Forwards the kernel side's log lines to this process's log, from a task of the runtime.
fn start_log(ebpf: &mut Ebpf) {
    match EbpfLogger::init(ebpf) {
        Ok(logger) => {
            tokio::spawn(forward_log(logger));
        }
        Err(error) => log::warn!("the kernel side's log cannot be read: {error}"),
    }
}

/// Polled like the other rings: a line a frame would be a wake-up a frame.
async fn forward_log(mut logger: EbpfLogger<&'static dyn Log>) {
    let mut due = interval(LOG_PERIOD);
    loop {
        due.tick().await;
        logger.flush();
    }
}

fn share<T: SharedEntry>(
    ebpf: &Ebpf,
    name: &'static str,
    entries: usize,
    protection: ProtFlags,
) -> Result<Shared<T>, KernelError> {
    let map = ebpf.map(name).ok_or(KernelError::ObjectWithout { name })?;
    let Map::Array(data) = map else {
        return Err(KernelError::ObjectWithout { name });
    };
    Shared::map(data.fd(), entries, protection)
        .map_err(|source| KernelError::Share { name, source })
}

fn take_clock_map(
    ebpf: &mut Ebpf,
) -> Result<Array<MapData, [u8; clock::READING_BYTES]>, KernelError> {
    const NAME: &str = "CLOCK";
    let map = ebpf
        .take_map(NAME)
        .ok_or(KernelError::ObjectWithout { name: NAME })?;
    Array::try_from(map).map_err(|source| KernelError::Map { name: NAME, source })
}

/// Kernels before 5.11 count map memory against this limit.
pub(super) fn lift_memory_limit() {
    const NO_LIMIT: u64 = u64::MAX;
    if let Err(error) = setrlimit(Resource::RLIMIT_MEMLOCK, NO_LIMIT, NO_LIMIT) {
        log::debug!("RLIMIT_MEMLOCK stays as it is: {error}");
    }
}

pub(super) fn release() -> String {
    nix::sys::utsname::uname().map_or_else(
        |error| error.to_string(),
        |name| format!("Linux {}", name.release().to_string_lossy()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rings_are_shared_out_over_the_cpus() {
        assert_eq!(ring_bytes(4096, 8 << 20, 2), 4096);
        assert_eq!(ring_bytes(0, 8 << 20, 1), 8 << 20);
        assert_eq!(ring_bytes(0, 8 << 20, 3), 2 << 20);
        assert_eq!(ring_bytes(0, 8 << 20, 256), 256 << 10);
    }
}
