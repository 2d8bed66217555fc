//! `netsec detectors`.

use std::io::{Write as _, stdout};

use anyhow::{Result, bail};
use clap::{Args, Subcommand};
use netsec_user::detect::{DETECTORS, Detector};
use netsec_user::finding::Kind;
use netsec_user::object;
use netsec_user::selftest::{self, Check, Link, Through};
use netsec_user::source::kernel::KernelError;
use serde_json::json;
use toml::Table;

use crate::args::Form;
use crate::config::ConfigArgs;

/// Arguments of `detectors`.
#[derive(Debug, Args)]
pub(crate) struct DetectorsArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Print the detectors: what each is about, its kinds of findings with their ATT&CK techniques,
    /// its settings in force, and where the defaults come from
    List {
        /// Form of the output: text for people, jsonl (an object for each detector) for programs
        #[arg(short, long, value_name = "FORM", default_value = "text")]
        output: Form,
        /// Where the settings come from
        #[command(flatten)]
        config: ConfigArgs,
    },
    /// Fire every detector with frames made for it, through the program in this kernel, and drop a
    /// packet in every way that the block table can; as root
    ///
    /// Nothing is attached and no interface is touched. Detectors run with the settings in force, but
    /// for the bytes of exfiltration. Exit code 1 when one does not fire.
    Test {
        /// Form of the output: text for people, jsonl (an object for each check) for programs
        #[arg(short, long, value_name = "FORM", default_value = "text")]
        output: Form,
        /// Where the settings come from
        #[command(flatten)]
        config: ConfigArgs,
    },
}

pub(crate) fn detectors(args: &DetectorsArgs) -> Result<()> {
    match &args.what {
        What::List { output, config } => list(*output, config),
        What::Test { output, config } => test(*output, config),
    }
}

/// Fires every detector over both families, and takes every way through the block table.
fn test(output: Form, config: &ConfigArgs) -> Result<()> {
    let settings = config.load()?.detect;
    let object = object::embedded().ok_or(KernelError::NoObject)?;
    let (mut failed, mut tried) = (0, 0);
    let mut out = stdout().lock();
    for (family, ipv6) in [("ipv4", false), ("ipv6", true)] {
        let link = Link { ipv6, vlan: None };
        for check in selftest::detectors(Through::Kernel(object), link, &settings)? {
            tried += 1;
            failed += u32::from(!check.passed);
            writeln!(
                out,
                "{}",
                check_line(output, &format!("detect.{family}"), &check)
            )?;
        }
    }
    for check in selftest::rulings(object)? {
        tried += 1;
        failed += u32::from(!check.passed);
        writeln!(out, "{}", check_line(output, "block", &check))?;
    }
    if failed > 0 {
        bail!("{failed} of {tried} checks failed on this kernel");
    }
    log::info!("{tried} checks passed on this kernel");
    Ok(())
}

fn check_line(output: Form, group: &str, check: &Check) -> String {
    let Check {
        name,
        passed,
        detail,
    } = check;
    match output {
        Form::Text => {
            let word = if *passed { "ok" } else { "FAILED" };
            format!("{word:7}{group:12} {name:20} {detail}")
        }
        Form::Jsonl => {
            json!({ "group": group, "name": name, "passed": passed, "detail": detail }).to_string()
        }
    }
}

fn list(output: Form, config: &ConfigArgs) -> Result<()> {
    let settings = Table::try_from(config.load()?.detect)?;
    let mut out = stdout().lock();
    for detector in &DETECTORS {
        let section = settings.get(detector.name).and_then(toml::Value::as_table);
        let section = section.cloned().unwrap_or_default();
        let text = match output {
            Form::Text => text(detector, &section),
            Form::Jsonl => format!("{}\n", line(detector, &section)),
        };
        out.write_all(text.as_bytes())?;
    }
    Ok(())
}

fn text(detector: &Detector, section: &Table) -> String {
    let kinds = detector.kinds.iter().map(|kind| {
        let technique = kind
            .technique()
            .map_or_else(String::new, |id| format!(" [{id}]"));
        format!("{kind}{technique}")
    });
    let mut text = format!(
        "{}: {}\n  finds {}\n",
        detector.name,
        detector.what,
        kinds.collect::<Vec<_>>().join(", ")
    );
    for threshold in detector.thresholds {
        let value = section.get(threshold.name).map(ToString::to_string);
        text.push_str(&format!(
            "  {} = {}  # {} ({})\n",
            threshold.name,
            value.unwrap_or_default(),
            threshold.what.trim(),
            threshold.source
        ));
    }
    text
}

fn line(detector: &Detector, section: &Table) -> serde_json::Value {
    let thresholds = detector.thresholds.iter().map(|threshold| {
        json!({
            "name": threshold.name,
            "value": section.get(threshold.name),
            "what": threshold.what.trim(),
            "source": threshold.source,
        })
    });
    let kinds = detector
        .kinds
        .iter()
        .map(|kind: &Kind| json!({ "kind": kind.name(), "technique": kind.technique() }));
    json!({
        "name": detector.name,
        "what": detector.what,
        "kinds": kinds.collect::<Vec<_>>(),
        "thresholds": thresholds.collect::<Vec<_>>(),
    })
}
