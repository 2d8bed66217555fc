//! Whether there is memory for the tables and rings.

use netsec_common::flow::FlowSet;

use super::super::{Check, Status, Trouble};
use super::Version;
use crate::source::kernel::{KernelSettings, probe};

/// What is received and what is sent have an engine each.
const DIRECTIONS: u64 = 2;

/// From this version on, map memory is charged to the control group, not to `RLIMIT_MEMLOCK`.
const WITHOUT_LIMIT: Version = Version(5, 11);

/// The memory that `netsec run` takes for an interface, against what is free in `/proc/meminfo`.
pub(in super::super) fn memory(meminfo: &str, settings: &KernelSettings) -> Check {
    match probe::possible_cpus() {
        Ok(cpus) => compare(available_bytes(meminfo), bytes_needed(settings, cpus)),
        Err(error) => Check::new("memory", Status::Info, format!("not known: {error}")),
    }
}

/// The limit on locked memory, where the kernel is old enough to hold maps to it; from
/// `/proc/self/limits` and `/proc/self/status`.
pub(in super::super) fn locked_memory(release: &str, limits: &str, status: &str) -> Option<Check> {
    const NAME: &str = "locked memory";
    if Version::of(release)? >= WITHOUT_LIMIT {
        return None;
    }
    let limit = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max locked memory"))
        .and_then(|fields| fields.split_whitespace().next())
        .unwrap_or("unknown");
    if limit == "unlimited" {
        return Some(Check::new(NAME, Status::Ok, "unlimited"));
    }
    if can_lift_limits(status) {
        let detail = format!("{limit} bytes; netsec lifts the limit for itself");
        return Some(Check::new(NAME, Status::Ok, detail));
    }
    let detail = format!("limited to {limit} bytes, and kernels before 5.11 hold eBPF maps to it");
    let check = Check::new(NAME, Status::Fail(Trouble::Privilege), detail);
    Some(check.fix("ulimit -l unlimited as root; in a systemd unit: LimitMEMLOCK=infinity"))
}

/// Bytes of kernel memory for an interface: flow tables and rings of both directions.
fn bytes_needed(settings: &KernelSettings, cpus: u32) -> u64 {
    let sets = u64::from(settings.engine.sets_per_cpu(cpus));
    let (records, packets) = settings.ring_bytes(cpus);
    let rings = u64::from(records) + u64::from(packets);
    DIRECTIONS * u64::from(cpus) * (sets * size_of::<FlowSet>() as u64 + rings)
}

fn compare(available: Option<u64>, needed: u64) -> Check {
    const NAME: &str = "memory";
    const FIX: &str = "smaller tables: netsec run --flow-slots N (1048576 slots are 64 MiB, twice \
                       an interface)";
    let needed_mib = needed.div_ceil(1 << 20);
    let Some(available) = available else {
        let text = format!("an interface takes {needed_mib} MiB; what is free is not known");
        return Check::new(NAME, Status::Info, text);
    };
    let text = format!(
        "an interface takes {needed_mib} MiB of kernel memory; {} MiB are free",
        available >> 20
    );
    if needed > available {
        Check::new(NAME, Status::Fail(Trouble::Kernel), text).fix(FIX)
    } else if needed > available / 2 {
        Check::new(NAME, Status::Warn, text).fix(FIX)
    } else {
        Check::new(NAME, Status::Ok, text)
    }
}

/// `MemAvailable` of proc_meminfo(5), which is in KiB.
fn available_bytes(meminfo: &str) -> Option<u64> {
    let line = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

/// Whether `CapEff` has `CAP_SYS_RESOURCE`.
fn can_lift_limits(status: &str) -> bool {
    const SYS_RESOURCE: u32 = 24;
    status
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .is_some_and(|mask| mask >> SYS_RESOURCE & 1 == 1)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use netsec_common::sample::Sampling;

    use super::*;
    use netsec_common::flow::FIXED_HASH_KEYS;

    use crate::settings::EngineSettings;

    #[test]
    fn both_directions_are_counted() {
        let settings = KernelSettings {
            engine: EngineSettings {
                slots: 1 << 20,
                sampling: Sampling::Off,
                snap_bytes: 0,
                idle_timeout: Duration::ZERO,
                hash_keys: FIXED_HASH_KEYS,
                inner: false,
            },
            records_ring_bytes: 4 << 20,
            packets_ring_bytes: 2 << 20,
            kernel_log: false,
        };
        assert_eq!(bytes_needed(&settings, 2), (2 * (64 + 2 * (4 + 2))) << 20);
    }

    #[test]
    fn half_of_what_is_free_is_fine() {
        let status = |available, needed| compare(available, needed).status;
        assert_eq!(status(Some(200), 100), Status::Ok);
        assert_eq!(status(Some(199), 100), Status::Warn);
        assert_eq!(status(Some(99), 100), Status::Fail(Trouble::Kernel));
        assert_eq!(status(None, 100), Status::Info);
    }

    #[test]
    fn free_memory_is_read() {
        let text = "MemTotal:        8145216 kB\nMemAvailable:    7000000 kB\n";
        assert_eq!(available_bytes(text), Some(7_000_000 * 1024));
        assert_eq!(available_bytes("MemTotal: 1 kB\n"), None);
    }

    #[test]
    fn the_limit_matters_before_5_11_without_the_right_to_lift_it() {
        let limits = "Limit      Soft Limit  Hard Limit  Units\n\
                      Max locked memory         65536                65536                bytes\n";
        let free = "Max locked memory         unlimited            unlimited            bytes\n";
        let check = |release, limits, mask: u64| {
            locked_memory(release, limits, &format!("CapEff:\t{mask:016x}\n")).map(|c| c.status)
        };
        assert_eq!(check("5.11.0", limits, 0), None);
        assert_eq!(check("5.10.0", free, 0), Some(Status::Ok));
        assert_eq!(check("5.10.0", limits, 1 << 24), Some(Status::Ok));
        let failed = Some(Status::Fail(Trouble::Privilege));
        assert_eq!(check("5.10.0", limits, 0), failed);
    }
}
