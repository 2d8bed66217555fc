//! What the kernel can do, tried out.

use std::io;

use netsec_common::config::WATCHED_MAX;

use super::{Check, Status, Trouble, privilege, read};
use crate::hook::HookId;
use crate::settings::EngineSettings;
use crate::source::kernel::probe::{self, Trial};
use crate::source::kernel::{
    EgressMeans, KernelEngine, KernelError, KernelSettings, missing_capabilities,
};

/// Room enough to be loaded.
const SLOTS: u32 = 1024;
const RING_BYTES: u32 = 1 << 16;

/// Names of checks.
const RINGS: &str = "array of rings";
const PROGRAMS: &str = "programs";
const LINK: &str = "XDP link";
const EGRESS: &str = "egress hook";
const TUNNELS: &str = "tunnels";

/// netsec's programs, loaded; attached to nothing.
#[derive(Debug, Default)]
pub(super) struct Engines {
    ingress: Option<KernelEngine>,
    egress: Option<KernelEngine>,
}

impl Engines {
    pub(super) const fn ingress(&mut self) -> Option<&mut KernelEngine> {
        self.ingress.as_mut()
    }

    pub(super) fn machine_code_bytes(&self) -> u32 {
        self.ingress
            .as_ref()
            .map_or(0, KernelEngine::machine_code_bytes)
    }
}

/// Tries all; `status` is `/proc/self/status`.
pub(super) fn all(
    object: Option<&[u8]>,
    settings: &KernelSettings,
    status: &str,
) -> (Vec<Check>, Engines) {
    let judge = Judge {
        missing: missing_capabilities(status),
        status,
    };
    let ring = probe::ring_buffer();
    let mut checks = vec![system_call(&ring)];
    let is_refused = number(&ring) == Some(libc::EPERM);
    checks.push(judge.map("ring buffer", "5.8", ring));
    let mut engines = Engines::default();
    if judge.missing.is_empty() && !is_refused {
        checks.push(judge.map("mmapable array", "5.5", probe::mmapable_array()));
        load(object, settings, &judge, &mut checks, &mut engines);
        attach(&judge, &mut checks, &mut engines);
    } else {
        // One refusal says it all.
        for name in ["mmapable array", RINGS, PROGRAMS, TUNNELS, LINK, EGRESS] {
            checks.push(judge.not_probed(name));
        }
    }
    (checks, engines)
}

/// Turns errors into checks.
struct Judge<'a> {
    missing: Vec<&'static str>,
    status: &'a str,
}

impl Judge<'_> {
    fn not_probed(&self, name: &'static str) -> Check {
        let detail = if self.missing.is_empty() {
            "not probed: bpf(2) is not permitted".to_owned()
        } else {
            format!("not probed: needs {}", self.missing.join(", "))
        };
        Check::new(name, Status::Info, detail)
    }

    /// A map that could be created, or not.
    fn map(&self, name: &'static str, since: &str, created: io::Result<()>) -> Check {
        let Err(error) = created else {
            return Check::new(name, Status::Ok, format!("created (needs {since})"));
        };
        match error.raw_os_error() {
            Some(libc::EPERM) => self.refusal(name),
            Some(libc::EINVAL) => Check::new(
                name,
                Status::Fail(Trouble::Kernel),
                format!("the kernel does not have it (needs {since})"),
            )
            .fix("boot a kernel of 5.10 or newer"),
            _ => Check::new(name, Status::Fail(Trouble::Kernel), error.to_string()),
        }
    }

    /// `EPERM`.
    fn refusal(&self, name: &'static str) -> Check {
        if self.missing.is_empty() {
            let uid_map = read("/proc/self/uid_map").unwrap_or_default();
            privilege::refusal(name, self.status, &uid_map)
        } else {
            self.not_probed(name)
        }
    }

    fn error(&self, name: &'static str, error: &KernelError) -> Check {
        if matches!(error, KernelError::Privilege { .. }) {
            self.not_probed(name)
        } else if is_refusal(error) {
            self.refusal(name)
        } else {
            Check::failed(name, Trouble::Kernel, &error.to_string())
        }
    }
}

/// Whether there is bpf(2) at all: `ENOSYS` comes before every question of privilege.
fn system_call(ring: &io::Result<()>) -> Check {
    const NAME: &str = "bpf(2)";
    if number(ring) == Some(libc::ENOSYS) {
        return Check::new(
            NAME,
            Status::Fail(Trouble::Kernel),
            "the kernel was built without CONFIG_BPF_SYSCALL",
        )
        .fix("boot a distribution's kernel, or build one with CONFIG_BPF_SYSCALL=y");
    }
    Check::new(NAME, Status::Ok, "the system call is there")
}

fn number(result: &io::Result<()>) -> Option<i32> {
    result.as_ref().err().and_then(io::Error::raw_os_error)
}

/// Loads both engines with small tables: the verifier reads the same programs as for large ones.
fn load(
    object: Option<&[u8]>,
    settings: &KernelSettings,
    judge: &Judge<'_>,
    checks: &mut Vec<Check>,
    engines: &mut Engines,
) {
    let small = KernelSettings {
        engine: EngineSettings {
            slots: SLOTS,
            ..settings.engine
        },
        records_ring_bytes: RING_BYTES,
        packets_ring_bytes: RING_BYTES,
        kernel_log: false,
    };
    let loaded = object.ok_or(KernelError::NoObject).and_then(|object| {
        let ingress = KernelEngine::load(object, HookId(0), &small)?;
        let watched = [0; WATCHED_MAX];
        let egress = KernelEngine::load_egress(object, HookId(1), &small, &watched)?;
        Ok((ingress, egress))
    });
    match loaded {
        Ok((ingress, egress)) => {
            let rings = Check::new(
                RINGS,
                Status::Ok,
                "filled, a ring for each CPU (needs 5.10)",
            );
            let programs = "netsec's XDP and TC programs pass the verifier (needs 5.10)";
            checks.extend([rings, Check::new(PROGRAMS, Status::Ok, programs)]);
            checks.extend(object.map(|object| look_inside(object, &small)));
            engines.ingress = Some(ingress);
            engines.egress = Some(egress);
        }
        Err(
            error @ KernelError::Map {
                name: "RECORDS" | "PACKETS",
                ..
            },
        ) => checks.push(judge.error(RINGS, &error)),
        Err(error) => checks.push(judge.error(PROGRAMS, &error)),
    }
}

/// Loads the programs that look into tunnels, which only `--inner` needs, and lets go of them.
fn look_inside(object: &[u8], small: &KernelSettings) -> Check {
    let mut inner = *small;
    inner.engine.inner = true;
    let loaded = KernelEngine::load(object, HookId(0), &inner).and_then(|_ingress| {
        KernelEngine::load_egress(object, HookId(1), &inner, &[0; WATCHED_MAX])
    });
    match loaded {
        Ok(_egress) => Check::new(
            TUNNELS,
            Status::Ok,
            "the programs of --inner pass the verifier",
        ),
        Err(error) => Check::new(TUNNELS, Status::Warn, error.to_string())
            .fix("run without --inner: all else works"),
    }
}

/// Attaches both engines where nobody is disturbed, and tells what the kernel took.
fn attach(judge: &Judge<'_>, checks: &mut Vec<Check>, engines: &mut Engines) {
    let (Some(ingress), Some(egress)) = (&mut engines.ingress, &mut engines.egress) else {
        for name in [LINK, EGRESS] {
            let reason = "not probed: the programs do not load";
            checks.push(Check::new(name, Status::Info, reason));
        }
        return;
    };
    match probe::try_in_new_namespace(ingress, egress) {
        Ok(trial) => checks.extend(tried(judge, &trial)),
        Err(error) => {
            log::debug!("no network namespace to try in: {error}");
            checks.extend(asked());
        }
    }
}

fn tried(judge: &Judge<'_>, trial: &Trial) -> [Check; 3] {
    let link = match &trial.xdp {
        Ok(()) => Check::new(LINK, Status::Ok, "attached and detached (needs 5.9)"),
        Err(error) => judge.error(LINK, error),
    };
    let egress = match &trial.egress {
        Ok(EgressMeans::Tcx) => {
            Check::new(EGRESS, Status::Ok, "TCX, attached and detached (needs 6.6)")
        }
        Ok(EgressMeans::Clsact) => without_tcx(),
        Err(error) => judge
            .error(EGRESS, error)
            .fix("modprobe sch_ingress cls_bpf; or do without: netsec run --no-egress"),
    };
    let frames = match &trial.live_frame {
        Ok(()) => "to be had (needs 5.18); netsec's own tests use them",
        Err(_) => "not to be had (needs 5.18); only netsec's own tests use them",
    };
    [
        link,
        egress,
        Check::new("live frames", Status::Info, frames),
    ]
}

/// What can be found out without a network namespace to try in, which takes `CAP_SYS_ADMIN`.
fn asked() -> [Check; 2] {
    let link = "not tried: needs CAP_SYS_ADMIN; Linux has it since 5.9";
    let egress = match probe::tcx_programs("lo") {
        Ok(_) => Check::new(EGRESS, Status::Ok, "TCX is there (needs 6.6)"),
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => without_tcx(),
        Err(error) => Check::new(EGRESS, Status::Info, format!("not known: {error}")),
    };
    [Check::new(LINK, Status::Info, link), egress]
}

fn without_tcx() -> Check {
    Check::new(
        EGRESS,
        Status::Info,
        "no TCX (needs 6.6): netsec uses a filter of the clsact qdisc, which stays behind when it \
         is killed by SIGKILL",
    )
    .fix("only after such an end: sudo tc filter del dev IF egress")
}

/// Whether the kernel's answer was `EPERM`, which some error in the chain says.
fn is_refusal(error: &KernelError) -> bool {
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = next {
        let number = error.downcast_ref().and_then(io::Error::raw_os_error);
        if number == Some(libc::EPERM) {
            return true;
        }
        next = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(missing: Vec<&'static str>) -> Judge<'static> {
        Judge {
            missing,
            status: "Seccomp:\t2\n",
        }
    }

    #[test]
    fn a_map_is_judged_by_the_error_number() {
        let error = |number| Err(io::Error::from_raw_os_error(number));
        let all = judge(Vec::new());
        let status = |created| all.map("x", "5.8", created).status;
        assert_eq!(status(Ok(())), Status::Ok);
        assert_eq!(status(error(libc::EINVAL)), Status::Fail(Trouble::Kernel));
        assert_eq!(status(error(libc::ENOMEM)), Status::Fail(Trouble::Kernel));
        assert_eq!(status(error(libc::EPERM)), Status::Fail(Trouble::Privilege));
        let check = judge(vec!["CAP_BPF"]).map("x", "5.8", error(libc::EPERM));
        assert_eq!(check.status, Status::Info);
        assert_eq!(check.detail, "not probed: needs CAP_BPF");
    }

    #[test]
    fn a_kernel_without_the_system_call_is_told_from_one_that_refuses() {
        let check = |number| system_call(&Err(io::Error::from_raw_os_error(number))).status;
        assert_eq!(check(libc::ENOSYS), Status::Fail(Trouble::Kernel));
        assert_eq!(check(libc::EPERM), Status::Ok);
        assert_eq!(system_call(&Ok(())).status, Status::Ok);
    }

    #[test]
    fn what_the_kernel_lacks_names_the_version() {
        let refused = || {
            Err(KernelError::ObjectWithout {
                name: "netsec_egress",
            })
        };
        let trial = Trial {
            xdp: Ok(()),
            egress: Ok(EgressMeans::Clsact),
            live_frame: refused(),
        };
        let [link, egress, live] = tried(&judge(Vec::new()), &trial);
        assert_eq!((link.status, egress.status), (Status::Ok, Status::Info));
        assert!(egress.detail.contains("6.6") && egress.fix.is_some());
        assert!(live.detail.contains("not to be had (needs 5.18)"));
    }

    #[test]
    fn a_build_without_the_object_says_how_to_make_one() {
        let check = judge(Vec::new()).error("programs", &KernelError::NoObject);
        assert_eq!(check.status, Status::Fail(Trouble::Kernel));
        assert!(check.fix.unwrap().contains("cargo xtask build-ebpf"));
    }
}
