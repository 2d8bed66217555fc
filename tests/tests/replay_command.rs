//! `netsec replay` as its user runs it: what it prints, on traffic made here.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::PathBuf;
use std::process::{Output, Stdio};

use anyhow::{Context as _, ensure};
use netsec_tests::binary::{command, run};
use netsec_tests::replay::{Events, number, text};
use netsec_tests::traffic::{self, CONNECTIONS, EXCHANGES, Frame, Part, gzip, pcap, scene};
use netsec_user::source::capture::End;
use tempfile::TempDir;

/// The scene in a file.
struct Scene {
    directory: TempDir,
    frames: Vec<Frame>,
}

impl Scene {
    fn new() -> anyhow::Result<Self> {
        let scene = Self {
            directory: TempDir::new()?,
            frames: scene()?,
        };
        fs::write(scene.file(), pcap(&scene.frames)?)?;
        Ok(scene)
    }

    fn file(&self) -> PathBuf {
        self.directory.path().join("scene.pcap")
    }

    fn replay(&self, args: &str) -> anyhow::Result<Output> {
        let file = self.file();
        let file = file.to_str().context("odd path")?;
        let args = ["replay", file].into_iter().chain(args.split_whitespace());
        quiet(run(args, b"")?)
    }

    /// The events of a run with `-o jsonl`.
    fn events(&self, args: &str) -> anyhow::Result<Events> {
        let output = self.replay(&format!("-o jsonl {args}"))?;
        Events::parse(&output.stdout, End::Complete).with_context(|| args.to_owned())
    }

    fn count(&self, wanted: impl Fn(&Frame) -> bool) -> usize {
        self.frames.iter().filter(|frame| wanted(frame)).count()
    }
}

/// A run that succeeded and had nothing to say but data.
fn quiet(output: Output) -> anyhow::Result<Output> {
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success() && said.is_empty(),
        "{} {said}",
        output.status
    );
    Ok(output)
}

#[test]
fn a_capture_reads_the_same_from_a_file_a_pipe_and_compressed() -> anyhow::Result<()> {
    let scene = Scene::new()?;
    let plain = fs::read(scene.file())?;
    let compressed = gzip(&plain)?;
    let expected = scene.replay("--packets all")?.stdout;
    ensure!(!expected.is_empty());
    let args = ["replay", "-", "--packets", "all"];
    for bytes in [&plain, &compressed] {
        ensure!(quiet(run(args, bytes)?)?.stdout == expected);
    }
    fs::write(scene.file(), &compressed)?;
    ensure!(scene.replay("--packets all")?.stdout == expected);
    Ok(())
}

#[test]
fn which_packets_are_shown_is_as_asked() -> anyhow::Result<()> {
    let scene = Scene::new()?;
    let all = scene.frames.len();
    let mut flows: BTreeMap<(Part, bool), usize> = BTreeMap::new();
    for frame in scene.frames.iter().filter(|frame| frame.part.is_flow()) {
        *flows.entry((frame.part, frame.from_client)).or_default() += 1;
    }
    let first = |n: usize| flows.values().map(|packets| n.min(*packets)).sum();
    for (which, expected) in [
        ("all", all),
        ("off", 0),
        ("1/1", all),
        ("1/7", all.div_ceil(7)),
        ("1/1000", 1),
        ("first:1", flows.len()),
        ("first:3", first(3)),
        ("first:100", scene.count(|frame| frame.part.is_flow())),
    ] {
        let shown = scene.events(&format!("--packets {which}"))?.packets.len();
        ensure!(shown == expected, "{which}: {shown}, not {expected}");
    }
    let shown = scene.events("")?.packets.len();
    ensure!(shown == first(4), "by default {shown}");
    Ok(())
}

#[test]
fn a_count_stops_after_that_many_packets() -> anyhow::Result<()> {
    let scene = Scene::new()?;
    for count in [1, 3, 20] {
        let events = scene.events(&format!("--packets all -c {count}"))?;
        ensure!(events.packets.len() == count && events.stat("/frames")? == count as u64);
        let lines = scene.replay(&format!("--packets all --no-flows --interval 0 -c {count}"))?;
        let lines = String::from_utf8(lines.stdout)?;
        let shown = lines
            .lines()
            .filter(|line| line.contains(" > ") || line.contains("ARP"));
        ensure!(shown.count() == count, "{lines}");
    }
    // Only packets that are shown count.
    let events = scene.events("--packets all -c 2 udp")?;
    ensure!(events.packets.len() == 2 && events.stat("/frames")? > 2);
    Ok(())
}

/// A filter, the frames it is true of, and the flows it is true of.
type Expectation<'a> = (&'a str, &'a dyn Fn(&Frame) -> bool, usize);

#[test]
fn a_filter_applies_to_packets_and_flows_alike() -> anyhow::Result<()> {
    let scene = Scene::new()?;
    let (tcp, dns) = (usize::from(CONNECTIONS), usize::from(EXCHANGES));
    let https = |frame: &Frame| matches!(frame.part, Part::Https(_));
    let expectations: [Expectation<'_>; 11] = [
        ("", &|_| true, tcp + dns + 1),
        ("tcp", &https, tcp),
        ("not tcp", &|frame| !https(frame), dns + 1),
        ("udp", &|frame| matches!(frame.part, Part::Dns(_)), dns),
        ("port 53", &|frame| matches!(frame.part, Part::Dns(_)), dns),
        ("icmp", &|frame| frame.part == Part::Ping, 1),
        ("arp", &|frame| frame.part == Part::Arp, 0),
        (
            "tcp and dst port 443",
            &|frame| https(frame) && frame.from_client,
            tcp,
        ),
        (
            "port 40001 or icmp",
            &|frame| matches!(frame.part, Part::Https(1) | Part::Ping),
            2,
        ),
        (
            "net 10.0.0.0/29",
            &|frame| frame.part != Part::Malformed,
            tcp + dns + 1,
        ),
        ("host 192.0.2.1", &|_| false, 0),
    ];
    for (filter, wanted, flows) in expectations {
        let events = scene.events(&format!("--packets all {filter}"))?;
        let packets = scene.count(wanted);
        ensure!(
            (events.packets.len(), events.flows.len()) == (packets, flows),
            "{filter}: {} packets and {} flows, not {packets} and {flows}",
            events.packets.len(),
            events.flows.len()
        );
        // The coverage is that of all traffic, whatever is shown.
        ensure!(events.stat("/frames")? == scene.frames.len() as u64);
    }
    Ok(())
}

#[test]
fn the_interval_changes_summaries_and_nothing_else() -> anyhow::Result<()> {
    let scene = Scene::new()?;
    let summaries = |out: &[u8]| -> anyhow::Result<(usize, Vec<String>)> {
        let lines = str::from_utf8(out)?.lines();
        let (stats, others): (Vec<_>, Vec<_>) =
            lines.partition(|line| line.contains(r#""event_type":"stats""#));
        let last = stats.last().map(|line| (*line).to_owned());
        Ok((
            stats.len(),
            others.into_iter().map(str::to_owned).chain(last).collect(),
        ))
    };
    let (none, expected) = summaries(&scene.replay("-o jsonl --interval 0")?.stdout)?;
    ensure!(none == 1, "{none} summaries");
    // 31 seconds, and a last one.
    for (interval, count) in [("10s", 4), ("5s", 7), ("1m", 1)] {
        let out = scene.replay(&format!("-o jsonl --interval {interval}"))?;
        let (found, lines) = summaries(&out.stdout)?;
        ensure!(found == count, "{interval}: {found} summaries, not {count}");
        ensure!(lines == expected, "{interval} changes what is said");
    }
    Ok(())
}

#[test]
fn the_final_line_adds_up_the_scene() -> anyhow::Result<()> {
    let scene = Scene::new()?;
    let events = scene.events("--packets off")?;
    let bytes: usize = scene.frames.iter().map(|frame| frame.bytes.len()).sum();
    for (name, expected) in [
        ("/frames", scene.frames.len()),
        ("/bytes", bytes),
        (
            "/tcp",
            scene.count(|frame| matches!(frame.part, Part::Https(_))),
        ),
        ("/tcp_syn", CONNECTIONS.into()),
        ("/tcp_synack", CONNECTIONS.into()),
        ("/udp", usize::from(EXCHANGES) * 2),
        ("/icmp", 2),
        ("/arp", 1),
        ("/malformed/ipv4_header_length", 1),
        ("/flows/opened", usize::from(CONNECTIONS + EXCHANGES) + 1),
        ("/coverage/unaccounted", 0),
    ] {
        let found = events.stat(name)?;
        ensure!(
            found == expected as u64,
            "{name} is {found}, not {expected}"
        );
    }
    for flow in &events.flows {
        ensure!(text(flow, "/src_ip")? == "10.0.0.1", "{flow}");
    }
    Ok(())
}

#[test]
fn limits_cut_flows_and_lose_nothing() -> anyhow::Result<()> {
    let scene = Scene::new()?;
    let packets = scene.count(|frame| frame.part.is_flow()) as u64;
    let whole = usize::from(CONNECTIONS + EXCHANGES) + 1;
    // Segments of a connection are 1.25 s apart, the others of a conversation together.
    for (limit, records, reason) in [
        (
            "--idle-timeout 0 --active-timeout 0",
            whole..=whole,
            "shutdown",
        ),
        ("--idle-timeout 1s", 40..=60, "timeout"),
        ("--active-timeout 5s", 12..=20, "active"),
        ("--max-connections 1", 20..=60, "forced"),
        ("--flow-slots 4", whole..=whole, "timeout"),
    ] {
        let events = scene.events(limit)?;
        let found = events.flows.len();
        ensure!(records.contains(&found), "{limit}: {found} records");
        let mut counted = 0;
        for flow in &events.flows {
            counted += number(flow, "/flow/pkts_toserver")? + number(flow, "/flow/pkts_toclient")?;
        }
        ensure!(
            counted == packets,
            "{limit}: {counted} of {packets} packets"
        );
        let mut reasons = events.flows.iter().map(|flow| text(flow, "/flow/reason"));
        let has_reason = reasons.any(|found| found.is_ok_and(|found| found == reason));
        ensure!(has_reason, "{limit}: no record is {reason}");
    }
    ensure!(scene.events("--no-flows")?.flows.is_empty());
    Ok(())
}

#[test]
fn the_seed_of_community_ids_is_as_asked() -> anyhow::Result<()> {
    let scene = Scene::new()?;
    let ids = |args| -> anyhow::Result<Vec<String>> {
        let events = scene.events(args)?;
        let ids = events.flows.iter().map(|flow| text(flow, "/community_id"));
        ids.map(|id| id.map(str::to_owned)).collect()
    };
    let (zero, one) = (ids("")?, ids("--community-id-seed 1")?);
    ensure!(zero == ids("--community-id-seed 0")? && zero.len() == one.len());
    ensure!(zero.iter().all(|id| !one.contains(id)), "{zero:?} {one:?}");
    Ok(())
}

#[test]
fn two_runs_give_the_same_bytes() -> anyhow::Result<()> {
    let scene = Scene::new()?;
    for args in ["", "-o jsonl --packets all", "--packets 1/3 --interval 1s"] {
        ensure!(
            scene.replay(args)?.stdout == scene.replay(args)?.stdout,
            "{args}"
        );
    }
    Ok(())
}

#[test]
fn colours_are_for_terminals_or_for_who_asks() -> anyhow::Result<()> {
    let scene = Scene::new()?;
    let escapes = |args: &str| anyhow::Ok(scene.replay(args)?.stdout.contains(&0x1b));
    ensure!(!escapes("")? && !escapes("--color never")?);
    ensure!(escapes("--color always")?);
    ensure!(!escapes("--color always -o jsonl")?);
    let mut asked = command(["replay", "--color", "always"])?;
    let asked = asked.arg(scene.file()).env("NO_COLOR", "1").output()?;
    ensure!(asked.stdout.contains(&0x1b), "the flag outranks NO_COLOR");
    Ok(())
}

#[test]
fn logs_stay_off_standard_output() -> anyhow::Result<()> {
    let scene = Scene::new()?;
    let expected = scene.replay("-o jsonl")?.stdout;
    let mut chatty = command(["-vv", "replay", "-o", "jsonl"])?;
    let chatty = chatty.arg(scene.file()).env("RUST_LOG", "trace").output()?;
    ensure!(chatty.status.success() && chatty.stdout == expected);
    Ok(())
}

#[test]
fn a_reader_that_goes_away_is_no_failure() -> anyhow::Result<()> {
    let directory = TempDir::new()?;
    let file = directory.path().join("long.pcap");
    fs::write(&file, pcap(&traffic::long_scene(200)?)?)?;
    for form in ["text", "jsonl"] {
        let mut child = command(["replay", "--packets", "all", "-o", form])?
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        let stdout = child.stdout.take().context("no stdout")?;
        BufReader::with_capacity(256, stdout).read_line(&mut line)?;
        let mut said = String::new();
        let mut stderr = child.stderr.take().context("no stderr")?;
        stderr.read_to_string(&mut said)?;
        let status = child.wait()?;
        ensure!(
            line.ends_with('\n') && said.is_empty() && status.success(),
            "{status} {said}"
        );
    }
    Ok(())
}
