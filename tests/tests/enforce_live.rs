//! From a finding or an alert to a drop in the kernel, over a veth pair.

use std::net::Ipv4Addr;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result};
use netsec_tests::kernel;
use netsec_tests::netns::wait_for;
use netsec_tests::running::Running;
use netsec_tests::sensor::Sensor;
use netsec_tests::suricata::Suricata;
use netsec_tests::suspect::{Suspect, Victim, alert, scan};
use nix::sys::signal::Signal;

/// The left end's own address.
const LEFT: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 1);
/// Others of it.
const OTHERS: [Ipv4Addr; 3] = [
    Ipv4Addr::new(198, 51, 100, 1),
    Ipv4Addr::new(198, 51, 100, 2),
    Ipv4Addr::new(198, 51, 100, 3),
];

/// The host watched is the only one that is at home.
const HOME: &str = "detect.home=[\"10.9.0.2/32\"]";

fn sensor() -> Result<Sensor> {
    let sensor = Sensor::new()?;
    for other in OTHERS {
        sensor.add_source(other)?;
    }
    Ok(sensor)
}

fn start(sensor: &mut Sensor, mode: &str, rules: &[&str]) -> Result<()> {
    let log = sensor.path("eve.json");
    let mut more = vec!["--mode", mode, "--log", &log, "--set", HOME];
    for rule in rules {
        more.extend(["--set", rule]);
    }
    sensor.log(r#"{"timestamp":"2026-01-01T00:00:00Z","event_type":"stats","stats":{}}"#)?;
    sensor.start(&more)
}

fn wait_cut(sensor: &Sensor, suspect: &Suspect, victim: &Victim) -> Result<()> {
    let cut = wait_for("nothing of the suspect arrives", || {
        Ok(!suspect.reaches(victim)?)
    });
    cut.with_context(|| {
        let told = sensor.running().map(Running::written).unwrap_or_default();
        format!("{told}{}", sensor.done("block list").unwrap_or_default())
    })
}

#[test]
fn an_alert_leads_to_a_drop_and_why_says_so() {
    if kernel::object().unwrap().is_none() {
        return;
    }
    let mut sensor = sensor().unwrap();
    start(&mut sensor, "enforce", &["enforce.alert_severity=2"]).unwrap();
    let victim = Victim::new(&sensor.pair).unwrap();
    let [bad, mild, noisy] =
        OTHERS.map(|address| Suspect::connect(&sensor.pair, address, &victim).unwrap());
    assert!(bad.reaches(&victim).unwrap());
    sensor.log(&mild.alert(9_000_002, 3)).unwrap();
    // A checksum: no rule makes it a reason.
    sensor.log(&noisy.alert(2_200_074, 1)).unwrap();
    sensor.log(&bad.alert(9_000_001, 2)).unwrap();
    wait_cut(&sensor, &bad, &victim).unwrap();
    for spared in [&mild, &noisy] {
        assert!(spared.reaches(&victim).unwrap());
    }
    wait_for("a dropped packet is shown", || {
        Ok(sensor.done("why 198.51.100.1")?.contains("last sampled"))
    })
    .unwrap();
    let why = sensor.done("why 198.51.100.1").unwrap();
    let address = " UDP 198.51.100.1:";
    assert!(
        why.contains("  last sampled: ") && why.contains(address),
        "{why}"
    );
    for part in [
        "02 00 00 00 00 0b 02 00 00 00 00 0a 08 00 45 00",
        "198.51.100.1 is blocked by 198.51.100.1",
        "by alert 1:9000001",
        "reason: TEST (severity 2 <= 2)",
        "evidence: alert 1:9000001 flow ",
        // The fourth line of the log.
        "/eve.json:4",
        "cut: 1 established connection",
        "undo: netsec block del 198.51.100.1",
    ] {
        assert!(why.contains(part), "{part}: {why}");
    }
    let list = sensor.done("block list").unwrap();
    assert_eq!(list.lines().count(), 2, "a header and one block: {list}");
    // The command that is named takes it back.
    sensor.done("block del 198.51.100.1").unwrap();
    assert!(bad.reaches(&victim).unwrap());
}

#[test]
fn whoever_may_be_forged_is_slowed_down_and_nobody_at_home_is_touched() {
    if kernel::object().unwrap().is_none() {
        return;
    }
    let mut sensor = sensor().unwrap();
    start(&mut sensor, "enforce", &["enforce.alert_severity=1"]).unwrap();
    let victim = Victim::new(&sensor.pair).unwrap();
    let to = victim.tcp();
    let from = |address: Ipv4Addr| (address, 4000).into();
    let [udp, syn, _] = OTHERS;
    // One has completed a handshake, and not the one that the alert is about.
    let suspect = Suspect::connect(&sensor.pair, udp, &victim).unwrap();
    sensor
        .log(&alert("UDP", from(udp), to, 9_000_001, 1))
        .unwrap();
    sensor
        .log(&alert("TCP", from(syn), to, 9_000_002, 1))
        .unwrap();
    sensor
        .log(&alert("TCP", to, (LEFT, 4001).into(), 9_000_003, 1))
        .unwrap();
    sensor
        .log(&alert("TCP", from(Ipv4Addr::LOCALHOST), to, 9_000_004, 1))
        .unwrap();
    // The third is about what the host at home sent: the other side is the offender.
    wait_for("three are slowed down", || {
        let list = sensor.done("block list")?;
        Ok(list.matches(" limit 100/s ").count() == 3)
    })
    .unwrap();
    assert!(suspect.reaches(&victim).unwrap());
    let list = sensor.done("block list").unwrap();
    assert!(!list.contains(" drop "), "{list}");
    assert!(
        !list.contains("10.9.0.2") && !list.contains("127.0.0.1"),
        "{list}"
    );
}

#[test]
fn a_connect_scan_leads_to_a_block_with_finding_and_handshake_as_its_reason() {
    if kernel::object().unwrap().is_none() {
        return;
    }
    let rules = [
        "enforce.findings=[\"scan.vertical\"]",
        "enforce.finding_severity=low",
    ];
    let mut sensor = sensor().unwrap();
    start(&mut sensor, "enforce", &rules).unwrap();
    let victim = Victim::new(&sensor.pair).unwrap();
    let other = Suspect::connect(&sensor.pair, OTHERS[0], &victim).unwrap();
    scan(&sensor.pair, &victim, 100).unwrap();
    // First a limit, maybe, when the open port is seen after the refused ones.
    wait_for("the finding leads to a block", || {
        let list = sensor.done("block list")?;
        let mut entries = list.lines().filter(|line| line.starts_with("10.9.0.1 "));
        Ok(entries.any(|line| line.contains(" drop ") && line.contains("finding scan.vertical")))
    })
    .unwrap();
    assert!(other.reaches(&victim).unwrap(), "another is cut off, too");
    let why = sensor.done("why 10.9.0.1").unwrap();
    assert!(
        why.contains("by finding scan.vertical")
            && why.contains("evidence: finding ")
            && why.contains(", handshake 10.9.0.1:"),
        "{why}"
    );
}

/// The whole way: a packet, a real Suricata, its log, netsec, the kernel.
#[test]
fn suricata_raises_an_alert_and_the_kernel_drops() {
    if kernel::object().unwrap().is_none() {
        return;
    }
    let mut sensor = sensor().unwrap();
    let rule = r#"alert tcp any any -> any any (msg:"TEST attack"; dsize:>0; content:"attack"; sid:9000001; rev:1; priority:1;)"#;
    let Some(suricata) = Suricata::start(&sensor.pair.right, "right", rule).unwrap() else {
        return;
    };
    let eve = suricata.eve().display().to_string();
    let rules = ["--set", HOME, "--set", "enforce.alert_severity=1"];
    let more = ["--enforce", "--log", &eve];
    sensor.start(&[&more[..], &rules[..]].concat()).unwrap();
    let victim = Victim::new(&sensor.pair).unwrap();
    let [bad, good, _] =
        OTHERS.map(|address| Suspect::connect(&sensor.pair, address, &victim).unwrap());
    good.say(b"hello").unwrap();
    bad.say(b"attack").unwrap();
    wait_cut(&sensor, &bad, &victim).unwrap();
    assert!(good.reaches(&victim).unwrap(), "another is cut off, too");
    let why = sensor.done("why 198.51.100.1").unwrap();
    assert!(
        why.contains("by alert 1:9000001") && why.contains("TEST attack (severity 1 <= 1)"),
        "{why}"
    );
}

#[test]
fn without_rules_or_in_a_dry_run_nothing_is_dropped() {
    if kernel::object().unwrap().is_none() {
        return;
    }
    for (mode, rule, entries) in [
        ("enforce", "detect.update=60s", 0),
        ("detect", "enforce.alert_severity=2", 0),
        ("dry-run", "enforce.alert_severity=2", 1),
    ] {
        let mut sensor = sensor().unwrap();
        start(&mut sensor, mode, &[rule]).unwrap();
        let victim = Victim::new(&sensor.pair).unwrap();
        let suspect = Suspect::connect(&sensor.pair, OTHERS[0], &victim).unwrap();
        sensor.log(&suspect.alert(9_000_001, 1)).unwrap();
        thread::sleep(Duration::from_secs(1));
        assert!(suspect.reaches(&victim).unwrap(), "{mode}");
        let list = sensor.done("block list").unwrap();
        assert_eq!(list.lines().count(), 1 + entries, "{mode}: {list}");
        let said = sensor.end(Signal::SIGINT).unwrap().stdout;
        assert_eq!(
            said.matches("would block 198.51.100.1").count(),
            entries,
            "{mode}: {said}"
        );
    }
}

/// Dry run, enforce, dry run, enforce, on one state directory.
#[test]
fn what_a_dry_run_decided_drops_nothing_later() {
    if kernel::object().unwrap().is_none() {
        return;
    }
    let mut sensor = sensor().unwrap();
    let rule = &["enforce.alert_severity=2"];
    start(&mut sensor, "dry-run", rule).unwrap();
    let victim = Victim::new(&sensor.pair).unwrap();
    let [alerted, tried, meant] =
        OTHERS.map(|address| Suspect::connect(&sensor.pair, address, &victim).unwrap());
    sensor.log(&alerted.alert(9_000_001, 1)).unwrap();
    wait_for("the alert is decided on", || {
        Ok(sensor.done("block list")?.contains("alert 1:9000001"))
    })
    .unwrap();
    sensor.done("block add 198.51.100.2").unwrap();
    sensor.end(Signal::SIGINT).unwrap();

    start(&mut sensor, "enforce", rule).unwrap();
    let said = sensor.running().unwrap().said();
    assert!(
        said.contains("2 blocks were decided while nothing was dropped"),
        "{said}"
    );
    for suspect in [&alerted, &tried] {
        assert!(suspect.reaches(&victim).unwrap());
    }
    let why = sensor.done("why 198.51.100.1").unwrap();
    assert!(
        why.contains("198.51.100.1 is not blocked")
            && why.contains("(drop; a trial, nothing was dropped for it)")
            && why.contains("discarded by netsec"),
        "{why}"
    );
    sensor.done("block add 198.51.100.3").unwrap();
    assert!(!meant.reaches(&victim).unwrap());
    sensor.end(Signal::SIGINT).unwrap();

    start(&mut sensor, "dry-run", rule).unwrap();
    assert!(meant.reaches(&victim).unwrap());
    let (code, said) = sensor.netsec("block add 198.51.100.3 --for 1d").unwrap();
    assert!(
        code == 1 && said.contains("netsec block del 198.51.100.3 first"),
        "{said}"
    );
    sensor.end(Signal::SIGINT).unwrap();

    start(&mut sensor, "enforce", rule).unwrap();
    assert!(!meant.reaches(&victim).unwrap());
    assert!(alerted.reaches(&victim).unwrap() && tried.reaches(&victim).unwrap());
}
