//! Files of addresses onto a list.

use std::fs::File;
use std::io::{self, BufReader, IsTerminal as _, Read};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use netsec_user::api::wire::{Answer, ListName, PAGE, Request, Terms};
use netsec_user::feed::{self, FeedCounts, FeedEntry, FeedSink, Invalid};

use super::ask::Respondent;
use super::{ImportArgs, unexpected};
use crate::args::Cli;
use crate::output::line;

/// Entries that are sorted at a time: the agent finds the place of one near that of the last.
const SORTED_MAX: usize = 1 << 16;

/// Parts that are read ahead of the agent.
const AHEAD: usize = 4;

/// Lines that are named; the rest are counted.
const NAMED_MAX: u64 = 20;

/// How long the entries of a list last that says nothing of it.
const LIFETIME_S: u64 = 86_400;

pub(super) fn import(cli: &Cli, list: ListName, args: &ImportArgs) -> Result<()> {
    let name = args.file.display().to_string();
    let (input, size): (Box<dyn Read + Send>, Option<u64>) = if name == "-" {
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
    let mut importer = Importer::begin(list, terms, args.terms.socket.connect()?)?;
    let named = Named {
        file: name,
        count: AtomicU64::new(0),
        bar: progress_bar(cli, size),
    };
    let read = importer.run(input, &named);
    named.bar.finish_and_clear();
    let read = read.with_context(|| named.file.clone())?;
    importer.conclude(&read, &named)
}

/// Lines that cannot be used.
struct Named {
    file: String,
    count: AtomicU64,
    bar: ProgressBar,
}

impl Named {
    fn name(&self, number: u64, reason: &str) {
        if self.count.fetch_add(1, Ordering::Relaxed) < NAMED_MAX {
            let file = &self.file;
            self.bar.suspend(|| log::warn!("{file}:{number}: {reason}"));
        }
    }
}

/// What is sent at a time.
struct Part {
    /// As [`Request::ImportPart`] has them.
    entries: String,
    /// The line of each.
    lines: Vec<u64>,
}

/// Reads ahead of what is sent.
struct Reader<'a> {
    named: &'a Named,
    entries: Vec<FeedEntry>,
    parts: SyncSender<Part>,
}

impl FeedSink for Reader<'_> {
    fn entry(&mut self, entry: FeedEntry) {
        self.entries.push(entry);
        if self.entries.len() >= SORTED_MAX {
            self.pass_on();
        }
    }

    fn invalid(&mut self, invalid: Invalid) {
        self.named.name(invalid.line, &invalid.reason.to_string());
    }
}

impl Reader<'_> {
    /// Passes on what was read, sorted; of equal ones the last one counts.
    fn pass_on(&mut self) {
        self.entries.sort_by_key(|entry| entry.prefix);
        for part in self.entries.chunks(PAGE) {
            let mut entries = String::with_capacity(part.len() * 20);
            for entry in part {
                entries += &match entry.lifetime {
                    None => format!("{}\n", entry.prefix),
                    Some(lifetime) => format!("{} {}\n", entry.prefix, lifetime.as_secs().max(1)),
                };
            }
            let part = Part {
                entries,
                lines: part.iter().map(|entry| entry.line).collect(),
            };
            if self.parts.send(part).is_err() {
                // The agent has gone, which the other end tells of.
                break;
            }
        }
        self.entries.clear();
    }
}

/// Sends what is read, in parts.
struct Importer {
    list: ListName,
    decision: u64,
    terms: Terms,
    client: Respondent,
    in_force: u64,
    refused: u64,
    /// In which the last part was put in.
    mode: String,
    failed: Option<anyhow::Error>,
}

impl Importer {
    fn begin(list: ListName, terms: Terms, mut client: Respondent) -> Result<Self> {
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
        Ok(Self {
            list,
            decision,
            terms,
            client,
            in_force: 0,
            refused: 0,
            mode: String::new(),
            failed: None,
        })
    }

    /// Reads and sends all of it, the one beside the other.
    fn run(&mut self, input: Box<dyn Read + Send>, named: &Named) -> io::Result<FeedCounts> {
        let (sender, parts) = sync_channel(AHEAD);
        thread::scope(|scope| {
            let reading = scope.spawn(move || {
                let mut reader = Reader {
                    named,
                    entries: Vec::new(),
                    parts: sender,
                };
                let input = BufReader::with_capacity(1 << 16, named.bar.wrap_read(input));
                let read = feed::read(input, &mut reader);
                reader.pass_on();
                read
            });
            for part in &parts {
                self.send(part, named);
                if self.failed.is_some() {
                    break;
                }
            }
            drop(parts);
            self.end();
            let panicked = |_| Err(io::Error::other("the reader failed"));
            reading.join().unwrap_or_else(panicked)
        })
    }

    fn send(&mut self, part: Part, named: &Named) {
        let request = Request::ImportPart {
            list: self.list,
            decision: self.decision,
            entries: part.entries,
            terms: self.terms.clone(),
        };
        match self.client.ask(&request) {
            Ok(Answer::Import(done)) => {
                self.in_force += done.entries;
                self.mode = done.mode;
                for (place, reason) in done.refused {
                    self.refused += 1;
                    let number = part.lines.get(place).copied();
                    named.name(number.unwrap_or_default(), &reason);
                }
            }
            Ok(_) => self.failed = Some(anyhow!(unexpected())),
            Err(error) => self.failed = Some(error),
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

    fn conclude(self, read: &FeedCounts, named: &Named) -> Result<()> {
        let file = &named.file;
        let count = named.count.load(Ordering::Relaxed);
        if count > NAMED_MAX {
            log::warn!("{file}: {} more lines like these", count - NAMED_MAX);
        }
        let verb = match (self.terms.dry_run, self.list) {
            (true, _) => "would add",
            (false, ListName::Block) => "blocked",
            (false, ListName::Allow) => "allowed",
        };
        let undo = if self.terms.dry_run {
            String::new()
        } else {
            let word = match self.list {
                ListName::Block => "block",
                ListName::Allow => "allow",
            };
            format!("  undo: netsec {word} del --decision {}", self.decision)
        };
        line(&format!(
            "{verb} {} of {file}: {} lines, {} invalid, {} refused{undo}",
            self.in_force, read.records, read.invalid, self.refused,
        ))?;
        let drops = self.mode == "enforce" || self.mode.is_empty();
        if self.list == ListName::Block && !self.terms.dry_run && !drops {
            log::warn!(
                "the mode is {}, so nothing is dropped; to drop: netsec run --enforce",
                self.mode
            );
        }
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
