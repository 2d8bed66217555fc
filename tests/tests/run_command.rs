//! `netsec run` as another process on a veth pair.

use std::net::Ipv4Addr;

use anyhow::{Context as _, Result, ensure};
use netsec_tests::kernel;
use netsec_tests::netns::{Namespace, Pair, wait_for};
use netsec_tests::running::{Outcome, Running};
use netsec_tests::wire::{self, FrameSocket, Udp};
use nix::sys::signal::Signal;
use serde_json::Value;

/// A veth pair without traffic of its own.
fn quiet_pair() -> Result<Option<Pair>> {
    if kernel::object()?.is_none() {
        return Ok(None);
    }
    let pair = Pair::new()?;
    pair.up_quietly()?;
    Ok(Some(pair))
}

/// Starts `netsec run` on the right end, and waits until it counts.
fn start(pair: &Pair, arguments: &[&str]) -> Result<Running> {
    let mut all = vec!["run", "-i", Pair::RIGHT];
    all.extend(arguments);
    let mut running = pair.right.run(|| Running::start(&all))?;
    running.wait_attached(1)?;
    Ok(running)
}

/// Sends frames from the left end, and waits until the right end's kernel has received them: with
/// XDP in native mode they wait in a queue of 256.
fn send(pair: &Pair, frames: &[Vec<u8>]) -> Result<()> {
    let received = || -> Result<u64> { Ok(pair.right.counts(Pair::RIGHT)?.received_packets) };
    for some in frames.chunks(100) {
        let expected = received()? + some.len() as u64;
        pair.left.run(|| {
            let socket = FrameSocket::open(Pair::LEFT)?;
            some.iter().try_for_each(|frame| socket.send(frame))
        })?;
        wait_for("all frames are received", || Ok(received()? >= expected))?;
    }
    Ok(())
}

/// `count` UDP packets of as many flows, with payloads of different lengths.
fn packets(count: u16) -> Result<Vec<Vec<u8>>> {
    (0..count)
        .map(|number| {
            let udp = Udp {
                source: 10_000 + number,
                destination: 53,
                vlan: None,
                payload_bytes: usize::from(number) + 20,
            };
            udp.frame()
        })
        .collect()
}

fn bytes(frames: &[Vec<u8>]) -> u64 {
    frames.iter().map(|frame| frame.len() as u64).sum()
}

fn assert_gone(namespace: &Namespace, interface: &str) -> Result<()> {
    ensure!(namespace.xdp(interface)?.is_none(), "still attached");
    let found = namespace.run(|| kernel::interface(interface))?;
    ensure!(found.xdp.is_none(), "{found:?}");
    Ok(())
}

fn number(value: &Value, path: &str) -> Result<u64> {
    value
        .pointer(path)
        .and_then(Value::as_u64)
        .with_context(|| format!("no {path} in {value}"))
}

/// Events of a type.
fn of_type(outcome: &Outcome, event_type: &str) -> Result<Vec<Value>> {
    let mut events = outcome.events()?;
    events.retain(|event| event.get("event_type") == Some(&Value::from(event_type)));
    Ok(events)
}

/// The command ends with status 0, and its last line holds all that was sent.
fn complete(outcome: &Outcome, frames: &[Vec<u8>]) -> Result<()> {
    ensure!(outcome.status.success(), "{outcome:?}");
    let stats = outcome.final_stats()?;
    let sent = frames.len() as u64;
    for (path, expected) in [
        ("/frames", sent),
        ("/bytes", bytes(frames)),
        ("/coverage/frames", sent),
        ("/coverage/unread_packets", 0),
        ("/coverage/records_lost", 0),
        ("/coverage/samples_lost", 0),
        ("/flows/read_packets", sent),
        ("/flows/read_bytes", bytes(frames)),
    ] {
        ensure!(number(&stats, path)? == expected, "{path} in {stats}");
    }
    let complete = stats.pointer("/coverage/complete");
    ensure!(complete == Some(&Value::Bool(true)), "{stats}");
    Ok(())
}

/// A signal ends the run; everything counted until then is written.
fn signalled(signal: Signal) -> Result<()> {
    let Some(pair) = quiet_pair()? else {
        return Ok(());
    };
    let running = start(&pair, &["-o", "jsonl", "--packets", "all"])?;
    ensure!(pair.right.xdp(Pair::RIGHT)?.is_some(), "not attached");
    let frames = packets(300)?;
    send(&pair, &frames)?;
    running.signal(signal)?;
    let outcome = running.finish()?;
    complete(&outcome, &frames)?;
    let (packets, flows) = (of_type(&outcome, "packet")?, of_type(&outcome, "flow")?);
    ensure!(packets.len() == 300, "{} packets", packets.len());
    ensure!(flows.len() == 300, "{} flows", flows.len());
    for flow in &flows {
        let is_sent = flow.get("src_ip") == Some(&Value::from("10.9.0.1"))
            && flow.get("dest_port") == Some(&Value::from(53))
            && flow.get("in_iface") == Some(&Value::from(Pair::RIGHT));
        ensure!(is_sent, "{flow}");
    }
    assert_gone(&pair.right, Pair::RIGHT)
}

#[test]
fn sigterm_flushes_and_detaches() {
    signalled(Signal::SIGTERM).unwrap();
}

#[test]
fn sigint_flushes_and_detaches() {
    signalled(Signal::SIGINT).unwrap();
}

#[test]
fn sigkill_leaves_nothing_on_the_interface() {
    let Some(pair) = quiet_pair().unwrap() else {
        return;
    };
    let running = start(&pair, &[]).unwrap();
    running.signal(Signal::SIGKILL).unwrap();
    assert_eq!(running.finish().unwrap().status.code(), None);
    // The kernel closes the link once the process is buried.
    wait_for("the program is gone", || {
        Ok(pair.right.xdp(Pair::RIGHT)?.is_none())
    })
    .unwrap();
    assert_gone(&pair.right, Pair::RIGHT).unwrap();
}

#[test]
fn a_count_ends_the_run() {
    let Some(pair) = quiet_pair().unwrap() else {
        return;
    };
    let running = start(&pair, &["-o", "jsonl", "-c", "5"]).unwrap();
    send(&pair, &packets(40).unwrap()).unwrap();
    let outcome = running.finish().unwrap();
    assert!(outcome.status.success(), "{outcome:?}");
    assert_eq!(of_type(&outcome, "packet").unwrap().len(), 5);
    outcome.final_stats().unwrap();
    assert_gone(&pair.right, Pair::RIGHT).unwrap();
}

#[test]
fn a_duration_ends_the_run_with_a_summary_for_people() {
    let Some(pair) = quiet_pair().unwrap() else {
        return;
    };
    let running = start(&pair, &["--for", "700ms"]).unwrap();
    send(&pair, &packets(3).unwrap()).unwrap();
    let outcome = running.finish().unwrap();
    assert!(outcome.status.success(), "{outcome:?}");
    for expected in ["10.9.0.1", "10002", "UDP"] {
        assert!(outcome.stdout.contains(expected), "{}", outcome.stdout);
    }
    assert!(!outcome.stdout.contains('\x1b'), "colours in a pipe");
    assert_gone(&pair.right, Pair::RIGHT).unwrap();
}

#[test]
fn a_filter_applies_to_packets_and_flows() {
    let Some(pair) = quiet_pair().unwrap() else {
        return;
    };
    let running = start(&pair, &["-o", "jsonl", "tcp and dst port 443"]).unwrap();
    let source = Ipv4Addr::new(10, 9, 0, 1);
    let mut frames = packets(20).unwrap();
    for (port, flags) in [(443, "S"), (443, "A"), (80, "S"), (8443, "S"), (443, "FA")] {
        frames.push(wire::tcp((source, 40_000), port, flags).unwrap());
    }
    // The other way round: 443 is where it comes from.
    frames.push(wire::tcp((source, 443), 40_001, "SA").unwrap());
    send(&pair, &frames).unwrap();
    running.signal(Signal::SIGTERM).unwrap();
    let outcome = running.finish().unwrap();
    // The ledger counts what was received, filter or not.
    complete(&outcome, &frames).unwrap();
    let port = |event: &Value| event["dest_port"].clone();
    let packets = of_type(&outcome, "packet").unwrap();
    assert_eq!(packets.iter().map(port).collect::<Vec<_>>(), [443; 3]);
    let flows = of_type(&outcome, "flow").unwrap();
    let filtered: Vec<_> = flows.iter().map(port).collect();
    assert!(filtered.contains(&443.into()), "{flows:?}");
    assert!(!filtered.contains(&53.into()), "{flows:?}");
    assert!(!filtered.contains(&80.into()), "{flows:?}");
}

#[test]
fn several_interfaces_are_counted_apart() {
    let Some(first) = quiet_pair().unwrap() else {
        return;
    };
    first
        .right
        .ip("link add second type veth peer name third")
        .unwrap();
    for end in ["second", "third"] {
        let namespace = &first.right;
        namespace
            .ip(&format!("link set {end} addrgenmode none"))
            .unwrap();
        namespace.ip(&format!("link set {end} up")).unwrap();
    }
    let arguments = ["run", "-o", "jsonl", "-i", "right", "-i", "third"];
    let started = first.right.run(|| Running::start(&arguments));
    let mut running = started.unwrap();
    running.wait_attached(2).unwrap();
    let (few, many) = (packets(10).unwrap(), packets(25).unwrap());
    send(&first, &few).unwrap();
    let sent = first.right.run(|| {
        let socket = FrameSocket::open("second")?;
        many.iter().try_for_each(|frame| socket.send(frame))
    });
    sent.unwrap();
    wait_for("all frames are received", || {
        Ok(first.right.counts("third")?.received_packets >= 25)
    })
    .unwrap();
    running.signal(Signal::SIGTERM).unwrap();
    let outcome = running.finish().unwrap();
    complete(&outcome, &[few, many].concat()).unwrap();
    let stats = outcome.final_stats().unwrap();
    let apart: Vec<_> = stats["interfaces"]
        .as_array()
        .unwrap()
        .iter()
        .map(|interface| {
            let field = |name: &str| interface[name].clone();
            (field("in_iface"), field("direction"), field("frames"))
        })
        .collect();
    let counted =
        |name: &str, direction: &str, frames: u64| (name.into(), direction.into(), frames.into());
    assert_eq!(
        apart,
        [
            counted("right", "ingress", 10),
            counted("right", "egress", 0),
            counted("third", "ingress", 25),
            counted("third", "egress", 0),
        ]
    );
    assert_gone(&first.right, "right").unwrap();
    assert_gone(&first.right, "third").unwrap();
}
