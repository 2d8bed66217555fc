//! Files of addresses onto a list.

use std::fs::File;
use std::io::{self, BufReader, IsTerminal as _, Read};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use netsec_user::api::wire::{Answer, ListName, PAGE, Request, Terms};
use netsec_user::feed::{self, FeedEntry, FeedSink, Invalid};

use super::ask::Respondent;
use super::{ImportArgs, unexpected};
use crate::args::Cli;
use crate::output::line;

/// Entries that are sorted at a time: the journal writes what is near together many times faster.
const SORTED_MAX: usize = 1 << 20;

/// Lines that are named; the rest are counted.
const NAMED_MAX: u64 = 20;

/// How long the entries of a list last that says nothing of it.
const LIFETIME_S: u64 = 86_400;

pub(super) fn import(cli: &Cli, list: ListName, args: &ImportArgs) -> Result<()> {
    let name = args.file.display().to_string();
    let (input, size): (Box<dyn Read>, Option<u64>) = if name == "-" {
        (Box::new(io::stdin()), None)
    } else {
        let file = File::open(&args.file).with_context(|| name.clone())?;
        let size = file.metadata().ok().map(|data| data.len());
        (Box::new(file), size)
    };
    let mut terms = args.terms.terms(None);
    if terms.reason.is_empty() {
        terms.reason.clone_from(&name);
    }
    if list == ListName::Block {
        terms.lifetime_s.get_or_insert(LIFETIME_S);
    }
    let mut client = args.terms.socket.connect()?;
    let decision = if terms.dry_run {
        0
    } else {
        let begin = Request::ImportBegin {
            list,
            terms: terms.clone(),
        };
        let Answer::Import(begun) = client.ask(&begin)? else {
            bail!(unexpected());
        };
        begun.decision
    };
    let bar = progress_bar(cli, size);
    let mut importer = Importer {
        name,
        list,
        decision,
        terms,
        client,
        entries: Vec::new(),
        in_force: 0,
        refused: 0,
        invalid: 0,
        named: 0,
        bar: bar.clone(),
        failed: None,
    };
    let input = BufReader::with_capacity(1 << 16, bar.wrap_read(input));
    let read = feed::read(input, &mut importer);
    importer.send();
    importer.end();
    bar.finish_and_clear();
    let counts = read.with_context(|| importer.name.clone())?;
    importer.conclude(counts.records)
}

/// Sends what is read, in parts.
struct Importer {
    name: String,
    list: ListName,
    decision: u64,
    terms: Terms,
    client: Respondent,
    entries: Vec<FeedEntry>,
    in_force: u64,
    refused: u64,
    invalid: u64,
    named: u64,
    bar: ProgressBar,
    failed: Option<anyhow::Error>,
}

impl FeedSink for Importer {
    fn entry(&mut self, entry: FeedEntry) {
        self.entries.push(entry);
        if self.entries.len() >= SORTED_MAX {
            self.send();
        }
    }

    fn invalid(&mut self, invalid: Invalid) {
        self.invalid += 1;
        self.name_line(invalid.line, &invalid.reason.to_string());
    }
}

impl Importer {
    /// Sends what was read, sorted; of equal ones the last one counts.
    fn send(&mut self) {
        let mut entries = std::mem::take(&mut self.entries);
        entries.sort_by_key(|entry| entry.prefix);
        for part in entries.chunks(PAGE) {
            if self.failed.is_none() {
                self.send_part(part);
            }
        }
    }

    /// Waits until all of it is on the disk.
    fn end(&mut self) {
        if self.terms.dry_run || self.failed.is_some() {
            return;
        }
        let request = Request::ImportEnd {
            decision: self.decision,
            entries: self.in_force,
        };
        self.failed = self.client.ask(&request).err();
    }

    fn send_part(&mut self, part: &[FeedEntry]) {
        let text = |entry: &FeedEntry| {
            let seconds = entry.lifetime.map(|lifetime| lifetime.as_secs().max(1));
            (entry.prefix.to_string(), seconds)
        };
        let request = Request::ImportPart {
            list: self.list,
            decision: self.decision,
            entries: part.iter().map(text).collect(),
            terms: self.terms.clone(),
        };
        match self.client.ask(&request) {
            Ok(Answer::Import(done)) => {
                self.in_force += done.entries;
                for (place, reason) in done.refused {
                    self.refused += 1;
                    let line = part.get(place).map_or(0, |entry| entry.line);
                    self.name_line(line, &reason);
                }
            }
            Ok(_) => {}
            Err(error) => self.failed = Some(error),
        }
    }

    fn name_line(&mut self, line: u64, reason: &str) {
        self.named += 1;
        if self.named <= NAMED_MAX {
            let name = &self.name;
            self.bar.suspend(|| log::warn!("{name}:{line}: {reason}"));
        }
    }

    fn conclude(self, records: u64) -> Result<()> {
        if self.named > NAMED_MAX {
            log::warn!(
                "{}: {} more lines like these",
                self.name,
                self.named - NAMED_MAX
            );
        }
        let verb = match (self.terms.dry_run, self.list) {
            (true, _) => "would add",
            (false, ListName::Block) => "blocked",
            (false, ListName::Allow) => "allowed",
        };
        line(&format!(
            "{verb} {} of {}: {} lines, {} invalid, {} refused{}",
            self.in_force,
            self.name,
            records,
            self.invalid,
            self.refused,
            if self.terms.dry_run {
                String::new()
            } else {
                let word = match self.list {
                    ListName::Block => "block",
                    ListName::Allow => "allow",
                };
                format!("  undo: netsec {word} del --decision {}", self.decision)
            }
        ))?;
        self.failed.map_or(Ok(()), Err)
    }
}

/// A bar on stderr, when that is a terminal.
fn progress_bar(cli: &Cli, size: Option<u64>) -> ProgressBar {
    let target = if io::stderr().is_terminal() && !cli.quiet {
        ProgressDrawTarget::stderr()
    } else {
        ProgressDrawTarget::hidden()
    };
    let bar = ProgressBar::with_draw_target(size, target);
    let template = match size {
        Some(_) => "{bytes} of {total_bytes} {wide_bar} {percent} % ends in {eta}",
        None => "{bytes} read",
    };
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}
