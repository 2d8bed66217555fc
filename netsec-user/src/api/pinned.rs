//! Requests answered without an agent, on what one has left in the kernel.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use netsec_common::sample::Sampling;

use super::answer::{Around, answer};
use super::wire::{Answer, Failure, Request};
use crate::block::{KernelEnforcer, OnExit};
use crate::connection::{ConnectionTable, Handshakes, RecentTraffic, Timeouts};
use crate::decide::{Desk, DroppedPackets, State, Tables, Traffic};
use crate::guard::Facts;
use crate::live::Watched;
use crate::source::kernel::{BlockMaps, KernelError, PinFolder};
use crate::time::WallTime;

/// How often a folder that another command is using is tried again, and how long to wait between.
const TRIES: (u32, Duration) = (20, Duration::from_millis(50));

/// The block tables that a netsec which has gone left pinned, one of each interface.
#[derive(Debug)]
pub struct Pinned {
    tables: Tables,
    watched: Watched,
    state: State,
    connections: ConnectionTable,
    /// Locked for as long as this is there: a table has one writer.
    _folders: Vec<PinFolder>,
}

impl Pinned {
    /// Opens what is pinned in a folder; `None` when nothing is.
    ///
    /// # Errors
    ///
    /// [`KernelError::Pins`] for a table of another version, or one that somebody is using.
    pub fn open(pins: &Path, state: impl FnOnce() -> State) -> Result<Option<Self>, KernelError> {
        let mut tables = Tables::default();
        let mut watched = Watched {
            hooks: Vec::new(),
            on_exit: OnExit::Keep,
        };
        let mut folders = Vec::new();
        for interface in kept(pins) {
            let path = pins.join(&interface);
            let folder = open(&path)?;
            if let Some(maps) = BlockMaps::open(&path)? {
                tables.push(KernelEnforcer::new(maps));
                watched.hooks.push(format!("{interface} ingress"));
                folders.push(folder);
            }
        }
        if folders.is_empty() {
            return Ok(None);
        }
        let timeouts = Timeouts {
            idle: Duration::ZERO,
            active: Duration::ZERO,
            closed: Duration::ZERO,
            connections_max: 1,
        };
        Ok(Some(Self {
            tables,
            watched,
            state: state(),
            connections: ConnectionTable::new(timeouts, [0; 10]),
            _folders: folders,
        }))
    }

    /// Serves a request. What it would cut is not known: nobody watches the traffic. `facts` are of this
    /// machine as it is.
    ///
    /// # Errors
    ///
    /// Why it is not served.
    pub fn ask(
        &mut self,
        request: &Request,
        facts: Facts,
        now: WallTime,
    ) -> Result<Answer, Failure> {
        if request.is_write() {
            self.state.refresh(facts, &mut self.tables);
            self.state.book.tick(&mut self.tables, now);
        }
        let mut desk = Desk {
            state: &mut self.state,
            table: &mut self.tables,
            traffic: Traffic {
                connections: &self.connections,
                handshakes: &Handshakes::default(),
                recent: &RecentTraffic::default(),
                dropped: &DroppedPackets::default(),
                incidents: None,
            },
            now,
        };
        let mut around = Around {
            watched: &self.watched,
            set_sampling: None::<&mut dyn FnMut(Sampling)>,
            bad_frames: 0,
        };
        answer(request, &mut desk, &mut around)
    }
}

/// The interfaces that have a folder of pins.
#[must_use]
pub fn kept(pins: &Path) -> Vec<String> {
    let folders = fs::read_dir(pins).into_iter().flatten().flatten();
    let mut names: Vec<String> = folders
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort_unstable();
    names
}

/// Opens a folder of pins; another command may be using it for a moment.
fn open(path: &Path) -> Result<PinFolder, KernelError> {
    let (tries, pause) = TRIES;
    for _ in 1..tries {
        match PinFolder::open(path) {
            Err(KernelError::Pins { .. }) => thread::sleep(pause),
            opened => return opened,
        }
    }
    PinFolder::open(path)
}
