//! `netsec alerts`.

use std::io::{self, BufWriter};
use std::ops::ControlFlow;

use anyhow::Result;
use clap::{Args, ValueEnum};
use netsec_user::correlate::{AlertCounts, ToldTwice};
use netsec_user::log::{Alert, Event, EventDetail, Record, Value, Wanted};
use netsec_user::output::{RowForm, RowWriter, protocol_name, write_alert};

use crate::exit::Found;
use crate::input::{InputArgs, SiteArgs, say_repeats};

/// Arguments of `alerts`.
#[derive(Debug, Args)]
pub(crate) struct AlertsArgs {
    /// Where the alerts are
    #[command(flatten)]
    input: InputArgs,
    /// Which addresses are your own
    #[command(flatten)]
    site: SiteArgs,
    /// Form of the output
    #[arg(short, long, value_name = "FORM", default_value = "table")]
    output: AlertsForm,
    /// Only alerts of this severity or a worse one; 1 is the worst
    #[arg(long, value_name = "N")]
    severity: Option<u8>,
    /// Only this signature; may be given several times
    #[arg(long, value_name = "SID")]
    sid: Vec<u64>,
    /// Leave out alerts on checksums, decoder, stream and protocol events
    #[arg(long)]
    no_noise: bool,
    /// Only the counts by signature and by source
    #[arg(long)]
    counts: bool,
    /// Signatures and sources in the counts; 0 for all
    #[arg(long, value_name = "N", default_value_t = 10)]
    top: usize,
    /// Exit with 10 when there is an alert of this severity or a worse one that is no noise
    #[arg(long, value_name = "N")]
    fail_on: Option<u8>,
    /// Seed of the Community IDs
    #[arg(long, value_name = "SEED", default_value_t = 0)]
    community_id_seed: u16,
}

/// Form of the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum AlertsForm {
    /// Columns for people, then the counts
    Table,
    /// EVE lines, which `netsec alerts -r -` reads again
    Jsonl,
    /// Comma-separated values
    Csv,
}

pub(crate) fn alerts(args: &AlertsArgs) -> Result<()> {
    let form = match args.output {
        AlertsForm::Table => RowForm::Table,
        AlertsForm::Jsonl => RowForm::JsonLines,
        AlertsForm::Csv => RowForm::Csv,
    };
    let out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
    let mut rows = RowWriter::new(out, form, None);
    let site = args.site.site();
    let mut counts = AlertCounts::default();
    let mut worst = u8::MAX;
    let mut twice = ToldTwice::default();
    let read = args.input.read(Wanted::Alerts, |_, record| {
        let Some((event, alert)) = as_alert(record).filter(|(_, alert)| args.wants(alert)) else {
            return Ok(ControlFlow::Continue(()));
        };
        if twice.is_repeat(record) {
            return Ok(ControlFlow::Continue(()));
        }
        counts.add(event, alert, &site);
        if !alert.is_noise() {
            worst = worst.min(alert.severity);
        }
        if !args.counts {
            match form {
                RowForm::JsonLines => {
                    write_alert(rows.get_mut(), event, alert, args.community_id_seed)?;
                }
                RowForm::Table | RowForm::Csv | RowForm::Tsv => {
                    rows.row("alert", &columns(event, alert))?;
                }
            }
        }
        Ok(ControlFlow::Continue(()))
    });
    say_repeats(&twice);
    rows.finish()?;
    if args.counts || form == RowForm::Table {
        write_counts(rows.get_mut(), form, &counts, args)?;
    }
    read?;
    match args.fail_on {
        Some(limit) if worst <= limit => Err(Found(format!(
            "there are alerts of severity {worst}, which is {limit} or worse"
        ))
        .into()),
        _ => Ok(()),
    }
}

impl AlertsArgs {
    fn wants(&self, alert: &Alert<'_>) -> bool {
        self.severity.is_none_or(|limit| alert.severity <= limit)
            && (self.sid.is_empty() || self.sid.contains(&alert.sid))
            && !(self.no_noise && alert.is_noise())
    }
}

fn as_alert<'r, 'a>(record: &'r Record<'a>) -> Option<(&'r Event<'a>, &'r Alert<'a>)> {
    if let Record::Event(event) = record
        && let EventDetail::Alert(alert) = &event.detail
    {
        return Some((event, alert));
    }
    None
}

/// The columns of one alert, from the packet's sender to its receiver.
fn columns<'a>(event: &'a Event<'_>, alert: &'a Alert<'_>) -> [(&'static str, Value<'a>); 10] {
    let end = |end: Option<(std::net::IpAddr, u16)>| match end {
        None => Value::Unset,
        Some((address, port)) => {
            let is_icmp = matches!(event.protocol, Some(1 | 58));
            Value::Text(
                match address {
                    _ if is_icmp => address.to_string(),
                    std::net::IpAddr::V4(v4) => format!("{v4}:{port}"),
                    std::net::IpAddr::V6(v6) => format!("[{v6}]:{port}"),
                }
                .into(),
            )
        }
    };
    let text = |text: &'a str| Value::Text(text.into());
    let noise = netsec_user::log::decoder_noise(alert.gid, alert.sid);
    let tuple = event.tuple;
    [
        ("time", Value::Time(event.time)),
        ("severity", Value::Count(alert.severity.into())),
        ("noise", noise.map_or(Value::Unset, text)),
        ("source", end(tuple.map(|t| (t.source, t.source_port)))),
        (
            "destination",
            end(tuple.map(|t| (t.destination, t.destination_port))),
        ),
        (
            "proto",
            event
                .protocol
                .map_or(Value::Unset, |n| Value::Text(protocol_name(n).into())),
        ),
        (
            "action",
            text(if alert.is_dropped() {
                "dropped"
            } else {
                "allowed"
            }),
        ),
        (
            "sid",
            Value::Text(format!("{}:{}:{}", alert.gid, alert.sid, alert.rev).into()),
        ),
        ("signature", text(&alert.signature)),
        (
            "category",
            alert.category.as_deref().map_or(Value::Unset, text),
        ),
    ]
}

fn write_counts(
    out: &mut impl io::Write,
    form: RowForm,
    counts: &AlertCounts,
    args: &AlertsArgs,
) -> io::Result<()> {
    let most = if args.top == 0 { usize::MAX } else { args.top };
    if form == RowForm::Table {
        let told = counts.total - counts.noise;
        writeln!(
            out,
            "\n{} alerts: {told} and {} of noise (checksums, decoder, stream, protocol events)\n",
            counts.total, counts.noise
        )?;
    }
    let mut signatures = RowWriter::new(&mut *out, form, None);
    for count in counts.signatures().into_iter().take(most) {
        let row = [
            ("alerts", Value::Count(count.alerts)),
            ("severity", Value::Count(count.severity.into())),
            (
                "noise",
                count
                    .noise
                    .map_or(Value::Unset, |noise| Value::Text(noise.into())),
            ),
            (
                "sid",
                Value::Text(format!("{}:{}", count.gid, count.sid).into()),
            ),
            ("first", Value::Time(count.times.0)),
            ("last", Value::Time(count.times.1)),
            ("signature", Value::Text(count.signature.as_str().into())),
        ];
        signatures.row("signatures", &row)?;
    }
    signatures.finish()?;
    if form != RowForm::JsonLines {
        writeln!(out)?;
    }
    let mut sources = RowWriter::new(&mut *out, form, None);
    for count in counts.sources().into_iter().take(most) {
        let severity = match count.severity {
            255 => Value::Unset,
            severity => Value::Count(severity.into()),
        };
        let row = [
            ("alerts", Value::Count(count.alerts)),
            ("noise", Value::Count(count.noise)),
            ("severity", severity),
            ("signatures", Value::Count(count.signatures.len() as u64)),
            ("victims", Value::Count(count.victims.len() as u64)),
            ("first", Value::Time(count.times.0)),
            ("last", Value::Time(count.times.1)),
            ("source", Value::Text(count.source.to_string().into())),
        ];
        sources.row("sources", &row)?;
    }
    sources.finish()
}
