//! A `netsec run` at the right end of a pair, and the commands that ask it.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use nix::sys::signal::Signal;
use tempfile::TempDir;

use crate::binary;
use crate::netns::{Pair, wait_for};
use crate::running::{Outcome, Running};

/// A sensor with a folder of its own for socket, state and log.
#[derive(Debug)]
pub struct Sensor {
    /// Where it watches: the right end, with addresses.
    pub pair: Arc<Pair>,
    folder: TempDir,
    running: Option<Running>,
    more_places: Vec<String>,
}

impl Sensor {
    /// A pair that is up, and no sensor yet.
    ///
    /// # Errors
    ///
    /// When the pair cannot be made.
    pub fn new() -> Result<Self> {
        let pair = Pair::new()?;
        pair.up()?;
        Ok(Self {
            pair: Arc::new(pair),
            folder: TempDir::new()?,
            running: None,
            more_places: Vec::new(),
        })
    }

    /// Gives every command these words, too: other places.
    pub fn set_places(&mut self, words: impl IntoIterator<Item = String>) {
        self.more_places = words.into_iter().collect();
    }

    /// Gives the left end another address that the right end can answer.
    ///
    /// # Errors
    ///
    /// What `ip` says.
    pub fn add_source(&self, address: Ipv4Addr) -> Result<()> {
        let pair = &self.pair;
        pair.left
            .ip(&format!("address add {address}/32 dev left"))?;
        pair.right.ip(&format!(
            "neighbour replace {address} lladdr 02:00:00:00:00:0a dev right"
        ))?;
        pair.right
            .ip(&format!("route replace {address}/32 dev right"))?;
        Ok(())
    }

    /// Starts it with these words beside the places, and waits until it watches and can be asked.
    ///
    /// # Errors
    ///
    /// When it does not start.
    pub fn start(&mut self, more: &[&str]) -> Result<()> {
        let places = self.places();
        let mut arguments: Vec<&str> = "run -i right --interval 0 --packets off"
            .split_whitespace()
            .collect();
        if !more.contains(&"--flow-slots") {
            // Small, as tests run side by side.
            arguments.extend(["--flow-slots", "4096", "--block-entries", "4096"]);
        }
        arguments.extend(places.iter().map(String::as_str));
        arguments.extend(more);
        let mut running = self.pair.right.run(|| Running::start(&arguments))?;
        running.wait_attached(1)?;
        let socket = self.path("socket");
        wait_for("the socket", || Ok(Path::new(&socket).exists()))?;
        self.running = Some(running);
        Ok(())
    }

    /// Ends it by a signal.
    ///
    /// # Errors
    ///
    /// When none is running, or it does not end.
    pub fn end(&mut self, signal: Signal) -> Result<Outcome> {
        let running = self.running.take().context("none is running")?;
        running.signal(signal)?;
        running.finish()
    }

    /// The process.
    ///
    /// # Errors
    ///
    /// When none is running.
    pub fn running(&self) -> Result<&Running> {
        self.running.as_ref().context("none is running")
    }

    /// A name in the folder.
    #[must_use]
    pub fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    fn places(&self) -> Vec<String> {
        let mut words = vec!["--socket".to_owned(), self.path("socket")];
        words.extend(["--state".to_owned(), self.path("state")]);
        words.extend(self.more_places.iter().cloned());
        words
    }

    /// Runs a command in the right end's namespace, and gives its exit code and what it said.
    ///
    /// # Errors
    ///
    /// When it cannot be run.
    pub fn netsec(&self, words: &str) -> Result<(i32, String)> {
        let mut arguments: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
        arguments.extend(["--socket".to_owned(), self.path("socket")]);
        self.pair.right.run(|| {
            let output = binary::run(&arguments, &[])?;
            let mut said = String::from_utf8(output.stdout)?;
            said += &String::from_utf8(output.stderr)?;
            Ok((output.status.code().context("killed")?, said))
        })
    }

    /// As [`netsec`](Self::netsec), for a command that has to succeed.
    ///
    /// # Errors
    ///
    /// When it does not.
    pub fn done(&self, words: &str) -> Result<String> {
        let (code, said) = self.netsec(words)?;
        ensure!(code == 0, "{words}: {code}: {said}");
        Ok(said)
    }

    /// Appends a line to the log `eve.json`, in one write, as Suricata does.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn log(&self, line: &str) -> Result<()> {
        let mut options = OpenOptions::new();
        let mut file = options
            .create(true)
            .append(true)
            .open(self.path("eve.json"))?;
        file.write_all(format!("{line}\n").as_bytes())?;
        Ok(())
    }
}
