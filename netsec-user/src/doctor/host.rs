//! What the machine says of itself, in the texts of `/proc` and `/sys`.

mod memory;

use std::fs::File;
use std::io;

use super::{Check, Status, Trouble};

pub(super) use self::memory::{locked_memory, memory};

/// The kernel's own types.
pub(super) const BTF: &str = "/sys/kernel/btf/vmlinux";

/// The oldest kernel that netsec is tested on.
const OLDEST: Version = Version(5, 10);

/// A kernel's version: the first two numbers of its release.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Version(u32, u32);

impl Version {
    /// Of a release such as `6.1.0-18-amd64`; `None` when it does not begin with two numbers.
    fn of(release: &str) -> Option<Self> {
        let mut numbers = release.split(|c: char| !c.is_ascii_digit());
        let mut number = || numbers.next()?.parse().ok();
        Some(Self(number()?, number()?))
    }
}

/// The kernel's release, as `uname -r` shows it.
pub(super) fn release() -> String {
    nix::sys::utsname::uname().map_or_else(
        |error| error.desc().to_owned(),
        |name| name.release().to_string_lossy().into_owned(),
    )
}

pub(super) fn kernel(release: &str) -> Check {
    const NAME: &str = "kernel";
    match Version::of(release) {
        Some(version) if version >= OLDEST => {
            Check::new(NAME, Status::Ok, format!("{release} (needs 5.10)"))
        }
        Some(_) => Check::new(
            NAME,
            Status::Fail(Trouble::Kernel),
            format!("{release}: older than 5.10, the oldest that netsec runs on"),
        )
        .fix("boot a newer one: Debian 11, Ubuntu 22.04, RHEL 9 and later have it"),
        None => Check::new(
            NAME,
            Status::Warn,
            format!("\"{release}\" is no release that netsec knows (needs 5.10)"),
        ),
    }
}

/// Whether the kernel describes its types; `opened` is what came of opening [`BTF`].
pub(super) fn btf(opened: &io::Result<File>) -> Check {
    const NAME: &str = "BTF";
    match opened {
        Ok(_) => Check::new(NAME, Status::Ok, BTF),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Check::new(
            NAME,
            Status::Info,
            format!(
                "no {BTF}: the kernel was built without CONFIG_DEBUG_INFO_BTF. netsec loads \
                 without it; tools such as bpftool show less of its maps"
            ),
        ),
        Err(error) => Check::new(NAME, Status::Info, format!("{BTF}: {error}")),
    }
}

/// The compiler for eBPF: its setting, and how much machine code netsec's program became.
pub(super) fn jit(setting: Option<&str>, machine_code_bytes: u32) -> Check {
    const NAME: &str = "JIT";
    match (machine_code_bytes, setting.map(str::trim)) {
        (1.., _) => Check::new(
            NAME,
            Status::Ok,
            format!("netsec's XDP program is {machine_code_bytes} bytes of machine code"),
        ),
        (0, Some("0")) => Check::new(
            NAME,
            Status::Warn,
            "off: programs are interpreted, which costs about ten times the CPU per packet",
        )
        .fix("sudo sysctl -w net.core.bpf_jit_enable=1"),
        (0, Some(value)) => Check::new(
            NAME,
            Status::Ok,
            format!("net.core.bpf_jit_enable = {value}"),
        ),
        (0, None) => Check::new(
            NAME,
            Status::Info,
            "not probed: net.core.bpf_jit_enable shows in the host's network namespace only",
        ),
    }
}

/// Said only when the kernel times every program.
pub(super) fn run_statistics(setting: Option<&str>) -> Option<Check> {
    (setting?.trim() != "0").then(|| {
        Check::new(
            "run statistics",
            Status::Warn,
            "kernel.bpf_stats_enabled is on: about 70 ns more for every packet",
        )
        .fix("sudo sysctl -w kernel.bpf_stats_enabled=0")
    })
}

/// Who else may load programs: no matter to netsec, but to whoever keeps the machine.
pub(super) fn unprivileged(setting: Option<&str>) -> Check {
    const NAME: &str = "unprivileged eBPF";
    let info = |text| Check::new(NAME, Status::Info, text);
    match setting.map(str::trim) {
        Some("0") => info("allowed to every user; netsec does not need that")
            .fix("sudo sysctl -w kernel.unprivileged_bpf_disabled=2"),
        Some("1") => info("forbidden until the next boot; netsec does not need it"),
        Some("2") => info("forbidden; netsec does not need it"),
        _ => info("not known: no kernel.unprivileged_bpf_disabled"),
    }
}

/// Whether programs and maps can be pinned, from `/proc/self/mounts`.
pub(super) fn bpf_file_system(mounts: &str) -> Check {
    const NAME: &str = "bpffs";
    const PLACE: &str = "/sys/fs/bpf";
    let is_there = mounts.lines().any(|line| {
        let mut fields = line.split(' ').skip(1);
        (fields.next(), fields.next()) == (Some(PLACE), Some("bpf"))
    });
    if is_there {
        return Check::new(NAME, Status::Ok, PLACE);
    }
    Check::new(
        NAME,
        Status::Info,
        format!("not mounted at {PLACE}; netsec pins nothing, bpftool and others do"),
    )
    .fix(format!("sudo mount -t bpf bpf {PLACE}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernels_from_5_10_on_are_taken() {
        let status = |release| kernel(release).status;
        for release in [
            "5.10.0-28-amd64",
            "5.10",
            "6.1.0",
            "6.18.44-fc",
            "10.0-rc1",
            "5.100.1",
        ] {
            assert_eq!(status(release), Status::Ok, "{release}");
        }
        for release in ["5.9.16", "5.4.0-150-generic", "4.19.0", "3.10.0-1160.el7"] {
            assert_eq!(status(release), Status::Fail(Trouble::Kernel), "{release}");
        }
        for release in ["", "unknown", "6", "x6.1"] {
            assert_eq!(status(release), Status::Warn, "{release}");
        }
    }

    #[test]
    fn the_jit_is_on_when_there_is_machine_code() {
        assert_eq!(jit(Some("0\n"), 4096).status, Status::Ok);
        assert_eq!(jit(Some("1\n"), 0).status, Status::Ok);
        assert_eq!(jit(None, 0).status, Status::Info);
        let off = jit(Some("0\n"), 0);
        assert_eq!(off.status, Status::Warn);
        assert!(off.fix.unwrap().contains("bpf_jit_enable=1"));
    }

    #[test]
    fn run_statistics_are_mentioned_when_on() {
        assert_eq!(run_statistics(Some("0\n")), None);
        assert_eq!(run_statistics(None), None);
        assert_eq!(run_statistics(Some("1\n")).unwrap().status, Status::Warn);
    }

    #[test]
    fn each_setting_of_unprivileged_loading_is_told() {
        let texts = [None, Some("0\n"), Some("1\n"), Some("2\n")].map(|s| unprivileged(s).detail);
        for (index, text) in texts.iter().enumerate() {
            assert!(
                !texts.iter().skip(index + 1).any(|other| other == text),
                "{text}"
            );
        }
        assert!(unprivileged(Some("0")).fix.is_some());
    }

    #[test]
    fn only_bpffs_at_its_place_counts() {
        let status = |mounts| bpf_file_system(mounts).status;
        assert_eq!(
            status("sysfs /sys sysfs rw 0 0\nbpf /sys/fs/bpf bpf rw,mode=700 0 0\n"),
            Status::Ok
        );
        assert_eq!(status("none /sys/fs/bpf tmpfs rw 0 0\n"), Status::Info);
        assert_eq!(status("bpf /mnt/bpf bpf rw 0 0\n"), Status::Info);
    }

    #[test]
    fn a_missing_btf_is_no_failure() {
        let missing = Err(io::Error::from(io::ErrorKind::NotFound));
        let check = btf(&missing);
        assert_eq!(check.status, Status::Info);
        assert!(check.detail.contains("CONFIG_DEBUG_INFO_BTF"));
    }
}
