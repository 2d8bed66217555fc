//! The facts of this machine, as they are.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::Path;
use std::thread::{self, ScopedJoinHandle};

use super::facts::{Facts, dns_servers, ssh_peers};
use crate::source::kernel::HostAddresses;

/// Where DNS servers are configured. The second has those behind systemd-resolved's own address.
const RESOLVERS: [&str; 2] = ["/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"];

/// The sockets of this network namespace. `/proc/net` would be that of the process's first thread.
const SOCKETS: [&str; 2] = ["/proc/thread-self/net/tcp", "/proc/thread-self/net/tcp6"];

/// Facts, and what could not be learnt.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gathered {
    /// What is known.
    pub facts: Facts,
    /// What is not, and why: a guard without it protects less.
    pub unknown: Vec<String>,
}

/// Looks at this machine and this network namespace.
pub async fn gather() -> Gathered {
    let mut gathered = Gathered::default();
    match HostAddresses::find().await {
        Ok(found) => {
            gathered.facts.own = found.own;
            gathered.facts.broadcast = found.broadcast;
            gathered.facts.gateways = found.gateways;
        }
        Err(error) => gathered.unknown.push(error.to_string()),
    }
    for path in RESOLVERS {
        if let Some(text) = gathered.text(path) {
            gathered.facts.dns.extend(dns_servers(&text));
        }
    }
    // The kernel walks all of its tables for each reading, which takes milliseconds.
    let (inodes, sockets) = thread::scope(|scope| {
        let readers = SOCKETS.map(|path| scope.spawn(move || read(path)));
        (sshd_sockets(), readers.map(ScopedJoinHandle::join))
    });
    for (path, text) in SOCKETS.into_iter().zip(sockets) {
        let text = text.unwrap_or_else(|_| Err(io::Error::other("the reader failed")));
        if let Some(text) = gathered.note(path, text) {
            let is_sshd = |inode| inodes.binary_search(&inode).is_ok();
            gathered.facts.ssh_peers.extend(ssh_peers(&text, is_sshd));
        }
    }
    for list in [&mut gathered.facts.dns, &mut gathered.facts.ssh_peers] {
        list.sort_unstable();
        list.dedup();
    }
    gathered
}

impl Gathered {
    /// A file's text; `None` without one.
    fn text(&mut self, path: &str) -> Option<String> {
        self.note(path, read(path))
    }

    fn note(&mut self, path: &str, text: io::Result<String>) -> Option<String> {
        match text {
            Ok(text) => Some(text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => {
                self.unknown.push(format!("cannot read {path}: {error}"));
                None
            }
        }
    }
}

/// A file whose length the system does not know, in as few readings as can be.
fn read(path: &str) -> io::Result<String> {
    let mut text = String::with_capacity(1 << 16);
    File::open(path)?.read_to_string(&mut text)?;
    Ok(text)
}

/// The sockets that SSH servers hold, sorted: of processes `sshd`, `sshd-session`, `sshd-auth`. Those
/// of other users cannot be looked into without root's rights; the port tells them then.
fn sshd_sockets() -> Vec<u64> {
    let mut inodes = Vec::new();
    for process in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let path = process.path();
        let name = fs::read_to_string(path.join("comm")).unwrap_or_default();
        if name.starts_with("sshd") {
            inodes.extend(sockets_of(&path));
        }
    }
    inodes.sort_unstable();
    inodes
}

fn sockets_of(process: &Path) -> Vec<u64> {
    let descriptors = fs::read_dir(process.join("fd")).into_iter().flatten();
    descriptors
        .flatten()
        .filter_map(|descriptor| {
            let target = fs::read_link(descriptor.path()).ok()?;
            let inode = target.to_str()?.strip_prefix("socket:[")?;
            inode.strip_suffix(']')?.parse().ok()
        })
        .collect()
}
