//! `netsec policy`.

use std::collections::BTreeMap;
use std::io::{self, BufWriter};
use std::ops::ControlFlow;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::{Args, Subcommand};
use netsec_user::correlate::{Policy, PolicySettings, Row};
use netsec_user::log::{Value, Wanted};
use netsec_user::output::RowWriter;

use crate::exit::UsageError;
use crate::input::{InputArgs, RowsArg, SiteArgs};

/// Arguments of `policy`.
#[derive(Debug, Args)]
pub(crate) struct PolicyArgs {
    /// What to do
    #[command(subcommand)]
    command: PolicyCommand,
}

#[derive(Debug, Subcommand)]
enum PolicyCommand {
    /// Say which alerts of a log would have led to a block, by which rule, and why the others not
    ///
    /// Blocks nothing. Without a rule nothing is proposed. Alerts on checksums, decoder, stream and
    /// protocol events never lead to a block, nor does a source that nobody answered.
    Test(TestArgs),
}

/// Arguments of `policy test`.
#[derive(Debug, Args)]
struct TestArgs {
    /// Where the alerts are
    #[command(flatten)]
    input: InputArgs,
    /// Which addresses are your own
    #[command(flatten)]
    site: SiteArgs,
    /// Rules, in TOML: severity, categories, sids, except_sids, one_way, block_seconds
    #[arg(long, value_name = "FILE")]
    rules: Option<PathBuf>,
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
    /// Show alerts that lead to nothing, too, with the reason
    #[arg(long)]
    all: bool,
    /// Form of the output
    #[arg(short, long, value_name = "FORM", default_value = "table")]
    output: RowsArg,
}

pub(crate) fn policy(args: &PolicyArgs) -> Result<()> {
    match &args.command {
        PolicyCommand::Test(args) => test(args),
    }
}

fn test(args: &TestArgs) -> Result<()> {
    let policy = Policy::new(args.settings()?);
    let site = args.site.site();
    let out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
    let mut rows = RowWriter::new(out, args.output.into(), None);
    let (mut alerts, mut proposed) = (0_u64, 0_u64);
    let mut addresses = std::collections::BTreeSet::new();
    let mut spared: BTreeMap<String, u64> = BTreeMap::new();
    let read = args.input.read(Wanted::Alerts, |record| {
        let row = Row::of(record, &site);
        let Some(alert) = row.alert() else {
            return Ok(ControlFlow::Continue(()));
        };
        alerts += 1;
        let (verdict, address, why, seconds) = match policy.judge(&row, alert, None, &site) {
            Ok(proposal) => {
                proposed += 1;
                addresses.insert(proposal.address);
                let address = Value::Text(proposal.address.to_string().into());
                let seconds = Value::Count(proposal.seconds.into());
                ("block", address, proposal.rule, seconds)
            }
            Err(why) => {
                *spared.entry(why.to_string()).or_default() += 1;
                ("spare", Value::Unset, why.to_string(), Value::Unset)
            }
        };
        if verdict == "block" || args.all {
            let columns = [
                ("time", Value::Time(row.time)),
                ("verdict", Value::Text(verdict.into())),
                ("address", address),
                ("seconds", seconds),
                ("severity", Value::Count(alert.severity.into())),
                ("sid", Value::Count(alert.sid)),
                ("why", Value::Text(why.into())),
                ("signature", Value::Text(alert.signature.as_str().into())),
            ];
            rows.row("policy", &columns)?;
        }
        Ok(ControlFlow::Continue(()))
    });
    rows.finish()?;
    let spared: Vec<String> = spared
        .iter()
        .map(|(why, count)| format!("{count} spared: {why}"))
        .collect();
    log::info!(
        "{alerts} alerts: {proposed} would lead to blocks of {} addresses{}{}",
        addresses.len(),
        if spared.is_empty() { "" } else { "; " },
        spared.join("; ")
    );
    read
}

impl TestArgs {
    /// The file's rules, with those of the command line added.
    fn settings(&self) -> Result<PolicySettings> {
        let mut settings = match &self.rules {
            None => PolicySettings::default(),
            Some(file) => {
                let text = std::fs::read_to_string(file)
                    .with_context(|| format!("cannot read {}", file.display()))?;
                toml::from_str(&text)
                    .map_err(|error| UsageError(format!("{}: {error}", file.display())))?
            }
        };
        settings.severity = self.severity.or(settings.severity);
        settings.categories.extend(self.category.iter().cloned());
        settings.sids.extend(&self.sid);
        settings.except_sids.extend(&self.except_sid);
        Ok(settings)
    }
}
