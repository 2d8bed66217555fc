//! `netsec detectors`.

use std::io::{Write as _, stdout};

use anyhow::Result;
use clap::{Args, Subcommand};
use netsec_user::detect::{DETECTORS, Detector};
use netsec_user::finding::Kind;
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
}

pub(crate) fn detectors(args: &DetectorsArgs) -> Result<()> {
    let What::List { output, config } = &args.what;
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
