//! What is in tunnels, through the kernel: the programs that look inside, at both hooks.

#![expect(clippy::print_stderr, reason = "tests say how much they checked")]

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use netsec_common::fixtures::{TunnelCase, differences, moved, tunnel_cases};
use netsec_common::ledger::{Counter, Row, Snapshot};
use netsec_common::packet::FlowKey;
use netsec_tests::kernel::{self, Collected, XDP_PASS};
use netsec_tests::netns::{Pair, wait_for};
use netsec_tests::wire::FrameSocket;
use netsec_user::hook::HookId;
use netsec_user::source::kernel::{KernelEngine, KernelSettings, XdpMode};

/// Fewer would be a table that has lost cases.
const CASES_MIN: usize = 276;

fn settings() -> KernelSettings {
    let mut settings = kernel::settings();
    settings.engine.slots = 64;
    settings.engine.inner = true;
    settings
}

/// Key, TCP flags, packets, bytes.
type Flow = (FlowKey, u8, u64, u64);

/// Summed up by key, as a flow may pass several CPUs.
fn flows(collected: &Collected) -> Vec<Flow> {
    let mut flows = BTreeMap::<FlowKey, (u8, u64, u64)>::new();
    for delta in &collected.deltas {
        let (flags, packets, bytes) = flows.entry(delta.key).or_default();
        *flags |= delta.tcp_flags;
        *packets += delta.packets;
        *bytes += delta.bytes;
    }
    let flows = flows.into_iter();
    flows
        .map(|(key, (flags, packets, bytes))| (key, flags, packets, bytes))
        .collect()
}

fn expected(case: &TunnelCase) -> Vec<Flow> {
    let outer = &case.outer;
    let of_frame = outer
        .key
        .map(|key| (key, outer.tcp_flags, 1, u64::from(outer.wire_bytes)));
    let inside = case.flows.iter();
    let inside = inside.map(|(key, flags, bytes)| (*key, *flags, 1, *bytes));
    let mut flows: Vec<_> = of_frame.into_iter().chain(inside).collect();
    flows.sort();
    flows
}

#[test]
fn every_tunnel_moves_exactly_its_counters_and_has_its_flows() {
    let Some(object) = kernel::object().unwrap() else {
        return;
    };
    let mut engine = kernel::load(object, &settings()).unwrap();
    let cases = tunnel_cases();
    let wrong: Vec<String> = cases
        .iter()
        .filter_map(|case| {
            let wrong = run(&mut engine, case).err()?;
            Some(format!("{}: {wrong:#}", case.name))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(cases.len() >= CASES_MIN, "only {} cases", cases.len());
    eprintln!("{} tunnels through BPF_PROG_TEST_RUN", cases.len());
}

fn run(engine: &mut KernelEngine, case: &TunnelCase) -> Result<()> {
    engine.clear_flows()?;
    let before = engine.ledger_exact();
    let outcome = engine.test_run(&case.outer.frame, 1)?;
    let after = engine.ledger_exact();
    let wrong = differences(&case.expect(), &moved(&before, &after));
    ensure!(wrong.is_empty(), "{wrong:?}");
    ensure!(outcome.action == XDP_PASS, "action {}", outcome.action);
    let mut collected = Collected::default();
    engine.read(&mut collected)?;
    let (flows, expected) = (flows(&collected), expected(case));
    ensure!(flows == expected, "flows {flows:?}, not {expected:?}");
    Ok(())
}

/// Of counters, those that tell what is inside of tunnels.
fn inside(ledger: &Snapshot) -> Vec<(Counter, u64)> {
    let first = Counter::Tunnelled as u32;
    ledger
        .iter()
        .filter(|(counter, value)| *counter as u32 >= first && *value != 0)
        .collect()
}

/// Every tunnel goes over a veth pair, with one hook where it is sent and one where it is received.
#[test]
fn both_hooks_see_what_is_in_the_tunnels_that_pass() {
    let Some(object) = kernel::object().unwrap() else {
        return;
    };
    let pair = Pair::new().unwrap();
    let mut settings = settings();
    settings.engine.slots = 1 << 14;
    let (mut egress, _held) = pair
        .left
        .run(|| {
            let interface = kernel::interface(Pair::LEFT)?;
            let mut engine = KernelEngine::load_egress(object, HookId(1), &settings, &[])?;
            let attachment = engine.attach_egress(&interface)?;
            Ok((engine, attachment))
        })
        .unwrap();
    let (mut ingress, _attached) = pair
        .right
        .run(|| {
            let interface = kernel::interface(Pair::RIGHT)?;
            let mut engine = kernel::load(object, &settings)?;
            let attachment = engine.attach(&interface, XdpMode::Skb)?;
            Ok((engine, attachment))
        })
        .unwrap();
    pair.up_quietly().unwrap();
    // What an interface takes: no more than its MTU, no less than an Ethernet header.
    let cases: Vec<_> = tunnel_cases()
        .into_iter()
        .filter(|case| (14..=1514).contains(&case.outer.frame.len()))
        .collect();
    assert!(cases.len() >= CASES_MIN - 10, "only {}", cases.len());
    let sent = pair.left.run(|| send(&cases)).unwrap();

    let wanted = Row::new();
    for (counter, amount) in cases.iter().flat_map(|case| &case.inner) {
        wanted.add(*counter, *amount);
    }
    let wanted = inside(&wanted.read());
    for (engine, name) in [(&mut ingress, "ingress"), (&mut egress, "egress")] {
        wait_for("all frames have passed", || {
            Ok(engine.ledger_exact().get(Counter::Frames) >= sent)
        })
        .unwrap();
        let ledger = engine.ledger_exact();
        assert_eq!(inside(&ledger), wanted, "{name}");
        assert_eq!((ledger.imbalance(), ledger.inner_imbalance()), (0, 0));
    }
    let mut seen = [Collected::default(), Collected::default()];
    let [received, left] = &mut seen;
    ingress.read(received).unwrap();
    egress.read(left).unwrap();
    let of_tunnels = |collected: &Collected| {
        let mut flows = flows(collected);
        flows.retain(|(key, ..)| key.is_inner());
        flows
    };
    assert!(of_tunnels(received).len() > 30);
    assert_eq!(of_tunnels(received), of_tunnels(left));
}

fn send(cases: &[TunnelCase]) -> Result<u64> {
    let socket = FrameSocket::open(Pair::LEFT)?;
    for case in cases {
        socket
            .send(&case.outer.frame)
            .with_context(|| case.name.clone())?;
    }
    Ok(u64::try_from(cases.len())?)
}

#[test]
fn without_looking_inside_a_tunnel_is_one_flow() {
    let Some(object) = kernel::object().unwrap() else {
        return;
    };
    let mut settings = settings();
    settings.engine.inner = false;
    let mut engine = kernel::load(object, &settings).unwrap();
    for case in tunnel_cases() {
        let before = engine.ledger_exact();
        engine.clear_flows().unwrap();
        engine.test_run(&case.outer.frame, 1).unwrap();
        let moved = moved(&before, &engine.ledger_exact());
        let wrong = differences(&case.outer.expect, &moved);
        assert!(wrong.is_empty(), "{}: {wrong:?}", case.name);
    }
}
