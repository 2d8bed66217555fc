use super::super::super::netlink::Queues;
use super::*;
use crate::source::kernel::{Interface, XdpOnInterface};

/// A network card as it should be.
fn facts() -> Facts {
    Facts {
        interface: Interface {
            name: "eth0".to_owned(),
            index: 2,
            mtu: 1500,
            xdp: None,
            is_up: true,
            is_running: true,
            is_ethernet: true,
            kind: None,
            address: vec![2, 0, 0, 0, 0, 1],
        },
        driver: Some("ixgbe".to_owned()),
        features: Some(vec!["rx-checksum".to_owned()]),
        queues: Some(Queues {
            count: 4,
            max: 8,
            are_combined: true,
        }),
        cpus: Some(4),
        has_native_xdp: Some(true),
        egress_programs: Vec::new(),
        trial: Trial::NotAsked,
    }
}

/// The checks that are not `ok`, after a change to the facts.
fn found(change: impl FnOnce(&mut Facts)) -> Vec<Check> {
    let mut facts = facts();
    change(&mut facts);
    let mut checks = all(&facts);
    checks.retain(|check| check.status != Status::Ok);
    checks
}

/// The one check that is not `ok`.
fn only(change: impl FnOnce(&mut Facts)) -> Check {
    let [check] = <[Check; 1]>::try_from(found(change)).unwrap();
    check
}

fn program(name: &str, mode: XdpModeInUse) -> XdpOnInterface {
    XdpOnInterface {
        id: 42,
        name: name.to_owned(),
        mode,
    }
}

#[test]
fn a_good_card_has_nothing_to_say() {
    assert_eq!(found(|_| {}), []);
    assert_eq!(all(&facts()).len(), 8);
}

#[test]
fn an_interface_that_is_down_is_a_warning() {
    let check = only(|facts| facts.interface.is_up = false);
    assert_eq!((check.name, check.status), ("link", Status::Warn));
    assert_eq!(check.fix.unwrap(), "sudo ip link set dev eth0 up");
    let check = only(|facts| facts.interface.is_running = false);
    assert!(check.detail.contains("carrier"), "{check:?}");
}

#[test]
fn frames_without_an_ethernet_header_are_a_failure() {
    let check = only(|facts| facts.interface.is_ethernet = false);
    assert_eq!(check.status, Status::Fail(Trouble::Kernel));
}

#[test]
fn a_foreign_program_is_named_with_mode_and_remedy() {
    let check = only(|facts| facts.interface.xdp = Some(program("lb", XdpModeInUse::Generic)));
    assert_eq!(check.status, Status::Fail(Trouble::Kernel));
    assert!(
        check.detail.contains("\"lb\" (id 42, generic (skb) mode)"),
        "{check:?}"
    );
    let fix = check.fix.unwrap();
    assert!(fix.contains("prog show id 42"), "{fix}");
    assert!(fix.contains("ip link set dev eth0 xdpgeneric off"), "{fix}");
}

#[test]
fn a_running_netsec_is_no_failure() {
    let check = only(|facts| facts.interface.xdp = Some(program("netsec", XdpModeInUse::Native)));
    assert_eq!((check.name, check.status), ("XDP program", Status::Info));
    let checks =
        found(|facts| facts.interface.xdp = Some(program("netsec", XdpModeInUse::Generic)));
    let [program, native] = <[Check; 2]>::try_from(checks).unwrap();
    assert_eq!(program.status, Status::Info);
    assert_eq!((native.name, native.status), ("native XDP", Status::Warn));
}

#[test]
fn native_mode_is_told_from_what_is_known() {
    let check = only(|facts| facts.has_native_xdp = Some(false));
    assert_eq!((check.name, check.status), ("native XDP", Status::Warn));
    let check = only(|facts| facts.has_native_xdp = None);
    assert_eq!(check.status, Status::Info);
    assert!(check.detail.contains("6.3") && check.fix.unwrap().contains("--try-attach"));
}

#[test]
fn a_trial_outranks_what_the_driver_says() {
    assert_eq!(
        found(|facts| (facts.trial, facts.has_native_xdp) = (Trial::Native, Some(false))),
        []
    );
    let check = only(|facts| facts.trial = Trial::Generic("no queues left".to_owned()));
    assert_eq!(check.status, Status::Warn);
    assert!(
        check.detail.starts_with("refused: no queues left"),
        "{check:?}"
    );
    let check = only(|facts| facts.trial = Trial::Refused("gone\ntry: again".to_owned()));
    assert_eq!(check.status, Status::Fail(Trouble::Kernel));
    assert_eq!(
        (check.detail.as_str(), check.fix.as_deref()),
        ("gone", Some("again"))
    );
}

#[test]
fn a_large_mtu_matters_where_native_mode_is_to_be_had() {
    let check = only(|facts| facts.interface.mtu = 9000);
    assert_eq!((check.name, check.status), ("MTU", Status::Warn));
    assert_eq!(found(|facts| facts.interface.mtu = ONE_PAGE_MTU), []);
    let checks = found(|facts| {
        facts.interface.mtu = 65536;
        facts.has_native_xdp = Some(false);
    });
    assert!(checks.iter().all(|check| check.name != "MTU"), "{checks:?}");
    let tried = found(|facts| {
        facts.interface.mtu = 9000;
        facts.trial = Trial::Native;
    });
    assert_eq!(tried, []);
}

#[test]
fn features_that_change_frames_have_their_switches() {
    let with = |names: &[&str]| {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        only(|facts| facts.features = Some(names))
    };
    let check = with(&["rx-lro", "rx-gro-hw"]);
    assert_eq!(check.status, Status::Warn);
    assert_eq!(
        check.fix.unwrap(),
        "sudo ethtool -K eth0 lro off rx-gro-hw off"
    );
    let check = with(&["rx-gro-hw"]);
    assert_eq!(check.fix.unwrap(), "sudo ethtool -K eth0 rx-gro-hw off");
    let check = with(&["rx-vlan-hw-parse"]);
    assert_eq!((check.name, check.status), ("VLAN tags", Status::Info));
    assert!(check.fix.unwrap().ends_with("rxvlan off"));
}

#[test]
fn unused_queues_are_mentioned() {
    let queues = |count, max| {
        move |facts: &mut Facts| {
            facts.queues = Some(Queues {
                count,
                max,
                are_combined: max == 8,
            })
        }
    };
    let check = only(queues(1, 8));
    assert_eq!((check.name, check.status), ("RX queues", Status::Info));
    assert_eq!(check.fix.unwrap(), "sudo ethtool -L eth0 combined 4");
    let check = only(queues(1, 2));
    assert_eq!(check.fix.unwrap(), "sudo ethtool -L eth0 rx 2");
    assert_eq!(found(queues(1, 1)), []);
    assert_eq!(found(queues(8, 8)), []);
}

#[test]
fn what_is_not_known_is_not_judged() {
    let checks = found(|facts| {
        facts.features = None;
        facts.queues = None;
        facts.cpus = None;
    });
    assert_eq!(checks, []);
}

#[test]
fn others_at_the_egress_hook_are_named() {
    let names = ["shaper", "netsec_egress"].map(str::to_owned).to_vec();
    let check = only(|facts| facts.egress_programs = names);
    assert!(
        check.detail.starts_with("\"shaper\" run before"),
        "{check:?}"
    );
}

#[test]
fn cpu_lists_are_counted() {
    assert_eq!(count_cpus("0-3,8,10-11\n"), Some(7));
    assert_eq!(count_cpus("0"), Some(1));
    assert_eq!(count_cpus(""), None);
    assert_eq!(count_cpus("3-1"), None);
}
