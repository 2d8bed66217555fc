//! What this process may do, and why the kernel says no where it should not.

use super::{Check, Status, Trouble};
use crate::source::kernel::{KernelError, missing_capabilities};

/// The capabilities, from `/proc/self/status`.
pub(super) fn capabilities(status: &str) -> Check {
    const NAME: &str = "privilege";
    let missing = missing_capabilities(status);
    if missing.is_empty() {
        return Check::new(NAME, Status::Ok, "CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON");
    }
    let text = KernelError::Privilege {
        missing: missing.clone(),
    }
    .to_string();
    Check {
        detail: format!("no {}", missing.join(", ")),
        ..Check::failed(NAME, Trouble::Privilege, &text)
    }
}

/// `EPERM` though no capability is missing, explained from `/proc/self/status` and
/// `/proc/self/uid_map`.
pub(super) fn refusal(name: &'static str, status: &str, uid_map: &str) -> Check {
    let fail = |detail| Check::new(name, Status::Fail(Trouble::Privilege), detail);
    if !is_initial_user_namespace(uid_map) {
        return fail(
            "not permitted: the capabilities of this process hold in its user namespace only \
             (a rootless container), and eBPF asks for those of the host",
        )
        .fix("run netsec outside the user namespace: on the host, or in a rootful container");
    }
    if is_filtered(status) {
        return fail("not permitted: a seccomp filter on this process forbids bpf(2)").fix(
            "in a container: --security-opt seccomp=unconfined, or a profile that allows bpf; \
             in a systemd unit: SystemCallFilter=bpf",
        );
    }
    fail("not permitted, though no capability is missing: a security module forbids bpf(2)").fix(
        "see the audit log (ausearch -m avc, or journalctl -k --grep=audit) for the rule that \
         denied it",
    )
}

/// Whether `/proc/PID/uid_map` maps all user numbers to themselves, as on the host.
fn is_initial_user_namespace(uid_map: &str) -> bool {
    let fields: Vec<&str> = uid_map.split_whitespace().collect();
    // Without user namespaces in the kernel there is no such file.
    fields.is_empty() || fields == ["0", "0", "4294967295"]
}

/// Whether `Seccomp:` of `/proc/PID/status` says 2, a filter.
fn is_filtered(status: &str) -> bool {
    status
        .lines()
        .filter_map(|line| line.strip_prefix("Seccomp:"))
        .any(|mode| mode.trim() == "2")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_capability_is_named_with_a_remedy() {
        let check = capabilities("CapEff:\t0000000000001000\n");
        assert_eq!(check.status, Status::Fail(Trouble::Privilege));
        assert_eq!(check.detail, "no CAP_BPF, CAP_PERFMON");
        let fix = check.fix.unwrap();
        assert!(
            fix.starts_with("sudo netsec") && fix.contains("setcap"),
            "{fix}"
        );
        let check = capabilities("CapEff:\t000001ffffffffff\n");
        assert_eq!((check.status, check.fix), (Status::Ok, None));
    }

    #[test]
    fn a_refusal_has_its_cause() {
        let host = "         0          0 4294967295\n";
        let rootless = "         0     100000      65536\n";
        let cause = |status, map| refusal("x", status, map).detail;
        assert!(cause("Seccomp:\t2\n", rootless).contains("user namespace"));
        assert!(cause("Seccomp:\t2\n", host).contains("seccomp"));
        assert!(cause("Seccomp:\t0\nSeccomp_filters:\t2\n", host).contains("security module"));
        assert!(cause("", "").contains("security module"));
    }
}
