//! `netsec doctor` as another process: on veth pairs, on what it has to complain of, and without
//! privilege.

use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use aya::programs::{Xdp, XdpMode};
use netsec_tests::binary;
use netsec_tests::kernel;
use netsec_tests::netns::{Namespace, Pair};
use netsec_tests::running::{Outcome, Running};
use netsec_user::source::kernel as kernel_source;
use serde_json::Value;

/// Exit codes of `netsec`.
const PRIVILEGE: i32 = 4;
const KERNEL: i32 = 5;

/// Runs `netsec doctor` in a namespace to its end.
fn doctor(namespace: &Namespace, arguments: &[&str]) -> Result<Outcome> {
    let mut all = vec!["doctor"];
    all.extend(arguments);
    namespace.run(|| Running::start(&all))?.finish()
}

/// The same without the capabilities that `kept` does not name, as for setpriv(1).
fn doctor_with(namespace: &Namespace, kept: &str, arguments: &[&str]) -> Result<Outcome> {
    let mut command = Command::new("setpriv");
    command
        .arg(format!("--bounding-set={kept}"))
        .arg(format!("--inh-caps={kept}"))
        .arg(binary::netsec()?)
        .arg("doctor")
        .args(arguments)
        .env_remove("RUST_LOG");
    namespace.run(|| Running::start_by(&mut command))?.finish()
}

/// The check of an interface, or with `None` of the machine, by its name.
fn check(outcome: &Outcome, interface: Option<&str>, name: &str) -> Result<Value> {
    let is_it = |check: &Value| {
        check.get("check") == Some(&Value::from(name))
            && check.get("interface").and_then(Value::as_str) == interface
    };
    let mut found: Vec<Value> = outcome.events()?.into_iter().filter(is_it).collect();
    ensure!(found.len() == 1, "{interface:?} {name}: {outcome:?}");
    found.pop().context("counted")
}

fn text(check: &Value, field: &str) -> Result<String> {
    let value = check.get(field).and_then(Value::as_str);
    Ok(value
        .with_context(|| format!("no {field}: {check}"))?
        .to_owned())
}

/// A check of the right interface, or of the machine, has this status, and says all of this.
fn says(outcome: &Outcome, interface: Option<&str>, name: &str, expected: &[&str]) -> Result<()> {
    let check = check(outcome, interface, name)?;
    let (status, words) = expected.split_first().context("no status")?;
    ensure!(text(&check, "status")? == *status, "{check}");
    for words in words {
        ensure!(check.to_string().contains(words), "no {words:?}: {check}");
    }
    Ok(())
}

fn ends_with(outcome: &Outcome, code: i32, said: &str) -> Result<()> {
    ensure!(outcome.status.code() == Some(code), "{outcome:?}");
    ensure!(outcome.stderr.contains(said), "{outcome:?}");
    for words in ["os error", "panicked"] {
        ensure!(!outcome.stdout.contains(words), "{words:?}: {outcome:?}");
    }
    Ok(())
}

const RIGHT: Option<&str> = Some(Pair::RIGHT);

#[test]
fn a_veth_pair_has_no_failure_and_is_left_as_it_was() {
    if kernel::object().unwrap().is_none() {
        return;
    }
    let pair = Pair::new().unwrap();
    pair.up_quietly().unwrap();
    let outcome = doctor(&pair.right, &["-i", "right", "-o", "jsonl"]).unwrap();
    ends_with(&outcome, 0, "netsec: ready").unwrap();
    for (interface, name) in [
        (None, "kernel"),
        (None, "privilege"),
        (None, "bpf(2)"),
        (None, "ring buffer"),
        (None, "mmapable array"),
        (None, "array of rings"),
        (None, "programs"),
        (None, "XDP link"),
        (RIGHT, "link"),
        (RIGHT, "driver"),
        (RIGHT, "XDP program"),
        (RIGHT, "MTU"),
    ] {
        says(&outcome, interface, name, &["ok"]).unwrap();
    }
    let counts = pair.right.counts(Pair::RIGHT).unwrap();
    assert_eq!((counts.received_packets, counts.sent_packets), (0, 0));
    assert!(pair.right.xdp(Pair::RIGHT).unwrap().is_none());
}

#[test]
fn a_trial_attaches_and_detaches() {
    if kernel::object().unwrap().is_none() {
        return;
    }
    let pair = Pair::new().unwrap();
    pair.up_quietly().unwrap();
    let arguments = ["-i", "right", "--try-attach", "-o", "jsonl"];
    let outcome = doctor(&pair.right, &arguments).unwrap();
    ends_with(&outcome, 0, "netsec: ready").unwrap();
    says(
        &outcome,
        RIGHT,
        "native XDP",
        &["ok", "attached and detached"],
    )
    .unwrap();
    assert!(pair.right.xdp(Pair::RIGHT).unwrap().is_none());

    for end in [(&pair.left, "left"), (&pair.right, "right")] {
        end.0.ip(&format!("link set {} mtu 9000", end.1)).unwrap();
    }
    let outcome = doctor(&pair.right, &arguments).unwrap();
    ends_with(&outcome, 0, "netsec: ready, 2 warnings").unwrap();
    let refused = ["warn", "refused", "MTU 9000", "generic (skb) mode works"];
    says(&outcome, RIGHT, "native XDP", &refused).unwrap();
    says(
        &outcome,
        RIGHT,
        "MTU",
        &["warn", "9000", "ip link set dev right mtu 3498"],
    )
    .unwrap();
    assert!(pair.right.xdp(Pair::RIGHT).unwrap().is_none());

    // The remedy works.
    for end in [(&pair.left, "left"), (&pair.right, "right")] {
        end.0.ip(&format!("link set {} mtu 3498", end.1)).unwrap();
    }
    let outcome = doctor(&pair.right, &arguments).unwrap();
    says(
        &outcome,
        RIGHT,
        "native XDP",
        &["ok", "attached and detached"],
    )
    .unwrap();
}

#[test]
fn a_missing_interface_is_answered_with_the_known_ones() {
    let pair = Pair::new().unwrap();
    let outcome = doctor(&pair.right, &["-i", "rihgt", "-o", "jsonl"]).unwrap();
    ends_with(&outcome, KERNEL, "netsec: error: not ready").unwrap();
    let said = ["fail", "not in this network namespace", "one of: lo, right"];
    says(&outcome, Some("rihgt"), "interface", &said).unwrap();
}

#[test]
fn a_foreign_program_is_a_failure_with_name_and_mode() {
    let Some(object) = kernel::object().unwrap() else {
        return;
    };
    let pair = Pair::new().unwrap();
    let mut ebpf = kernel::foreign(object).unwrap();
    for (mode, shown, remedy) in [
        (XdpMode::Driver, "native mode", "xdpdrv off"),
        (XdpMode::Skb, "generic (skb) mode", "xdpgeneric off"),
    ] {
        let link = pair.right.run(|| {
            let program: &mut Xdp = ebpf.program_mut("others").context("others")?.try_into()?;
            Ok(program.attach(Pair::RIGHT, mode)?)
        });
        let before = pair.right.xdp(Pair::RIGHT).unwrap();
        let arguments = ["-i", "right", "--try-attach", "-o", "jsonl"];
        let outcome = doctor(&pair.right, &arguments).unwrap();
        ends_with(&outcome, KERNEL, "not ready: 1 failure").unwrap();
        let said = [
            "fail",
            "\\\"others\\\" (id ",
            shown,
            remedy,
            "bpftool prog show id",
        ];
        says(&outcome, RIGHT, "XDP program", &said).unwrap();
        assert_eq!(pair.right.xdp(Pair::RIGHT).unwrap(), before);
        let program: &mut Xdp = ebpf.program_mut("others").unwrap().try_into().unwrap();
        program.detach(link.unwrap()).unwrap();
    }
}

#[test]
fn a_running_netsec_is_no_failure() {
    let Some(object) = kernel::object().unwrap() else {
        return;
    };
    let pair = Pair::new().unwrap();
    let attached = pair.right.run(|| {
        let interface = kernel::interface(Pair::RIGHT)?;
        let mut engine = kernel::load(object, &kernel::settings())?;
        let attachment = engine.attach(&interface, kernel_source::XdpMode::Native)?;
        Ok((engine, attachment))
    });
    let attached = attached.unwrap();
    pair.up_quietly().unwrap();
    let outcome = doctor(&pair.right, &["-i", "right", "-o", "jsonl"]).unwrap();
    ends_with(&outcome, 0, "netsec: ready").unwrap();
    says(
        &outcome,
        RIGHT,
        "XDP program",
        &["info", "netsec runs here already"],
    )
    .unwrap();
    says(&outcome, RIGHT, "native XDP", &["ok", "in use (native)"]).unwrap();
    drop(attached);
}

#[test]
fn a_driver_without_native_mode_is_a_warning() {
    if kernel::object().unwrap().is_none() {
        return;
    }
    let namespace = Namespace::new().unwrap();
    namespace.ip("link add bridge type bridge").unwrap();
    let arguments = ["-i", "all", "--try-attach", "-o", "jsonl"];
    let outcome = doctor(&namespace, &arguments).unwrap();
    ends_with(&outcome, 0, "netsec: ready, 2 warnings").unwrap();
    let bridge = Some("bridge");
    says(
        &outcome,
        bridge,
        "link",
        &["warn", "ip link set dev bridge up"],
    )
    .unwrap();
    let refused = ["warn", "its driver has no such mode", "--xdp-mode native"];
    says(&outcome, bridge, "native XDP", &refused).unwrap();
    // `all` leaves the loopback interface out.
    assert!(check(&outcome, Some("lo"), "link").is_err());
}

#[test]
fn without_privilege_the_rest_is_probed() {
    if kernel::object().unwrap().is_none() {
        return;
    }
    let pair = Pair::new().unwrap();
    pair.up_quietly().unwrap();
    for (kept, missing) in [
        ("-all", "CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON"),
        ("-all,+bpf,+perfmon", "CAP_NET_ADMIN"),
    ] {
        let arguments = ["-i", "right", "-o", "jsonl"];
        let outcome = doctor_with(&pair.right, kept, &arguments).unwrap();
        ends_with(&outcome, PRIVILEGE, "not ready: 1 failure").unwrap();
        let privilege = format!("no {missing}\"");
        let said = ["fail", &privilege, "sudo", "setcap cap_bpf,cap_net_admin"];
        says(&outcome, None, "privilege", &said).unwrap();
        let not_probed = format!("not probed: needs {missing}\"");
        for name in ["programs", "XDP link", "egress hook"] {
            says(&outcome, None, name, &["info", &not_probed]).unwrap();
        }
        says(&outcome, None, "kernel", &["ok"]).unwrap();
        says(&outcome, None, "bpf(2)", &["ok"]).unwrap();
        says(&outcome, RIGHT, "driver", &["ok", "veth"]).unwrap();
        says(&outcome, RIGHT, "XDP program", &["ok"]).unwrap();
    }
    // A missing interface is there for nobody: more privilege would not help.
    let outcome = doctor_with(&pair.right, "-all", &["-i", "rihgt"]).unwrap();
    ends_with(&outcome, KERNEL, "not ready: 2 failures").unwrap();
}

#[test]
fn three_capabilities_are_enough() {
    if kernel::object().unwrap().is_none() {
        return;
    }
    let pair = Pair::new().unwrap();
    pair.up_quietly().unwrap();
    let arguments = ["-i", "right", "--try-attach", "-o", "jsonl"];
    let kept = "-all,+bpf,+perfmon,+net_admin";
    let outcome = doctor_with(&pair.right, kept, &arguments).unwrap();
    ends_with(&outcome, 0, "netsec: ready").unwrap();
    says(&outcome, None, "programs", &["ok"]).unwrap();
    // Without a namespace of its own the link can be tried on the interface only.
    says(&outcome, None, "XDP link", &["info", "CAP_SYS_ADMIN"]).unwrap();
    says(
        &outcome,
        RIGHT,
        "native XDP",
        &["ok", "attached and detached"],
    )
    .unwrap();
}

#[test]
fn text_is_for_people() {
    let pair = Pair::new().unwrap();
    let plain = doctor(&pair.right, &["-i", "right"]).unwrap();
    assert!(!plain.stdout.contains('\u{1b}'), "{plain:?}");
    assert!(plain.stdout.starts_with("ok    kernel: "), "{plain:?}");
    let down =
        "warn  right link: down: no frames come or go\n      fix: sudo ip link set dev right up\n";
    assert!(plain.stdout.contains(down), "{plain:?}");
    let coloured = doctor(&pair.right, &["-i", "right", "--color", "always"]).unwrap();
    assert!(
        coloured
            .stdout
            .contains("\u{1b}[33mwarn \u{1b}[0m right link: down"),
        "{coloured:?}"
    );
}

#[test]
fn without_an_interface_to_pick_the_machine_is_looked_at() {
    if kernel::object().unwrap().is_none() {
        return;
    }
    let namespace = Namespace::new().unwrap();
    let outcome = doctor(&namespace, &["-o", "jsonl"]).unwrap();
    ends_with(&outcome, 0, "no default route to pick one by; try: -i IF").unwrap();
    assert!(outcome.stdout.lines().count() >= 12, "{outcome:?}");
    assert!(!outcome.stdout.contains("\"interface\":"), "{outcome:?}");
}
