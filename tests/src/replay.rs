//! A capture through the library as `netsec replay` runs it, and the lines that come out.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use netsec_common::flow::FIXED_HASH_KEYS;
use netsec_common::sample::Sampling;
use netsec_user::connection::Timeouts;
use netsec_user::correlate::{CorrelateSettings, Correlator};
use netsec_user::decide::{Policy, Rules};
use netsec_user::detect::DetectSettings;
use netsec_user::log::{Decoder, LogReader, Wanted};
use netsec_user::output::{JsonLines, Output, Sensor, Style, Text};
use netsec_user::pipeline::{Pipeline, PipelineSettings};
use netsec_user::replay::replay;
use netsec_user::settings::EngineSettings;
use netsec_user::source::capture::{Capture, End};
use serde_json::Value;

/// The JSON Lines of one replay, by kind.
#[derive(Debug)]
pub struct Events {
    /// `event_type` packet.
    pub packets: Vec<Value>,
    /// `event_type` flow.
    pub flows: Vec<Value>,
    /// `stats` of the last line.
    pub stats: Value,
    /// Where the capture ended.
    pub end: End,
}

impl Events {
    /// Replays a capture with every packet shown, and otherwise the command's defaults.
    ///
    /// # Errors
    ///
    /// When it cannot be read, or when what comes out is not JSON Lines that end with the final
    /// statistics.
    pub fn of(file: &Path) -> anyhow::Result<Self> {
        let mut out = Vec::new();
        let end = play(file, JsonLines::new(&mut out, Sensor::default()))?;
        Self::parse(&out, end).with_context(|| file.display().to_string())
    }

    /// Sorts the lines of a replay.
    ///
    /// # Errors
    ///
    /// When a line is not one JSON object of a known kind, or the last one is not the final
    /// statistics.
    pub fn parse(out: &[u8], end: End) -> anyhow::Result<Self> {
        let (mut packets, mut flows, mut last) = (Vec::new(), Vec::new(), None);
        ensure!(out.ends_with(b"\n"), "the output ends inside a line");
        for line in str::from_utf8(out)?.lines() {
            let value: Value = serde_json::from_str(line).with_context(|| line.to_owned())?;
            ensure!(last.is_none(), "{line} stands after the final line");
            match value.get("event_type").and_then(Value::as_str) {
                Some("packet") => packets.push(value),
                Some("flow") => flows.push(value),
                Some("stats") if value.get("final").is_none() => {}
                Some("stats") => last = Some(value),
                _ => anyhow::bail!("{line} is of no known kind"),
            }
        }
        let mut last = last.context("there is no final line")?;
        ensure!(last.get("final") == Some(&Value::Bool(true)), "{last}");
        let stats = last.get_mut("stats").map(Value::take);
        Ok(Self {
            packets,
            flows,
            stats: stats.context("the final line has no stats")?,
            end,
        })
    }

    /// A number of the final statistics, such as `/coverage/in_flows`.
    ///
    /// # Errors
    ///
    /// When there is none of that name.
    pub fn stat(&self, pointer: &str) -> anyhow::Result<u64> {
        number(&self.stats, pointer)
    }
}

/// A number somewhere in a line.
///
/// # Errors
///
/// When there is none.
pub fn number(value: &Value, pointer: &str) -> anyhow::Result<u64> {
    let number = value.pointer(pointer).and_then(Value::as_u64);
    number.with_context(|| format!("no number {pointer} in {value}"))
}

/// A text somewhere in a line.
///
/// # Errors
///
/// When there is none.
pub fn text<'a>(value: &'a Value, pointer: &str) -> anyhow::Result<&'a str> {
    let text = value.pointer(pointer).and_then(Value::as_str);
    text.with_context(|| format!("no text {pointer} in {value}"))
}

/// The lines for people, without colour.
///
/// # Errors
///
/// When the capture cannot be read, or the lines are not UTF-8.
pub fn lines_for_people(file: &Path) -> anyhow::Result<String> {
    let mut out = Vec::new();
    play(file, Text::new(&mut out, Sensor::default(), Style::PLAIN))?;
    Ok(String::from_utf8(out)?)
}

fn play(file: &Path, output: impl Output) -> anyhow::Result<End> {
    Play {
        slots: 1 << 16,
        sampling: Sampling::All,
        interval: Duration::from_secs(5),
        hash_keys: FIXED_HASH_KEYS,
        detect: None,
        inner: false,
        rules: Rules::default(),
        logs: Vec::new(),
    }
    .play(file, output)
}

/// How a capture is replayed.
#[derive(Clone, Debug)]
pub struct Play {
    /// Slots of the flow table.
    pub slots: u32,
    /// Which packets are sampled.
    pub sampling: Sampling,
    /// Time between two summaries.
    pub interval: Duration,
    /// Keys of all hashes.
    pub hash_keys: [u32; 10],
    /// What the detectors look for.
    pub detect: Option<DetectSettings>,
    /// Whether to look into tunnels.
    pub inner: bool,
    /// What would lead to a block.
    pub rules: Rules,
    /// Logs whose alerts are looked at, too.
    pub logs: Vec<PathBuf>,
}

impl Play {
    /// The JSON Lines of a replay.
    ///
    /// # Errors
    ///
    /// When the capture cannot be read, or a line is no JSON.
    pub fn lines(&self, file: &Path) -> anyhow::Result<Vec<Value>> {
        let mut out = Vec::new();
        self.play(file, JsonLines::new(&mut out, Sensor::default()))?;
        let lines = str::from_utf8(&out)?.lines();
        lines.map(|line| Ok(serde_json::from_str(line)?)).collect()
    }

    fn play(&self, file: &Path, output: impl Output) -> anyhow::Result<End> {
        let idle = Duration::from_secs(60);
        let engine = EngineSettings {
            slots: self.slots,
            sampling: self.sampling,
            snap_bytes: 192,
            idle_timeout: idle,
            hash_keys: self.hash_keys,
            inner: self.inner,
        };
        let settings = PipelineSettings {
            timeouts: Timeouts {
                idle,
                active: Duration::from_secs(300),
                ..Timeouts::default()
            },
            hash_keys: self.hash_keys,
            interval: Some(self.interval),
            top: 5,
            packets: true,
            connections: true,
            inner: self.inner,
            detect_inner: self.inner,
            ..PipelineSettings::of_findings(self.detect.clone())
        };
        let mut capture = Capture::open(file)?;
        let mut pipeline = Pipeline::new(settings, output);
        pipeline.rehearse(self.rules.clone(), Policy::default());
        if !self.logs.is_empty() {
            let open = |log: &PathBuf| LogReader::open(log, Decoder::new(Wanted::Everything));
            let logs = self.logs.iter().map(open).collect::<Result<_, _>>()?;
            pipeline.correlate(Correlator::new(CorrelateSettings::default()), logs);
        }
        replay(&mut capture, &engine, &mut pipeline, |_| true)
            .with_context(|| file.display().to_string())?;
        capture.end().cloned().context("the replay stopped early")
    }
}
