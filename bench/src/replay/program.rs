//! The programs that read captures.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use netsec_tests::binary;

use crate::stopwatch::Stopwatch;

/// A program that takes its turn.
pub(super) struct Program {
    pub(super) name: &'static str,
    command: PathBuf,
    arguments: &'static [&'static str],
    /// Where it runs, and leaves what it writes.
    folder: PathBuf,
    /// It gets this part of the packets.
    pub(super) fraction: u32,
}

/// Another program, if it is installed.
struct Peer {
    name: &'static str,
    command: &'static str,
    /// [`CAPTURE`] stands for the capture.
    arguments: &'static [&'static str],
    fraction: u32,
    /// How to get it.
    remedy: &'static str,
}

/// Stands for the capture among arguments.
const CAPTURE: &str = "CAPTURE";

const NETSEC: [(&str, &[&str]); 2] = [
    (
        "netsec",
        &["replay", "--packets=off", "--output=jsonl", CAPTURE],
    ),
    // What exporters of flows do: they look for nothing.
    (
        "netsec, no findings",
        &[
            "replay",
            "--packets=off",
            "--output=jsonl",
            "--no-findings",
            CAPTURE,
        ],
    ),
];

const SCAPY_NAME: &str = "scapy";

const PEERS: [Peer; 5] = [
    Peer {
        name: "softflowd",
        command: "softflowd",
        // In the foreground, by the capture's clock, room for all flows, records by UDP.
        arguments: &[
            "-d",
            "-a",
            "-v9",
            "-m1048576",
            "-psoftflowd.pid",
            "-cnone",
            "-n127.0.0.1:9995",
            "-r",
            CAPTURE,
        ],
        fraction: 1,
        remedy: "try: apt-get install softflowd",
    },
    Peer {
        name: "nfpcapd",
        command: "nfpcapd",
        arguments: &["-l.", "-r", CAPTURE],
        fraction: 1,
        remedy: "try: apt-get install nfdump",
    },
    Peer {
        name: "suricata",
        command: "suricata",
        arguments: &[
            "-c",
            "suricata.yaml",
            "-S",
            "/dev/null",
            "-k",
            "none",
            "--runmode=single",
            "-l",
            ".",
            "-r",
            CAPTURE,
        ],
        fraction: 1,
        remedy: "Debian 12: apt-get install -t bookworm-backports suricata",
    },
    Peer {
        name: "tshark -z conv",
        command: "tshark",
        arguments: &["-qn", "-zconv,tcp", "-zconv,udp", "-r", CAPTURE],
        fraction: 16,
        remedy: "try: apt-get install tshark",
    },
    Peer {
        name: SCAPY_NAME,
        command: "python3",
        arguments: &["-c", SCAPY, CAPTURE],
        fraction: 128,
        remedy: "try: pip install scapy in a virtual environment, and --python",
    },
];

/// Suricata's settings: flow records, no rules, no application protocols.
const SURICATA: &str = "%YAML 1.1\n---\nflow:\n  memcap: 2gb\n  hash-size: 262144\n\
    stream:\n  memcap: 2gb\noutputs:\n  - eve-log:\n      enabled: yes\n      filetype: regular\n      \
    filename: eve.json\n      types:\n        - flow\n";

/// What scapy does: endpoints and bytes of each packet into a dictionary, by its fastest reader.
const SCAPY: &str = "import sys\nfrom scapy.all import PcapReader, IP, TCP, UDP\nflows = {}\n\
    for packet in PcapReader(sys.argv[1]):\n    ip = packet[IP]\n    \
    ports = packet[TCP] if TCP in packet else packet[UDP]\n    \
    key = (ip.src, ip.dst, ip.proto, ports.sport, ports.dport)\n    \
    count = flows.setdefault(key, [0, 0])\n    count[0] += 1\n    count[1] += ip.len\n\
    print(len(flows))\n";

impl Program {
    /// From start to exit, with what it prints thrown away.
    pub(super) fn seconds(&self, capture: &Path) -> Result<f64> {
        let mut command = Command::new(&self.command);
        for argument in self.arguments {
            if *argument == CAPTURE {
                command.arg(capture);
            } else {
                command.arg(argument);
            }
        }
        command
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let clock = Stopwatch::start();
        let output = command.output().with_context(|| self.name.to_owned())?;
        let seconds = clock.seconds();
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{command:?}: {said}");
        Ok(seconds)
    }
}

/// The name of a program that is not installed, and how to get it.
pub(super) type Missing = (&'static str, &'static str);

/// netsec first, then the programs that are installed; and the names of those that are not, each with
/// how to get it.
pub(super) fn all(
    alone: bool,
    python: &Path,
    outputs: &Path,
) -> Result<(Vec<Program>, Vec<Missing>)> {
    let mut present = Vec::new();
    let mut missing = Vec::new();
    if let Ok(command) = binary::netsec() {
        present.extend(NETSEC.map(|(name, arguments)| Program {
            name,
            command: command.clone(),
            arguments,
            folder: outputs.to_owned(),
            fraction: 1,
        }));
    }
    if alone {
        return Ok((present, missing));
    }
    fs::write(outputs.join("suricata.yaml"), SURICATA)?;
    for peer in PEERS {
        let command = if peer.name == SCAPY_NAME {
            with_scapy(python)
        } else {
            found(Path::new(peer.command))
        };
        match command {
            Some(command) => present.push(Program {
                name: peer.name,
                command,
                arguments: peer.arguments,
                folder: outputs.to_owned(),
                fraction: peer.fraction,
            }),
            None => missing.push((peer.name, peer.remedy)),
        }
    }
    Ok((present, missing))
}

/// The interpreter, when it has scapy.
fn with_scapy(python: &Path) -> Option<PathBuf> {
    let mut command = Command::new(python);
    command.args(["-c", "import scapy"]).stderr(Stdio::null());
    let has_it = command.status().is_ok_and(|status| status.success());
    has_it.then(|| python.to_owned())
}

/// The program of this name in `PATH`, or at this path.
fn found(command: &Path) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(command))
        .find(|path| path.is_file())
}
