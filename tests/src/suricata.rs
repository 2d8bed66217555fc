//! A real Suricata that watches an interface of a test's own namespace.

use std::env;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use anyhow::{Context as _, Result, bail, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;

use crate::netns::{Namespace, wait_for};

/// Each makes a missing Suricata an error.
const REQUIRED: [&str; 2] = ["CI", "NETSEC_REQUIRE_SURICATA"];

/// Said once it reads packets.
const READY: &str = "Engine started";

/// Its time zone, nine hours ahead of UTC: `fast.log` has the local time, and does not say so.
pub const ZONE: &str = "JST-9";

/// Nothing but what the tests are about: alerts, flows that end quickly, statistics every second.
const CONFIGURATION: &str = "\
%YAML 1.1
---
vars:
  address-groups: {HOME_NET: any, EXTERNAL_NET: any}
stats: {enabled: yes, interval: 1}
logging:
  default-log-level: notice
  outputs: [{console: {enabled: yes}}]
outputs:
  - fast: {enabled: yes, filename: fast.log}
  - eve-log:
      enabled: yes
      filetype: regular
      filename: eve.json
      community-id: true
      types: [alert, flow, stats]
af-packet:
  - {interface: default, threads: 1, defrag: yes, use-mmap: yes, tpacket-v3: yes}
unix-command: {enabled: no}
host-mode: sniffer-only
";

/// A running Suricata, killed with this value. Its logs are in a directory of its own.
#[derive(Debug)]
pub struct Suricata {
    child: Child,
    folder: TempDir,
    said: Arc<Mutex<String>>,
}

impl Suricata {
    /// Starts Suricata on an interface of `namespace` with the lines of `rules`, and waits until it
    /// reads packets. `None` when it is not installed and need not be: the caller then skips its test,
    /// which has been said on standard error.
    ///
    /// # Errors
    ///
    /// When it does not start, with what it said; or is missing, and `CI` or
    /// `NETSEC_REQUIRE_SURICATA` is set to something other than nothing.
    pub fn start(namespace: &Namespace, interface: &str, rules: &str) -> Result<Option<Self>> {
        if !is_installed()? {
            return Ok(None);
        }
        let folder = tempfile::tempdir()?;
        let at = |name: &str| folder.path().join(name);
        fs::write(at("suricata.yaml"), CONFIGURATION)?;
        fs::write(at("test.rules"), rules)?;
        let mut command = Command::new("suricata");
        // The kernel leaves checksums to the veth's other end: they are wrong on the wire.
        command
            .args(["-k", "none", "--runmode", "workers", "-c"])
            .arg(at("suricata.yaml"))
            .arg("-S")
            .arg(at("test.rules"))
            .arg("-l")
            .arg(folder.path())
            .arg("--pidfile")
            .arg(at("suricata.pid"))
            .arg(format!("--af-packet={interface}"))
            .env("TZ", ZONE)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = namespace.run(move || Ok(command.spawn()?))?;
        let said = Arc::new(Mutex::new(String::new()));
        if let Some(pipe) = child.stdout.take() {
            let said = Arc::clone(&said);
            thread::spawn(move || {
                for line in BufReader::new(pipe).lines().map_while(Result::ok) {
                    let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
                    said.push_str(&line);
                    said.push('\n');
                }
            });
        }
        let mut suricata = Self {
            child,
            folder,
            said,
        };
        suricata.wait_ready()?;
        Ok(Some(suricata))
    }

    fn wait_ready(&mut self) -> Result<()> {
        let waited = wait_for("Suricata reads packets", || {
            if self.said().contains(READY) {
                return Ok(true);
            }
            ensure!(self.child.try_wait()?.is_none(), "Suricata ended");
            Ok(false)
        });
        waited.with_context(|| self.said())?;
        // A rule it cannot read is left out with a warning, and the test would wait in vain.
        ensure!(!self.said().contains("error parsing"), "{}", self.said());
        Ok(())
    }

    /// Its `eve.json`.
    #[must_use]
    pub fn eve(&self) -> PathBuf {
        self.folder.path().join("eve.json")
    }

    /// Its `fast.log`.
    #[must_use]
    pub fn fast(&self) -> PathBuf {
        self.folder.path().join("fast.log")
    }

    /// The records of a type in its `eve.json` so far.
    ///
    /// # Errors
    ///
    /// When there is no such file, or a whole line of it is no JSON.
    pub fn events(&self, event_type: &str) -> Result<Vec<Value>> {
        let text = fs::read_to_string(self.eve())?;
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        let mut events = whole
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).with_context(|| line.to_owned()))
            .collect::<Result<Vec<_>>>()?;
        events.retain(|event| event.get("event_type") == Some(&Value::from(event_type)));
        Ok(events)
    }

    /// Waits for its first alert, and gives it.
    ///
    /// # Errors
    ///
    /// When none comes.
    pub fn wait_alert(&self) -> Result<Value> {
        let mut first = None;
        wait_for("Suricata alerts", || {
            first = self.events("alert")?.into_iter().next();
            Ok(first.is_some())
        })
        .with_context(|| self.said())?;
        first.context("no alert")
    }

    /// Has it open its logs anew, as after a rotation: SIGHUP.
    ///
    /// # Errors
    ///
    /// When it has gone.
    pub fn reopen_logs(&self) -> Result<()> {
        self.signal(Signal::SIGHUP)
    }

    /// Stops it, so that it writes the flows that are open, and gives its directory, which goes with
    /// the value.
    ///
    /// # Errors
    ///
    /// When it does not end in good order.
    pub fn stop(mut self) -> Result<TempDir> {
        self.signal(Signal::SIGTERM)?;
        wait_for("Suricata ends", || Ok(self.child.try_wait()?.is_some()))?;
        let status = self.child.wait()?;
        ensure!(status.success(), "{status}: {}", self.said());
        let empty = tempfile::tempdir()?;
        Ok(std::mem::replace(&mut self.folder, empty))
    }

    /// What it said so far.
    #[must_use]
    pub fn said(&self) -> String {
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        said.clone()
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        let id = Pid::from_raw(i32::try_from(self.child.id())?);
        Ok(kill(id, signal)?)
    }
}

impl Drop for Suricata {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[expect(
    clippy::print_stderr,
    reason = "a test that is skipped has to say so, and the harness shows nothing else"
)]
fn is_installed() -> Result<bool> {
    let path = env::var_os("PATH").unwrap_or_default();
    if env::split_paths(&path).any(|folder| folder.join("suricata").is_file()) {
        return Ok(true);
    }
    let missing = "suricata is not installed (.ci/run does it)";
    let set = |name: &&str| env::var_os(name).is_some_and(|value| !value.is_empty());
    if let Some(name) = REQUIRED.iter().find(|name| set(name)) {
        bail!("{missing}; {name} is set, so it is required");
    }
    eprintln!("SKIPPED: {missing}");
    Ok(false)
}
