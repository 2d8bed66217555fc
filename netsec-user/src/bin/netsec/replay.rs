//! `netsec replay`.

use std::io::{IsTerminal as _, stderr};
use std::time::Duration;

use anyhow::{Result, bail};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use netsec_common::flow::FIXED_HASH_KEYS;
use netsec_user::decide::{Policy, Rules};
use netsec_user::object;
use netsec_user::output::Output;
use netsec_user::pipeline::Pipeline;
use netsec_user::replay;
use netsec_user::settings::EngineSettings;
use netsec_user::source::capture::{Capture, End};
use netsec_user::source::compare::BothEngines;
use netsec_user::source::kernel::{KernelError, KernelReplay, NotSent};

use crate::args::{Cli, EngineArg, ReplayArgs};
use crate::correlation;
use crate::output;

pub(crate) fn replay(cli: &Cli, args: &ReplayArgs) -> Result<()> {
    let config = args.show.config.load()?;
    let site = args.correlate.site.over(&config.detect.home);
    let traffic = args
        .show
        .model
        .traffic(&config.detect.anomaly, FIXED_HASH_KEYS)?;
    let settings = output::settings(&args.show, config.detect, FIXED_HASH_KEYS)?;
    let engine = EngineSettings {
        slots: args.flow_slots,
        sampling: output::sampling(&args.show),
        snap_bytes: args.show.snaplen,
        idle_timeout: args.show.idle_timeout,
        hash_keys: FIXED_HASH_KEYS,
        inner: args.show.inner,
    };
    let mut capture = Capture::open(&args.file)?;
    let mut pipeline = Pipeline::new(settings, output::open(cli, &args.show));
    pipeline.watch(traffic);
    let correlate = &args.correlate;
    let policy = Policy {
        settings: config.decide,
    };
    pipeline.rehearse(Rules::new(config.enforce, site.clone()), policy);
    if !correlate.logs.is_empty() {
        let correlator = correlate.correlator(site, args.show.community_id_seed);
        pipeline.correlate(correlator, correlate.readers()?);
    }
    let bar = progress_bar(cli, &capture);
    let progress = |capture: &Capture| {
        bar.set_position(capture.position_bytes());
        true
    };
    let played = play(args.engine, &mut capture, &engine, &mut pipeline, progress);
    bar.finish_and_clear();
    if let Some(not_sent) = played?.filter(|not_sent| not_sent.total() > 0) {
        log::warn!("not sent through the kernel: {not_sent}");
    }
    let logs = correlation::conclude(&pipeline);
    report(&capture).and(logs)?;
    output::conclude(&args.show, &pipeline)
}

/// Plays the capture, and gives the frames that the kernel should have got and did not.
fn play(
    engine: EngineArg,
    capture: &mut Capture,
    settings: &EngineSettings,
    pipeline: &mut Pipeline<Box<dyn Output>>,
    progress: impl FnMut(&Capture) -> bool,
) -> Result<Option<NotSent>> {
    let mut not_sent = NotSent::default();
    match engine {
        EngineArg::Host => {
            replay::replay(capture, settings, pipeline, progress)?;
            return Ok(None);
        }
        EngineArg::Kernel => {
            let object = object::embedded().ok_or(KernelError::NoObject)?;
            let open = |hook| KernelReplay::load(object, hook, settings);
            for engine in replay::replay_through(capture, open, pipeline, progress)? {
                not_sent += engine.not_sent();
            }
        }
        EngineArg::Both => {
            let object = object::embedded().ok_or(KernelError::NoObject)?;
            let open = |hook| BothEngines::load(object, hook, settings);
            let mut frames = 0;
            for engine in replay::replay_through(capture, open, pipeline, progress)? {
                frames += engine.comparison().frames();
                not_sent += engine.comparison().not_sent();
            }
            log::info!("{}: no difference", counted(frames));
        }
    }
    Ok(Some(not_sent))
}

/// Says what was not read.
///
/// # Errors
///
/// Where the capture ended, when it was cut or damaged: all that it had is written by then, but a
/// script has to know.
pub(crate) fn report(capture: &Capture) -> Result<()> {
    for skipped in capture.skipped() {
        log::warn!(
            "{}: skipped {} of link type {} ({}), which netsec does not read",
            capture.file(),
            counted(skipped.frames),
            skipped.name(),
            skipped.number,
        );
    }
    if capture.clamped_times() > 0 {
        log::warn!(
            "{}: {} with a time outside of 1677 to 2262",
            capture.file(),
            counted(capture.clamped_times())
        );
    }
    match capture.end() {
        None | Some(End::Complete) => Ok(()),
        Some(end) => bail!("{}: {end}", capture.file()),
    }
}

/// `1 frame`, `2 frames`.
fn counted(frames: u64) -> String {
    let s = if frames == 1 { "" } else { "s" };
    format!("{frames} frame{s}")
}

/// A bar on stderr, when that is a terminal and packets do not scroll past on it.
fn progress_bar(cli: &Cli, capture: &Capture) -> ProgressBar {
    let visible = stderr().is_terminal() && !std::io::stdout().is_terminal() && !cli.quiet;
    let target = if visible {
        ProgressDrawTarget::stderr()
    } else {
        ProgressDrawTarget::hidden()
    };
    let bar = ProgressBar::with_draw_target(capture.size_bytes(), target);
    let template = match capture.size_bytes() {
        Some(_) => "{bytes} of {total_bytes} {wide_bar} {percent} % {bytes_per_sec} ends in {eta}",
        None => "{bytes} read, {bytes_per_sec}",
    };
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}
