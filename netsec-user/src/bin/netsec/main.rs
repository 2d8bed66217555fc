//! The `netsec` command: arguments in, exit code out.
//!
//! Exit codes: 0 done, 1 failed (or a capture that ends early), 2 wrong usage, 3 wrong settings, 4 a
//! privilege is missing, 5 the kernel or an interface refuses, 6 no netsec is running that could be
//! asked, 10 something was found that `--fail-on` asks for.

mod alerts;
mod args;
mod block;
mod config;
mod correlation;
mod detach;
mod detect;
mod detectors;
mod doctor;
mod enforce;
mod exit;
mod features;
mod hunt;
mod incidents;
mod input;
mod logs;
mod model;
mod output;
mod policy;
mod replay;
mod run;
mod score;
mod train;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _};
use netsec_user::api::wire::ListName;

use self::args::{Cli, Command};

fn main() -> ExitCode {
    let cli = Cli::parse();
    start_log(&cli);
    let done = match &cli.command {
        Command::Run(args) => run::run(&cli, args),
        Command::Replay(args) => replay::replay(&cli, args),
        Command::Doctor(args) => doctor::doctor(&cli, args),
        Command::Block(command) => block::list(&cli, ListName::Block, command),
        Command::Allow(command) => block::list(&cli, ListName::Allow, command),
        Command::Detach(args) => detach::detach(args),
        Command::Status(args) => block::status(args),
        Command::Why(args) => block::why(&cli, args),
        Command::Alerts(args) => alerts::alerts(args),
        Command::Logs(args) => logs::logs(args),
        Command::Hunt(args) => hunt::hunt(args),
        Command::Incidents(args) => incidents::incidents(&cli, args),
        Command::Policy(args) => policy::policy(args),
        Command::Score(args) => score::score_table(args),
        Command::Train(args) => train::train(args),
        Command::Detect(args) => detect::detect(&cli, args),
        Command::Features(args) => features::features(args),
        Command::Detectors(args) => detectors::detectors(args),
        Command::Config(args) => config::config(args),
        Command::Verbs => output::print_verbs(&Cli::command()),
    };
    exit::code(done)
}

/// Diagnostics go to stderr; data has stdout to itself.
fn start_log(cli: &Cli) {
    let level = match (cli.quiet, cli.verbose) {
        (true, _) => log::LevelFilter::Error,
        (false, 0) => log::LevelFilter::Info,
        (false, 1) => log::LevelFilter::Debug,
        (false, _) => log::LevelFilter::Trace,
    };
    env_logger::Builder::new()
        .filter_level(log::LevelFilter::Warn)
        .filter_module("netsec", level)
        .filter_module("netsec_user", level)
        .parse_default_env()
        .format(|out, record| {
            use std::io::Write as _;
            let level = match record.level() {
                log::Level::Error => "error: ",
                log::Level::Warn => "warning: ",
                log::Level::Info | log::Level::Debug | log::Level::Trace => "",
            };
            writeln!(out, "netsec: {level}{}", record.args())
        })
        .init();
}
