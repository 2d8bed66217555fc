//! `test --kernels`: the kernel tests on Debian's own kernels, each booted in an emulator.

mod archive;
mod console;
mod initramfs;
mod packages;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail, ensure};

use crate::process::{self, Stopwatch, say};
use crate::{build_ebpf, setup, workspace};
use console::Report;

/// The oldest supported kernel and two younger ones, by the suite of Debian that has them.
const KERNELS: [Kernel; 3] = [
    Kernel {
        version: "5.10",
        suite: "bullseye",
    },
    Kernel {
        version: "6.1",
        suite: "bookworm",
    },
    Kernel {
        version: "6.12",
        suite: "bookworm-backports",
    },
];

/// Test programs of netsec-tests that need a kernel and nothing else.
const TESTS: [&str; 6] = [
    "verdicts",
    "flow_records",
    "egress",
    "live",
    "block_verdicts",
    "block_terms",
];

/// Seconds for one boot with all its tests; a busy machine of two cores took 329.
const LIMIT_SECONDS: &str = "600";

/// A program that is needed, and the package that has it.
const NEEDED: [(&str, &str); 5] = [
    ("qemu-system-x86_64", "qemu-system-x86"),
    ("busybox", "busybox-static"),
    ("ip", "iproute2"),
    ("strip", "binutils"),
    ("xz", "xz-utils"),
];

struct Kernel {
    version: &'static str,
    suite: &'static str,
}

/// Boots each kernel and prints what passed.
pub(crate) fn run() -> Result<()> {
    for (program, package) in NEEDED {
        ensure!(
            process::find(program).is_some(),
            "{program} is missing (Debian: apt install {package})"
        );
    }
    build_ebpf::build(&setup::tools()?)?;
    let programs = initramfs::programs(&TESTS)?;
    let mut failed = Vec::new();
    for kernel in &KERNELS {
        let clock = Stopwatch::start();
        let report = boot(kernel, &programs)?;
        let verdict = report.verdict(&TESTS);
        say(&format!(
            "Linux {}: {} passed, {} failed in {:.0} s{}",
            report.release.as_deref().unwrap_or(kernel.version),
            report.passed,
            report.failed,
            clock.seconds(),
            verdict.as_ref().err().map_or_else(String::new, |wrong| {
                format!(": {wrong}; see {}", log_path(kernel).display())
            }),
        ));
        if verdict.is_err() {
            failed.push(kernel.version);
        }
    }
    if !failed.is_empty() {
        bail!("failed on Linux {}", failed.join(", "));
    }
    Ok(())
}

/// Runs the test programs under one kernel.
fn boot(kernel: &Kernel, programs: &initramfs::Programs) -> Result<Report> {
    let files = packages::unpacked(kernel.version, kernel.suite)?;
    let image = folder().join(format!("{}.initramfs", kernel.version));
    fs::write(&image, initramfs::image(programs, &files.modules)?)
        .with_context(|| format!("cannot write {}", image.display()))?;
    let log = log_path(kernel);
    say(&format!("  booting Linux {} ...", kernel.version));
    let mut command = emulator(&files.kernel, &image);
    // It ends by itself, or at the limit; what it printed decides.
    let _status = command
        .stdin(Stdio::null())
        .stdout(File::create(&log)?)
        .status()
        .with_context(|| format!("cannot run `{}`", process::line_of(&command)))?;
    let printed = fs::read(&log)?;
    Ok(Report::read(&String::from_utf8_lossy(&printed)))
}

/// Emulation in software: virtual machines often cannot make virtual machines. Without `cmpxchg16b`:
/// QEMU 7.2 gets the flags behind it wrong at times, of which Linux 6.12 died in its allocator.
fn emulator(kernel: &Path, image: &Path) -> Command {
    let mut command = Command::new("timeout");
    command
        .args(["--kill-after=5", LIMIT_SECONDS, "qemu-system-x86_64"])
        .args([
            "-accel",
            "tcg,thread=single",
            "-cpu",
            "max,cx16=off",
            "-smp",
            "2",
        ])
        .args(["-m", "1536", "-nodefaults", "-display", "none"])
        .args(["-serial", "stdio", "-no-reboot"])
        .args(["-append", "console=ttyS0 quiet panic=-1"])
        .arg("-kernel")
        .arg(kernel)
        .arg("-initrd")
        .arg(image);
    command
}

/// What is downloaded and printed stays here.
fn folder() -> PathBuf {
    workspace::own_target().join("kernels")
}

fn log_path(kernel: &Kernel) -> PathBuf {
    folder().join(format!("{}.log", kernel.version))
}
