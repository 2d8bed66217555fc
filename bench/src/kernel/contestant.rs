//! The programs that are measured.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use aya::EbpfLoader;
use aya::programs::Xdp;
use aya::{Ebpf, util::nr_cpus};
use netsec_common::flow::FIXED_HASH_KEYS;
use netsec_common::ledger::Counter;
use netsec_common::sample::Sampling;
use netsec_tests::kernel::Counted;
use netsec_user::hook::HookId;
use netsec_user::object;
use netsec_user::settings::EngineSettings;
use netsec_user::source::kernel::{KernelEngine, KernelSettings};
use nix::mount::{MsFlags, mount, umount};
use nix::sched::{CloneFlags, unshare};

use crate::driver::{CAPACITY, Driver};

/// Debian's xdp-filter (package `libxdp1`): passes what is on no list, by address.
const XDP_FILTER: &str = "/usr/lib/x86_64-linux-gnu/bpf/xdpfilt_alw_ip.o";

/// Room for the records of a round in which every packet is a new flow.
const RECORDS_RING_BYTES: u32 = 64 << 20;

/// A program that takes its turn.
pub(crate) struct Contestant {
    pub(crate) name: String,
    number: u32,
    kind: Kind,
}

enum Kind {
    /// One of the driver's object.
    Peer,
    /// From elsewhere; kept loaded.
    Other {
        _ebpf: Ebpf,
    },
    Netsec(Box<Netsec>),
}

struct Netsec {
    engine: KernelEngine,
    sent: u64,
    read: Counted,
}

impl Contestant {
    /// A program of the driver's object.
    pub(crate) fn peer(driver: &mut Driver, name: &str) -> Result<Self> {
        Ok(Self {
            name: name.to_owned(),
            number: driver.install_peer(name)?,
            kind: Kind::Peer,
        })
    }

    /// Takes its turn, and gives the nanoseconds a packet.
    pub(crate) fn run(&mut self, driver: &mut Driver, first: u64, packets: u32) -> Result<f64> {
        let time = driver.run(self.number, first, packets)?;
        if let Kind::Netsec(netsec) = &mut self.kind {
            netsec.sent += u64::from(packets);
            netsec.engine.drain(&mut netsec.read);
        }
        Ok(time)
    }

    /// What netsec counted against what was sent, to the packet.
    pub(crate) fn conservation(&mut self) -> Result<Option<String>> {
        let Kind::Netsec(netsec) = &mut self.kind else {
            return Ok(None);
        };
        netsec.engine.read(&mut netsec.read)?;
        let ledger = netsec.engine.ledger_exact();
        let (sent, read) = (netsec.sent, netsec.read.packets);
        let lost = ledger.get(Counter::RecordsLostPackets);
        for (what, counted) in [
            ("frames", ledger.get(Counter::Frames)),
            ("packets in flows", ledger.get(Counter::FlowPackets)),
            ("packets read or counted as lost", read + lost),
        ] {
            ensure!(counted == sent, "{sent} packets sent, {counted} {what}");
        }
        Ok(Some(format!(
            "{}: sent {sent} = in flows {sent} = read {read} + lost {lost}; {} flows evicted, {} samples, {} lost",
            self.name,
            ledger.get(Counter::FlowsEvicted),
            ledger.get(Counter::Samples),
            ledger.get(Counter::SamplesLost),
        )))
    }
}

/// netsec as it is built in, without samples as the peers have none, and as it runs by default; then
/// other builds of it.
pub(crate) fn netsec(
    driver: &mut Driver,
    others: &[PathBuf],
    replace: bool,
) -> Result<Vec<Contestant>> {
    let object = object::embedded().context("no kernel object (try: cargo xtask bench)")?;
    let mut all = Vec::new();
    if !replace {
        for (name, sampling) in [
            ("netsec", Sampling::Off),
            ("netsec first:4", Sampling::FirstOfFlow(4)),
        ] {
            all.push(load(driver, name.to_owned(), object, sampling)?);
        }
    }
    for path in others {
        let object = fs::read(path).with_context(|| path.display().to_string())?;
        let name = path.file_name().unwrap_or(path.as_os_str());
        let name = format!("netsec of {}", name.to_string_lossy());
        all.push(load(driver, name, &object, Sampling::Off)?);
    }
    Ok(all)
}

/// As netsec is measured: with as much room for flows as its peers have.
pub(crate) fn settings(sampling: Sampling) -> Result<KernelSettings> {
    let cpus = nr_cpus().map_err(|(path, error)| anyhow::anyhow!("{path}: {error}"))?;
    Ok(KernelSettings {
        engine: EngineSettings {
            // Packets come on one CPU: its share is as large as a peer's table.
            slots: CAPACITY * u32::try_from(cpus)?,
            sampling,
            snap_bytes: 192,
            idle_timeout: Duration::from_secs(60),
            hash_keys: FIXED_HASH_KEYS,
            inner: false,
        },
        records_ring_bytes: RECORDS_RING_BYTES,
        packets_ring_bytes: 0,
        kernel_log: false,
    })
}

fn load(
    driver: &mut Driver,
    name: String,
    object: &[u8],
    sampling: Sampling,
) -> Result<Contestant> {
    let settings = settings(sampling)?;
    let engine = KernelEngine::load(object, HookId(0), &settings)?;
    let number = driver.install(&engine.program_info()?.fd()?)?;
    let netsec = Netsec {
        engine,
        sent: 0,
        read: Counted::default(),
    };
    Ok(Contestant {
        name,
        number,
        kind: Kind::Netsec(Box::new(netsec)),
    })
}

/// Debian's xdp-filter with an empty list.
pub(crate) fn xdp_filter(driver: &mut Driver) -> Result<Contestant> {
    let path = Path::new(XDP_FILTER);
    let object = fs::read(path)
        .with_context(|| format!("{} (try: apt-get install xdp-tools)", path.display()))?;
    let mut ebpf = load_pinned(&mut EbpfLoader::new(), &object)?;
    let (_, program) = ebpf.programs_mut().next().context("no program in it")?;
    let program: &mut Xdp = program.try_into()?;
    program.load()?;
    let number = driver.install(&program.fd()?.try_clone()?)?;
    Ok(Contestant {
        name: "xdp-filter".to_owned(),
        number,
        kind: Kind::Other { _ebpf: ebpf },
    })
}

/// Loads an object whose maps want to be pinned: in a BPF filesystem that only this process sees,
/// and only until they are loaded.
pub(crate) fn load_pinned(loader: &mut EbpfLoader<'_>, object: &[u8]) -> Result<Ebpf> {
    const NO_TEXT: Option<&str> = None;
    let folder = tempfile::tempdir()?;
    unshare(CloneFlags::CLONE_NEWNS)?;
    let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    mount(NO_TEXT, "/", NO_TEXT, private, NO_TEXT)?;
    let mounted = mount(
        Some("bpf"),
        folder.path(),
        Some("bpf"),
        MsFlags::empty(),
        NO_TEXT,
    );
    mounted.context("no BPF filesystem")?;
    let ebpf = loader.default_map_pin_directory(folder.path()).load(object);
    umount(folder.path())?;
    Ok(ebpf?)
}
