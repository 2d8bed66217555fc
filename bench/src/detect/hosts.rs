//! Memory when a million hosts were seen, in a process of its own for each stage.

use std::env;
use std::fs;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use clap::ValueEnum;
use netsec_common::flow::FIXED_HASH_KEYS;
use netsec_user::anomaly::Traffic;
use netsec_user::detect::settings::Anomaly;
use netsec_user::detect::{DetectSettings, Detectors};

use super::DetectArgs;
use super::traffic::{first_words, probe, second};
use crate::print;

/// Hosts that are new in a second.
const RATE: u32 = 10_000;

/// What is fed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Stage {
    Detectors,
    Features,
}

/// Feeds each stage in a process of its own, and reports.
pub(super) fn run(args: &DetectArgs) -> Result<()> {
    let mut text = format!(
        "\n### hosts\n\n{} thousand hosts, each with a conversation and a refused connection\n\n\
         | stage | resident before, MiB | after, MiB | bytes a host |\n|---|---|---|---|\n",
        args.hosts
    );
    for stage in Stage::value_variants() {
        let name = stage.to_possible_value().context("a stage has a name")?;
        let output = Command::new(env::current_exe()?)
            .args(["detect", "--hosts", &args.hosts.to_string()])
            .args(["--stage", name.get_name()])
            .output()?;
        ensure!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let said = String::from_utf8(output.stdout)?;
        let last = said.lines().last().context("the process says nothing")?;
        text.push_str(&format!("| {} | {last} |\n", name.get_name()));
    }
    print(text.trim_end())
}

/// Feeds one stage, and prints what memory it takes.
pub(super) fn feed(stage: Stage, hosts: u32) -> Result<()> {
    let before = resident_kib()?;
    let mut detectors = Detectors::new(DetectSettings::default(), FIXED_HASH_KEYS);
    let mut features = Traffic::new(&Anomaly::default(), FIXED_HASH_KEYS, None, None)?;
    let mut findings = Vec::new();
    for number in 0..hosts.div_ceil(RATE) {
        let new = number * RATE..hosts.min((number + 1) * RATE);
        for host in new {
            let activities = [first_words(host, number), probe(host, number)];
            for activity in &activities {
                match stage {
                    Stage::Detectors => detectors.activity(activity),
                    Stage::Features => features.activity(activity),
                }
            }
        }
        match stage {
            Stage::Detectors => detectors.close(second(number + 1), &mut findings),
            Stage::Features => features.close(second(number + 1), |_strange| {}),
        }
        // What is found is written out, and not kept.
        findings.clear();
    }
    let after = resident_kib()?;
    let bytes = f64::from(after.saturating_sub(before)) * 1024.0 / f64::from(hosts);
    print(&format!(
        "{} | {} | {bytes:.0}",
        before.div_ceil(1024),
        after.div_ceil(1024)
    ))
}

fn resident_kib() -> Result<u32> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.context("VmRSS")?.trim().trim_end_matches(" kB");
    Ok(kib.parse()?)
}
