//! A capture through the engine on the host, by the capture's own clock.

use std::io;
use std::time::Duration;

use crate::hook::{Direction, Hook};
use crate::output::Output;
use crate::pipeline::{HookReading, Pipeline};
use crate::settings::EngineSettings;
use crate::source::capture::{Capture, CaptureError};
use crate::source::host::{HostEngine, HostFrame};
use crate::time::WallTime;

/// Traffic time between two readings of the flow tables.
const TICK: Duration = Duration::from_secs(1);

/// Frames between two looks at the progress and at whether to stop.
const CHECK_FRAMES: u64 = 4096;

/// Why a replay stopped early.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The capture cannot be read.
    #[error(transparent)]
    Capture(#[from] CaptureError),
    /// The output cannot be written.
    #[error("cannot write the output")]
    Output(#[from] io::Error),
}

/// Plays a capture to its end, or until the pipeline is done. `progress` is told every few
/// thousand frames how far the file was read, and stops the replay by returning false.
///
/// # Errors
///
/// When the capture cannot be read or the output cannot be written. A cut capture is no error: see
/// [`Capture::end`].
pub fn replay<O: Output>(
    capture: &mut Capture,
    settings: &EngineSettings,
    pipeline: &mut Pipeline<O>,
    mut progress: impl FnMut(&Capture) -> bool,
) -> Result<(), ReplayError> {
    let mut engines: Vec<HostEngine> = Vec::new();
    let mut clock = TrafficClock::default();
    let mut frames: u64 = 0;
    loop {
        if frames.is_multiple_of(CHECK_FRAMES) && !progress(capture) || pipeline.is_done() {
            break;
        }
        frames += 1;
        if !capture.advance()? {
            break;
        }
        // pcapng may name an interface right before its first frame.
        for name in capture.interfaces().iter().skip(engines.len()) {
            let hook = pipeline.add_hook(Hook {
                interface: name.clone(),
                direction: Direction::Ingress,
            });
            engines.push(HostEngine::new(hook, settings));
        }
        let Some(frame) = capture.frame() else {
            continue;
        };
        if clock.advance(frame.time) {
            tick(&mut engines, clock.now(), pipeline)?;
        }
        if let Some(engine) = engines.get_mut(frame.interface as usize) {
            let frame = HostFrame {
                time: frame.time,
                start: frame.start,
                wire_bytes: frame.wire_bytes,
                bytes: frame.bytes,
            };
            engine.process(&frame, pipeline);
        }
    }
    for engine in &mut engines {
        engine.read(pipeline);
    }
    pipeline.start(clock.now());
    pipeline.finish(clock.now(), &readings(&engines))?;
    Ok(())
}

fn tick<O: Output>(
    engines: &mut [HostEngine],
    now: WallTime,
    pipeline: &mut Pipeline<O>,
) -> io::Result<()> {
    pipeline.start(now);
    for engine in &mut *engines {
        engine.read(pipeline);
    }
    pipeline.tick(now, &readings(engines))
}

fn readings(engines: &[HostEngine]) -> Vec<HookReading> {
    let reading = |engine: &HostEngine| HookReading {
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
            self.next_tick = time.plus(TICK);
        }
        due
    }
}
