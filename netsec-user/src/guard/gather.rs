//! The facts of this machine, as they are.

use std::fs;
use std::io;
use std::path::Path;
use std::thread::{self, ScopedJoinHandle};

use super::facts::{Facts, dns_servers, ssh_peers};
use super::sockets::{Family, established};
use crate::source::kernel::HostAddresses;

/// Where DNS servers are configured. The second has those behind systemd-resolved's own address.
const RESOLVERS: [&str; 2] = ["/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"];

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
    // The kernel walks all of a table for each reading, which takes milliseconds.
    let (inodes, families) = thread::scope(|scope| {
        let readers = Family::ALL.map(|family| scope.spawn(move || established(family)));
        (sshd_sockets(), readers.map(ScopedJoinHandle::join))
    });
    for (family, sockets) in Family::ALL.into_iter().zip(families) {
        let sockets = sockets.unwrap_or_else(|_| Err(io::Error::other("the reader failed")));
        if let Some(sockets) = gathered.note(family.path(), sockets) {
            let is_sshd = |inode| inodes.binary_search(&inode).is_ok();
            let peers = ssh_peers(&sockets, is_sshd);
            gathered.facts.ssh_peers.extend(peers);
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
        self.note(path, fs::read_to_string(path))
    }

    fn note<T>(&mut self, path: &str, found: io::Result<T>) -> Option<T> {
        match found {
            Ok(found) => Some(found),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => {
                self.unknown.push(format!("cannot read {path}: {error}"));
                None
            }
        }
    }
}

/// The sockets that SSH servers hold, sorted: of processes `sshd`, `sshd-session`, `sshd-auth`. Those
/// of other users cannot be looked into without root's rights; the port tells them then.
fn sshd_sockets() -> Vec<u64> {
    let mut inodes = Vec::new();
    for process in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let name = process.file_name();
        let is_process = name
            .as_encoded_bytes()
            .first()
            .is_some_and(u8::is_ascii_digit);
        let path = process.path();
        if is_process && fs::read(path.join("comm")).is_ok_and(|name| name.starts_with(b"sshd")) {
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
