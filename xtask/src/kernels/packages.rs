//! Debian's kernel packages: found, downloaded and unpacked, apart from the machine's own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::process;

/// Depends on the newest kernel for virtual machines that a suite has.
const META_PACKAGE: &str = "linux-image-cloud-amd64";

const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

const REMEDY: &str = "the kernels come from the Debian mirror that apt is set up for, by Debian's keys \
                      (package debian-archive-keyring)";

/// Where apt's own sources are.
const SOURCES: [&str; 2] = [
    "/etc/apt/sources.list.d/debian.sources",
    "/etc/apt/sources.list",
];

/// Modules that the tests need, below a kernel's `kernel` folder.
const MODULES: [&str; 3] = [
    "drivers/net/veth.ko",
    "net/sched/sch_ingress.ko",
    "net/sched/cls_bpf.ko",
];

/// What of a package is used.
pub(super) struct KernelFiles {
    /// The bootable image.
    pub(super) kernel: PathBuf,
    /// Modules to load, perhaps compressed.
    pub(super) modules: Vec<PathBuf>,
}

/// The files of a suite's kernel, downloaded once.
pub(super) fn unpacked(version: &str, suite: &str) -> Result<KernelFiles> {
    let folder = super::folder().join(version);
    if let Ok(files) = files(&folder) {
        return Ok(files);
    }
    let apt = folder.join("apt");
    for part in ["lists/partial", "parts", "archives/partial"] {
        fs::create_dir_all(apt.join(part))?;
    }
    fs::write(apt.join("debian.sources"), sources(&mirror()?, suite))?;
    process::step(
        &format!("listing {suite}"),
        apt_command("apt-get", &apt).args(["-qq", "update"]),
        REMEDY,
    )?;
    let depends =
        process::output_of(apt_command("apt-cache", &apt).args(["depends", META_PACKAGE]));
    let package = depends
        .as_deref()
        .and_then(|depends| dependency(depends, version))
        .with_context(|| format!("{suite} has no Linux {version}\n{REMEDY}"))?;
    process::step(
        &format!("downloading {package}"),
        apt_command("apt-get", &apt)
            .current_dir(&folder)
            .args(["download", package]),
        REMEDY,
    )?;
    let file = entry(&folder, package, ".deb")?;
    process::step(
        &format!("unpacking {package}"),
        Command::new("dpkg-deb").arg("-x").arg(&file).arg(&folder),
        REMEDY,
    )?;
    files(&folder)
}

fn files(folder: &Path) -> Result<KernelFiles> {
    let kernel = entry(&folder.join("boot"), "vmlinuz-", "")?;
    let root = entry(&folder.join("lib/modules"), "", "")?.join("kernel");
    let modules = MODULES.map(|module| {
        let module = root.join(module);
        let compressed = module.with_extension("ko.xz");
        if compressed.exists() {
            compressed
        } else {
            module
        }
    });
    Ok(KernelFiles {
        kernel,
        modules: modules.into(),
    })
}

/// The one entry of a folder that begins and ends so.
fn entry(folder: &Path, begin: &str, end: &str) -> Result<PathBuf> {
    let missing = || format!("nothing in {} is {begin}*{end}", folder.display());
    for entry in fs::read_dir(folder).with_context(missing)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with(begin) && name.ends_with(end) {
            return Ok(entry.path());
        }
    }
    Err(anyhow::Error::msg(missing()))
}

/// The mirror of the main archive that the machine's own apt uses.
fn mirror() -> Result<String> {
    SOURCES
        .iter()
        .filter_map(|path| fs::read_to_string(path).ok())
        .find_map(|text| archive(&text).map(str::to_owned))
        .with_context(|| format!("no Debian mirror in {}\n{REMEDY}", SOURCES.join(" or ")))
}

/// The first address of a main archive in apt's sources, in either form.
fn archive(sources: &str) -> Option<&str> {
    sources
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'))
        .flat_map(str::split_whitespace)
        .find(|word| word.contains("://") && word.trim_end_matches('/').ends_with("/debian"))
}

fn sources(mirror: &str, suite: &str) -> String {
    format!(
        "Types: deb\nURIs: {mirror}\nSuites: {suite}\nComponents: main\n\
         Architectures: amd64\nSigned-By: {KEYRING}\n"
    )
}

/// Reads and writes nothing of the machine's own package lists.
fn apt_command(program: &str, apt: &Path) -> Command {
    let mut command = Command::new(program);
    for (option, path) in [
        ("Dir::Etc::sourcelist", apt.join("debian.sources")),
        ("Dir::Etc::sourceparts", apt.join("parts")),
        ("Dir::State::lists", apt.join("lists")),
        ("Dir::State::status", PathBuf::from("/dev/null")),
        ("Dir::Cache", apt.join("archives")),
        ("APT::Sandbox::User", PathBuf::from("root")),
    ] {
        command
            .arg("-o")
            .arg(format!("{option}={}", path.display()));
    }
    command
}

/// The kernel's own package among what `apt-cache depends` prints.
fn dependency<'a>(depends: &'a str, version: &str) -> Option<&'a str> {
    let begin = format!("linux-image-{version}.");
    depends
        .lines()
        .filter_map(|line| line.trim().strip_prefix("Depends: "))
        .find(|package| package.starts_with(&begin))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mirror_is_that_of_apts_own_sources() {
        let new =
            "Types: deb\n# URIs: http://old.example/debian\nURIs: http://mirror.example/debian/\n";
        assert_eq!(archive(new), Some("http://mirror.example/debian/"));
        let old = "deb [arch=amd64] https://mirror.example/debian bookworm main\n";
        assert_eq!(archive(old), Some("https://mirror.example/debian"));
        assert_eq!(
            archive("URIs: http://mirror.example/debian-security\n"),
            None
        );
    }

    #[test]
    fn the_meta_package_leads_to_the_kernel_of_that_version() {
        let depends = "linux-image-cloud-amd64\n  Depends: linux-image-6.1.0-50-cloud-amd64\n";
        assert_eq!(
            dependency(depends, "6.1"),
            Some("linux-image-6.1.0-50-cloud-amd64")
        );
        assert_eq!(dependency(depends, "6.12"), None);
        assert_eq!(
            dependency(&depends.replace("6.1.0", "6.12.95"), "6.1"),
            None
        );
    }
}
