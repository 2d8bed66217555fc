//! The programs that read captures.

use std::ffi::OsString;
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
    /// Arguments; [`CAPTURE`] stands for the capture.
    arguments: Vec<OsString>,
    /// It gets this part of the packets.
    pub(super) fraction: u32,
}

/// Stands for the capture among arguments.
const CAPTURE: &str = "CAPTURE";

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
        for argument in &self.arguments {
            if argument == CAPTURE {
                command.arg(capture);
            } else {
                command.arg(argument);
            }
        }
        command
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

/// netsec first, then the programs that are installed; and the names of those that are not, each with
/// how to get it.
pub(super) fn all(
    alone: bool,
    python: &Path,
    outputs: &Path,
) -> (Vec<Program>, Vec<(&'static str, &'static str)>) {
    let mut present = Vec::new();
    let mut missing = Vec::new();
    if let Ok(command) = binary::netsec() {
        for (name, form) in [
            ("netsec", "--output=jsonl"),
            ("netsec, text", "--output=text"),
        ] {
            present.push(Program {
                name,
                command: command.clone(),
                arguments: words(&["replay", "--packets=off", form, CAPTURE]),
                fraction: 1,
            });
        }
    }
    if alone {
        return (present, missing);
    }
    let out = outputs.to_string_lossy();
    let settings = outputs.join("suricata.yaml");
    let written = fs::write(&settings, SURICATA).is_ok();
    let settings = settings.to_string_lossy();
    let pid = outputs.join("softflowd.pid");
    let pid = pid.to_string_lossy();
    let mut add = |name, command: &Path, arguments: &[&str], fraction, remedy| match found(command)
    {
        Some(command) => present.push(Program {
            name,
            command,
            arguments: words(arguments),
            fraction,
        }),
        None => missing.push((name, remedy)),
    };
    let softflowd = [
        "-d",
        "-a",
        "-v",
        "9",
        "-m",
        "1048576",
        "-p",
        &pid,
        "-c",
        "none",
        "-n",
        "127.0.0.1:9995",
        "-r",
        CAPTURE,
    ];
    let apt = "try: apt-get install softflowd";
    add("softflowd", Path::new("softflowd"), &softflowd, 1, apt);
    let nfpcapd = ["-l", &out, "-r", CAPTURE];
    let apt = "try: apt-get install nfdump";
    add("nfpcapd", Path::new("nfpcapd"), &nfpcapd, 1, apt);
    if written {
        let suricata = [
            "-c",
            &settings,
            "-S",
            "/dev/null",
            "-k",
            "none",
            "--runmode",
            "single",
            "-l",
            &out,
            "-r",
            CAPTURE,
        ];
        let apt = "Debian 12: apt-get install -t bookworm-backports suricata";
        add("suricata", Path::new("suricata"), &suricata, 1, apt);
    }
    let tshark = [
        "-q", "-n", "-z", "conv,tcp", "-z", "conv,udp", "-r", CAPTURE,
    ];
    let apt = "try: apt-get install tshark";
    add("tshark -z conv", Path::new("tshark"), &tshark, 16, apt);
    let has_scapy = Command::new(python)
        .args(["-c", "import scapy"])
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    let pip = "try: pip install scapy in a virtual environment, and --python";
    if has_scapy {
        add("scapy", python, &["-c", SCAPY, CAPTURE], 128, pip);
    } else {
        missing.push(("scapy", pip));
    }
    (present, missing)
}

fn words(arguments: &[&str]) -> Vec<OsString> {
    arguments.iter().map(OsString::from).collect()
}

/// The program of this name in `PATH`, or at this path.
fn found(command: &Path) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(command))
        .find(|path| path.is_file())
}
