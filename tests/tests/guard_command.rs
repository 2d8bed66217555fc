//! Nobody locks himself out by `netsec block`: each attempt that the guard knows, through the command.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};
use netsec_tests::binary;
use netsec_tests::kernel;
use netsec_tests::netns::{Pair, wait_for};
use netsec_tests::running::Running;
use tempfile::TempDir;

/// What is tried, and the host that it is tried on.
const ATTEMPTS: &str = include_str!("../../netsec-user/src/guard/attempts.txt");

/// The session that the commands are typed in.
const SSH_CONNECTION: &str = "203.0.113.50 50000 10.2.0.9 22";

const ALLOWED: [&str; 3] = ["192.0.2.128/25", "2001:db8:a::/48", "100.64.0.7"];

/// The host of the attempts at the right end, with two more SSH sessions from the left one.
struct Host {
    pair: Pair,
    folder: TempDir,
    _sessions: Vec<TcpStream>,
}

impl Host {
    fn new() -> Result<Self> {
        let pair = Pair::new()?;
        pair.up_quietly()?;
        for words in [
            "address add 10.2.0.9/24 brd + dev right",
            "address add 198.51.100.9/24 brd + dev right",
            "address add 2001:db8:2::9/64 dev right nodad",
            "address add fe80::9/64 dev right nodad",
            "link set lo up",
            "route add default via 10.2.0.1",
            "route add default via 198.51.101.1 dev right onlink metric 200",
            "route add 2001:db8:4::/64 dev right",
            "route add default via 2001:db8:3::1 dev right onlink",
            "neighbour replace 10.2.0.4 lladdr 02:00:00:00:00:0a dev right",
            "neighbour replace 2001:db8:4::4 lladdr 02:00:00:00:00:0a dev right",
        ] {
            pair.right.ip(words)?;
        }
        for words in [
            "address add 10.2.0.4/24 dev left",
            "address add 2001:db8:4::4/64 dev left nodad",
            "route add 2001:db8:2::/64 dev left",
            "neighbour replace 10.2.0.9 lladdr 02:00:00:00:00:0b dev left",
            "neighbour replace 2001:db8:2::9 lladdr 02:00:00:00:00:0b dev left",
        ] {
            pair.left.ip(words)?;
        }
        let mut sessions = Vec::new();
        for address in ["10.2.0.9:22", "[2001:db8:2::9]:22"] {
            let address: SocketAddr = address.parse()?;
            let server = pair.right.run(|| Ok(TcpListener::bind(address)?))?;
            sessions.push(pair.left.run(|| Ok(TcpStream::connect(address)?))?);
            sessions.push(server.accept()?.0);
        }
        let folder = TempDir::new()?;
        fs::write(
            folder.path().join("resolv.conf"),
            "nameserver 192.0.2.53\nnameserver 2001:db8:53::53\n",
        )?;
        Ok(Self {
            pair,
            folder,
            _sessions: sessions,
        })
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    /// A netsec that sees the host's DNS servers in place of this machine's.
    fn start(&self) -> Result<Running> {
        let [resolvers, socket, state] =
            ["resolv.conf", "socket", "state"].map(|name| self.path(name));
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c"]);
        command.arg(r#"mount --bind "$0" /etc/resolv.conf && exec "$@""#);
        command.arg(resolvers).arg(binary::netsec()?);
        command.args("run -i right --enforce --interval 0 --packets off".split(' '));
        command.args("--flow-slots 4096 --block-entries 4096".split(' '));
        command.args(["--socket", &socket, "--state", &state]);
        let mut running = self.pair.right.run(|| Running::start_by(&mut command))?;
        running.wait_attached(1)?;
        wait_for("the socket", || Ok(Path::new(&socket).exists()))?;
        Ok(running)
    }

    /// Runs a command in the session, and gives its exit code and what it said.
    fn netsec(&self, words: &str) -> Result<(i32, String)> {
        let socket = self.path("socket");
        let words = words.split(' ').chain(["--socket", &socket]);
        let mut command = binary::command(words)?;
        command.env("SSH_CONNECTION", SSH_CONNECTION);
        let output = self.pair.right.run(|| Ok(command.output()?))?;
        let mut said = String::from_utf8(output.stdout)?;
        said += &String::from_utf8(output.stderr)?;
        Ok((output.status.code().context("killed")?, said))
    }
}

#[test]
fn no_attempt_to_lock_oneself_out_by_the_command_is_accepted() {
    if kernel::object().unwrap().is_none() {
        return;
    }
    let host = Host::new().unwrap();
    let _running = host.start().unwrap();
    for allowed in ALLOWED {
        let (code, said) = host.netsec(&format!("allow add {allowed}")).unwrap();
        assert_eq!(code, 0, "{said}");
    }
    let is_attempt = |line: &&str| !line.is_empty() && !line.starts_with('#');
    let mut tried = 0;
    for line in ATTEMPTS.lines().filter(is_attempt) {
        let (prefix, yields) = match line.split_once(' ') {
            None => (line, false),
            Some((prefix, _)) => (prefix, true),
        };
        let by_force = (!yields).then_some(" --force");
        for force in [""].into_iter().chain(by_force) {
            let words = format!("block add {prefix} --for 1h{force}");
            let (code, said) = host.netsec(&words).unwrap();
            assert!(
                code == 1 && said.contains("refused: "),
                "{words}: {code} {said}"
            );
            tried += 1;
        }
    }
    let (_, list) = host.netsec("block list").unwrap();
    assert_eq!(list.lines().count(), 1, "only the header: {list}");
    // What can be blocked is, by the same command.
    let (code, said) = host.netsec("block add 198.51.100.10 --for 1h").unwrap();
    assert_eq!(code, 0, "{said}");
    assert!(tried > 100, "{tried}");
}
