//! A `netsec` command that runs while the test goes on.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::binary;
use crate::netns::wait_for;

/// How long a command may take to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// Said on standard error for each interface once frames are counted.
const ATTACHED: &str = "XDP attached in";

/// What a command left behind.
#[derive(Debug)]
pub struct Outcome {
    /// How it ended.
    pub status: ExitStatus,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Outcome {
    /// The lines of standard output as JSON.
    ///
    /// # Errors
    ///
    /// With the line that is none.
    pub fn events(&self) -> Result<Vec<Value>> {
        self.stdout
            .lines()
            .map(|line| serde_json::from_str(line).with_context(|| line.to_owned()))
            .collect()
    }

    /// The last line, which has to be the final `stats` event.
    ///
    /// # Errors
    ///
    /// When it is not.
    pub fn final_stats(&self) -> Result<Value> {
        let last = self.events()?.pop().context("nothing was written")?;
        let is_final = last.get("final") == Some(&Value::Bool(true));
        ensure!(is_final, "the last line is {last}");
        last.get("stats")
            .cloned()
            .context("a stats line without stats")
    }
}

/// A running `netsec`, killed with this value.
#[derive(Debug)]
pub struct Running {
    child: Child,
    stdout: Option<JoinHandle<()>>,
    stderr: Option<JoinHandle<()>>,
    written: Arc<Mutex<Vec<u8>>>,
    said: Arc<Mutex<String>>,
}

impl Running {
    /// Starts `netsec` in the network namespace of this thread.
    ///
    /// # Errors
    ///
    /// When it cannot be built or started.
    pub fn start(arguments: &[&str]) -> Result<Self> {
        Self::start_by(&mut binary::command(arguments)?)
    }

    /// Starts a command of which `netsec` is a part.
    ///
    /// # Errors
    ///
    /// When it cannot be started.
    pub fn start_by(command: &mut Command) -> Result<Self> {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("{command:?}"))?;
        let said = Arc::new(Mutex::new(String::new()));
        let written = Arc::new(Mutex::new(Vec::new()));
        let stdout = child.stdout.take().map(|pipe| {
            let written = Arc::clone(&written);
            thread::spawn(move || read(pipe, &written))
        });
        let stderr = child.stderr.take().map(|pipe| {
            let said = Arc::clone(&said);
            thread::spawn(move || {
                for line in BufReader::new(pipe).lines().map_while(Result::ok) {
                    let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
                    said.push_str(&line);
                    said.push('\n');
                }
            })
        });
        Ok(Self {
            child,
            stdout,
            stderr,
            written,
            said,
        })
    }

    /// Waits until programs are attached to so many interfaces.
    ///
    /// # Errors
    ///
    /// When that does not happen, with what was said instead.
    pub fn wait_attached(&mut self, interfaces: usize) -> Result<()> {
        let waited = wait_for("netsec attaches", || {
            if self.said().matches(ATTACHED).count() >= interfaces {
                return Ok(true);
            }
            let ended = self.child.try_wait()?;
            ensure!(ended.is_none(), "netsec ended");
            Ok(false)
        });
        waited.with_context(|| self.said())
    }

    /// The number of the process.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Standard error so far.
    #[must_use]
    pub fn said(&self) -> String {
        self.said
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Standard output so far, in whole lines.
    #[must_use]
    pub fn written(&self) -> String {
        let written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let text = String::from_utf8_lossy(&written);
        let whole = text.rsplit_once('\n');
        whole.map_or_else(String::new, |(whole, _)| whole.to_owned())
    }

    /// Waits for an event of a type on standard output, and gives the first.
    ///
    /// # Errors
    ///
    /// When none comes.
    pub fn wait_event(&self, event_type: &str) -> Result<Value> {
        let mut found = None;
        wait_for(event_type, || {
            let written = self.written();
            let events = written
                .lines()
                .filter_map(|line| serde_json::from_str(line).ok());
            let mut events = events.filter(|event: &Value| {
                event.get("event_type").and_then(Value::as_str) == Some(event_type)
            });
            found = events.next();
            Ok(found.is_some())
        })
        .with_context(|| format!("{}{}", self.written(), self.said()))?;
        found.with_context(|| format!("no {event_type}"))
    }

    /// Sends a signal.
    ///
    /// # Errors
    ///
    /// When the process has gone.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        let id = Pid::from_raw(i32::try_from(self.child.id())?);
        Ok(kill(id, signal)?)
    }

    /// Waits for the end.
    ///
    /// # Errors
    ///
    /// When it does not come.
    pub fn finish(mut self) -> Result<Outcome> {
        let step = Duration::from_millis(10);
        let mut waited = Duration::ZERO;
        let status = loop {
            if let Some(status) = self.child.try_wait()? {
                break status;
            }
            ensure!(waited < PATIENCE, "still running: {}", self.said());
            thread::sleep(step);
            waited += step;
        };
        for reader in [self.stdout.take(), self.stderr.take()]
            .into_iter()
            .flatten()
        {
            let read = reader.join();
            ensure!(read.is_ok(), "what was written was not read");
        }
        let written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(Outcome {
            status,
            stdout: String::from_utf8_lossy(&written).into_owned(),
            stderr: self.said(),
        })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Reads to the end; what came before an error is what the test wants to see.
fn read(mut pipe: ChildStdout, written: &Mutex<Vec<u8>>) {
    let mut bytes = [0; 1 << 16];
    while let Ok(count @ 1..) = pipe.read(&mut bytes) {
        let mut written = written.lock().unwrap_or_else(PoisonError::into_inner);
        written.extend_from_slice(bytes.get(..count).unwrap_or_default());
    }
}
