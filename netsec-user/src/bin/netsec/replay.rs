//! `netsec replay`.

use std::io::{IsTerminal as _, stderr};
use std::time::Duration;

use anyhow::{Result, bail};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use netsec_common::flow::FIXED_HASH_KEYS;
use netsec_user::pipeline::Pipeline;
use netsec_user::replay::replay as play;
use netsec_user::settings::EngineSettings;
use netsec_user::source::capture::{Capture, End};

use crate::args::{Cli, ReplayArgs};
use crate::output;

pub(crate) fn replay(cli: &Cli, args: &ReplayArgs) -> Result<()> {
    let settings = output::settings(&args.show, FIXED_HASH_KEYS)?;
    let engine = EngineSettings {
        slots: args.flow_slots,
        sampling: args.show.packets,
        snap_bytes: args.show.snaplen,
        idle_timeout: args.show.idle_timeout,
        hash_keys: FIXED_HASH_KEYS,
    };
    let mut capture = Capture::open(&args.file)?;
    let mut pipeline = Pipeline::new(settings, output::open(cli, &args.show));
    let bar = progress_bar(cli, &capture);
    let played = play(&mut capture, &engine, &mut pipeline, |capture| {
        bar.set_position(capture.position_bytes());
        true
    });
    bar.finish_and_clear();
    played?;
    report(&capture)
}

/// Says what was not read.
///
/// # Errors
///
/// Where the capture ended, when it was cut or damaged: all that it had is written by then, but a
/// script has to know.
fn report(capture: &Capture) -> Result<()> {
    for skipped in capture.skipped() {
        log::warn!(
            "{}: skipped {} frames of link type {} ({}), which netsec does not read",
            capture.file(),
            skipped.frames,
            skipped.name(),
            skipped.number,
        );
    }
    if capture.clamped_times() > 0 {
        log::warn!(
            "{}: {} frames have a time outside of 1677 to 2262",
            capture.file(),
            capture.clamped_times()
        );
    }
    match capture.end() {
        None | Some(End::Complete) => Ok(()),
        Some(end) => bail!("{}: {end}", capture.file()),
    }
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
