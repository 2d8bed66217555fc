//! A real Suricata and netsec on one interface: its alert meets the connection while that is open.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use netsec_tests::binary;
use netsec_tests::kernel;
use netsec_tests::netns::{Pair, wait_for};
use netsec_tests::running::Running;
use netsec_tests::suricata::{Suricata, ZONE};
use nix::sys::signal::Signal;
use serde_json::Value;
use tempfile::TempDir;

/// `dsize:>0`: not on the handshake, which would match before the connection is one. One alert, however
/// many packets there are.
const RULES: &str = "alert tcp any any -> any 4444 (msg:\"netsec test\"; dsize:>0; \
                     threshold:type limit,track by_src,count 1,seconds 600; \
                     classtype:trojan-activity; sid:9000001; rev:1;)\n";

/// A client, and the server that it talks to.
struct Talk {
    client: TcpStream,
    server: TcpStream,
}

impl Talk {
    fn open(pair: &Pair) -> Result<Self> {
        let listener = pair.right.run(|| Ok(TcpListener::bind("10.9.0.2:4444")?))?;
        let client = pair.left.run(|| Ok(TcpStream::connect("10.9.0.2:4444")?))?;
        let (server, _) = listener.accept()?;
        Ok(Self { client, server })
    }

    /// A question and its answer.
    fn exchange(&mut self) -> Result<()> {
        let mut buffer = [0; 5];
        self.client.write_all(b"hello")?;
        self.server.read_exact(&mut buffer)?;
        self.server.write_all(b"world")?;
        self.client.read_exact(&mut buffer)?;
        Ok(())
    }
}

fn number(event: &Value, path: &str) -> Result<u64> {
    let found = event.pointer(path).and_then(Value::as_u64);
    found.with_context(|| format!("no {path} in {event}"))
}

/// `netsec run` on the right end, beside a Suricata whose logs it follows.
fn start(pair: &Pair, suricata: &Suricata, socket: &Path) -> Result<Running> {
    let arguments = format!(
        "run -i {} -o jsonl --packets off --local 10.9.0.2/32 --interval 500ms --socket {} --log {} \
         --log {}",
        Pair::RIGHT,
        socket.display(),
        suricata.eve().display(),
        suricata.fast().display(),
    );
    let mut command = binary::command(arguments.split_whitespace())?;
    // The machine's zone is the one that Suricata runs in.
    command.env("TZ", ZONE);
    let mut netsec = pair.right.run(|| Running::start_by(&mut command))?;
    netsec.wait_attached(1)?;
    Ok(netsec)
}

#[test]
fn an_alert_meets_the_connection_while_it_is_open() -> Result<()> {
    if kernel::object()?.is_none() {
        return Ok(());
    }
    let pair = Pair::new()?;
    pair.up()?;
    let Some(suricata) = Suricata::start(&pair.right, Pair::RIGHT, RULES)? else {
        return Ok(());
    };
    let folder = TempDir::new()?;
    let socket = folder.path().join("socket");
    let netsec = start(&pair, &suricata, &socket)?;
    let mut talk = Talk::open(&pair)?;
    talk.exchange()?;
    let theirs = suricata.wait_alert()?;
    // Said while both ends still hold the connection.
    let joined = netsec.wait_event("netsec_alert")?;
    ensure!(
        joined.pointer("/netsec/joined") == Some(&Value::Bool(true)),
        "{joined}"
    );
    ensure!(
        joined.get("community_id") == theirs.get("community_id"),
        "{joined}, {theirs}"
    );
    ensure!(
        joined.pointer("/alert/signature_id") == Some(&9_000_001.into()),
        "{joined}"
    );
    ensure!(
        joined.pointer("/netsec/attacker") == Some(&"10.9.0.1".into()),
        "{joined}"
    );
    let by_then = number(&joined, "/flow/pkts_toserver")?;
    for _ in 0..10 {
        talk.exchange()?;
    }
    // And the incident goes on counting what nobody writes a line about.
    let mut incident = Value::Null;
    wait_for("the incident counts on", || {
        incident = why(&socket)?;
        let counted = number(&incident, "/incident/traffic/pkts_toserver")?;
        Ok(counted > by_then + 5 && number(&incident, "/incident/alerts")? == 1)
    })
    .with_context(|| incident.to_string())?;
    drop(talk);
    suricata.stop()?;
    netsec.signal(Signal::SIGINT)?;
    let outcome = netsec.finish()?;
    ensure!(outcome.status.success(), "{outcome:?}");
    check_end(&outcome.events()?, &joined)
}

/// What was written when all is over, beside the alert that was joined first.
fn check_end(events: &[Value], joined: &Value) -> Result<()> {
    let of_type = |name: &str| {
        let is_it = move |event: &&Value| event.get("event_type") == Some(&name.into());
        events.iter().filter(is_it).collect::<Vec<_>>()
    };
    // It stands in eve.json and in fast.log, whose clock is this machine's, and counts once.
    let alerts = of_type("netsec_alert");
    ensure!(alerts.len() == 1, "{alerts:?}");
    let counts = of_type("netsec_join").pop().context("no counts")?;
    ensure!(number(counts, "/join/alerts_told_twice")? == 1, "{counts}");
    let flows = of_type("flow");
    let is_it = |flow: &&&Value| flow.get("community_id") == joined.get("community_id");
    let flow = flows.iter().find(is_it).context("no flow record")?;
    let packets = |event| number(event, "/flow/pkts_toserver");
    ensure!(packets(joined)? < packets(flow)?, "{joined}, {flow}");
    let last = of_type("incident").pop().context("no incident")?;
    ensure!(
        last.pointer("/incident/final") == Some(&Value::Bool(true)),
        "{last}"
    );
    ensure!(
        last.pointer("/incident/role") == Some(&"attacker".into()),
        "{last}"
    );
    Ok(())
}

/// What `netsec why` says of the client.
fn why(socket: &Path) -> Result<Value> {
    let socket = socket.display().to_string();
    let output = binary::run(["why", "10.9.0.1", "-o", "jsonl", "--socket", &socket], &[])?;
    let said = String::from_utf8(output.stdout)?;
    serde_json::from_str(&said).with_context(|| format!("{said}{:?}", output.stderr))
}
