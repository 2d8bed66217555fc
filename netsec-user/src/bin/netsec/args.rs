//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
use netsec_common::sample::{SAMPLE_BYTES_MAX, Sampling};
use netsec_user::finding::Severity;
use netsec_user::source::kernel::XdpMode;
use netsec_user::time::{NotATimeSpan, TimeSpan};

use crate::alerts::AlertsArgs;
use crate::block::{ListCommand, StatusArgs, WhyArgs};
use crate::config::{ConfigArgs, ConfigVerbArgs};
use crate::correlation::CorrelateArgs;
use crate::detach::DetachArgs;
use crate::detect::DetectArgs;
use crate::detectors::DetectorsArgs;
use crate::doctor::DoctorArgs;
use crate::enforce::EnforceArgs;
use crate::features::FeaturesArgs;
use crate::hunt::HuntArgs;
use crate::incidents::IncidentsArgs;
use crate::logs::LogsArgs;
use crate::model::ModelArgs;
use crate::policy::PolicyArgs;
use crate::score::ScoreArgs;
use crate::train::TrainArgs;

/// At the end of `netsec --help`.
const EXIT_CODES: &str = "\
Exit codes:
  0  done; for doctor: no failure
  1  failed, or a capture that ends early
  2  wrong usage
  3  wrong settings
  4  a privilege is missing: try sudo
  5  the kernel or an interface refuses
  6  no netsec is running that could be asked
  10 something was found that --fail-on asks for
What works here, and what to do about the rest: netsec doctor";

/// Slots of a flow table, unless told otherwise.
pub(crate) const FLOW_SLOTS: u32 = 1 << 20;

/// Packet and flow summaries taken in the kernel by XDP, with a figure that says how complete they
/// are.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100, after_help = EXIT_CODES)]
pub(crate) struct Cli {
    /// What to do
    #[command(subcommand)]
    pub(crate) command: Command,
    /// When to colour the output; NO_COLOR is honoured
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub(crate) color: ColorWhen,
    /// Say more on stderr (twice: everything)
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub(crate) verbose: u8,
    /// Say nothing on stderr but errors
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
}

/// When to colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ColorWhen {
    /// On a terminal, unless NO_COLOR is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Watch live traffic on one or more interfaces
    Run(RunArgs),
    /// Play a capture file (pcap or pcapng, gzip too) through the same engine, without root unless
    /// the kernel is to do it
    ///
    /// A capture that is cut or damaged gives all that it has; the exit code is 1 then.
    Replay(ReplayArgs),
    /// Say what of netsec works on this machine, what does not, and what to do about it
    ///
    /// Looks at kernel, privileges and interfaces, and changes nothing but for --try-attach. Works
    /// without root: what cannot be probed then is said. The exit code is 0 without a failure, 4 when
    /// privileges are all that is missing, 5 when the kernel or an interface fails.
    Doctor(DoctorArgs),
    /// Block addresses, and say what is blocked
    #[command(subcommand)]
    Block(ListCommand),
    /// Allow addresses: what comes from them passes, whatever is blocked
    #[command(subcommand)]
    Allow(ListCommand),
    /// Detach what a netsec that has gone kept in the kernel (--on-exit keep)
    Detach(DetachArgs),
    /// Say how the running netsec is, or what one has left in the kernel
    Status(StatusArgs),
    /// Say why an address is blocked or not, what speaks against it, or what a decision became
    Why(WhyArgs),
    /// Show the alerts of Suricata's eve.json or fast.log, and count them by signature and source
    ///
    /// What speaks of checksums, the decoder, the stream engine or protocol parsers is marked as
    /// noise. A line that cannot be read is counted and named on stderr, and stops nothing.
    Alerts(AlertsArgs),
    /// Show rows of any of Zeek's logs, by filter and columns, in any form
    Logs(LogsArgs),
    /// Find connections to ports that malware and tools for attacks listen on
    ///
    /// A try that was refused or not answered is an attempt, no contact. Reads Zeek's conn.log, EVE
    /// flow records, and netsec's own.
    Hunt(HuntArgs),
    /// Gather what logs say against each offender: alerts, notices, tries, with a risk and a timeline
    ///
    /// A local or trusted address is never called an attacker; noise adds nothing to a risk.
    Incidents(IncidentsArgs),
    /// Try rules on which alerts lead to a block
    Policy(PolicyArgs),
    /// Score the rows of a table by how strange they are, with reasons
    ///
    /// By an isolation forest, learned from the table itself or read from a model. Reads delimited
    /// text of any kind, Zeek's logs, flow records of eve.json and of netsec -o jsonl, plain or gzip.
    /// What each column becomes is said on stderr. A missing value counts as the column's median, an
    /// infinite one lies beyond all others.
    Score(ScoreArgs),
    /// Learn a model from tables, for score --model, or captures, for run and replay --model
    Train(TrainArgs),
    /// Look in logs and captures for what run and replay report, with the same detectors
    Detect(DetectArgs),
    /// Print the features of connections that models of traffic are made of
    Features(FeaturesArgs),
    /// Print the detectors, their thresholds and where those come from
    Detectors(DetectorsArgs),
    /// Print, check and explain the settings of netsec.toml
    Config(ConfigVerbArgs),
    /// Print the verbs, one a line
    #[command(name = "__verbs", hide = true)]
    Verbs,
}

/// Arguments of `run`.
#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// Interface to watch; may be given several times [default: that of the default route]
    #[arg(short, long = "interface", value_name = "IF")]
    pub(crate) interfaces: Vec<String>,
    /// Where in the kernel to run: in the driver (native), after it (skb), or native with a
    /// fallback to skb
    #[arg(
        long = "xdp-mode",
        visible_alias = "xdp",
        value_name = "MODE",
        default_value = "auto"
    )]
    pub(crate) mode: ModeArg,
    /// Watch what the interface receives only, not what it sends
    #[arg(long)]
    pub(crate) no_egress: bool,
    /// Stop after this long, such as 30s or 5m
    #[arg(long = "for", value_name = "TIME", value_parser = duration)]
    pub(crate) duration: Option<Duration>,
    /// Slots of each flow table, one for each interface and direction; 64 bytes of kernel memory each
    #[arg(long, value_name = "N", default_value_t = FLOW_SLOTS, value_parser = slots())]
    pub(crate) flow_slots: u32,
    /// Size of each CPU's ring for flow records, KiB: a power of two [default: a share of 8 MiB]
    #[arg(long, value_name = "KIB", value_parser = ring_kib)]
    pub(crate) records_ring: Option<u32>,
    /// Size of each CPU's ring for packet samples, KiB: a power of two [default: a share of 4 MiB]
    #[arg(long, value_name = "KIB", value_parser = ring_kib)]
    pub(crate) packets_ring: Option<u32>,
    /// Log every frame from inside the kernel (needs -v too; slow)
    #[arg(long)]
    pub(crate) kernel_log: bool,
    /// Blocks
    #[command(flatten)]
    pub(crate) block: EnforceArgs,
    /// Directory that keeps decisions, and how far logs were read [default: $STATE_DIRECTORY, else
    /// /var/lib/netsec]
    #[arg(long, value_name = "DIR", env = "NETSEC_STATE_DIR")]
    pub(crate) state: Option<PathBuf>,
    /// Logs to join
    #[command(flatten)]
    pub(crate) correlate: CorrelateArgs,
    /// What to show
    #[command(flatten)]
    pub(crate) show: ShowArgs,
}

/// Arguments of `replay`.
#[derive(Debug, Args)]
pub(crate) struct ReplayArgs {
    /// The capture; `-` for standard input
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Slots of each interface's flow table; what leaves it is kept all the same
    #[arg(long, value_name = "N", default_value_t = 1 << 16, value_parser = slots())]
    pub(crate) flow_slots: u32,
    /// Where the frames are counted: on the host, in the kernel through the XDP program, or in both
    /// with a comparison after each frame; all give the same output
    ///
    /// kernel and both need root, and Ethernet. Frames that cannot be put through the kernel are
    /// counted on stderr: those cut by the snap length, and those longer than 3520 bytes.
    #[arg(long, value_name = "WHERE", default_value = "host")]
    pub(crate) engine: EngineArg,
    /// Logs to join
    #[command(flatten)]
    pub(crate) correlate: CorrelateArgs,
    /// What to show
    #[command(flatten)]
    pub(crate) show: ShowArgs,
}

/// Where a replay counts its frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum EngineArg {
    /// On the host
    Host,
    /// In the kernel
    Kernel,
    /// In both, side by side; the first difference ends the replay with exit code 1
    Both,
}

/// What both show.
#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    /// Form of the output: text for people, jsonl (EVE-shaped JSON Lines) for programs
    #[arg(short, long, value_name = "FORM", default_value = "text")]
    pub(crate) output: Form,
    /// Stop after this many packets
    #[arg(short = 'c', long = "count", value_name = "N")]
    pub(crate) count: Option<u64>,
    /// Which packets to show: all, off, first:N (of each flow) or 1/N
    ///
    /// With first:N, DNS questions are shown beyond the Nth, up to 512 of a flow, as the detector of
    /// tunnels needs their names; --no-findings leaves them out. With off and 1/N it sees fewer or none.
    #[arg(long, value_name = "WHICH", default_value = "first:4", value_parser = sampling)]
    pub(crate) packets: Sampling,
    /// Most bytes taken of a packet
    #[arg(
        long,
        value_name = "BYTES",
        default_value_t = 192,
        value_parser = clap::value_parser!(u32).range(64..=i64::from(SAMPLE_BYTES_MAX))
    )]
    pub(crate) snaplen: u32,
    /// Look into tunnels too: GRE, ERSPAN, IP in IP, VXLAN, GENEVE and GTP-U, up to two in one another
    ///
    /// What is inside gets flows of its own, marked as such, besides the tunnel's. Totals, talkers and
    /// services stay those of the outermost packets. Blocks go by the outermost source.
    #[arg(long)]
    pub(crate) inner: bool,
    /// Do not show flow records
    #[arg(long)]
    pub(crate) no_flows: bool,
    /// Do not look for scans, floods, guessing, beacons, tunnels and the like
    #[arg(long, conflicts_with = "model")]
    pub(crate) no_findings: bool,
    /// End with exit code 10 on a finding of at least this severity: low, medium, high or critical
    #[arg(long, value_name = "SEVERITY")]
    pub(crate) fail_on: Option<Severity>,
    /// What is strange
    #[command(flatten)]
    pub(crate) model: ModelArgs,
    /// Time between two summaries; 0 for a last one only
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = duration)]
    pub(crate) interval: Duration,
    /// Addresses and ports in a summary
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub(crate) top: usize,
    /// Time without a packet that ends a flow; 0 for never
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = duration)]
    pub(crate) idle_timeout: Duration,
    /// Time after which a long flow gets a record in between; 0 for never
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = duration)]
    pub(crate) active_timeout: Duration,
    /// Most connections kept in memory; beyond it the quietest are written out
    #[arg(long, value_name = "N", default_value_t = 1 << 20)]
    pub(crate) max_connections: usize,
    /// Seed of the Community IDs
    #[arg(long, value_name = "SEED", default_value_t = 0)]
    pub(crate) community_id_seed: u16,
    /// Settings
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
    /// Which packets and flows, in tcpdump's words: 'tcp and dst port 443', 'net 10.0.0.0/8'
    #[arg(value_name = "FILTER", trailing_var_arg = true)]
    pub(crate) filter: Vec<String>,
}

/// Form of the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Form {
    /// Lines for people
    Text,
    /// EVE-shaped JSON Lines
    Jsonl,
}

/// XDP mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ModeArg {
    /// Native, else skb with a warning
    Auto,
    /// In the driver, or not at all
    Native,
    /// After the driver: every driver can, costs more
    Skb,
}

impl From<ModeArg> for XdpMode {
    fn from(mode: ModeArg) -> Self {
        match mode {
            ModeArg::Auto => Self::Auto,
            ModeArg::Native => Self::Native,
            ModeArg::Skb => Self::Skb,
        }
    }
}

fn slots() -> clap::builder::RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(4..=1 << 28)
}

fn ring_kib(text: &str) -> Result<u32, String> {
    let kib: u32 = text.parse().map_err(|_error| "not a number".to_owned())?;
    if kib.is_power_of_two() && (4..=1 << 20).contains(&kib) {
        Ok(kib)
    } else {
        Err("has to be a power of two from 4 to 1048576".to_owned())
    }
}

/// `5s`, `1m 30s`, `200ms`, `2h`, `7d`; a bare number is seconds.
pub(crate) fn duration(text: &str) -> Result<Duration, NotATimeSpan> {
    text.parse().map(TimeSpan::get)
}

fn sampling(text: &str) -> Result<Sampling, String> {
    let number = |text: &str| text.parse::<u32>().ok().filter(|n| *n > 0);
    let parsed = match text {
        "all" => Some(Sampling::All),
        "off" | "none" => Some(Sampling::Off),
        _ => text
            .strip_prefix("first:")
            .and_then(number)
            .map(Sampling::FirstOfFlow)
            .or_else(|| {
                text.strip_prefix("1/")
                    .and_then(number)
                    .map(Sampling::OneIn)
            }),
    };
    parsed.ok_or_else(|| "has to be all, off, first:N or 1/N with N at least 1".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn sampling_modes() {
        assert_eq!(sampling("all"), Ok(Sampling::All));
        assert_eq!(sampling("off"), Ok(Sampling::Off));
        assert_eq!(sampling("first:3"), Ok(Sampling::FirstOfFlow(3)));
        assert_eq!(sampling("1/100"), Ok(Sampling::OneIn(100)));
        for wrong in [
            "", "first", "first:", "first:0", "1/0", "2/3", "1/-1", "every",
        ] {
            assert!(sampling(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_filter_is_the_words_behind_the_options() {
        let cli = Cli::parse_from(["netsec", "replay", "x.pcap", "-c", "3", "not", "port", "22"]);
        let Command::Replay(args) = cli.command else {
            panic!("replay");
        };
        assert_eq!(args.show.filter, ["not", "port", "22"]);
        assert_eq!(args.show.count, Some(3));
    }
}
