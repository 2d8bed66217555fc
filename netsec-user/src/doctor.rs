//! What of netsec works on this machine, what does not, and what to do about it.
//!
//! Everything is found out by trying or by asking the kernel, on maps, programs and a network
//! namespace that nobody else sees. An interface is only read, unless
//! [`DoctorSettings::try_attach`] says otherwise. What takes a privilege that the process lacks is
//! reported as not probed.

mod host;
mod interface;
mod netlink;
mod privilege;
mod probes;
mod report;

use std::fs;

pub use self::report::{write_json_lines, write_text};
use crate::source::kernel::KernelSettings;

/// One question, answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// The interface it is about; `None` for the machine.
    pub interface: Option<String>,
    /// What was looked at, in a few words that stay the same from version to version.
    pub name: &'static str,
    /// How it stands.
    pub status: Status,
    /// What was found, a sentence without a full stop; a verifier's log has more lines.
    pub detail: String,
    /// What to do about it; a command where there is one.
    pub fix: Option<String>,
}

/// How a check came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// As it should be.
    Ok,
    /// Neither good nor bad, or not to be found out here.
    Info,
    /// netsec runs, but not as well as it could.
    Warn,
    /// netsec does not run.
    Fail(Trouble),
}

/// Whose refusal keeps netsec from running.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// A privilege is missing: the same on the same machine works for another user.
    Privilege,
    /// The kernel, this build of netsec or the interface: more privilege does not help.
    Kernel,
}

/// What to look at.
#[derive(Clone, Debug)]
pub struct DoctorSettings {
    /// Interface names.
    pub interfaces: Vec<String>,
    /// Whether to attach to the interfaces for a moment. Some drivers reset the link at that.
    pub try_attach: bool,
    /// What `netsec run` would load: its memory is computed, not taken.
    pub kernel: KernelSettings,
}

/// Makes all checks, those of the machine first. `object` is netsec's eBPF object.
///
/// Has to be called in a tokio runtime.
pub async fn examine(object: Option<&[u8]>, settings: &DoctorSettings) -> Vec<Check> {
    let release = host::release();
    let status = read("/proc/self/status").unwrap_or_default();
    let mut checks = vec![
        host::kernel(&release),
        privilege::capabilities(&status),
        host::btf(&fs::metadata(host::BTF).and_then(|_| fs::File::open(host::BTF))),
    ];
    checks.extend(host::locked_memory(
        &release,
        &read("/proc/self/limits").unwrap_or_default(),
        &status,
    ));
    let (probed, mut engines) = probes::all(object, &settings.kernel, &status);
    checks.extend(probed);
    checks.push(host::jit(
        read("/proc/sys/net/core/bpf_jit_enable").as_deref(),
        engines.machine_code_bytes(),
    ));
    checks.extend(host::run_statistics(
        read("/proc/sys/kernel/bpf_stats_enabled").as_deref(),
    ));
    checks.push(host::unprivileged(
        read("/proc/sys/kernel/unprivileged_bpf_disabled").as_deref(),
    ));
    checks.push(host::bpf_file_system(
        &read("/proc/self/mounts").unwrap_or_default(),
    ));
    checks.push(host::memory(
        &read("/proc/meminfo").unwrap_or_default(),
        &settings.kernel,
    ));
    for name in &settings.interfaces {
        let engine = engines.ingress().filter(|_| settings.try_attach);
        checks.extend(interface::all(name, settings.try_attach, engine).await);
    }
    checks
}

impl Check {
    fn new(name: &'static str, status: Status, detail: impl Into<String>) -> Self {
        Self {
            interface: None,
            name,
            status,
            detail: detail.into(),
            fix: None,
        }
    }

    fn fix(mut self, remedy: impl Into<String>) -> Self {
        self.fix = Some(remedy.into());
        self
    }

    /// An error of the kernel source, which may have its remedy behind it.
    fn failed(name: &'static str, trouble: Trouble, text: &str) -> Self {
        let (detail, remedy) = match text.split_once("\ntry: ") {
            Some((detail, remedy)) => (detail, Some(remedy.to_owned())),
            None => (text, None),
        };
        Self {
            fix: remedy,
            ..Self::new(name, Status::Fail(trouble), detail)
        }
    }
}

impl Status {
    /// In one word: `ok`, `info`, `warn` or `fail`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Fail(_) => "fail",
        }
    }
}

/// A small file of the kernel's; `None` when it is not there or not for this process.
fn read(path: &str) -> Option<String> {
    fs::read_to_string(path).ok()
}
