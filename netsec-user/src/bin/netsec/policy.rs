//! `netsec policy`.

mod verdicts;

use std::io::{self, BufWriter, StdoutLock};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use clap::{Args, Subcommand};
use netsec_common::flow::FIXED_HASH_KEYS;
use netsec_common::sample::Sampling;
use netsec_user::config::Config;
use netsec_user::connection::Timeouts;
use netsec_user::correlate::{CorrelateSettings, Correlator, ToldTwice};
use netsec_user::decide::{Policy, Rules};
use netsec_user::filter::Filter;
use netsec_user::finding::{Kind, Severity};
use netsec_user::log::{Decoder, EventDetail, LogReader, Record, Wanted};
use netsec_user::output::{Output, RowWriter};
use netsec_user::pipeline::{Pipeline, PipelineSettings};
use netsec_user::replay::replay;
use netsec_user::settings::EngineSettings;
use netsec_user::source::capture::{Capture, CaptureError};

use self::verdicts::Verdicts;
use crate::config::ConfigArgs;
use crate::exit::UsageError;
use crate::input::{InputArgs, RowsArg, SiteArgs, say_repeats};
use crate::{correlation, replay as replaying};

/// Arguments of `policy`.
#[derive(Debug, Args)]
pub(crate) struct PolicyArgs {
    /// What to do
    #[command(subcommand)]
    command: PolicyCommand,
}

#[derive(Debug, Subcommand)]
enum PolicyCommand {
    /// Say which findings of a capture and alerts of a log would have led to a block, by which rule, and
    /// why the others not
    ///
    /// Blocks nothing. The rules are those of [enforce] in netsec.toml, with the options below added;
    /// without a rule nothing is proposed. Alerts on checksums, decoder, stream and protocol events never
    /// lead to a block. With a capture, a source has to complete a TCP handshake to be blocked, and is only
    /// slowed down otherwise, as in `netsec run --enforce`; with logs alone, the packets that the log
    /// counted have to be as many as a handshake takes.
    Test(TestArgs),
}

/// Arguments of `policy test`.
#[derive(Debug, Args)]
struct TestArgs {
    /// Captures and logs; the logs' alerts are joined with the captures' connections
    #[command(flatten)]
    input: InputArgs,
    /// Which addresses are your own
    #[command(flatten)]
    site: SiteArgs,
    /// Findings of this kind; may be given several times
    #[arg(long, value_name = "KIND")]
    finding: Vec<Kind>,
    /// No findings below this severity
    #[arg(long, value_name = "SEVERITY")]
    finding_severity: Option<Severity>,
    /// Alerts of this severity or a worse one; 1 is the worst
    #[arg(long, value_name = "N")]
    severity: Option<u8>,
    /// Alerts of this class; may be given several times
    #[arg(long, value_name = "CLASS")]
    category: Vec<String>,
    /// This signature; may be given several times
    #[arg(long, value_name = "SID")]
    sid: Vec<u64>,
    /// Never this signature; may be given several times
    #[arg(long, value_name = "SID")]
    except_sid: Vec<u64>,
    /// Show what leads to nothing, too, with the reason
    #[arg(long)]
    all: bool,
    /// Form of the output
    #[arg(short, long, value_name = "FORM", default_value = "table")]
    output: RowsArg,
    /// Settings
    #[command(flatten)]
    config: ConfigArgs,
}

pub(crate) fn policy(args: &PolicyArgs) -> Result<()> {
    match &args.command {
        PolicyCommand::Test(args) => test(args),
    }
}

fn test(args: &TestArgs) -> Result<()> {
    let config = args.config()?;
    let (mut captures, mut logs) = (Vec::new(), Vec::new());
    for file in &args.input.files {
        match capture(file)? {
            Some(capture) => captures.push(capture),
            None => logs.push(file.clone()),
        }
    }
    let out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
    let rows = RowWriter::new(out, args.output.into(), None);
    let verdicts = Verdicts::new(rows, args.all);
    if captures.is_empty() {
        return test_logs(args, &config, verdicts);
    }
    if args.input.since.or(args.input.until).is_some() {
        let text = "--since and --until are for logs alone; cut a capture with editcap -A, -B";
        return Err(UsageError(text.to_owned()).into());
    }
    let mut verdicts = verdicts;
    for mut capture in captures {
        let mut pipeline = args.pipeline(&config, verdicts)?;
        let correlator = Correlator::new(CorrelateSettings {
            site: args.site.over(&config.detect.home),
            ..CorrelateSettings::default()
        });
        pipeline.correlate(correlator, readers(&logs)?);
        replay(&mut capture, &engine(), &mut pipeline, |_| true)?;
        let read = correlation::conclude(&pipeline);
        replaying::report(&capture).and(read)?;
        verdicts = pipeline.into_output();
    }
    Ok(verdicts.finish()?)
}

/// Alerts by themselves, without the traffic that they speak of.
fn test_logs(
    args: &TestArgs,
    config: &Config,
    mut verdicts: Verdicts<BufWriter<StdoutLock<'static>>>,
) -> Result<()> {
    let rules = Rules::new(config.enforce.clone(), args.site.over(&config.detect.home));
    let policy = Policy {
        settings: config.decide.clone(),
    };
    let mut twice = ToldTwice::default();
    let read = args.input.read(Wanted::Alerts, |place, record| {
        if twice.is_repeat(record) {
            return Ok(ControlFlow::Continue(()));
        }
        if let Record::Event(event) = record
            && let EventDetail::Alert(alert) = &event.detail
        {
            verdicts.alert(event, alert, rules.alert(event, alert, place), &policy)?;
        }
        Ok(ControlFlow::Continue(()))
    });
    verdicts.finish()?;
    say_repeats(&twice);
    read
}

/// A file as a capture, or `None` when it is none.
fn capture(file: &Path) -> Result<Option<Capture>> {
    if file == Path::new("-") {
        return Ok(None);
    }
    match Capture::open(file) {
        Ok(capture) => Ok(Some(capture)),
        Err(CaptureError::NotACapture { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn readers(logs: &[PathBuf]) -> Result<Vec<LogReader>> {
    let open = |log: &PathBuf| LogReader::open(log, Decoder::new(Wanted::Everything));
    Ok(logs.iter().map(open).collect::<Result<_, _>>()?)
}

/// As `netsec replay` has it.
const fn engine() -> EngineSettings {
    EngineSettings {
        slots: 1 << 16,
        sampling: Sampling::FirstAndQuestions(4),
        snap_bytes: 192,
        idle_timeout: Duration::from_secs(60),
        hash_keys: FIXED_HASH_KEYS,
        inner: false,
    }
}

impl TestArgs {
    /// The settings, with the rules of the command line added.
    fn config(&self) -> Result<Config> {
        let mut config = self.config.load()?;
        let rules = &mut config.enforce;
        rules.findings.extend(&self.finding);
        rules.finding_severity = self.finding_severity.unwrap_or(rules.finding_severity);
        rules.alert_severity = self.severity.unwrap_or(rules.alert_severity);
        rules.alert_categories.extend(self.category.iter().cloned());
        rules.alert_sids.extend(&self.sid);
        rules.alert_except_sids.extend(&self.except_sid);
        Ok(config)
    }

    /// A pipeline that decides on a capture. Each capture is tried on its own: as if it were the first.
    fn pipeline<O: Output>(&self, config: &Config, output: O) -> Result<Pipeline<O>> {
        let filter = Filter::parse(&self.input.filter.join(" "))
            .map_err(|error| UsageError(error.to_string()))?;
        let settings = PipelineSettings {
            filter,
            timeouts: Timeouts {
                active: Duration::from_secs(300),
                ..Timeouts::default()
            },
            ..PipelineSettings::of_findings(Some(config.detect.clone()))
        };
        let mut pipeline = Pipeline::new(settings, output);
        let site = self.site.over(&config.detect.home);
        let policy = Policy {
            settings: config.decide.clone(),
        };
        pipeline.rehearse(Rules::new(config.enforce.clone(), site), policy);
        Ok(pipeline)
    }
}
