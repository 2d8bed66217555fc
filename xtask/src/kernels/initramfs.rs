//! The root file system of a booted kernel: test programs, and what they need to run.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::archive::Archive;
use super::console::MARK;
use crate::process;

/// Programs and libraries, with the paths they get.
pub(super) struct Programs {
    files: Vec<(PathBuf, Vec<u8>)>,
}

/// Builds the command and these test programs, and collects them with `ip`, the shell and every
/// shared library.
pub(super) fn programs(tests: &[&str]) -> Result<Programs> {
    let mut from = vec![(
        PathBuf::from("/bin/netsec"),
        built(
            &["build", "--package=netsec-user", "--bin=netsec"],
            "netsec",
        )?,
    )];
    for test in tests {
        let arguments = ["test", "--no-run", "--package=netsec-tests", "--test", test];
        from.push((Path::new("/tests").join(test), built(&arguments, test)?));
    }
    let mut files = Vec::new();
    let mut libraries = BTreeSet::new();
    for (to, path) in from {
        libraries.extend(libraries_of(&path)?);
        files.push((to, stripped(&path)?));
    }
    for program in ["ip", "busybox"] {
        let path = process::find(program).with_context(|| format!("{program} is missing"))?;
        // A static program has none.
        libraries.extend(libraries_of(&path).unwrap_or_default());
        files.push((Path::new("/bin").join(program), fs::read(&path)?));
    }
    for library in libraries {
        let bytes = fs::read(&library).with_context(|| library.display().to_string())?;
        files.push((library, bytes));
    }
    Ok(Programs { files })
}

/// The archive for a kernel with these modules.
pub(super) fn image(programs: &Programs, modules: &[PathBuf]) -> Result<Vec<u8>> {
    let mut archive = Archive::default();
    for folder in ["/dev", "/proc", "/run", "/sys", "/tmp"] {
        archive.folder(Path::new(folder))?;
    }
    archive.program(Path::new("/init"), init().as_bytes())?;
    for (path, bytes) in &programs.files {
        archive.program(path, bytes)?;
    }
    for module in modules {
        let name = module.file_stem().context("a module without a name")?;
        let name = Path::new(name).with_extension("ko");
        archive.program(&Path::new("/modules").join(name), &module_bytes(module)?)?;
    }
    archive.finish()
}

/// The first process: everything it does is told on the console.
fn init() -> String {
    format!(
        "#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin NETSEC_REQUIRE_KERNEL=1 NETSEC_BINARY=/bin/netsec
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mount -t tmpfs tmp /tmp
mount -t tmpfs run /run
mount -t bpf bpf /sys/fs/bpf
ip link set lo up
for module in /modules/*; do insmod $module; done
echo {MARK} release $(uname -r)
netsec --version
for test in /tests/*; do
    $test 2>&1
    echo {MARK} ended ${{test##*/}} $?
done
echo {MARK} done
poweroff -f
"
    )
}

/// Builds, and returns the path of the program of that name.
fn built(arguments: &[&str], name: &str) -> Result<PathBuf> {
    let mut command = process::cargo_with_object();
    command
        .args(arguments)
        .args(["--locked", "--message-format=json"]);
    let messages = process::output_of(&mut command)
        .with_context(|| format!("`{}` failed", process::line_of(&command)))?;
    executable(&messages, name).with_context(|| format!("cargo names no program {name}"))
}

/// The program of that name in cargo's messages.
fn executable(messages: &str, name: &str) -> Option<PathBuf> {
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .find_map(|message| {
            let is_it = message.get("target")?.get("name")? == name;
            let path = message.get("executable")?.as_str()?;
            is_it.then(|| PathBuf::from(path))
        })
}

/// A program without its debugging information, which is most of it.
fn stripped(program: &Path) -> Result<Vec<u8>> {
    let output = super::folder().join("stripped");
    fs::create_dir_all(super::folder())?;
    process::output_of(Command::new("strip").arg("-o").arg(&output).arg(program))
        .with_context(|| format!("cannot strip {}", program.display()))?;
    Ok(fs::read(&output)?)
}

/// A module, decompressed: only some kernels can do it themselves.
fn module_bytes(module: &Path) -> Result<Vec<u8>> {
    if module.extension().is_none_or(|extension| extension != "xz") {
        return fs::read(module).with_context(|| module.display().to_string());
    }
    let output = Command::new("xz").arg("-dc").arg(module).output()?;
    anyhow::ensure!(
        output.status.success(),
        "cannot unpack {}",
        module.display()
    );
    Ok(output.stdout)
}

fn libraries_of(program: &Path) -> Result<Vec<PathBuf>> {
    let printed = process::output_of(Command::new("ldd").arg(program))
        .with_context(|| format!("cannot run ldd on {}", program.display()))?;
    Ok(libraries(&printed))
}

/// The paths in what `ldd` prints; the kernel's own library has none.
fn libraries(printed: &str) -> Vec<PathBuf> {
    printed
        .lines()
        .filter_map(|line| line.split_whitespace().find(|word| word.starts_with('/')))
        .map(PathBuf::from)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ldd_names_the_loader_and_the_libraries() {
        let printed = "\tlinux-vdso.so.1 (0x00007f)\n\tlibc.so.6 => /lib/x/libc.so.6 (0x00007f)\n\
                       \t/lib64/ld-linux-x86-64.so.2 (0x00007f)\n";
        assert_eq!(
            libraries(printed),
            ["/lib/x/libc.so.6", "/lib64/ld-linux-x86-64.so.2"].map(PathBuf::from)
        );
    }

    #[test]
    fn cargo_names_the_program() {
        let messages = "{\"target\":{\"name\":\"netsec\"},\"executable\":null}\n\
                        {\"target\":{\"name\":\"live\"},\"executable\":\"/t/live-1\"}\n";
        assert_eq!(executable(messages, "live"), Some("/t/live-1".into()));
        assert_eq!(executable(messages, "netsec"), None);
    }
}
