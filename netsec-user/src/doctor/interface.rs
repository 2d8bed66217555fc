//! One interface: what it is, how it is set, and what that means for XDP.

mod judge;

use std::fs;

use super::netlink::{Netlink, Queues};
use super::{Check, Status, Trouble, read};
use crate::source::kernel::{Interface, KernelEngine, KernelError, XdpMode, XdpModeInUse, probe};

/// What is known of an interface. What the kernel does not say, or a kernel is too old to say, is
/// `None`.
#[derive(Clone, Debug)]
struct Facts {
    interface: Interface,
    /// Of hardware, what the driver is called.
    driver: Option<String>,
    /// The features that are on, by the names of `ethtool -k`.
    features: Option<Vec<String>>,
    queues: Option<Queues>,
    /// CPUs that are online.
    cpus: Option<u32>,
    has_native_xdp: Option<bool>,
    /// TCX programs on what it sends.
    egress_programs: Vec<String>,
    trial: Trial,
}

/// What came of attaching to it.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Trial {
    NotAsked,
    /// Without the program there is nothing to attach.
    Impossible,
    Native,
    /// With the reason why not native.
    Generic(String),
    /// With its remedy.
    Refused(String),
}

/// All checks of an interface; `engine` is there if it may be attached.
pub(super) async fn all(
    name: &str,
    try_attach: bool,
    engine: Option<&mut KernelEngine>,
) -> Vec<Check> {
    let mut checks = match Interface::find(name).await {
        Ok(interface) => {
            let trial = match engine {
                Some(engine) => attach(&interface, engine),
                None if try_attach => Trial::Impossible,
                None => Trial::NotAsked,
            };
            judge::all(&gather(interface, trial))
        }
        Err(error) => vec![absent(&error)],
    };
    for check in &mut checks {
        check.interface = Some(name.to_owned());
    }
    checks
}

fn absent(error: &KernelError) -> Check {
    const NAME: &str = "interface";
    const FAIL: Status = Status::Fail(Trouble::Kernel);
    if let KernelError::NoSuchInterface { candidates, .. } = error {
        let fix = format!("one of: {}", candidates.join(", "));
        return Check::new(NAME, FAIL, "not in this network namespace").fix(fix);
    }
    Check::failed(NAME, Trouble::Kernel, &error.to_string())
}

/// Attaches as `netsec run` would, and detaches.
fn attach(interface: &Interface, engine: &mut KernelEngine) -> Trial {
    match engine.attach(interface, XdpMode::Auto) {
        Ok(attachment) => match (attachment.mode, attachment.fallback) {
            (XdpModeInUse::Generic, reason) => Trial::Generic(reason.unwrap_or_default()),
            (XdpModeInUse::Native | XdpModeInUse::Hardware, _) => Trial::Native,
        },
        Err(error) => Trial::Refused(error.to_string()),
    }
}

fn gather(interface: Interface, trial: Trial) -> Facts {
    let index = interface.index;
    let mut netlink = Netlink::open().ok();
    let mut features = None;
    let mut queues = None;
    let mut has_native_xdp = None;
    if let Some(netlink) = &mut netlink {
        features = netlink.features(index).ok();
        queues = netlink.queues(index).ok();
        has_native_xdp = netlink.has_native_xdp(index).ok();
    }
    Facts {
        driver: driver(&interface),
        features,
        queues,
        cpus: read("/sys/devices/system/cpu/online").and_then(|list| judge::count_cpus(&list)),
        has_native_xdp,
        egress_programs: probe::tcx_programs(&interface.name).unwrap_or_default(),
        trial,
        interface,
    }
}

/// The driver that sysfs names. A process can have the sysfs of another network namespace, where
/// the same name may be another device: index and address tell.
fn driver(interface: &Interface) -> Option<String> {
    let folder = format!("/sys/class/net/{}", interface.name);
    let index = read(&format!("{folder}/ifindex"))?;
    let address = read(&format!("{folder}/address"))?;
    let own: Vec<String> = interface
        .address
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    if index.trim() != interface.index.to_string() || address.trim() != own.join(":") {
        return None;
    }
    let driver = fs::read_link(format!("{folder}/device/driver")).ok()?;
    Some(driver.file_name()?.to_string_lossy().into_owned())
}
