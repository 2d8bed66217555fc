//! What this process may do.

use std::fs;

use super::error::KernelError;

/// Refuses early, by name, what the kernel would refuse by number.
pub(super) fn require_capabilities() -> Result<(), KernelError> {
    let status = fs::read_to_string("/proc/self/status").map_err(|error| KernelError::System {
        what: "/proc/self/status",
        reason: error.to_string(),
    })?;
    let missing = missing_capabilities(&status);
    if missing.is_empty() {
        Ok(())
    } else {
        Err(KernelError::Privilege { missing })
    }
}

/// The capabilities that netsec needs and a process lacks, from its `/proc/PID/status`.
///
/// `CAP_SYS_ADMIN` stands in for `CAP_BPF` and `CAP_PERFMON`, not for `CAP_NET_ADMIN`.
#[must_use]
pub fn missing_capabilities(status: &str) -> Vec<&'static str> {
    // Bits of `linux/capability.h`.
    const NET_ADMIN: u32 = 12;
    const SYS_ADMIN: u32 = 21;
    const PERFMON: u32 = 38;
    const BPF: u32 = 39;
    let mask = effective_capabilities(status);
    let has = |bit: u32| mask >> bit & 1 == 1;
    let needed = [
        ("CAP_BPF", has(BPF) || has(SYS_ADMIN)),
        ("CAP_NET_ADMIN", has(NET_ADMIN)),
        ("CAP_PERFMON", has(PERFMON) || has(SYS_ADMIN)),
    ];
    needed
        .into_iter()
        .filter(|(_, held)| !held)
        .map(|(name, _)| name)
        .collect()
}

/// The `CapEff` mask of proc_pid_status(5).
fn effective_capabilities(status: &str) -> u64 {
    status
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capabilities_are_read_and_named() {
        let missing = |mask: u64| missing_capabilities(&format!("CapEff:\t{mask:016x}\n"));
        let status = "Name:\tx\nCapInh:\t0000000000000000\nCapEff:\t000001ffffffffff\n";
        assert!(missing_capabilities(status).is_empty());
        assert_eq!(missing(0), ["CAP_BPF", "CAP_NET_ADMIN", "CAP_PERFMON"]);
        assert_eq!(missing(1 << 21), ["CAP_NET_ADMIN"]);
        assert!(missing(1 << 12 | 1 << 38 | 1 << 39).is_empty());
    }
}
