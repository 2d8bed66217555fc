//! `netsec run` on what an interface sends as well as on what it receives.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::thread;

use anyhow::{Context as _, Result, ensure};
use netsec_tests::kernel;
use netsec_tests::netns::{Namespace, Pair, wait_for};
use netsec_tests::running::{Outcome, Running};
use nix::sys::signal::Signal;
use serde_json::Value;

const SENT_BYTES: usize = 2 << 20;
const ANSWER_BYTES: usize = 1 << 20;
const PORT: u16 = 4321;

/// Sends two MiB from a client in one namespace to a server in another, and one MiB back.
fn transfer(client: &Namespace, server: &Namespace, address: Ipv4Addr) -> Result<()> {
    let listener = server.run(|| Ok(TcpListener::bind((address, PORT))?))?;
    let served = thread::spawn(move || -> Result<()> {
        let (mut stream, _) = listener.accept()?;
        let mut received = vec![0; SENT_BYTES];
        stream.read_exact(&mut received)?;
        stream.write_all(&vec![7; ANSWER_BYTES])?;
        Ok(())
    });
    client.run(|| {
        let mut stream = TcpStream::connect(SocketAddr::from((address, PORT)))?;
        stream.write_all(&vec![5; SENT_BYTES])?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        ensure!(answer.len() == ANSWER_BYTES, "{} bytes came", answer.len());
        Ok(())
    })?;
    served
        .join()
        .map_err(|_panic| anyhow::anyhow!("the server panicked"))?
}

/// The one TCP connection of [`transfer`] among the records.
fn connection(outcome: &Outcome, in_iface: &str) -> Result<Value> {
    let mut events = outcome.events()?;
    events.retain(|event| {
        event["event_type"] == "flow" && event["proto"] == "TCP" && event["in_iface"] == in_iface
    });
    ensure!(events.len() == 1, "{events:?}");
    events.pop().context("checked above")
}

fn number(value: &Value, path: &str) -> Result<u64> {
    let number = value.pointer(path).and_then(Value::as_u64);
    number.with_context(|| format!("no {path} in {value}"))
}

/// Frames and bytes of one hook in the last line.
fn hook(outcome: &Outcome, in_iface: &str, direction: &str) -> Result<(u64, u64)> {
    let stats = outcome.final_stats()?;
    let interfaces = stats
        .get("interfaces")
        .and_then(Value::as_array)
        .context("interfaces")?;
    let hook = interfaces
        .iter()
        .find(|hook| hook["in_iface"] == in_iface && hook["direction"] == direction)
        .with_context(|| format!("no {in_iface} {direction} in {stats}"))?;
    Ok((number(hook, "/frames")?, number(hook, "/bytes")?))
}

/// Waits until nothing has moved on an interface for a while, so that last acknowledgements count.
fn at_rest(namespace: &Namespace, interface: &str) -> Result<()> {
    let mut last = namespace.counts(interface)?;
    let mut same = 0;
    wait_for("the interface comes to rest", || {
        let now = namespace.counts(interface)?;
        same = if now == last { same + 1 } else { 0 };
        last = now;
        Ok(same > 20)
    })
}

/// Both directions of a host's connection are one record, and every frame that the kernel says it
/// received or sent is in it or in another count.
#[test]
fn a_hosts_connection_has_both_directions() {
    if kernel::object().unwrap().is_none() {
        return;
    }
    let pair = Pair::new().unwrap();
    up_with_ipv4(&pair).unwrap();
    let before = pair.right.counts(Pair::RIGHT).unwrap();
    let arguments = ["run", "-i", Pair::RIGHT, "-o", "jsonl", "--packets", "off"];
    let mut running = pair.right.run(|| Running::start(&arguments)).unwrap();
    running.wait_attached(1).unwrap();
    let said = running.said();
    let [egress, ingress] = ["egress attached", "XDP attached"].map(|what| said.find(what));
    assert!(
        egress.is_some() && egress < ingress,
        "answers are watched first: {said}"
    );
    transfer(&pair.left, &pair.right, Ipv4Addr::new(10, 9, 0, 2)).unwrap();
    at_rest(&pair.right, Pair::RIGHT).unwrap();
    let after = pair.right.counts(Pair::RIGHT).unwrap();
    running.signal(Signal::SIGINT).unwrap();
    let outcome = running.finish().unwrap();

    let flow = connection(&outcome, Pair::RIGHT).unwrap();
    assert_eq!(flow["src_ip"], "10.9.0.1", "the client is the originator");
    assert_eq!(flow["dest_port"], u64::from(PORT));
    assert_eq!(flow["flow"]["state"], "closed");
    assert!(number(&flow, "/flow/bytes_toserver").unwrap() > SENT_BYTES as u64);
    assert!(number(&flow, "/flow/bytes_toclient").unwrap() > ANSWER_BYTES as u64);

    let (received, _) = hook(&outcome, Pair::RIGHT, "ingress").unwrap();
    let (sent, sent_bytes) = hook(&outcome, Pair::RIGHT, "egress").unwrap();
    assert_eq!(sent, after.sent_packets - before.sent_packets);
    assert_eq!(sent_bytes, after.sent_bytes - before.sent_bytes);
    assert_eq!(received, after.received_packets - before.received_packets);
    let stats = outcome.final_stats().unwrap();
    assert_eq!(stats["coverage"]["complete"], true, "{stats}");
    assert_eq!(number(&stats, "/frames").unwrap(), received + sent);
}

/// Addresses on both ends, in such a way that neither sends a frame of its own accord: a frame
/// before the hooks are attached would be in the kernel's count alone.
fn up_with_ipv4(pair: &Pair) -> Result<()> {
    pair.up_quietly()?;
    for (namespace, interface, own, other, address) in [
        (&pair.left, Pair::LEFT, 1, 2, "02:00:00:00:00:0b"),
        (&pair.right, Pair::RIGHT, 2, 1, "02:00:00:00:00:0a"),
    ] {
        namespace.ip(&format!("address add 10.9.0.{own}/24 dev {interface}"))?;
        namespace.ip(&format!(
            "neighbour replace 10.9.0.{other} lladdr {address} dev {interface}"
        ))?;
    }
    Ok(())
}

/// A router between two hosts, watched on both sides: what it forwards is counted once.
#[test]
fn a_forwarded_frame_is_counted_once() {
    if kernel::object().unwrap().is_none() {
        return;
    }
    let (client, router, server) = routed().unwrap();
    let arguments = [
        "run",
        "-i",
        "ra",
        "-i",
        "rb",
        "-o",
        "jsonl",
        "--packets",
        "off",
    ];
    let mut running = router.run(|| Running::start(&arguments)).unwrap();
    running.wait_attached(2).unwrap();
    let before = ["ra", "rb"].map(|name| router.counts(name).unwrap());
    transfer(&client, &server, Ipv4Addr::new(10, 12, 0, 2)).unwrap();
    for name in ["ra", "rb"] {
        at_rest(&router, name).unwrap();
    }
    let after = ["ra", "rb"].map(|name| router.counts(name).unwrap());
    running.signal(Signal::SIGINT).unwrap();
    let outcome = running.finish().unwrap();
    let stats = outcome.final_stats().unwrap();

    let [a, b] = [0, 1].map(|at| after[at].received_packets - before[at].received_packets);
    let (from_a, _) = hook(&outcome, "ra", "ingress").unwrap();
    let (from_b, _) = hook(&outcome, "rb", "ingress").unwrap();
    assert!(from_a >= a && from_b >= b, "{stats}");
    // The router's own frames are ARP alone.
    let own = hook(&outcome, "ra", "egress").unwrap().0 + hook(&outcome, "rb", "egress").unwrap().0;
    let arp = number(&stats, "/arp").unwrap();
    assert!(own <= arp, "{own} of {arp} ARP frames: {stats}");
    // The router's kernel may join segments into larger frames (GRO): fewer go out than came in.
    let forwarded = |what: &str| number(&stats, &format!("/coverage/forwarded{what}")).unwrap();
    assert!((1..=number(&stats, "/ipv4").unwrap()).contains(&forwarded("")));
    let payload = (SENT_BYTES + ANSWER_BYTES) as u64;
    let bytes = number(&stats, "/bytes").unwrap();
    assert!((payload..=bytes).contains(&forwarded("_bytes")), "{stats}");
    assert_eq!(number(&stats, "/frames").unwrap(), from_a + from_b + own);
    // Each interface keeps its own half: what came in there.
    let there = connection(&outcome, "ra").unwrap();
    assert!(number(&there, "/flow/bytes_toserver").unwrap() > SENT_BYTES as u64);
    assert_eq!(number(&there, "/flow/pkts_toclient").unwrap(), 0);
}

/// A client and a server, each on its own network of a router.
fn routed() -> Result<(Namespace, Namespace, Namespace)> {
    let (client, router, server) = (Namespace::new()?, Namespace::new()?, Namespace::new()?);
    for (host, outer, inner, network) in [(&client, "ca", "ra", 11), (&server, "sb", "rb", 12)] {
        host.ip(&format!(
            "link add {outer} type veth peer name {inner} netns {}",
            router.name()
        ))?;
        host.ip(&format!("addr add 10.{network}.0.2/24 dev {outer}"))?;
        router.ip(&format!("addr add 10.{network}.0.1/24 dev {inner}"))?;
        host.ip(&format!("link set {outer} up"))?;
        router.ip(&format!("link set {inner} up"))?;
        host.ip(&format!("route add default via 10.{network}.0.1"))?;
    }
    router.run(|| {
        std::fs::write("/proc/sys/net/ipv4/ip_forward", "1").context("ip_forward")?;
        for name in ["ra", "rb"] {
            let path = format!("/proc/sys/net/ipv6/conf/{name}/disable_ipv6");
            std::fs::write(path, "1").context("disable_ipv6")?;
        }
        Ok(())
    })?;
    Ok((client, router, server))
}
