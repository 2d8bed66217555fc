//! `bench block`: what the block table costs a packet that passes, and one that is dropped.
//!
//! As in [`crate::kernel`], all programs are loaded at once and take turns over the same packets. What
//! netsec costs with nothing listed is beside it, so that the price of the table shows: a packet that
//! passes is counted in its flow too, which Debian's xdp-filter does not do.

mod listed;
mod xdp_filter;

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use netsec_common::block::{Action, BlockKey, List, Mode, Narrowing, Prefix};
use netsec_common::ledger::{Class, Counter};
use netsec_common::sample::Sampling;
use netsec_tests::kernel::{Counted, stay_on_cpu};
use netsec_user::block::{Block, Enforcer as _, KernelEnforcer};
use netsec_user::hook::HookId;
use netsec_user::object;
use netsec_user::source::kernel::{BlockMaps, BlockSource, KernelEngine};

use crate::driver::Driver;
use crate::kernel::contestant;
use crate::print;
use crate::statistics::Spread;
use listed::{Kind, Listed};
use xdp_filter::XdpFilter;

/// What is subtracted.
const EMPTY: &str = "empty";

/// Where xdp-filter stands among the programs.
const FILTER: usize = 3;

/// The CPU that runs the packets.
const CPU: usize = 1;

/// `XDP_DROP` and `XDP_PASS`.
const ACTIONS: [(bool, u32); 2] = [(true, 1), (false, 2)];

/// Arguments of `block`.
#[derive(Debug, Args)]
pub(crate) struct BlockArgs {
    /// Entries of the block list: 0, 4, 1k, 100k or 1m, with -mixed for prefixes among the hosts
    /// [default: all of them]
    lists: Vec<String>,
    /// Rounds in which each program takes its turn
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Packets of each turn, thousands
    #[arg(long, default_value_t = 1024, value_parser = clap::value_parser!(u32).range(1..))]
    packets: u32,
}

const ALL: [&str; 8] = [
    "0",
    "4",
    "1k",
    "1k-mixed",
    "100k",
    "100k-mixed",
    "1m",
    "1m-mixed",
];

/// A program that takes its turn.
struct Program {
    name: &'static str,
    number: u32,
    /// Whether anything is on its list.
    lists: bool,
    kind: ProgramKind,
}

enum ProgramKind {
    /// One of the driver's object.
    Peer,
    /// Kept loaded.
    Filter {
        _filter: XdpFilter,
    },
    Netsec(Box<Netsec>),
}

struct Netsec {
    engine: KernelEngine,
    /// Its maps stay mapped.
    _enforcer: KernelEnforcer,
    read: Counted,
}

/// Measures and reports, list by list.
pub(crate) fn run(args: &BlockArgs) -> Result<()> {
    let names = if args.lists.is_empty() {
        ALL.map(str::to_owned).to_vec()
    } else {
        args.lists.clone()
    };
    let kinds: Vec<Kind> = names
        .iter()
        .map(|name| Kind::parse(name))
        .collect::<Result<_>>()?;
    stay_on_cpu(CPU).context("two CPUs are needed")?;
    for kind in kinds {
        let listed = Listed::new(kind);
        print(&format!("\n### {kind}\n\n{} rounds\n", args.rounds))?;
        for dropped in [false, true] {
            if dropped && listed.prefixes.is_empty() {
                continue;
            }
            print(&stream(args, &listed, dropped)?)?;
        }
    }
    Ok(())
}

/// Packets that are all dropped, or all pass.
fn stream(args: &BlockArgs, listed: &Listed, dropped: bool) -> Result<String> {
    let mut driver = Driver::load(0)?;
    driver.set_table(&if dropped {
        listed.dropped()
    } else {
        listed.passing()
    })?;
    let mut programs = programs(&mut driver, listed)?;
    let packets = args.packets << 10;
    let mut rounds = Vec::new();
    for round in 0..=args.rounds {
        let first = u64::from(round) * u64::from(packets);
        let mut times = Vec::new();
        for program in &mut programs {
            times.push(program.run(&mut driver, first, packets)?);
            program.check(&driver, dropped)?;
        }
        // The first one fills tables and caches.
        if round > 0 {
            rounds.push(times);
        }
    }
    let sent = u64::from(packets) * u64::from(args.rounds + 1);
    for program in &programs {
        program.check_ledger(sent, dropped)?;
    }
    Ok(table(&programs, &rounds, dropped))
}

fn programs(driver: &mut Driver, listed: &Listed) -> Result<Vec<Program>> {
    let none = Listed::new(Kind::NONE);
    let mut programs = vec![
        Program {
            name: EMPTY,
            number: driver.install_peer(EMPTY)?,
            lists: false,
            kind: ProgramKind::Peer,
        },
        Program::netsec(driver, "netsec, nothing listed", &none)?,
        Program::netsec(driver, "netsec", listed)?,
    ];
    if listed.kind.is_hosts() {
        let filter = XdpFilter::load(driver, &listed.hosts())?;
        programs.push(Program {
            name: "xdp-filter, the same list",
            number: filter.number,
            lists: true,
            kind: ProgramKind::Filter { _filter: filter },
        });
    }
    Ok(programs)
}

impl Program {
    fn netsec(driver: &mut Driver, name: &'static str, listed: &Listed) -> Result<Self> {
        let object = object::embedded().context("no kernel object (try: cargo xtask bench)")?;
        let entries = u32::try_from(listed.prefixes.len())?;
        let (engine, maps) = KernelEngine::load_blocking(
            object,
            HookId(0),
            &contestant::settings(Sampling::Off)?,
            &BlockSource::New(entries.max(1)),
        )?;
        let enforcer = enforcing(maps, &listed.prefixes)?;
        Ok(Self {
            name,
            number: driver.install(&engine.program_info()?.fd()?)?,
            lists: entries > 0,
            kind: ProgramKind::Netsec(Box::new(Netsec {
                engine,
                _enforcer: enforcer,
                read: Counted::default(),
            })),
        })
    }

    fn run(&mut self, driver: &mut Driver, first: u64, packets: u32) -> Result<f64> {
        let time = driver.run(self.number, first, packets)?;
        if let ProgramKind::Netsec(netsec) = &mut self.kind {
            netsec.engine.drain(&mut netsec.read);
        }
        Ok(time)
    }

    /// What became of the last packet.
    fn check(&self, driver: &Driver, dropped: bool) -> Result<()> {
        let drops = self.lists && dropped;
        let expected = ACTIONS.iter().find(|(drop, _)| *drop == drops);
        ensure!(
            Some(driver.action()) == expected.map(|(_, action)| *action),
            "{}: action {} where a drop is {drops}",
            self.name,
            driver.action(),
        );
        Ok(())
    }

    /// Every packet was dropped, or none was.
    fn check_ledger(&self, sent: u64, dropped: bool) -> Result<()> {
        let ProgramKind::Netsec(netsec) = &self.kind else {
            return Ok(());
        };
        let ledger = netsec.engine.ledger_exact();
        let expected = if self.lists && dropped { sent } else { 0 };
        let (frames, found) = (ledger.get(Counter::Frames), ledger.sum(Class::Dropped));
        ensure!(
            frames == sent && found == expected,
            "{}: {sent} packets sent, {frames} counted, {found} blocked, not {expected}",
            self.name,
        );
        Ok(())
    }
}

/// A block table in which these are dropped.
pub(crate) fn enforcing(maps: BlockMaps, dropped: &[Prefix]) -> Result<KernelEnforcer> {
    let mut enforcer = KernelEnforcer::new(maps);
    enforcer.set_mode(Mode::Enforce);
    for (prefix, decision_id) in dropped.iter().zip(1..) {
        enforcer.insert(&Block {
            key: BlockKey {
                list: List::Block,
                prefix: *prefix,
                narrowing: Narrowing::Any,
            },
            action: Action::Drop,
            decision_id,
            until: None,
        })?;
    }
    Ok(enforcer)
}

/// Nanoseconds above empty, above netsec with nothing listed, and against xdp-filter.
fn table(programs: &[Program], rounds: &[Vec<f64>], dropped: bool) -> String {
    let what = if dropped { "dropped" } else { "passing" };
    let mut text = format!(
        "\n| {what} | ns above empty | above nothing listed | of xdp-filter |\n|---|---|---|---|\n"
    );
    let at = |round: &[f64], place: usize| round.get(place).copied().unwrap_or(f64::NAN);
    let net = |place: usize| {
        rounds
            .iter()
            .map(move |round| at(round, place) - at(round, 0))
    };
    for (place, program) in programs.iter().enumerate().skip(1) {
        let above = Spread::of(net(place));
        let more = Spread::of(net(place).zip(net(1)).map(|(own, none)| own - none));
        let ratio = if programs.len() > FILTER {
            let ratios = net(place)
                .zip(net(FILTER))
                .map(|(own, filter)| own / filter);
            Spread::of(ratios).to_string()
        } else {
            "–".to_owned()
        };
        text.push_str(&format!(
            "| {} | {above:.1} | {more:.1} | {ratio} |\n",
            program.name
        ));
    }
    text
}
