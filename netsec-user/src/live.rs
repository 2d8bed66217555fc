//! Live traffic: the sensor's outermost loop, which reads the clock.

mod fill;
mod logs;
mod report;
mod stop;
mod tap;

use std::io;
use std::time::Duration;

use netsec_common::block::Mode;
use netsec_common::sample::Sampling;
use tokio::sync::mpsc;
use tokio::time::{Interval, MissedTickBehavior, interval, sleep};

use self::fill::fill;
use self::logs::FollowedLogs;
use self::stop::Stop;
use self::tap::{Tap, attach_egress, attach_ingress, load_egress, load_ingress};
use crate::block::{BlockSettings, Enforcer as _, OnExit};
use crate::decide::{Desk, State, Tables};
use crate::event::{FlowDelta, Sample, Sink};
use crate::guard::gather;
use crate::hook::Hook;
use crate::log::follow::Feeds;
use crate::output::Output;
use crate::pipeline::{HookReading, Pipeline};
use crate::source::kernel::{Interface, KernelError, KernelSettings, XdpMode};
use crate::time::WallTime;

/// How often the rings are emptied.
const DRAIN: Duration = Duration::from_millis(20);

/// How often the flow tables are read: every so many times the rings are emptied.
const DRAINS_PER_READ: u32 = 10;

/// How often positions in logs are kept, in drains: every four seconds.
const DRAINS_PER_SAVE: u32 = 200;
/// How often the block table is looked after: every so many readings of the flow tables.
const READS_PER_UPKEEP: u32 = 5;

/// How often the guard looks at the machine again: every so many times the block table is.
const UPKEEPS_PER_GATHER: u32 = 10;

/// A year: longer than the runtime's timers can be told apart from "until told to".
const FOREVER: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// What to listen to.
#[derive(Clone, Debug)]
pub struct LiveSettings {
    /// Interface names.
    pub interfaces: Vec<String>,
    /// XDP mode.
    pub mode: XdpMode,
    /// Whether what the interfaces send is watched, too.
    pub egress: bool,
    /// What each hook's engine is loaded with.
    pub kernel: KernelSettings,
    /// Stop after this long; `None` is until told to.
    pub duration: Option<Duration>,
    /// What is done with blocks.
    pub blocks: BlockSettings,
}

/// What somebody asks the running sensor for, served between two readings: given the desk, what is
/// watched, and what changes the sampling.
pub type Ask = Box<dyn FnOnce(Desk<'_>, &Watched, &mut dyn FnMut(Sampling)) + Send>;

/// What is watched, in words.
#[derive(Clone, Debug)]
pub struct Watched {
    /// Interface and direction, such as `eth0 ingress`.
    pub hooks: Vec<String>,
    /// What becomes of it at the end.
    pub on_exit: OnExit,
}

/// Why the sensor stopped.
#[derive(Debug, thiserror::Error)]
pub enum LiveError {
    /// The kernel side.
    #[error(transparent)]
    Kernel(#[from] KernelError),
    /// The output cannot be written.
    #[error("cannot write the output")]
    Output(#[source] io::Error),
    /// Signals cannot be waited for.
    #[error("cannot listen for signals")]
    Signals(#[source] io::Error),
}

/// Sensors on some interfaces.
#[derive(Debug)]
pub struct Live {
    taps: Vec<Tap>,
    tables: Tables,
    state: State,
    asks: mpsc::Receiver<Ask>,
    watched: Watched,
    stop: Stop,
    duration: Option<Duration>,
    /// Room for samples; empty between two drains.
    samples: Vec<Sample>,
    logs: Option<FollowedLogs>,
}

impl Live {
    /// Loads and attaches one engine per interface. `object` is netsec's eBPF object.
    ///
    /// What `state` wants is in the block tables before the first frame; `asks` are served by
    /// [`Self::run`].
    ///
    /// # Errors
    ///
    /// [`LiveError::Kernel`]; nothing stays attached then.
    pub async fn open<O: Output>(
        object: &[u8],
        settings: &LiveSettings,
        mut state: State,
        asks: mpsc::Receiver<Ask>,
        pipeline: &mut Pipeline<O>,
    ) -> Result<Self, LiveError> {
        // From here on a signal ends the run in good order, not the process.
        let stop = Stop::new()?;
        // All interfaces are looked up before any program is loaded: a typing error shows at once.
        let mut interfaces = Vec::new();
        for name in &settings.interfaces {
            interfaces.push(Interface::find(name).await?);
        }
        let indices: Vec<u32> = interfaces.iter().map(|interface| interface.index).collect();
        let (mut ingress, mut egress) = (Vec::new(), Vec::new());
        let mut tables = Tables::default();
        for interface in &interfaces {
            let tap = load_ingress(object, settings, interface, &mut tables, pipeline)?;
            ingress.push(tap);
            if settings.egress {
                egress.push(load_egress(
                    object, settings, interface, &indices, pipeline,
                )?);
            }
        }
        fill(&mut state, &mut tables, &settings.blocks).await;
        // What is sent is watched before what is received: of a connection whose first packet is counted
        // the answer is, too, and so it can show that its source is no forgery.
        for (tap, interface) in egress.iter_mut().zip(&interfaces) {
            attach_egress(tap, interface)?;
        }
        for (tap, interface) in ingress.iter_mut().zip(&interfaces) {
            attach_ingress(tap, interface, settings.mode)?;
        }
        let mut taps: Vec<Tap> = ingress.into_iter().chain(egress).collect();
        taps.sort_by_key(|tap| tap.hook);
        let hook = |hook: &Hook| format!("{} {}", hook.interface, hook.direction);
        Ok(Self {
            taps,
            tables,
            state,
            asks,
            watched: Watched {
                hooks: pipeline.hooks().iter().map(hook).collect(),
                on_exit: settings.blocks.on_exit,
            },
            stop,
            duration: settings.duration,
            samples: Vec::new(),
            logs: None,
        })
    }

    /// Follows logs, whose records go into the pipeline.
    pub fn follow(&mut self, feeds: Feeds) {
        self.logs = Some(FollowedLogs::new(feeds));
    }

    /// Reads until a signal, the end of the time asked for, or the end of the pipeline's wishes;
    /// then detaches, and reads and writes the rest.
    ///
    /// # Errors
    ///
    /// When the output cannot be written, or the kernel's clock not read.
    pub async fn run<O: Output>(mut self, pipeline: &mut Pipeline<O>) -> Result<(), LiveError> {
        let end = sleep(self.duration.unwrap_or(FOREVER));
        tokio::pin!(end);
        let mut drains = ticker();
        pipeline.remember_traffic();
        pipeline.start(WallTime::now());
        let mut count: u32 = 0;
        while !pipeline.is_done() {
            tokio::select! {
                signal = self.stop.wait() => {
                    log::info!("{signal}: detaching");
                    break;
                }
                () = &mut end => break,
                Some(ask) = self.asks.recv() => {
                    self.serve(ask, pipeline);
                    continue;
                }
                () = changed(self.logs.as_ref()) => {
                    // The timer does the rest; what a log says is urgent.
                    self.read_logs(pipeline)?;
                    self.decide(pipeline)?;
                    continue;
                }
                _ = drains.tick() => {}
            }
            self.drain(pipeline);
            self.read_logs(pipeline)?;
            self.decide(pipeline)?;
            count = count.wrapping_add(1);
            if count.is_multiple_of(DRAINS_PER_READ) {
                self.read_by_turns(pipeline)?;
                pipeline
                    .tick(WallTime::now(), &self.readings())
                    .map_err(LiveError::Output)?;
                self.decide(pipeline)?;
                if count.is_multiple_of(DRAINS_PER_SAVE) {
                    self.logs.iter().for_each(FollowedLogs::save);
                }
            }
            if count.is_multiple_of(DRAINS_PER_READ * READS_PER_UPKEEP) {
                let now = WallTime::now();
                self.tables.heartbeat(now);
                self.state.book.tick(&mut self.tables, now);
            }
            if count.is_multiple_of(DRAINS_PER_READ * READS_PER_UPKEEP * UPKEEPS_PER_GATHER) {
                self.state.refresh(gather().await.facts, &mut self.tables);
            }
        }
        self.finish(pipeline)
    }

    fn serve<O: Output>(&mut self, ask: Ask, pipeline: &Pipeline<O>) {
        let desk = Desk {
            state: &mut self.state,
            table: &mut self.tables,
            traffic: pipeline.traffic(),
            now: WallTime::now(),
        };
        let taps = &self.taps;
        let mut set_sampling = |sampling| {
            for tap in taps {
                tap.engine.set_sampling(sampling);
            }
        };
        ask(desk, &self.watched, &mut set_sampling);
    }

    fn finish<O: Output>(mut self, pipeline: &mut Pipeline<O>) -> Result<(), LiveError> {
        for tap in &mut self.taps {
            drop(tap.attachment.take());
        }
        self.drain(pipeline);
        self.read(pipeline)?;
        self.read_logs(pipeline)?;
        if let Some(logs) = &self.logs {
            logs.save();
            logs.report();
        }
        let readings: Vec<HookReading> = self
            .taps
            .iter()
            .map(|tap| HookReading {
                hook: tap.hook,
                ledger: tap.engine.ledger_exact(),
                torn_reads: tap.engine.torn_reads(),
            })
            .collect();
        pipeline
            .finish(WallTime::now(), &readings)
            .map_err(LiveError::Output)
    }

    fn drain<O: Output>(&mut self, pipeline: &mut Pipeline<O>) {
        let mut in_order = InOrder {
            samples: std::mem::take(&mut self.samples),
            pipeline,
        };
        for tap in &mut self.taps {
            tap.engine.drain(&mut in_order);
        }
        self.samples = in_order.deliver();
    }

    fn read_logs<O: Output>(&mut self, pipeline: &mut Pipeline<O>) -> Result<(), LiveError> {
        match &mut self.logs {
            Some(logs) => logs.read(pipeline).map_err(LiveError::Output),
            None => Ok(()),
        }
    }

    /// Decides on what findings and alerts ask for. Where it hangs on a handshake that has not been seen
    /// completed, that flow is read first: an alert is written within milliseconds of its packet.
    fn decide<O: Output>(&mut self, pipeline: &mut Pipeline<O>) -> Result<(), LiveError> {
        if !pipeline.has_charges() {
            return Ok(());
        }
        let now = WallTime::now();
        if self.tables.mode() != Mode::Detect {
            for key in pipeline.doubtful(&mut self.state, &mut self.tables, now) {
                for tap in &mut self.taps {
                    tap.engine.read_flow(&key, pipeline)?;
                    tap.engine.read_flow(&key.reversed(), pipeline)?;
                }
            }
        }
        pipeline
            .decide(&mut self.state, &mut self.tables, WallTime::now())
            .map_err(LiveError::Output)
    }

    /// Reads the flow tables share by share, and looks at the logs after each: a large one takes
    /// milliseconds.
    fn read_by_turns<O: Output>(&mut self, pipeline: &mut Pipeline<O>) -> Result<(), LiveError> {
        for index in 0..self.taps.len() {
            let mut share = 0;
            while let Some(tap) = self.taps.get_mut(index)
                && share < tap.engine.shares()
            {
                tap.engine.read_share(share, pipeline)?;
                share += 1;
                self.read_logs(pipeline)?;
                self.decide(pipeline)?;
            }
        }
        Ok(())
    }

    fn read<O: Output>(&mut self, pipeline: &mut Pipeline<O>) -> Result<(), LiveError> {
        for tap in &mut self.taps {
            tap.engine.read(pipeline)?;
        }
        Ok(())
    }

    fn readings(&mut self) -> Vec<HookReading> {
        let reading = |tap: &mut Tap| HookReading {
            hook: tap.hook,
            ledger: tap.engine.ledger(),
            torn_reads: tap.engine.torn_reads(),
        };
        self.taps.iter_mut().map(reading).collect()
    }
}

/// Ready when a log has changed; never without one.
async fn changed(logs: Option<&FollowedLogs>) {
    match logs {
        Some(logs) => logs.changed().await,
        None => std::future::pending().await,
    }
}

/// Holds samples back until all rings are empty, and passes them on in the order of time. Never more
/// than the rings hold.
struct InOrder<'a, O> {
    samples: Vec<Sample>,
    pipeline: &'a mut Pipeline<O>,
}

impl<O: Output> InOrder<'_, O> {
    /// Gives back the room.
    fn deliver(mut self) -> Vec<Sample> {
        self.samples.sort_by_key(|sample| sample.time);
        for sample in self.samples.drain(..) {
            self.pipeline.sample(sample);
        }
        self.samples
    }
}

impl<O: Output> Sink for InOrder<'_, O> {
    fn sample(&mut self, sample: Sample) {
        self.samples.push(sample);
    }

    fn flow(&mut self, delta: &FlowDelta) {
        self.pipeline.flow(delta);
    }
}

fn ticker() -> Interval {
    let mut ticker = interval(DRAIN);
    ticker.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticker
}
