//! The scripts that people read logs with.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};

use crate::stopwatch::Stopwatch;

/// A script that takes its turn.
#[derive(Clone, Copy)]
pub(super) struct Script {
    pub(super) name: &'static str,
    /// The program; [`PYTHON`] for the one that was asked for.
    command: &'static str,
    /// The log's name follows.
    arguments: &'static [&'static str],
    /// It gets a part of the lines.
    pub(super) is_slow: bool,
    /// What shows that it is here.
    probe: &'static [&'static str],
}

const PYTHON: &str = "python3";

/// Addresses, ports and counts of flow records.
pub(super) const EVE: [Script; 2] = [
    Script {
        name: "python json",
        command: PYTHON,
        arguments: &[
            "-c",
            "import json, sys\nbytes = 0\nfor line in open(sys.argv[1]):\n    event = json.loads(line)\n    \
             if event['event_type'] == 'flow':\n        \
             key = (event['src_ip'], event['dest_ip'], event.get('src_port'), event.get('dest_port'))\n        \
             bytes += event['flow']['bytes_toserver']\nprint(bytes)",
        ],
        is_slow: true,
        probe: &["-c", "import json"],
    },
    Script {
        name: "jq",
        command: "jq",
        arguments: &[
            "-c",
            "select(.event_type == \"flow\") | [.src_ip, .src_port, .dest_ip, .dest_port, \
             .flow.bytes_toserver]",
        ],
        is_slow: true,
        probe: &["--version"],
    },
];

/// Signature and addresses of alerts.
pub(super) const ALERTS: [Script; 2] = [
    Script {
        name: "python json",
        command: PYTHON,
        arguments: &[
            "-c",
            "import collections, json, sys\ncounts = collections.Counter()\n\
             for line in open(sys.argv[1]):\n    event = json.loads(line)\n    \
             if event['event_type'] == 'alert':\n        \
             counts[event['alert']['signature'], event['src_ip']] += 1\nprint(len(counts))",
        ],
        is_slow: true,
        probe: &["-c", "import json"],
    },
    Script {
        name: "jq",
        command: "jq",
        arguments: &[
            "-c",
            "select(.event_type == \"alert\") | [.alert.signature, .src_ip, .dest_ip]",
        ],
        is_slow: true,
        probe: &["--version"],
    },
];

/// Bytes by originator of conn.log, whose first column is the node's name.
pub(super) const ZEEK: [Script; 3] = [
    Script {
        name: "awk",
        command: "awk",
        arguments: &[
            "-F\t",
            "!/^#/ { bytes[$4] += $11; if ($7 == 4444) hits++ } END { print length(bytes), hits }",
        ],
        is_slow: false,
        probe: &["BEGIN { exit 0 }"],
    },
    Script {
        name: "python split",
        command: PYTHON,
        arguments: &[
            "-c",
            "import collections, sys\nbytes = collections.Counter()\nfor line in open(sys.argv[1]):\n    \
             if line[0] != '#':\n        row = line.split('\\t')\n        \
             bytes[row[3]] += int(row[10]) if row[10] != '-' else 0\nprint(len(bytes))",
        ],
        is_slow: true,
        probe: &["-c", "pass"],
    },
    Script {
        name: "pandas",
        command: PYTHON,
        arguments: &[
            "-c",
            "import sys\nimport pandas\nrows = pandas.read_csv(sys.argv[1], sep='\\t', comment='#', \
             header=None, na_values='-', low_memory=False)\nprint(rows.groupby(3)[10].sum().size)",
        ],
        is_slow: true,
        probe: &["-c", "import pandas"],
    },
];

impl Script {
    fn command(&self, python: &Path) -> Command {
        if self.command == PYTHON {
            Command::new(python)
        } else {
            Command::new(self.command)
        }
    }

    fn is_present(&self, python: &Path) -> bool {
        let mut command = self.command(python);
        command.args(self.probe).stdin(Stdio::null());
        let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
        status.is_ok_and(|status| status.success())
    }

    /// Seconds from start to exit.
    pub(super) fn seconds(&self, python: &Path, log: &Path) -> Result<f64> {
        let mut command = self.command(python);
        command.args(self.arguments).arg(log).stdin(Stdio::null());
        let clock = Stopwatch::start();
        let status = command.stdout(Stdio::null()).status();
        let status = status.with_context(|| self.name)?;
        ensure!(status.success(), "{}: {status}", self.name);
        Ok(clock.seconds())
    }
}

/// Those that are here, and the names of the others.
pub(super) fn present(
    scripts: &[Script],
    alone: bool,
    python: &Path,
) -> (Vec<Script>, Vec<&'static str>) {
    if alone {
        return (Vec::new(), Vec::new());
    }
    let is_here = |script: &Script| script.is_present(python);
    let (here, missing): (Vec<Script>, Vec<Script>) = scripts.iter().copied().partition(is_here);
    (here, missing.iter().map(|script| script.name).collect())
}
