//! The kernel side under test: whether it can be, and an engine to put frames through.

use std::env;
use std::fs;
use std::time::Duration;

use anyhow::{Context as _, bail};
use aya::Ebpf;
use aya::programs::Xdp;
use netsec_common::flow::FIXED_HASH_KEYS;
use netsec_common::sample::Sampling;
use netsec_user::event::{FlowDelta, Sample, Sink};
use netsec_user::hook::HookId;
use netsec_user::object;
use netsec_user::settings::EngineSettings;
use netsec_user::source::kernel::{Interface, KernelEngine, KernelError, KernelSettings};
use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;
use tokio::runtime::Builder;

/// `XDP_PASS` of `linux/bpf.h`.
pub const XDP_PASS: u32 = 2;

/// Each makes a kernel that cannot be tested an error.
const REQUIRED: [&str; 2] = ["CI", "NETSEC_REQUIRE_KERNEL"];

/// `CAP_NET_ADMIN`, `CAP_NET_RAW` and `CAP_SYS_ADMIN` of `linux/capability.h`: to attach programs,
/// to send raw frames, to make network namespaces.
const CAPABILITIES: u64 = 1 << 12 | 1 << 13 | 1 << 21;

/// The kernel object, or `None` when the tests of it cannot run here and need not: the caller then
/// skips its test, which has been said on standard error.
///
/// # Errors
///
/// When they cannot run, and `CI` or `NETSEC_REQUIRE_KERNEL` is set to something other than
/// nothing.
#[expect(
    clippy::print_stderr,
    reason = "a test that is skipped has to say so, and the harness shows nothing else"
)]
pub fn object() -> anyhow::Result<Option<&'static [u8]>> {
    let missing = match object::embedded() {
        None => "netsec was built without its kernel object (try: cargo xtask test)",
        Some(_) if !is_privileged()? => {
            "no root (CAP_SYS_ADMIN, CAP_NET_ADMIN and CAP_NET_RAW) to load programs and make \
             network namespaces"
        }
        Some(object) => return Ok(Some(object)),
    };
    let set = |name: &&str| env::var_os(name).is_some_and(|value| !value.is_empty());
    if let Some(name) = REQUIRED.iter().find(|name| set(name)) {
        bail!("{missing}; {name} is set, so the kernel tests are required");
    }
    eprintln!("SKIPPED: {missing}");
    Ok(None)
}

fn is_privileged() -> anyhow::Result<bool> {
    let status = fs::read_to_string("/proc/thread-self/status")?;
    let effective = status
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .context("/proc/thread-self/status has no CapEff")?;
    Ok(effective & CAPABILITIES == CAPABILITIES)
}

/// Room for 4096 flows, no sampling, no idle timeout, rings of 1 MiB, fixed hash keys.
#[must_use]
pub const fn settings() -> KernelSettings {
    KernelSettings {
        engine: EngineSettings {
            slots: 4096,
            sampling: Sampling::Off,
            snap_bytes: 192,
            idle_timeout: Duration::ZERO,
            hash_keys: FIXED_HASH_KEYS,
            inner: false,
        },
        records_ring_bytes: 1 << 20,
        packets_ring_bytes: 1 << 20,
        kernel_log: false,
    }
}

/// Loads an engine.
///
/// # Errors
///
/// [`KernelError`].
pub fn load(object: &[u8], settings: &KernelSettings) -> Result<KernelEngine, KernelError> {
    KernelEngine::load(object, HookId(0), settings)
}

/// Looks an interface up in the network namespace of this thread.
///
/// # Errors
///
/// [`KernelError::NoSuchInterface`].
pub fn interface(name: &str) -> anyhow::Result<Interface> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(Interface::find(name))?)
}

/// netsec's object with its program named `others`: somebody else's, to the kernel. Loaded, not
/// attached.
///
/// # Errors
///
/// The kernel's refusal.
pub fn foreign(object: &[u8]) -> anyhow::Result<Ebpf> {
    const NETSEC: &[u8] = b"\0netsec\0";
    const OTHERS: &[u8] = b"\0others\0";
    let mut object = object.to_vec();
    let names: Vec<_> = object
        .windows(NETSEC.len())
        .enumerate()
        .filter_map(|(at, bytes)| (bytes == NETSEC).then_some(at))
        .collect();
    for at in names {
        object.splice(at..at + OTHERS.len(), OTHERS.iter().copied());
    }
    let mut ebpf = Ebpf::load(&object)?;
    let program = ebpf.program_mut("others").context("no such program")?;
    let program: &mut Xdp = program.try_into()?;
    program.load()?;
    Ok(ebpf)
}

/// Keeps this thread on one CPU, so that its frames share one part of the flow table.
///
/// # Errors
///
/// When there is no such CPU.
pub fn stay_on_cpu(cpu: usize) -> anyhow::Result<()> {
    let mut set = CpuSet::new();
    set.set(cpu)?;
    sched_setaffinity(Pid::from_raw(0), &set).with_context(|| format!("CPU {cpu}"))
}

/// Keeps what an engine delivers.
#[derive(Debug, Default)]
pub struct Collected {
    /// Header samples, in the order of delivery.
    pub samples: Vec<Sample>,
    /// Flow deltas, in the order of delivery.
    pub deltas: Vec<FlowDelta>,
}

impl Collected {
    /// Packets and bytes of all deltas.
    #[must_use]
    pub fn volume(&self) -> (u64, u64) {
        let add =
            |(packets, bytes), delta: &FlowDelta| (packets + delta.packets, bytes + delta.bytes);
        self.deltas.iter().fold((0, 0), add)
    }
}

impl Sink for Collected {
    fn sample(&mut self, sample: Sample) {
        self.samples.push(sample);
    }

    fn flow(&mut self, delta: &FlowDelta) {
        self.deltas.push(*delta);
    }
}

/// Adds up what an engine delivers, for more of it than should be kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// Header samples.
    pub samples: u64,
    /// Packets of all deltas.
    pub packets: u64,
    /// Bytes of all deltas.
    pub bytes: u64,
}

impl Sink for Counted {
    fn sample(&mut self, _sample: Sample) {
        self.samples += 1;
    }

    fn flow(&mut self, delta: &FlowDelta) {
        self.packets += delta.packets;
        self.bytes += delta.bytes;
    }
}
