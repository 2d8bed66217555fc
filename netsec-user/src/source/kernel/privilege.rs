//! What a process needs to load and attach programs.

use std::fs;

use super::error::KernelError;

/// Refuses early, by name, what the kernel would refuse by number.
pub(super) fn require_capabilities() -> Result<(), KernelError> {
    let status = fs::read_to_string("/proc/self/status").map_err(|error| KernelError::System {
        what: "/proc/self/status",
        reason: error.to_string(),
    })?;
    let missing = missing_capabilities(effective_capabilities(&status));
    if missing.is_empty() {
        Ok(())
    } else {
        Err(KernelError::Privilege { missing })
    }
}

/// The `CapEff` mask of proc_pid_status(5).
fn effective_capabilities(status: &str) -> u64 {
    status
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .unwrap_or_default()
}

/// Bits of `linux/capability.h`. `CAP_SYS_ADMIN` stands in for both others but `CAP_NET_ADMIN`.
fn missing_capabilities(mask: u64) -> Vec<&'static str> {
    const NET_ADMIN: u32 = 12;
    const SYS_ADMIN: u32 = 21;
    const PERFMON: u32 = 38;
    const BPF: u32 = 39;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capabilities_are_read_and_named() {
        let status = "Name:\tx\nCapInh:\t0000000000000000\nCapEff:\t000001ffffffffff\n";
        assert!(missing_capabilities(effective_capabilities(status)).is_empty());
        assert_eq!(
            missing_capabilities(effective_capabilities("CapEff:\t0000000000000000\n")),
            ["CAP_BPF", "CAP_NET_ADMIN", "CAP_PERFMON"]
        );
        assert_eq!(missing_capabilities(1 << 21), ["CAP_NET_ADMIN"]);
        assert!(missing_capabilities(1 << 12 | 1 << 38 | 1 << 39).is_empty());
    }
}
