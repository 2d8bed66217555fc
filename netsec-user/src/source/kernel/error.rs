//! What can go wrong at the kernel's door, and what to do about it.

use std::io;
use std::path::PathBuf;

use aya::EbpfError;
use aya::maps::MapError;
use aya::programs::ProgramError;
use netsec_common::ABI_VERSION;

use super::interface::XdpOnInterface;

/// Why live traffic cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum KernelError {
    /// The binary was built without the eBPF object.
    #[error(
        "this netsec was built without its eBPF object\n\
         try: cargo xtask build-ebpf, then build netsec again; or cargo xtask run, which does both"
    )]
    NoObject,
    /// The process may not load or attach eBPF programs.
    #[error(
        "no privilege to load and attach eBPF programs: this process lacks {}\n\
         try: sudo netsec …, or once: sudo setcap cap_bpf,cap_net_admin,cap_perfmon+ep \
         \"$(command -v netsec)\"",
        missing.join(" and ")
    )]
    Privilege {
        /// Names of the missing capabilities.
        missing: Vec<&'static str>,
    },
    /// The interface is not there.
    #[error(
        "no such interface: {name}\n\
         this network namespace has: {}",
        candidates.join(", ")
    )]
    NoSuchInterface {
        /// The name asked for.
        name: String,
        /// The names there are.
        candidates: Vec<String>,
    },
    /// Somebody else's XDP program is on the interface.
    #[error(
        "{interface} already has an XDP program: {foreign}\n\
         netsec leaves it alone. To see it: bpftool prog show id {}; to remove it, if it was \
         attached by ip: ip link set dev {interface} xdp off",
        foreign.id
    )]
    ForeignProgram {
        /// The interface.
        interface: String,
        /// What is there.
        foreign: XdpOnInterface,
    },
    /// The driver does not take the program in native mode.
    #[error(
        "{interface} refuses XDP in native mode: {reason}\n\
         try: --xdp-mode skb (works with every driver, costs more CPU per packet)"
    )]
    NativeRefused {
        /// The interface.
        interface: String,
        /// What the kernel's answer means.
        reason: String,
    },
    /// The kernel does not take the program in generic mode.
    #[error("{interface} refuses XDP in generic (skb) mode: {reason}")]
    GenericRefused {
        /// The interface.
        interface: String,
        /// What the kernel's answer means.
        reason: String,
    },
    /// The kernel does not take the egress program.
    #[error(
        "{interface} refuses a program on what it sends: by TCX: {tcx}; by clsact: {clsact}\n\
         try: --no-egress (what the interface receives is counted all the same)"
    )]
    EgressRefused {
        /// The interface.
        interface: String,
        /// Why TCX was refused.
        tcx: String,
        /// Why the `clsact` qdisc was refused.
        clsact: String,
    },
    /// The kernel refused the object.
    #[error(
        "the kernel refuses netsec's eBPF object: {}\ntry: netsec doctor, which says what is missing; netsec needs Linux 5.10 or newer, this is {release}",
        chain(source)
    )]
    Load {
        /// Kernel release.
        release: String,
        /// What aya says.
        source: Box<EbpfError>,
    },
    /// The kernel refused a program that looks into tunnels.
    #[error(
        "this kernel, {release}, refuses the program that looks into tunnels: {}\n\
         try: without --inner (the tunnels themselves are counted all the same)",
        chain(source)
    )]
    InnerRefused {
        /// Kernel release.
        release: String,
        /// What aya says.
        source: ProgramError,
    },
    /// The kernel refused a program.
    #[error("the kernel refuses netsec's program {name}: {}", chain(source))]
    Program {
        /// The program.
        name: &'static str,
        /// What aya says.
        source: ProgramError,
    },
    /// A map could not be created, opened or read.
    #[error("netsec's map {name}: {}", chain(source))]
    Map {
        /// The map.
        name: &'static str,
        /// What aya says.
        source: MapError,
    },
    /// A map could not be mapped into memory.
    #[error(
        "netsec's map {name} cannot be mapped into memory: {source}\ntry: fewer --flow-slots, or a higher memory limit"
    )]
    Share {
        /// The map.
        name: &'static str,
        /// What the kernel says.
        source: io::Error,
    },
    /// The object lacks a part.
    #[error(
        "the eBPF object has no {name}: it is not netsec's, or of another version\ntry: cargo xtask build-ebpf"
    )]
    ObjectWithout {
        /// What is missing.
        name: &'static str,
    },
    /// The object speaks another ABI.
    #[error(
        "the eBPF object has ABI version {object}, this netsec {ABI_VERSION}\ntry: cargo xtask build-ebpf, then build netsec again"
    )]
    AbiVersion {
        /// The object's version.
        object: u32,
    },
    /// The block table that an earlier netsec left pinned cannot be used.
    #[error(
        "the block table pinned in {} cannot be used: {reason}\n\
         try: the netsec that pinned it; or, to give up what it blocks: netsec is stopped, then rm -r {}",
        folder.display(),
        folder.display()
    )]
    Pins {
        /// The folder.
        folder: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// An earlier netsec is still attached, by what it left pinned.
    #[error(
        "{interface} has the program and the blocks that an earlier netsec kept ({})\n\
         try: --on-exit keep, which takes them over, or to be rid of them: netsec detach -i {interface}",
        folder.display()
    )]
    Kept {
        /// The interface.
        interface: String,
        /// Where they are pinned.
        folder: PathBuf,
    },
    /// There is no BPF file system to share or keep maps in.
    #[error(
        "{what} needs a BPF file system: {reason}\n\
         try: mount -t bpf bpf /sys/fs/bpf"
    )]
    NoBpfFs {
        /// What it is needed for.
        what: &'static str,
        /// What the kernel says.
        reason: String,
    },
    /// The kernel's list of interfaces or CPUs could not be read.
    #[error("cannot read {what}: {reason}")]
    System {
        /// What was to be read.
        what: &'static str,
        /// Why not.
        reason: String,
    },
}

/// An error with its causes, each once.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = shortened(&error.to_string());
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = shortened(&cause.to_string());
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        next = cause.source();
    }
    text
}

/// Lines kept of a long text: the last ones, which say what the verifier refused.
const LINES_KEPT: usize = 12;

/// A text without the thousands of lines before the end of a verifier's log.
fn shortened(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let cut = lines.len().saturating_sub(LINES_KEPT);
    if cut == 0 {
        return text.to_owned();
    }
    let first = lines.first().copied().unwrap_or_default();
    let first: String = first.chars().take(200).collect();
    let kept = lines.get(cut..).unwrap_or_default().join("\n");
    format!("{first}\n[{cut} lines left out]\n{kept}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verifier_log_is_cut_to_its_end() {
        let log: Vec<String> = (0..5000).map(|n| format!("{n}: (bf) r1 = r0")).collect();
        let text = shortened(&log.join("\n"));
        assert_eq!(text.lines().count(), LINES_KEPT + 2);
        assert!(text.ends_with("4999: (bf) r1 = r0"), "{text}");
        assert_eq!(shortened("one\ntwo"), "one\ntwo");
    }
}
