//! What the facts of an interface mean.

use super::super::{Check, Status, Trouble};
use super::{Facts, Trial};
use crate::source::kernel::XdpModeInUse;

/// The name of netsec's own XDP program.
const OWN_PROGRAM: &str = "netsec";

/// Largest MTU whose frames fit one page of 4096 bytes with what XDP puts around them: 256 bytes
/// of headroom, 320 of `struct skb_shared_info`, 22 of Ethernet header and VLAN tags. Some drivers
/// stop earlier.
const ONE_PAGE_MTU: u32 = 3498;

pub(super) fn all(facts: &Facts) -> Vec<Check> {
    let mut checks = vec![link(facts), driver(facts), program(facts)];
    checks.extend(native(facts));
    checks.push(mtu(facts));
    checks.extend(merging(facts));
    checks.extend(vlan(facts));
    checks.extend(queues(facts));
    checks.extend(egress(facts));
    checks
}

/// CPUs in a list such as `0-3,8`.
pub(super) fn count_cpus(list: &str) -> Option<u32> {
    let count = |range: &str| -> Option<u32> {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last): (u32, u32) = (first.parse().ok()?, last.parse().ok()?);
        last.checked_sub(first)?.checked_add(1)
    };
    list.trim().split(',').map(count).sum()
}

fn link(facts: &Facts) -> Check {
    const NAME: &str = "link";
    let interface = &facts.interface;
    if !interface.is_up {
        return Check::new(NAME, Status::Warn, "down: no frames come or go")
            .fix(format!("sudo ip link set dev {} up", interface.name));
    }
    if !interface.is_running {
        return Check::new(
            NAME,
            Status::Warn,
            "up, but without a carrier: no frames come or go",
        )
        .fix("look at the cable, the switch port, or the other end of the veth pair");
    }
    if !interface.is_ethernet {
        return Check::new(
            NAME,
            Status::Fail(Trouble::Kernel),
            "its frames have no Ethernet header, and netsec would misread all of them",
        )
        .fix("watch the interface that carries this one's packets");
    }
    Check::new(NAME, Status::Ok, "up")
}

fn driver(facts: &Facts) -> Check {
    const NAME: &str = "driver";
    match (&facts.driver, facts.interface.kind.as_deref()) {
        (Some(driver), _) => Check::new(NAME, Status::Ok, driver),
        (None, Some("veth")) => Check::new(
            NAME,
            Status::Ok,
            "veth (netsec passes every frame: the other end needs no XDP program)",
        ),
        (None, Some(kind)) => Check::new(NAME, Status::Ok, kind),
        (None, None) => Check::new(
            NAME,
            Status::Info,
            "not known: sysfs does not show this network namespace",
        ),
    }
}

/// Who has the XDP hook.
fn program(facts: &Facts) -> Check {
    const NAME: &str = "XDP program";
    let interface = &facts.interface.name;
    let Some(program) = &facts.interface.xdp else {
        return Check::new(NAME, Status::Ok, "none: the hook is free");
    };
    if program.name == OWN_PROGRAM {
        let detail = format!("netsec runs here already: {program}; a second one cannot attach");
        return Check::new(NAME, Status::Info, detail);
    }
    let detail = format!("the hook is taken by {program}; netsec leaves it alone");
    let fix = format!(
        "find its owner: sudo bpftool prog show id {id}, sudo bpftool link\n\
         remove it, if ip attached it: sudo ip link set dev {interface} {word} off",
        id = program.id,
        word = match program.mode {
            XdpModeInUse::Native => "xdpdrv",
            XdpModeInUse::Generic => "xdpgeneric",
            XdpModeInUse::Hardware => "xdpoffload",
        }
    );
    Check::new(NAME, Status::Fail(Trouble::Kernel), detail).fix(fix)
}

/// Whether netsec would run in the driver.
fn native(facts: &Facts) -> Option<Check> {
    const NAME: &str = "native XDP";
    const GENERIC: &str = "netsec run falls back to generic (skb) mode, which costs more CPU per \
                           packet";
    const STRICT: &str =
        "nothing has to be done; to make it an error: netsec run --xdp-mode native";
    let name = &facts.interface.name;
    if let Some(program) = &facts.interface.xdp {
        return match (program.name.as_str(), program.mode) {
            (OWN_PROGRAM, XdpModeInUse::Generic) => Some(Check::new(
                NAME,
                Status::Warn,
                "not in use: netsec runs in generic (skb) mode",
            )),
            (OWN_PROGRAM, mode) => Some(Check::new(NAME, Status::Ok, format!("in use ({mode})"))),
            _ => None,
        };
    }
    let check = |status, detail: &str| Check::new(NAME, status, detail);
    Some(match (&facts.trial, facts.has_native_xdp) {
        (Trial::Native, _) => check(Status::Ok, "attached and detached"),
        (Trial::Generic(reason), _) => check(
            Status::Warn,
            &format!("refused: {reason}; generic (skb) mode works"),
        )
        .fix(STRICT),
        (Trial::Refused(text), _) => Check::failed(NAME, Trouble::Kernel, text),
        (Trial::NotAsked | Trial::Impossible, Some(false)) => {
            check(Status::Warn, &format!("the driver has none: {GENERIC}")).fix(STRICT)
        }
        (Trial::Impossible, _) => {
            check(Status::Info, "not tried: netsec's programs are not loaded")
        }
        (Trial::NotAsked, Some(true)) => check(
            Status::Ok,
            "the driver has it (asked, not tried: --try-attach)",
        ),
        (Trial::NotAsked, None) => check(
            Status::Info,
            "not tried, and before Linux 6.3 there is no other way to know",
        )
        .fix(format!(
            "netsec doctor -i {name} --try-attach (some drivers reset the link at that)"
        )),
    })
}

/// Whether frames fit where native XDP wants them.
fn mtu(facts: &Facts) -> Check {
    const NAME: &str = "MTU";
    let mtu = facts.interface.mtu;
    let no_matter = facts.has_native_xdp == Some(false) || facts.trial == Trial::Native;
    if mtu <= ONE_PAGE_MTU || no_matter {
        return Check::new(NAME, Status::Ok, mtu.to_string());
    }
    let detail = format!(
        "{mtu}: frames do not fit one page (MTU {ONE_PAGE_MTU}), and most drivers then refuse native \
         XDP; netsec run falls back to generic (skb) mode"
    );
    Check::new(NAME, Status::Warn, detail).fix(format!(
        "if all hosts of this network can do with it: sudo ip link set dev {} mtu {ONE_PAGE_MTU}",
        facts.interface.name
    ))
}

/// Whether the card puts several frames together before XDP sees them.
fn merging(facts: &Facts) -> Option<Check> {
    const NAME: &str = "frame merging";
    let on = |name: &str| has(facts, name);
    let found: Vec<&str> = [("rx-lro", "lro"), ("rx-gro-hw", "rx-gro-hw")]
        .into_iter()
        .filter(|(name, _)| on(name))
        .map(|(_, option)| option)
        .collect();
    facts.features.as_ref()?;
    if found.is_empty() {
        return Some(Check::new(NAME, Status::Ok, "LRO and hardware GRO are off"));
    }
    let detail = format!(
        "{} on: the card makes one frame of several, so packets are counted too few, and some \
         drivers refuse native XDP",
        found.join(" and ")
    );
    let switches: Vec<String> = found.iter().map(|option| format!("{option} off")).collect();
    Some(Check::new(NAME, Status::Warn, detail).fix(format!(
        "sudo ethtool -K {} {}",
        facts.interface.name,
        switches.join(" ")
    )))
}

/// Whether VLAN tags are gone before XDP sees the frame.
fn vlan(facts: &Facts) -> Option<Check> {
    const NAME: &str = "VLAN tags";
    facts.features.as_ref()?;
    if !has(facts, "rx-vlan-hw-parse") {
        return Some(Check::new(NAME, Status::Ok, "left in the frame"));
    }
    Some(
        Check::new(
            NAME,
            Status::Info,
            "taken off before XDP sees the frame (rxvlan on): flows of all VLANs count as untagged",
        )
        .fix(format!(
            "where VLANs matter: sudo ethtool -K {} rxvlan off",
            facts.interface.name
        )),
    )
}

/// How many CPUs share the work.
fn queues(facts: &Facts) -> Option<Check> {
    const NAME: &str = "RX queues";
    let (queues, cpus) = (facts.queues?, facts.cpus?);
    let detail = format!("{} of at most {} for {cpus} CPUs", queues.count, queues.max);
    if queues.count >= cpus.min(queues.max) {
        return Some(Check::new(NAME, Status::Ok, detail));
    }
    let detail = format!("{detail}: not every CPU takes its part");
    Some(Check::new(NAME, Status::Info, detail).fix(format!(
        "sudo ethtool -L {} {} {}",
        facts.interface.name,
        if queues.are_combined {
            "combined"
        } else {
            "rx"
        },
        cpus.min(queues.max)
    )))
}

/// Others at the egress hook; netsec runs behind them.
fn egress(facts: &Facts) -> Option<Check> {
    let others: Vec<String> = facts
        .egress_programs
        .iter()
        .filter(|name| !name.starts_with(OWN_PROGRAM))
        .map(|name| format!("\"{name}\""))
        .collect();
    (!others.is_empty()).then(|| {
        let others = others.join(", ");
        let detail = format!("{others} run before netsec; what they drop is not counted");
        Check::new("TCX egress programs", Status::Info, detail)
    })
}

fn has(facts: &Facts, feature: &str) -> bool {
    let features = facts.features.iter().flatten();
    features.into_iter().any(|name| name == feature)
}

#[cfg(test)]
mod tests;
