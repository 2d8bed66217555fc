//! `netsec block` against a running `netsec run --enforce`, over a veth pair.

use std::net::UdpSocket;
use std::path::Path;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use netsec_tests::binary;
use netsec_tests::kernel;
use netsec_tests::netns::{Pair, wait_for};
use netsec_tests::running::Running;
use nix::sys::signal::Signal;
use tempfile::TempDir;

/// A second address of the left end, which nobody blocks.
const OTHER: &str = "10.9.0.7";

/// A sensor that enforces, on the right end.
struct Bench {
    pair: Pair,
    folder: TempDir,
    sensor: Option<Running>,
    echo: UdpSocket,
}

impl Bench {
    fn new() -> Result<Self> {
        let pair = Pair::new()?;
        pair.up()?;
        pair.left.ip(&format!("address add {OTHER}/24 dev left"))?;
        pair.right.ip(&format!(
            "neighbour replace {OTHER} lladdr 02:00:00:00:00:0a dev right"
        ))?;
        let echo = pair.right.run(|| Ok(UdpSocket::bind("10.9.0.2:7000")?))?;
        let server = echo.try_clone()?;
        thread::spawn(move || {
            let mut buffer = [0; 64];
            while let Ok((length, from)) = server.recv_from(&mut buffer) {
                if server
                    .send_to(buffer.get(..length).unwrap_or_default(), from)
                    .is_err()
                {
                    break;
                }
            }
        });
        let mut bench = Self {
            pair,
            folder: TempDir::new()?,
            sensor: None,
            echo,
        };
        bench.start()?;
        Ok(bench)
    }

    fn start(&mut self) -> Result<()> {
        let (socket, state) = (self.socket(), self.path("state"));
        let arguments = [
            "run",
            "-i",
            Pair::RIGHT,
            "--enforce",
            "--interval",
            "0",
            "--packets",
            "off",
            "--flow-slots",
            "4096",
            "--block-entries",
            "4096",
            "--socket",
            &socket,
            "--state",
            &state,
        ];
        let mut sensor = self.pair.right.run(|| Running::start(&arguments))?;
        sensor.wait_attached(1)?;
        wait_for("the socket", || Ok(Path::new(&socket).exists()))?;
        self.sensor = Some(sensor);
        Ok(())
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    fn socket(&self) -> String {
        self.path("socket")
    }

    /// Runs a command, and gives its exit code and what it said.
    fn netsec(&self, words: &str) -> Result<(i32, String)> {
        let socket = self.socket();
        let words = words.split_whitespace().chain(["--socket", &socket]);
        let output = binary::run(words, &[])?;
        let mut said = String::from_utf8(output.stdout)?;
        said += &String::from_utf8(output.stderr)?;
        Ok((output.status.code().context("killed")?, said))
    }

    fn done(&self, words: &str) -> Result<String> {
        let (code, said) = self.netsec(words)?;
        ensure!(code == 0, "{words}: {code}: {said}");
        Ok(said)
    }

    /// How many of so many packets of an address are answered.
    fn answered(&self, from: &str, count: usize) -> Result<usize> {
        self.pair.left.run(|| {
            let socket = UdpSocket::bind((from, 0))?;
            socket.set_read_timeout(Some(Duration::from_millis(100)))?;
            let mut answered = 0;
            for _ in 0..count {
                socket.send_to(b"x", "10.9.0.2:7000")?;
                answered += usize::from(socket.recv(&mut [0; 8]).is_ok());
            }
            Ok(answered)
        })
    }
}

#[test]
fn a_block_holds_for_one_peer_until_it_expires() {
    if kernel::object().unwrap().is_none() {
        return;
    }
    let bench = Bench::new().unwrap();
    assert_eq!(bench.answered("10.9.0.1", 5).unwrap(), 5);
    let said = bench
        .done("block add 10.9.0.1 --for 4s --reason scan")
        .unwrap();
    assert!(said.contains("verified in kernel map"), "{said}");
    assert_eq!(bench.answered("10.9.0.1", 5).unwrap(), 0);
    assert_eq!(bench.answered(OTHER, 200).unwrap(), 200);
    let why = bench.done("why 10.9.0.1").unwrap();
    assert!(
        why.contains("5 packets") && why.contains("reason: scan"),
        "{why}"
    );
    wait_for("the block expires", || {
        Ok(bench.answered("10.9.0.1", 1)? == 1)
    })
    .unwrap();
    wait_for("the journal says so", || {
        Ok(bench.done("why 1")?.contains("expired by netsec"))
    })
    .unwrap();
    bench
        .echo
        .set_read_timeout(Some(Duration::from_millis(1)))
        .unwrap();
}

#[test]
fn what_is_not_confirmed_is_undone_and_the_guard_refuses() {
    if kernel::object().unwrap().is_none() {
        return;
    }
    let bench = Bench::new().unwrap();
    for refused in [
        "10.9.0.2",
        "10.9.0.0/24 --force",
        "127.0.0.1 --force",
        "0.0.0.0/0 --force",
    ] {
        let (code, said) = bench.netsec(&format!("block add {refused}")).unwrap();
        assert!(code == 1 && said.contains("refused: "), "{code} {said}");
    }
    bench.done("block add 10.9.0.1 --confirm 2s").unwrap();
    assert_eq!(bench.answered("10.9.0.1", 3).unwrap(), 0);
    wait_for("it is undone", || Ok(bench.answered("10.9.0.1", 1)? == 1)).unwrap();
    bench.done("block add 10.9.0.1 --confirm 2s").unwrap();
    bench.done("block confirm 2").unwrap();
    thread::sleep(Duration::from_secs(3));
    assert_eq!(bench.answered("10.9.0.1", 3).unwrap(), 0);
    bench.done("block del 10.9.0.1").unwrap();
    assert_eq!(bench.answered("10.9.0.1", 3).unwrap(), 3);
}

/// What an operator gets from others: each file as it is, its bad lines named, and out again.
#[test]
fn lists_of_every_form_go_in_and_out() {
    if kernel::object().unwrap().is_none() {
        return;
    }
    let bench = Bench::new().unwrap();
    assert_eq!(bench.done("block list").unwrap(), "nothing is blocked\n");
    let import = |name: &str, text: &str, more: &str| {
        std::fs::write(bench.path(name), text).unwrap();
        bench
            .done(&format!("block import {} {more}", bench.path(name)))
            .unwrap()
    };
    let plain = "# mine\n192.0.2.1  # scanner\n192.0.2.300\n192.0.2.5/24\n10.9.0.2\n";
    let tried = import("plain.txt", plain, "--dry-run");
    assert!(tried.contains("would add 1 of"), "{tried}");
    let said = import("plain.txt", plain, "--for 2h");
    for part in [
        "blocked 1 of",
        "5 lines, 2 invalid, 1 refused  undo: netsec block del --decision 1",
        "plain.txt:3: \"192.0.2.300\" is no IP address",
        "plain.txt:4: 192.0.2.5/24 has bits set behind its prefix: 192.0.2.0/24 is",
        "plain.txt:5: refused: 10.9.0.2 is this host's address",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    import("drop.txt", "; Spamhaus\n198.51.100.0/25 ; SBL256894\n", "");
    import(
        "list.csv",
        "\"seen\",\"dst_ip\"\n\"today\",\"198.51.100.200\"\n",
        "",
    );
    let crowdsec = bench.done("block export --format crowdsec").unwrap();
    let why = bench.done("why 198.51.100.3").unwrap();
    assert!(
        why.contains("is blocked by 198.51.100.0/25") && why.contains("drop.txt"),
        "{why}"
    );
    bench
        .done("block add 192.0.2.9 --port 22 --confirm 60s")
        .unwrap();
    let list = bench.done("block list").unwrap();
    assert!(
        list.contains("192.0.2.9 tcp port 22") && list.contains("Z unless confirmed"),
        "{list}"
    );
    bench.done("block del 192.0.2.9").unwrap();

    // What CrowdSec would be given is taken, too, and gives the same list.
    let plain = bench.done("block export").unwrap();
    assert_eq!(plain, "192.0.2.1\n198.51.100.0/25\n198.51.100.200\n");
    for decision in [1, 2, 3] {
        bench
            .done(&format!("block del --decision {decision}"))
            .unwrap();
    }
    assert_eq!(bench.done("block export").unwrap(), "");
    import("crowdsec.json", &crowdsec, "");
    assert_eq!(bench.done("block export").unwrap(), plain);
}

#[test]
fn blocks_come_back_after_a_kill() {
    if kernel::object().unwrap().is_none() {
        return;
    }
    let mut bench = Bench::new().unwrap();
    bench.done("block add 10.9.0.1 --for 10m").unwrap();
    let sensor = bench.sensor.take().unwrap();
    sensor.signal(Signal::SIGKILL).unwrap();
    sensor.finish().unwrap();
    // Nothing is pinned: the link and the maps have gone with the process.
    assert_eq!(bench.answered("10.9.0.1", 3).unwrap(), 3);
    let (code, said) = bench.netsec("block list").unwrap();
    assert!(
        code == 6 && said.contains("no netsec is running"),
        "{code} {said}"
    );
    bench.start().unwrap();
    assert_eq!(bench.answered("10.9.0.1", 3).unwrap(), 0);
    assert!(
        bench
            .done("block verify")
            .unwrap()
            .starts_with("1 entry, all")
    );
}
