//! Live traffic: the sensor's outermost loop, which reads the clock.

mod logs;

use std::io;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Interval, MissedTickBehavior, interval, sleep};

use self::logs::FollowedLogs;
use crate::event::{FlowDelta, Sample, Sink};
use crate::hook::{Direction, Hook, HookId};
use crate::log::follow::Feeds;
use crate::output::Output;
use crate::pipeline::{HookReading, Pipeline};
use crate::source::kernel::{
    Attachment, EgressAttachment, EgressMeans, Interface, KernelEngine, KernelError,
    KernelSettings, XdpMode,
};
use crate::time::WallTime;

/// How often the rings are emptied.
const DRAIN: Duration = Duration::from_millis(20);

/// How often the flow tables are read: every so many times the rings are emptied.
const DRAINS_PER_READ: u32 = 10;

/// How often positions in logs are kept, in drains: every four seconds.
const DRAINS_PER_SAVE: u32 = 200;

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

/// One hook in use.
#[derive(Debug)]
struct Tap {
    hook: HookId,
    engine: KernelEngine,
    /// Held until the end of the run.
    attachment: Option<AnyAttachment>,
}

/// What keeps a program on its hook.
#[expect(dead_code, reason = "dropping it detaches")]
#[derive(Debug)]
enum AnyAttachment {
    Ingress(Attachment),
    Egress(EgressAttachment),
}

/// Sensors on some interfaces.
#[derive(Debug)]
pub struct Live {
    taps: Vec<Tap>,
    stop: Stop,
    duration: Option<Duration>,
    /// Room for samples; empty between two drains.
    samples: Vec<Sample>,
    logs: Option<FollowedLogs>,
}

impl Live {
    /// Loads and attaches one engine per interface. `object` is netsec's eBPF object.
    ///
    /// # Errors
    ///
    /// [`LiveError::Kernel`]; nothing stays attached then.
    pub async fn open<O: Output>(
        object: &[u8],
        settings: &LiveSettings,
        pipeline: &mut Pipeline<O>,
    ) -> Result<Self, LiveError> {
        // From here on a signal ends the run in good order, not the process.
        let stop = Stop::new()?;
        // All interfaces are looked up before any program is loaded: a typing error shows at once.
        let mut interfaces = Vec::new();
        for name in &settings.interfaces {
            interfaces.push(Interface::find(name).await?);
        }
        let watched: Vec<u32> = interfaces.iter().map(|interface| interface.index).collect();
        let mut taps = Vec::new();
        for interface in &interfaces {
            taps.push(open_ingress(object, settings, interface, pipeline)?);
            if settings.egress {
                taps.push(open_egress(
                    object, settings, interface, &watched, pipeline,
                )?);
            }
        }
        Ok(Self {
            taps,
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
        pipeline.start(WallTime::now());
        let mut count: u32 = 0;
        while !pipeline.is_done() {
            tokio::select! {
                signal = self.stop.wait() => {
                    log::info!("{signal}: detaching");
                    break;
                }
                () = &mut end => break,
                () = changed(self.logs.as_ref()) => {
                    // The timer does the rest; what a log says is urgent.
                    self.read_logs(pipeline)?;
                    continue;
                }
                _ = drains.tick() => {}
            }
            self.drain(pipeline);
            self.read_logs(pipeline)?;
            count = count.wrapping_add(1);
            if count.is_multiple_of(DRAINS_PER_READ) {
                self.read(pipeline)?;
                pipeline
                    .tick(WallTime::now(), &self.readings())
                    .map_err(LiveError::Output)?;
                if count.is_multiple_of(DRAINS_PER_SAVE) {
                    self.logs.iter().for_each(FollowedLogs::save);
                }
            }
        }
        self.finish(pipeline)
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

fn open_ingress<O: Output>(
    object: &[u8],
    settings: &LiveSettings,
    interface: &Interface,
    pipeline: &mut Pipeline<O>,
) -> Result<Tap, KernelError> {
    let hook = pipeline.add_hook(Hook {
        interface: interface.name.clone(),
        direction: Direction::Ingress,
    });
    let mut engine = KernelEngine::load(object, hook, &settings.kernel)?;
    let attachment = engine.attach(interface, settings.mode)?;
    report(interface, &engine, &attachment);
    Ok(Tap {
        hook,
        engine,
        attachment: Some(AnyAttachment::Ingress(attachment)),
    })
}

fn open_egress<O: Output>(
    object: &[u8],
    settings: &LiveSettings,
    interface: &Interface,
    watched: &[u32],
    pipeline: &mut Pipeline<O>,
) -> Result<Tap, KernelError> {
    let hook = pipeline.add_hook(Hook {
        interface: interface.name.clone(),
        direction: Direction::Egress,
    });
    let mut engine = KernelEngine::load_egress(object, hook, &settings.kernel, watched)?;
    let attachment = engine.attach_egress(interface)?;
    let means = match attachment.means {
        EgressMeans::Tcx => "TCX",
        EgressMeans::Clsact => "clsact, as this kernel has no TCX",
    };
    log::info!(
        "{}: egress attached by {means}; flow table {} MiB",
        interface.name,
        engine.table_bytes() >> 20,
    );
    Ok(Tap {
        hook,
        engine,
        attachment: Some(AnyAttachment::Egress(attachment)),
    })
}

/// Says what is attached, and loudly when it is not what was hoped for.
fn report(interface: &Interface, engine: &KernelEngine, attachment: &Attachment) {
    log::info!(
        "{}: XDP attached in {} mode; flow table {} MiB",
        interface.name,
        attachment.mode,
        engine.table_bytes() >> 20,
    );
    if let Some(reason) = &attachment.fallback {
        log::warn!(
            "{}: native XDP is not to be had ({reason}): fell back to generic (skb) mode, which \
             costs more CPU per packet; to make this an error: --xdp-mode native",
            interface.name,
        );
    }
}

/// The signals that end the run.
#[derive(Debug)]
struct Stop {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Stop {
    fn new() -> Result<Self, LiveError> {
        let listen = |kind| signal(kind).map_err(LiveError::Signals);
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            hangup: listen(SignalKind::hangup())?,
        })
    }

    async fn wait(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "interrupted",
            _ = self.terminate.recv() => "terminated",
            _ = self.hangup.recv() => "hung up",
        }
    }
}

fn ticker() -> Interval {
    let mut ticker = interval(DRAIN);
    ticker.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticker
}
