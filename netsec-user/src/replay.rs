//! A capture through an engine, by the capture's own clock.

mod error;

use std::time::Duration;

use crate::hook::{Direction, Hook, HookId};
use crate::output::Output;
use crate::pipeline::{HookReading, Pipeline};
use crate::settings::EngineSettings;
use crate::source::capture::{Capture, CaptureFrame};
use crate::source::engine::FrameEngine;
use crate::source::host::{HostEngine, HostFrame};
use crate::source::kernel::KernelError;
use crate::time::WallTime;

pub use error::ReplayError;

/// Traffic time between two readings of the flow tables: at whole seconds, so that what a reading
/// gives belongs to one second wherever the capture begins.
const TICK: Duration = Duration::from_secs(1);

/// Frames between two looks at the progress and at whether to stop.
const CHECK_FRAMES: u64 = 4096;

/// Plays a capture through the engine on the host, to its end, or until the pipeline is done.
///
/// `progress` is told every few thousand frames how far the file was read, and stops the replay by
/// returning false.
///
/// # Errors
///
/// When the capture cannot be read or the output cannot be written. A cut capture is no error: see
/// [`Capture::end`].
pub fn replay<O: Output>(
    capture: &mut Capture,
    settings: &EngineSettings,
    pipeline: &mut Pipeline<O>,
    progress: impl FnMut(&Capture) -> bool,
) -> Result<(), ReplayError> {
    let open = |hook| Ok(HostEngine::new(hook, settings));
    replay_through(capture, open, pipeline, progress).map(|_engines| ())
}

/// As [`replay`], through engines of any kind: `open` makes one for each interface of the capture.
/// Gives the engines as they are at the end.
///
/// # Errors
///
/// As [`replay`], and what the engines refuse.
pub fn replay_through<O: Output, E: FrameEngine>(
    capture: &mut Capture,
    open: impl FnMut(HookId) -> Result<E, KernelError>,
    pipeline: &mut Pipeline<O>,
    progress: impl FnMut(&Capture) -> bool,
) -> Result<Vec<E>, ReplayError> {
    let (engines, now) = play_through(capture, open, pipeline, progress)?;
    pipeline.start(now);
    pipeline.finish(now, &readings(&engines))?;
    Ok(engines)
}

/// Plays a capture of which the pipeline is to see more than this: another one, or logs. Gives the time
/// at which it ends.
///
/// # Errors
///
/// As [`replay`].
pub fn play<O: Output>(
    capture: &mut Capture,
    settings: &EngineSettings,
    pipeline: &mut Pipeline<O>,
) -> Result<WallTime, ReplayError> {
    let open = |hook| Ok(HostEngine::new(hook, settings));
    play_through(capture, open, pipeline, |_| true).map(|(_engines, now)| now)
}

fn play_through<O: Output, E: FrameEngine>(
    capture: &mut Capture,
    mut open: impl FnMut(HookId) -> Result<E, KernelError>,
    pipeline: &mut Pipeline<O>,
    mut progress: impl FnMut(&Capture) -> bool,
) -> Result<(Vec<E>, WallTime), ReplayError> {
    let mut engines: Vec<E> = Vec::new();
    let mut clock = TrafficClock::default();
    let mut frames: u64 = 0;
    loop {
        if frames.is_multiple_of(CHECK_FRAMES) && !progress(capture) || pipeline.is_done() {
            break;
        }
        if !capture.advance()? {
            break;
        }
        frames += 1;
        // pcapng may name an interface right before its first frame.
        for name in capture.interfaces().iter().skip(engines.len()) {
            let hook = pipeline.add_hook(Hook {
                interface: name.clone(),
                direction: Direction::Ingress,
            });
            engines.push(open(hook)?);
        }
        let Some(frame) = capture.frame() else {
            continue;
        };
        if clock.advance(frame.time) {
            pipeline.start(clock.now());
            read(&mut engines, pipeline)
                .map_err(|error| ReplayError::of_frame(error.into(), capture, frames))?;
            pipeline.tick(clock.now(), &readings(&engines))?;
        }
        if let Some(engine) = engines.get_mut(frame.interface as usize) {
            engine
                .process(&host_frame(&frame), pipeline)
                .map_err(|error| ReplayError::of_frame(error.into(), capture, frames))?;
        }
    }
    read(&mut engines, pipeline)
        .and_then(|()| engines.iter_mut().try_for_each(E::finish))
        .map_err(|error| ReplayError::at_end(error.into(), capture, frames))?;
    Ok((engines, clock.now()))
}

#[inline]
const fn host_frame<'a>(frame: &CaptureFrame<'a>) -> HostFrame<'a> {
    HostFrame {
        time: frame.time,
        start: frame.start,
        wire_bytes: frame.wire_bytes,
        bytes: frame.bytes,
    }
}

fn read<O: Output, E: FrameEngine>(
    engines: &mut [E],
    pipeline: &mut Pipeline<O>,
) -> Result<(), E::Error> {
    engines
        .iter_mut()
        .try_for_each(|engine| engine.read(pipeline))
}

fn readings<E: FrameEngine>(engines: &[E]) -> Vec<HookReading> {
    let reading = |engine: &E| HookReading {
        hook: engine.hook(),
        ledger: engine.ledger(),
        torn_reads: 0,
    };
    engines.iter().map(reading).collect()
}

/// The latest time seen: captures merged from several interfaces step back a little.
#[derive(Debug, Default)]
struct TrafficClock {
    now: Option<WallTime>,
    next_tick: WallTime,
}

impl TrafficClock {
    fn now(&self) -> WallTime {
        self.now.unwrap_or_default()
    }

    /// Moves on to a frame's time; true when a tick is due.
    fn advance(&mut self, time: WallTime) -> bool {
        if self.now.is_some_and(|now| time <= now) {
            return false;
        }
        self.now = Some(time);
        let due = time >= self.next_tick || self.next_tick == WallTime::default();
        if due {
            self.next_tick = time.whole(TICK).plus(TICK);
        }
        due
    }
}
