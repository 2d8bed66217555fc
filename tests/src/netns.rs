//! Network namespaces of a test's own, joined by veth pairs.

use std::fs::{self, File};
use std::panic::resume_unwind;
use std::path::Path;
use std::process::{self, Command};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use nix::sched::{CloneFlags, setns};
use serde_json::Value;

/// Where iproute2 keeps the namespaces it made.
const FOLDER: &str = "/run/netns";

/// Begins the name of each; the number of the process that made it follows.
const PREFIX: &str = "netsec-test-";

/// Numbers this process's namespaces.
static NEXT: AtomicU32 = AtomicU32::new(0);

/// A network namespace. It and all interfaces in it go with this value, also when a test panics.
#[derive(Debug)]
pub struct Namespace {
    name: String,
}

/// What the kernel counted on an interface: `rtnl_link_stats64`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkCounts {
    /// Frames sent.
    pub sent_packets: u64,
    /// Bytes of those.
    pub sent_bytes: u64,
    /// Frames received.
    pub received_packets: u64,
    /// Bytes of those.
    pub received_bytes: u64,
}

impl Namespace {
    /// Makes a namespace with a name of its own and nothing but a loopback interface, which is up.
    ///
    /// # Errors
    ///
    /// When iproute2 is missing, or refuses.
    pub fn new() -> Result<Self> {
        remove_leftovers();
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("{PREFIX}{}-{number}", process::id());
        ip(&["netns", "add", &name])?;
        let namespace = Self { name };
        namespace.ip("link set lo up")?;
        Ok(namespace)
    }

    /// Its name, as `ip netns` has it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs `ip` on this namespace; the words of `arguments` are separated by blanks.
    ///
    /// # Errors
    ///
    /// What `ip` says.
    pub fn ip(&self, arguments: &str) -> Result<String> {
        let mut words = vec!["-n", self.name.as_str()];
        words.extend(arguments.split_whitespace());
        ip(&words)
    }

    /// Runs `work` on a thread inside this namespace. What it starts stays inside.
    ///
    /// # Errors
    ///
    /// When the namespace cannot be entered, or those of `work`.
    pub fn run<T: Send>(&self, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        thread::scope(|scope| {
            let inside = scope.spawn(|| {
                self.enter()?;
                work()
            });
            inside.join().unwrap_or_else(|panic| resume_unwind(panic))
        })
    }

    /// Moves this thread into the namespace, for good.
    ///
    /// # Errors
    ///
    /// When the kernel refuses.
    pub fn enter(&self) -> Result<()> {
        let file = File::open(Path::new(FOLDER).join(&self.name))?;
        setns(file, CloneFlags::CLONE_NEWNET).with_context(|| format!("entering {}", self.name))
    }

    /// What the kernel counted on an interface.
    ///
    /// # Errors
    ///
    /// When there is no such interface.
    pub fn counts(&self, interface: &str) -> Result<LinkCounts> {
        let link = self.link(interface)?;
        let count = |way: &str, what: &str| {
            let counts = link.get("stats64")?;
            counts.get(way)?.get(what)?.as_u64()
        };
        let counts = || {
            Some(LinkCounts {
                sent_packets: count("tx", "packets")?,
                sent_bytes: count("tx", "bytes")?,
                received_packets: count("rx", "packets")?,
                received_bytes: count("rx", "bytes")?,
            })
        };
        counts().with_context(|| format!("{interface}: ip shows no statistics"))
    }

    /// What `ip` shows of the XDP program on an interface; `None` without one.
    ///
    /// # Errors
    ///
    /// When there is no such interface.
    pub fn xdp(&self, interface: &str) -> Result<Option<Value>> {
        Ok(self.link(interface)?.get("xdp").cloned())
    }

    fn link(&self, interface: &str) -> Result<Value> {
        let shown = ip(&[
            "-n", &self.name, "-j", "-s", "-d", "link", "show", "dev", interface,
        ])?;
        let mut links: Vec<Value> = serde_json::from_str(&shown)?;
        links.pop().context("ip shows no such interface")
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // Nothing more can be done about a failure; a later run removes what is left.
        drop(ip(&["netns", "delete", &self.name]));
    }
}

/// Two namespaces joined by a veth pair. IPv6 makes no frames of its own on either end until an
/// address is added.
#[derive(Debug)]
pub struct Pair {
    /// Holds `left`.
    pub left: Namespace,
    /// Holds `right`.
    pub right: Namespace,
}

impl Pair {
    /// The interface in [`Self::left`], down.
    pub const LEFT: &'static str = "left";
    /// The interface in [`Self::right`], down.
    pub const RIGHT: &'static str = "right";
    /// Ethernet address of the left interface.
    pub const LEFT_MAC: [u8; 6] = [0x02, 0, 0, 0, 0, 0x0a];
    /// Ethernet address of the right interface.
    pub const RIGHT_MAC: [u8; 6] = [0x02, 0, 0, 0, 0, 0x0b];

    /// Makes both namespaces and the pair. Both ends are down: a program can be attached before the
    /// first frame.
    ///
    /// # Errors
    ///
    /// When iproute2 is missing, or refuses.
    pub fn new() -> Result<Self> {
        let pair = Self {
            left: Namespace::new()?,
            right: Namespace::new()?,
        };
        pair.left.ip(&format!(
            "link add left address 02:00:00:00:00:0a type veth peer name right \
             address 02:00:00:00:00:0b netns {}",
            pair.right.name
        ))?;
        pair.left.ip("link set left addrgenmode none")?;
        pair.right.ip("link set right addrgenmode none")?;
        Ok(pair)
    }

    /// Brings both ends up without addresses: nobody sends anything of his own accord. The right end
    /// comes first, so that it receives all that the left one sends.
    ///
    /// # Errors
    ///
    /// What `ip` says.
    pub fn up_quietly(&self) -> Result<()> {
        self.right.ip("link set right up")?;
        self.left.ip("link set left up")?;
        Ok(())
    }

    /// Brings both ends up, with 10.9.0.1 and `fd09::1` on the left, 10.9.0.2 and `fd09::2` on the
    /// right, and each knowing the other's Ethernet address. The kernels send some frames of their own
    /// then: multicast listener reports.
    ///
    /// # Errors
    ///
    /// What `ip` says.
    pub fn up(&self) -> Result<()> {
        self.up_quietly()?;
        let ends = [
            (&self.right, "right", 2, "1", "02:00:00:00:00:0a"),
            (&self.left, "left", 1, "2", "02:00:00:00:00:0b"),
        ];
        for (namespace, interface, own, other, address) in ends {
            namespace.ip(&format!("address add 10.9.0.{own}/24 dev {interface}"))?;
            namespace.ip(&format!("address add fd09::{own}/64 dev {interface} nodad"))?;
            for address_of_other in [format!("10.9.0.{other}"), format!("fd09::{other}")] {
                namespace.ip(&format!(
                    "neighbour replace {address_of_other} lladdr {address} dev {interface}"
                ))?;
            }
        }
        Ok(())
    }
}

fn ip(arguments: &[&str]) -> Result<String> {
    let output = Command::new("ip")
        .args(arguments)
        .output()
        .context("cannot run ip (Debian: apt install iproute2)")?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("ip {}: {}", arguments.join(" "), said.trim());
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// Removes namespaces of test processes that are gone: those killed before they could.
fn remove_leftovers() {
    for entry in fs::read_dir(FOLDER).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let maker = name
            .strip_prefix(PREFIX)
            .and_then(|rest| rest.split('-').next());
        if maker.is_some_and(|id| !Path::new("/proc").join(id).exists()) {
            // Another process may be at it as well.
            drop(ip(&["netns", "delete", &name]));
        }
    }
}

/// Waits until `condition` holds, asking again every few milliseconds for up to three minutes: an
/// emulated kernel of 2020 takes one to verify two programs, when two tests load theirs.
///
/// # Errors
///
/// When it does not come about, with `what`, or those of `condition`.
pub fn wait_for(what: &str, mut condition: impl FnMut() -> Result<bool>) -> Result<()> {
    for _ in 0..9_000 {
        if condition()? {
            return Ok(());
        }
        thread::sleep(Duration::from_millis(20));
    }
    ensure!(condition()?, "waited three minutes in vain: {what}");
    Ok(())
}
