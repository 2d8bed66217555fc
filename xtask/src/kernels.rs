//! `test --kernels`: the kernel tests on Debian's own kernels, each booted in an emulator.

mod archive;
mod console;
mod initramfs;
mod packages;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use anyhow::{Context as _, Result, anyhow, bail, ensure};

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
const TESTS: [&str; 8] = [
    "verdicts",
    "flow_records",
    "egress",
    "live",
    "block_verdicts",
    "block_terms",
    "block_kept",
    "inner",
];

/// Seconds for one boot with all its tests: some 500 for three at a time on two idle CPUs, more beside compilers.
const LIMIT_SECONDS: &str = "1200";

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

/// A kernel with what it boots from.
struct Machine {
    version: &'static str,
    kernel: PathBuf,
    image: PathBuf,
}

/// Boots the kernels, all at once, and prints what passed.
pub(crate) fn run() -> Result<()> {
    for (program, package) in NEEDED {
        ensure!(
            process::find(program).is_some(),
            "{program} is missing (Debian: apt install {package})"
        );
    }
    build_ebpf::build(&setup::tools()?)?;
    let programs = initramfs::programs(&TESTS)?;
    let machines: Vec<Machine> = KERNELS
        .iter()
        .map(|kernel| Machine::prepare(kernel, &programs))
        .collect::<Result<_>>()?;
    // Each takes one thread; all at once, so that no CPU is idle while the last one runs.
    let failed: Vec<String> = thread::scope(|scope| {
        let boot = |machine| scope.spawn(move || Machine::test(machine));
        let boots: Vec<_> = machines.iter().map(boot).collect();
        let ended = boots.into_iter().map(|boot| match boot.join() {
            Ok(ended) => ended,
            Err(_) => Err(anyhow!("the test's own thread failed")),
        });
        let versions = machines.iter().map(|machine| machine.version);
        let ended = versions.zip(ended);
        ended
            .filter_map(|(version, ended)| Some(format!("Linux {version}: {:#}", ended.err()?)))
            .collect()
    });
    if !failed.is_empty() {
        bail!("{}", failed.join("\n"));
    }
    Ok(())
}

impl Machine {
    fn prepare(kernel: &Kernel, programs: &initramfs::Programs) -> Result<Self> {
        let files = packages::unpacked(kernel.version, kernel.suite)?;
        let image = folder().join(format!("{}.initramfs", kernel.version));
        fs::write(&image, initramfs::image(programs, &files.modules)?)
            .with_context(|| format!("cannot write {}", image.display()))?;
        Ok(Self {
            version: kernel.version,
            kernel: files.kernel,
            image,
        })
    }

    /// Boots, and prints what passed.
    fn test(&self) -> Result<()> {
        let clock = Stopwatch::start();
        let report = self.boot()?;
        say(&format!(
            "Linux {}: {} passed, {} failed in {:.0} s",
            report.release.as_deref().unwrap_or(self.version),
            report.passed,
            report.failed,
            clock.seconds(),
        ));
        report
            .verdict(&TESTS)
            .map_err(|wrong| anyhow!("{wrong}; see {}", log_path(self.version).display()))
    }

    /// Runs the test programs under the kernel.
    fn boot(&self) -> Result<Report> {
        let log = log_path(self.version);
        say(&format!("  booting Linux {} ...", self.version));
        let mut command = emulator(&self.kernel, &self.image);
        // It ends by itself, or at the limit; what it printed decides.
        let _status = command
            .stdin(Stdio::null())
            .stdout(File::create(&log)?)
            .status()
            .with_context(|| format!("cannot run `{}`", process::line_of(&command)))?;
        let printed = fs::read(&log)?;
        Ok(Report::read(&String::from_utf8_lossy(&printed)))
    }
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

fn log_path(version: &str) -> PathBuf {
    folder().join(format!("{version}.log"))
}
