//! `netsec block`, `netsec allow`, `netsec status` and `netsec why`: requests to the running netsec.

mod ask;
mod export;
mod import;
mod show;

pub(crate) use self::ask::SocketArgs;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, bail};
use clap::{Args, Subcommand, ValueEnum};
use netsec_user::api::wire::{Answer, Entry, ListName, Request, Terms};

use crate::args::{Cli, duration};
use crate::exit::UsageError;

/// Where the agent listens, unless told otherwise.
pub(crate) const SOCKET: &str = "/run/netsec/api.sock";

/// What can be done with a list.
#[derive(Debug, Subcommand)]
pub(crate) enum ListCommand {
    /// Put an address or a network on it
    Add(AddArgs),
    /// Take an address or a network off it
    Del(DelArgs),
    /// Confirm what was added with --confirm
    Confirm(ConfirmArgs),
    /// Show what is on it: who decided, why, until when, and what it did
    List(ListArgs),
    /// Show one entry and its history
    Show(WhyArgs),
    /// Put a file of addresses on it: one a line, CSV with a header, ranges, or CrowdSec's decisions
    Import(ImportArgs),
    /// Write it as CrowdSec's decisions, or as plain addresses
    Export(ExportArgs),
    /// Compare the kernel's table with what is wanted
    Verify(VerifyArgs),
}

/// The terms of a block.
#[derive(Debug, Args)]
pub(crate) struct TermsArgs {
    /// For how long, such as 30m or 1h [default: 1h for a block, for good for the allowlist]
    #[arg(long = "for", value_name = "TIME", value_parser = duration)]
    lifetime: Option<Duration>,
    /// Why, for the record
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
    /// Only packets of this IP protocol: tcp, udp, icmp, icmpv6, sctp or a number
    #[arg(long, value_name = "PROTOCOL", value_parser = protocol)]
    proto: Option<u8>,
    /// Only packets to this port (of TCP, unless --proto says otherwise)
    #[arg(long, value_name = "PORT")]
    port: Option<u16>,
    /// Let so many packets a second pass instead of none
    #[arg(long, value_name = "PACKETS/S")]
    rate: Option<u32>,
    /// Set the guard's milder objections aside; what it protects passes all the same
    #[arg(long)]
    force: bool,
    /// Say what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// Where to ask
    #[command(flatten)]
    socket: SocketArgs,
}

impl TermsArgs {
    fn terms(&self, confirm: Option<Duration>) -> Terms {
        Terms {
            actor: actor(),
            reason: self.reason.clone(),
            lifetime_s: self.lifetime.map(|lifetime| lifetime.as_secs()),
            protocol: self.proto,
            port: self.port,
            packets_per_s: self.rate,
            force: self.force,
            confirm_s: confirm.map(|limit| limit.as_secs()),
            dry_run: self.dry_run,
            ssh_connection: std::env::var("SSH_CONNECTION").ok(),
        }
    }
}

/// Arguments of `add`.
#[derive(Debug, Args)]
pub(crate) struct AddArgs {
    /// An address or a network
    #[arg(value_name = "ADDRESS")]
    prefix: String,
    /// Undo it after this long unless it is confirmed, such as 60s
    #[arg(long, value_name = "TIME", value_parser = duration)]
    confirm: Option<Duration>,
    /// The terms
    #[command(flatten)]
    terms: TermsArgs,
}

/// Arguments of `del`.
#[derive(Debug, Args)]
pub(crate) struct DelArgs {
    /// An address or a network, as it was added
    #[arg(value_name = "ADDRESS", required_unless_present = "decision")]
    prefix: Option<String>,
    /// All that a decision put there, such as an import
    #[arg(long, value_name = "ID", conflicts_with = "prefix")]
    decision: Option<u64>,
    /// Where to ask
    #[command(flatten)]
    socket: SocketArgs,
}

/// Arguments of `confirm`.
#[derive(Debug, Args)]
pub(crate) struct ConfirmArgs {
    /// The decision
    #[arg(value_name = "ID")]
    decision: u64,
    /// Where to ask
    #[command(flatten)]
    socket: SocketArgs,
}

/// Arguments of `list`.
#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// Form of the output
    #[arg(short, long, value_name = "FORM", default_value = "table")]
    output: show::TableForm,
    /// Where to ask
    #[command(flatten)]
    socket: SocketArgs,
}

/// Arguments of `import`.
#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// The file; `-` for standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The terms; a list's own times go before
    #[command(flatten)]
    terms: TermsArgs,
}

/// Arguments of `export`.
#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// Form of the output
    #[arg(long, value_name = "FORM", default_value = "plain")]
    format: ExportForm,
    /// Where to ask
    #[command(flatten)]
    socket: SocketArgs,
}

/// Form of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ExportForm {
    /// One address or network a line
    Plain,
    /// For `cscli decisions import`
    Crowdsec,
}

/// Arguments of `verify`.
#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// Where to ask
    #[command(flatten)]
    socket: SocketArgs,
}

/// Arguments of `status`.
#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    /// Form of the output: text, or jsonl for programs
    #[arg(short, long, value_name = "FORM", default_value = "text")]
    output: crate::args::Form,
    /// Where to ask
    #[command(flatten)]
    socket: SocketArgs,
}

/// Arguments of `why`.
#[derive(Debug, Args)]
pub(crate) struct WhyArgs {
    /// An address, a decision's number, or an incident's name such as i0123456789abc
    #[arg(value_name = "ADDRESS|ID")]
    subject: String,
    /// Form of the output: text, or jsonl for programs
    #[arg(short, long, value_name = "FORM", default_value = "text")]
    output: crate::args::Form,
    /// Where to ask
    #[command(flatten)]
    socket: SocketArgs,
}

/// Does something with a list.
pub(crate) fn list(cli: &Cli, list: ListName, command: &ListCommand) -> Result<()> {
    match command {
        ListCommand::Add(args) => add(list, args),
        ListCommand::Del(args) => {
            let request = Request::Delete {
                list,
                prefix: args.prefix.clone(),
                decision: args.decision,
            };
            let Answer::Deleted(entries) = args.socket.connect()?.ask(&request)? else {
                bail!(unexpected());
            };
            show::deleted(list, &entries)
        }
        ListCommand::Confirm(args) => {
            let request = Request::Confirm {
                decision: args.decision,
            };
            let Answer::Confirmed(entries) = args.socket.connect()?.ask(&request)? else {
                bail!(unexpected());
            };
            show::confirmed(&entries)
        }
        ListCommand::List(args) => show::list(list, &all(list, &args.socket)?, args.output),
        ListCommand::Show(args) => why(cli, args),
        ListCommand::Import(args) => import::import(cli, list, args),
        ListCommand::Export(args) => export::export(list, args),
        ListCommand::Verify(args) => {
            let mut respondent = args.socket.connect()?;
            let Answer::Verified(found) = respondent.ask(&Request::Verify {})? else {
                bail!(unexpected());
            };
            show::verified(&found, respondent.is_agent())
        }
    }
}

/// Says how the running netsec is.
pub(crate) fn status(args: &StatusArgs) -> Result<()> {
    let Answer::Status(status) = args.socket.connect()?.ask(&Request::Status {})? else {
        bail!(unexpected());
    };
    show::status(&status, args.output)
}

/// Says why.
pub(crate) fn why(cli: &Cli, args: &WhyArgs) -> Result<()> {
    let request = Request::Why {
        subject: args.subject.clone(),
    };
    let Answer::Why(why) = args.socket.connect()?.ask(&request)? else {
        bail!(unexpected());
    };
    show::why(cli, &why, args.output)
}

fn add(list: ListName, args: &AddArgs) -> Result<()> {
    let terms = args.terms.terms(args.confirm);
    if terms.lifetime_s == Some(0) {
        return Err(UsageError("--for: a second is the least".to_owned()).into());
    }
    let request = Request::Add {
        list,
        prefix: args.prefix.clone(),
        terms,
    };
    let Answer::Added(added) = args.terms.socket.connect()?.ask(&request)? else {
        bail!(unexpected());
    };
    show::added(list, &added)
}

/// All of a list, part by part.
fn all(list: ListName, socket: &SocketArgs) -> Result<Vec<Entry>> {
    let mut client = socket.connect()?;
    let mut entries: Vec<Entry> = Vec::new();
    loop {
        let after = entries.last().cloned();
        let Answer::Page(page) = client.ask(&Request::Page { list, after })? else {
            bail!(unexpected());
        };
        if page.is_empty() {
            return Ok(entries);
        }
        entries.extend(page);
    }
}

/// Who is at the keyboard, behind sudo too.
fn actor() -> String {
    let user = std::env::var("SUDO_USER").or_else(|_| std::env::var("USER"));
    let user = user.unwrap_or_else(|_| "root".to_owned());
    format!("{user}, by hand")
}

fn unexpected() -> UsageError {
    UsageError("the running netsec answered something else: is it of another version?".to_owned())
}

fn protocol(text: &str) -> Result<u8, String> {
    match text.to_ascii_lowercase().as_str() {
        "icmp" => Ok(1),
        "tcp" => Ok(6),
        "udp" => Ok(17),
        "icmpv6" => Ok(58),
        "sctp" => Ok(132),
        number => number
            .parse()
            .map_err(|_error| "is tcp, udp, icmp, icmpv6, sctp or a number to 255".to_owned()),
    }
}
