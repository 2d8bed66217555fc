//! `netsec run --on-exit keep`: what holds while no netsec is running, and when one comes back.

#![expect(clippy::print_stderr, reason = "tests say what they measured")]

use std::net::UdpSocket;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use netsec_common::block::{BlockKey, List, Narrowing};
use netsec_tests::binary;
use netsec_tests::bpf_fs::BpfFs;
use netsec_tests::kernel;
use netsec_tests::netns::{Pair, wait_for};
use netsec_tests::running::Running;
use netsec_user::block::{Enforcer as _, KernelEnforcer};
use netsec_user::source::kernel::BlockMaps;
use nix::sys::signal::Signal;
use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::RcvBufForce;
use tempfile::TempDir;

/// The left end's addresses: one that gets blocked, one that never is.
const BLOCKED: &str = "10.9.0.1";
const OTHER: &str = "10.9.0.7";

/// A sensor on the right end that keeps its blocks, and a server beside it that counts.
struct Bench {
    pair: Arc<Pair>,
    folder: TempDir,
    pins: BpfFs,
    sensor: Option<Running>,
}

impl Bench {
    fn new(more: &[&str]) -> Result<Self> {
        let pair = Pair::new()?;
        pair.up()?;
        pair.left.ip(&format!("address add {OTHER}/24 dev left"))?;
        let mut bench = Self {
            pair: Arc::new(pair),
            folder: TempDir::new()?,
            pins: BpfFs::mount()?,
            sensor: None,
        };
        bench.start(more)?;
        Ok(bench)
    }

    fn start(&mut self, more: &[&str]) -> Result<()> {
        let socket = self.path("socket");
        let places = self.places();
        let mut arguments: Vec<&str> = "run -i right --enforce --interval 0 --packets off \
            --flow-slots 4096 --block-entries 4096"
            .split_whitespace()
            .collect();
        arguments.extend(places.iter().map(String::as_str));
        arguments.extend(more);
        let mut sensor = self.pair.right.run(|| Running::start(&arguments))?;
        sensor.wait_attached(1)?;
        wait_for("the socket", || Ok(Path::new(&socket).exists()))?;
        self.sensor = Some(sensor);
        Ok(())
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    fn places(&self) -> [String; 6] {
        [
            "--socket".to_owned(),
            self.path("socket"),
            "--state".to_owned(),
            self.path("state"),
            "--pins".to_owned(),
            self.pins.path("netsec").display().to_string(),
        ]
    }

    fn end(&mut self, signal: Signal) -> Result<()> {
        let sensor = self.sensor.take().context("none is running")?;
        sensor.signal(signal)?;
        sensor.finish()?;
        Ok(())
    }

    /// Runs a command in the right end's namespace, and gives its exit code and what it said.
    fn netsec(&self, words: &str) -> Result<(i32, String)> {
        let places = self.places();
        let words: Vec<&str> = words
            .split_whitespace()
            .chain(places.iter().map(String::as_str))
            .collect();
        self.pair.right.run(|| {
            let output = binary::run(&words, &[])?;
            let mut said = String::from_utf8(output.stdout)?;
            said += &String::from_utf8(output.stderr)?;
            Ok((output.status.code().context("killed")?, said))
        })
    }

    fn done(&self, words: &str) -> Result<String> {
        let (code, said) = self.netsec(words)?;
        ensure!(code == 0, "{words}: {code}: {said}");
        Ok(said)
    }

    fn detach(&self) -> Result<String> {
        let pins = self.pins.path("netsec").display().to_string();
        self.pair.right.run(|| {
            let output = binary::run(["detach", "--pins", &pins], &[])?;
            ensure!(output.status.success(), "{output:?}");
            Ok(String::from_utf8(output.stdout)?)
        })
    }

    /// How many of so many datagrams from an address reach the right end.
    fn arrive(&self, from: &str, count: usize) -> Result<usize> {
        let server = self.pair.right.run(|| Ok(UdpSocket::bind("10.9.0.2:0")?))?;
        let to = server.local_addr()?;
        self.pair.left.run(|| {
            let socket = UdpSocket::bind((from, 0))?;
            (0..count).try_for_each(|_| socket.send_to(b"x", to).map(drop))?;
            Ok(())
        })?;
        server.set_read_timeout(Some(Duration::from_millis(100)))?;
        Ok((0..count)
            .take_while(|_| server.recv(&mut [0; 8]).is_ok())
            .count())
    }
}

#[test]
fn a_kept_block_ends_in_time_though_netsec_was_killed() {
    if kernel::object().unwrap().is_none() {
        return;
    }
    let mut bench = Bench::new(&["--on-exit", "keep"]).unwrap();
    bench.done("block add 10.9.0.1 --for 6s").unwrap();
    bench.end(Signal::SIGKILL).unwrap();
    assert_eq!(bench.arrive(BLOCKED, 20).unwrap(), 0);
    assert_eq!(bench.arrive(OTHER, 200).unwrap(), 200);
    let said = bench.done("status").unwrap();
    assert!(said.contains("no netsec is running"), "{said}");
    let said = bench.done("block list").unwrap();
    assert!(
        said.contains("10.9.0.1/32") || said.contains("10.9.0.1 "),
        "{said}"
    );
    wait_for("the block ends", || Ok(bench.arrive(BLOCKED, 1)? == 1)).unwrap();
}

#[test]
fn without_a_netsec_blocks_are_written_into_what_it_kept() {
    if kernel::object().unwrap().is_none() {
        return;
    }
    let mut bench = Bench::new(&["--on-exit", "keep"]).unwrap();
    bench.end(Signal::SIGTERM).unwrap();
    assert_eq!(bench.arrive(BLOCKED, 5).unwrap(), 5);
    let said = bench
        .done("block add 10.9.0.1 --for 1h --reason night")
        .unwrap();
    assert!(said.contains("on right (verified in kernel map)"), "{said}");
    assert_eq!(bench.arrive(BLOCKED, 5).unwrap(), 0);
    let (code, said) = bench.netsec("block add 10.9.0.2").unwrap();
    assert!(code == 1 && said.contains("refused: "), "the guard: {said}");
    bench.done("allow add 10.9.0.1").unwrap();
    assert_eq!(bench.arrive(BLOCKED, 5).unwrap(), 5);
    bench.done("allow del 10.9.0.1").unwrap();
    assert_eq!(bench.arrive(BLOCKED, 5).unwrap(), 0);

    // The next one knows of it, and what it dropped before and after.
    bench.start(&["--on-exit", "keep"]).unwrap();
    let said = bench.done("why 10.9.0.1").unwrap();
    assert!(
        said.contains("10 packets") && said.contains("reason: night"),
        "{said}"
    );
    bench.end(Signal::SIGTERM).unwrap();

    // One that is not to keep anything does not start on what was kept.
    let refused = bench.start(&["--on-exit", "detach"]).unwrap_err();
    let said = format!("{refused:#}");
    assert!(said.contains("netsec detach -i right"), "{said}");
    bench.detach().unwrap();
    assert_eq!(bench.pair.right.xdp(Pair::RIGHT).unwrap(), None);
    assert_eq!(bench.arrive(BLOCKED, 5).unwrap(), 5);
    bench.start(&[]).unwrap();
    assert_eq!(bench.arrive(BLOCKED, 5).unwrap(), 0, "from the journal");
}

/// Somebody else writes into the table, which is pinned.
#[test]
fn drift_is_named_and_repaired() {
    if kernel::object().unwrap().is_none() {
        return;
    }
    let mut bench = Bench::new(&["--on-exit", "keep"]).unwrap();
    bench.done("block add 192.0.2.1 --for 1h").unwrap();
    bench.end(Signal::SIGTERM).unwrap();
    let maps = BlockMaps::open(&bench.pins.path("netsec").join("right"));
    let mut table = KernelEnforcer::new(maps.unwrap().unwrap());
    let key = |address: &str| BlockKey {
        list: List::Block,
        prefix: address.parse().unwrap(),
        narrowing: Narrowing::Any,
    };
    let mut drift = |stray: &str| {
        let mut state = table.remove(&key("192.0.2.1")).unwrap();
        state.block.key = key(stray);
        table.insert(&state.block).unwrap();
    };
    drift("192.0.2.7");
    let (code, said) = bench.netsec("block verify").unwrap();
    for part in [
        "192.0.2.1 wanted, and not in the kernel's table",
        "192.0.2.7 in the kernel's table, and not wanted",
        "differences: 2, entries wanted: 1; no netsec is running",
    ] {
        assert!(code == 1 && said.contains(part), "{code} {said}");
    }
    bench.start(&["--on-exit", "keep"]).unwrap();
    assert!(
        bench.done("block list").unwrap().contains("192.0.2.7"),
        "adopted"
    );
    drift("192.0.2.8");
    wait_for("it is repaired", || {
        Ok(bench.done("status")?.contains("2 entries repaired"))
    })
    .unwrap();
    let said = bench.done("block verify").unwrap();
    assert!(said.starts_with("2 entries, all"), "{said}");
}

#[test]
fn the_dead_man_switch_opens_and_closes() {
    if kernel::object().unwrap().is_none() {
        return;
    }
    let refused = binary::run(
        [
            "run",
            "-i",
            "lo",
            "--silence",
            "5s",
            "--on-silence",
            "closed",
        ],
        &[],
    )
    .unwrap();
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("try: --force"));

    let mut bench = Bench::new(&[
        "--on-exit",
        "keep",
        "--silence",
        "3s",
        "--on-silence",
        "open",
    ])
    .unwrap();
    bench.done("block add 10.9.0.1 --for 1h").unwrap();
    let said = bench.done("status").unwrap();
    assert!(said.contains("after 3 s of its silence: open"), "{said}");
    bench.end(Signal::SIGKILL).unwrap();
    assert_eq!(bench.arrive(BLOCKED, 5).unwrap(), 0);
    wait_for("the switch opens", || Ok(bench.arrive(BLOCKED, 1)? == 1)).unwrap();
    let said = bench.done("status").unwrap();
    assert!(said.contains("in force is: open"), "{said}");

    bench
        .start(&[
            "--on-exit",
            "keep",
            "--silence",
            "3s",
            "--on-silence",
            "closed",
            "--force",
        ])
        .unwrap();
    bench.done("allow add 10.9.0.7").unwrap();
    assert_eq!(bench.arrive(BLOCKED, 5).unwrap(), 0);
    bench.done("block del 10.9.0.1").unwrap();
    assert_eq!(bench.arrive(BLOCKED, 5).unwrap(), 5);
    bench.end(Signal::SIGKILL).unwrap();
    wait_for("the switch closes", || Ok(bench.arrive(BLOCKED, 1)? == 0)).unwrap();
    assert_eq!(bench.arrive(OTHER, 50).unwrap(), 50);
}

/// One netsec takes over from another while a blocked and another source send as fast as they can.
#[test]
fn an_upgrade_under_a_flood_leaks_and_loses_nothing() {
    if kernel::object().unwrap().is_none() {
        return;
    }
    let mut bench = Bench::new(&["--on-exit", "keep"]).unwrap();
    bench.done("block add 10.9.0.1 --for 1h").unwrap();
    let bind = || Ok(UdpSocket::bind("10.9.0.2:7000")?);
    let server = bench.pair.right.run(bind).unwrap();
    // Room for all that arrives: a reader that is kept waiting must not look like a filter that loses.
    setsockopt(&server, RcvBufForce, &(64 << 20)).unwrap();
    let (stop, is_over) = (&AtomicBool::new(false), &AtomicBool::new(false));
    thread::scope(|scope| {
        let counter = scope.spawn(|| arrivals(&server, is_over));
        let [flood, others] = [(BLOCKED, 0), (OTHER, 50)].map(|(from, pause_us)| {
            let pair = Arc::clone(&bench.pair);
            scope.spawn(move || send(&pair, from, pause_us, stop).unwrap())
        });
        for _ in 0..3 {
            bench.end(Signal::SIGKILL).unwrap();
            bench.start(&["--on-exit", "keep"]).unwrap();
        }
        stop.store(true, Ordering::Relaxed);
        let (flooded, sent) = (flood.join().unwrap(), others.join().unwrap());
        is_over.store(true, Ordering::Relaxed);
        let (leaked, arrived) = counter.join().unwrap().unwrap();
        eprintln!("{flooded} flooded, {leaked} leaked; {sent} of another sent, {arrived} arrived");
        assert!(flooded > 10_000 && sent > 1_000);
        assert_eq!((leaked, arrived), (0, sent));
    });
}

/// Datagrams that a server gets until it is over: from the blocked address, and from others.
fn arrivals(server: &UdpSocket, is_over: &AtomicBool) -> Result<(u64, u64)> {
    let pause = Some(Duration::from_millis(200));
    server.set_read_timeout(pause)?;
    let (mut leaked, mut arrived) = (0, 0);
    loop {
        match server.recv_from(&mut [0; 8]) {
            Ok((_, from)) if from.ip().to_string() == BLOCKED => leaked += 1,
            Ok(_) => arrived += 1,
            Err(_) if is_over.load(Ordering::Relaxed) => return Ok((leaked, arrived)),
            Err(_) => {}
        }
    }
}

/// Sends from the left end until told to stop, and gives how many datagrams.
fn send(pair: &Pair, from: &str, pause_us: u64, stop: &AtomicBool) -> Result<u64> {
    pair.left.enter()?;
    let socket = UdpSocket::bind((from, 0))?;
    let mut sent = 0;
    while !stop.load(Ordering::Relaxed) {
        sent += u64::from(socket.send_to(b"x", "10.9.0.2:7000").is_ok());
        if pause_us != 0 {
            thread::sleep(Duration::from_micros(pause_us));
        }
    }
    Ok(sent)
}

/// How long it takes from the command to the first packet that is dropped.
#[test]
#[expect(clippy::disallowed_methods, reason = "it measures")]
fn a_block_takes_hold_at_once() {
    if kernel::object().unwrap().is_none() {
        return;
    }
    let bench = Bench::new(&[]).unwrap();
    let mut slowest = Duration::ZERO;
    for _ in 0..5 {
        assert_eq!(bench.arrive(BLOCKED, 1).unwrap(), 1);
        let start = Instant::now();
        bench.done("block add 10.9.0.1 --for 1h").unwrap();
        slowest = slowest.max(start.elapsed());
        assert_eq!(
            bench.arrive(BLOCKED, 1).unwrap(),
            0,
            "the first one after it"
        );
        bench.done("block del 10.9.0.1").unwrap();
    }
    let ms = slowest.as_secs_f64() * 1e3;
    eprintln!("from the start of the command to its end, after which nothing passes: {ms:.1} ms");
}
