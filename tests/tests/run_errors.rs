//! What `netsec run` says when it cannot start, and how it ends.

use std::process::Command;

use anyhow::{Result, ensure};
use aya::programs::Xdp;
use netsec_tests::binary::netsec;
use netsec_tests::kernel;
use netsec_tests::netns::{Namespace, Pair, wait_for};
use netsec_tests::running::{Outcome, Running};
use netsec_tests::wire::{FrameSocket, Udp};
use netsec_user::source::kernel::XdpMode;
use nix::sys::signal::Signal;

/// Exit codes of `netsec`.
const PRIVILEGE: i32 = 4;
const KERNEL: i32 = 5;

/// Runs `netsec run` in a namespace to its end.
fn run(namespace: &Namespace, arguments: &[&str]) -> Result<Outcome> {
    let mut all = vec!["run"];
    all.extend(arguments);
    namespace.run(|| Running::start(&all))?.finish()
}

/// The command failed with this code, said all of this, and nothing by number.
fn refused(outcome: &Outcome, code: i32, said: &[&str]) -> Result<()> {
    ensure!(outcome.status.code() == Some(code), "{outcome:?}");
    for words in said {
        ensure!(outcome.stderr.contains(words), "no {words:?}: {outcome:?}");
    }
    for words in ["os error", "panicked", "EINVAL", "EPERM", "EOPNOTSUPP"] {
        ensure!(!outcome.stderr.contains(words), "{words:?}: {outcome:?}");
    }
    ensure!(outcome.stdout.is_empty(), "data on stdout: {outcome:?}");
    Ok(())
}

#[test]
fn an_unknown_interface_is_answered_with_the_known_ones() {
    if kernel::object().unwrap().is_none() {
        return;
    }
    let pair = Pair::new().unwrap();
    let outcome = run(&pair.right, &["-i", "rihgt"]).unwrap();
    refused(
        &outcome,
        KERNEL,
        &["no such interface: rihgt", "has: lo, right"],
    )
    .unwrap();
    // One typing error among several interfaces: nothing is attached to the others.
    let outcome = run(&pair.right, &["-i", "right", "-i", "rihgt"]).unwrap();
    refused(&outcome, KERNEL, &["no such interface: rihgt"]).unwrap();
    assert!(!outcome.stderr.contains("attached"), "{outcome:?}");
}

#[test]
fn missing_capabilities_are_named() {
    if kernel::object().unwrap().is_none() {
        return;
    }
    let pair = Pair::new().unwrap();
    for (capabilities, missing) in [
        ("-all", "lacks CAP_BPF and CAP_NET_ADMIN and CAP_PERFMON"),
        ("-all,+bpf,+perfmon", "lacks CAP_NET_ADMIN"),
        ("-all,+net_admin", "lacks CAP_BPF and CAP_PERFMON"),
    ] {
        let mut command = Command::new("setpriv");
        command
            .arg(format!("--bounding-set={capabilities}"))
            .arg(format!("--inh-caps={capabilities}"))
            .arg(netsec().unwrap())
            .args(["run", "-i", Pair::RIGHT])
            .env_remove("RUST_LOG");
        let started = pair.right.run(|| Running::start_by(&mut command));
        let outcome = started.unwrap().finish().unwrap();
        refused(&outcome, PRIVILEGE, &[missing, "sudo", "setcap"]).unwrap();
    }
}

#[test]
fn another_netsec_is_named_and_left_alone() {
    let Some(object) = kernel::object().unwrap() else {
        return;
    };
    let pair = Pair::new().unwrap();
    pair.up().unwrap();
    for (mode, name, asks) in [
        (XdpMode::Native, "native", &["auto", "skb"][..]),
        (XdpMode::Skb, "generic (skb)", &["native"]),
    ] {
        let attached = pair.right.run(|| {
            let interface = kernel::interface(Pair::RIGHT)?;
            let mut engine = kernel::load(object, &kernel::settings())?;
            let attachment = engine.attach(&interface, mode)?;
            Ok((engine, attachment))
        });
        let attached = attached.unwrap();
        let before = pair.right.xdp(Pair::RIGHT).unwrap();
        let find = || pair.right.run(|| kernel::interface(Pair::RIGHT));
        let id = find().unwrap().xdp.unwrap().id;
        let program = format!("\"netsec\" (id {id}, {name} mode)");
        for asked in asks {
            let outcome = run(&pair.right, &["-i", "right", "--xdp-mode", asked]).unwrap();
            let said = ["right already has an XDP program", &program, "bpftool prog"];
            refused(&outcome, KERNEL, &said).unwrap();
        }
        assert_eq!(pair.right.xdp(Pair::RIGHT).unwrap(), before);
        drop(attached);
    }
}

#[test]
fn a_foreign_program_is_named_and_left_alone() {
    let Some(object) = kernel::object().unwrap() else {
        return;
    };
    let pair = Pair::new().unwrap();
    let mut ebpf = kernel::foreign(object).unwrap();
    let attached = pair.right.run(|| {
        let program: &mut Xdp = ebpf.program_mut("others").unwrap().try_into()?;
        Ok(program.attach(Pair::RIGHT, aya::programs::XdpMode::Driver)?)
    });
    attached.unwrap();
    let before = pair.right.xdp(Pair::RIGHT).unwrap();
    let outcome = run(&pair.right, &["-i", "right"]).unwrap();
    let said = [
        "right already has an XDP program: \"others\" (id ",
        "native mode",
    ];
    refused(&outcome, KERNEL, &said).unwrap();
    assert!(before.is_some());
    assert_eq!(pair.right.xdp(Pair::RIGHT).unwrap(), before);
}

/// A bridge has no XDP of its own.
fn bridge() -> Result<Namespace> {
    let namespace = Namespace::new()?;
    namespace.ip("link add bridge type bridge")?;
    namespace.ip("link set bridge addrgenmode none")?;
    namespace.ip("link set bridge up")?;
    Ok(namespace)
}

#[test]
fn native_mode_refused_by_the_driver_says_what_to_try() {
    if kernel::object().unwrap().is_none() {
        return;
    }
    let namespace = bridge().unwrap();
    let outcome = run(&namespace, &["-i", "bridge", "--xdp-mode", "native"]).unwrap();
    let said = [
        "bridge refuses XDP in native mode: its driver has no such mode",
        "try: --xdp-mode skb",
    ];
    refused(&outcome, KERNEL, &said).unwrap();
    assert!(namespace.xdp("bridge").unwrap().is_none());
}

#[test]
fn native_mode_refused_for_the_mtu_says_so() {
    if kernel::object().unwrap().is_none() {
        return;
    }
    let pair = Pair::new().unwrap();
    pair.left.ip("link set left mtu 9000").unwrap();
    pair.right.ip("link set right mtu 9000").unwrap();
    let outcome = run(&pair.right, &["-i", "right", "--xdp-mode", "native"]).unwrap();
    let said = [
        "right refuses XDP in native mode",
        "MTU 9000",
        "try: --xdp-mode skb",
    ];
    refused(&outcome, KERNEL, &said).unwrap();
}

#[test]
fn auto_mode_falls_back_with_a_warning_and_works() {
    if kernel::object().unwrap().is_none() {
        return;
    }
    // The left end of the pair becomes a port of a bridge that is watched.
    let pair = Pair::new().unwrap();
    pair.right.ip("link add bridge type bridge").unwrap();
    pair.right.ip("link set bridge addrgenmode none").unwrap();
    pair.right
        .ip("link set bridge address 02:00:00:00:00:0b")
        .unwrap();
    pair.right.ip("link set bridge up").unwrap();
    pair.right.ip("link set right master bridge").unwrap();
    pair.up_quietly().unwrap();
    let arguments = ["run", "-i", "bridge", "-o", "jsonl"];
    let mut running = pair.right.run(|| Running::start(&arguments)).unwrap();
    running.wait_attached(1).unwrap();
    let sent = pair.left.run(|| {
        let socket = FrameSocket::open(Pair::LEFT)?;
        for source in 0..50 {
            let udp = Udp {
                source,
                destination: 53,
                vlan: None,
                payload_bytes: 30,
            };
            socket.send(&udp.frame()?)?;
        }
        Ok(())
    });
    sent.unwrap();
    wait_for("all frames are received", || {
        Ok(pair.right.counts("bridge")?.received_packets >= 50)
    })
    .unwrap();
    running.signal(Signal::SIGTERM).unwrap();
    let outcome = running.finish().unwrap();
    assert!(outcome.status.success(), "{outcome:?}");
    for words in [
        "warning: bridge: native XDP is not to be had (its driver has no such mode)",
        "fell back to generic (skb) mode",
        "--xdp-mode native",
    ] {
        assert!(outcome.stderr.contains(words), "{outcome:?}");
    }
    let stats = outcome.final_stats().unwrap();
    assert_eq!(stats["frames"], 50, "{stats}");
    assert_eq!(stats["udp"], 50, "{stats}");
    assert!(pair.right.xdp("bridge").unwrap().is_none());
}
