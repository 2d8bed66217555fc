//! Whether the kernel can do what netsec asks of it: found out by trying, on maps and interfaces
//! that nobody else sees.

use std::io;
use std::thread;

use aya::maps::{MapData, MapError};
use aya::programs::{ProgramError, SchedClassifier, TcAttachType};
use netsec_common::ledger::Row;
use nix::sched::{CloneFlags, unshare};
use nix::sys::mman::ProtFlags;

use super::attach::XdpMode;
use super::egress::EgressMeans;
use super::error::KernelError;
use super::interface::Interface;
use super::load::RINGBUF;
use super::shared::Shared;
use super::{KernelEngine, load};

/// `BPF_MAP_TYPE_ARRAY` of `linux/bpf.h`.
const ARRAY: u32 = 2;

/// `BPF_F_MMAPABLE` of `linux/bpf.h`.
const MMAPABLE: u32 = 1 << 10;

/// A power of two, and at least a page on every machine.
const RING_BYTES: u32 = 1 << 16;

/// The probes' name for their maps.
const NAME: &str = "netsec_probe";

/// The loopback interface of a network namespace is always its first.
const LOOPBACK_INDEX: u32 = 1;

/// The shortest Ethernet frame, without its check sequence, from nobody to nobody.
const FRAME: [u8; 60] = [0; 60];

/// Creates a ring buffer and lets it go.
///
/// # Errors
///
/// The kernel's: `EPERM` without privilege, `EINVAL` before Linux 5.8, `ENOSYS` without bpf(2).
pub fn ring_buffer() -> io::Result<()> {
    create(RINGBUF, 0, 0, RING_BYTES, 0).map(drop)
}

/// Creates an array, maps it into memory and lets it go.
///
/// # Errors
///
/// The kernel's: `EPERM` without privilege, `EINVAL` before Linux 5.5.
pub fn mmapable_array() -> io::Result<()> {
    let value_bytes = u32::try_from(size_of::<Row>()).unwrap_or(u32::MAX);
    let array = create(ARRAY, 4, value_bytes, 1, MMAPABLE)?;
    Shared::<Row>::map(array.fd(), 1, ProtFlags::PROT_READ).map(drop)
}

/// The names of the TCX programs on what an interface sends.
///
/// # Errors
///
/// The kernel's: `EPERM` without privilege, `EINVAL` where there is no TCX (before Linux 6.6).
pub fn tcx_programs(interface: &str) -> io::Result<Vec<String>> {
    let (_, programs) =
        SchedClassifier::query_tcx(interface, TcAttachType::Egress).map_err(program_error)?;
    let name =
        |program: &aya::programs::ProgramInfo| program.name_as_str().unwrap_or_default().to_owned();
    Ok(programs.iter().map(name).collect())
}

/// CPUs that can ever run: each has a part of the flow table and its own rings.
///
/// # Errors
///
/// When the kernel does not say.
pub fn possible_cpus() -> Result<u32, KernelError> {
    load::cpus()
}

/// What came of attaching to the loopback interface of a network namespace of its own.
#[derive(Debug)]
pub struct Trial {
    /// The XDP program, by a link (Linux 5.9), in generic mode.
    pub xdp: Result<(), KernelError>,
    /// The egress program.
    pub egress: Result<EgressMeans, KernelError>,
    /// A frame through the attached program as if it were received (Linux 5.18).
    pub live_frame: Result<(), KernelError>,
}

/// Attaches both engines to an interface that goes with this call; no other network namespace sees
/// anything of it.
///
/// # Errors
///
/// When no network namespace can be made: it takes `CAP_SYS_ADMIN`.
pub fn try_in_new_namespace(
    ingress: &mut KernelEngine,
    egress: &mut KernelEngine,
) -> io::Result<Trial> {
    thread::scope(|scope| {
        // The namespace is that of a thread, and ends with it.
        let inside = scope.spawn(|| {
            unshare(CloneFlags::CLONE_NEWNET)?;
            Ok(attach_both(ingress, egress))
        });
        inside
            .join()
            .unwrap_or_else(|_panic| Err(io::Error::other("the probing thread panicked")))
    })
}

fn attach_both(ingress: &mut KernelEngine, egress: &mut KernelEngine) -> Trial {
    let loopback = Interface::loopback(LOOPBACK_INDEX);
    let xdp = ingress.attach(&loopback, XdpMode::Skb);
    let live_frame = ingress.live_frames(&FRAME, 1, LOOPBACK_INDEX);
    let egress = egress.attach_egress(&loopback);
    Trial {
        xdp: xdp.map(drop),
        egress: egress.map(|attachment| attachment.means),
        live_frame,
    }
}

impl KernelEngine {
    /// Bytes of machine code that the kernel made of the program; 0 when it interprets it, or does
    /// not tell this process.
    #[must_use]
    pub fn machine_code_bytes(&self) -> u32 {
        self.program_info().map_or(0, |info| info.size_jitted())
    }
}

fn create(kind: u32, key: u32, value: u32, entries: u32, flags: u32) -> io::Result<MapData> {
    load::lift_memory_limit();
    let definition = aya_obj::Map::new_from_params(kind, key, value, entries, flags);
    MapData::create(definition, NAME, None).map_err(map_error)
}

fn map_error(error: MapError) -> io::Error {
    if let MapError::CreateError { io_error, .. } = error {
        io_error
    } else {
        io::Error::other(error)
    }
}

fn program_error(error: ProgramError) -> io::Error {
    if let ProgramError::SyscallError(error) = error {
        error.io_error
    } else {
        io::Error::other(error)
    }
}
