//! `netsec features`.

use std::io::{BufWriter, Write as _, stdout};

use anyhow::Result;
use clap::Args;
use netsec_user::features::{Definition, FEATURES, UPDATE, WINDOW};
use netsec_user::table::Unit;
use serde_json::json;

use crate::args::Form;

/// Arguments of `features`.
#[derive(Debug, Args)]
pub(crate) struct FeaturesArgs {
    /// Form of the output: text for people, jsonl (an object for each feature) for programs
    #[arg(short, long, value_name = "FORM", default_value = "text")]
    output: Form,
}

pub(crate) fn features(args: &FeaturesArgs) -> Result<()> {
    let mut out = BufWriter::new(stdout().lock());
    if args.output == Form::Jsonl {
        for feature in &FEATURES {
            writeln!(out, "{}", line(feature))?;
        }
        return Ok(out.flush()?);
    }
    writeln!(
        out,
        "{:22} {:11} {:8} {:12} what",
        "name", "of", "unit", "range"
    )?;
    for feature in &FEATURES {
        writeln!(
            out,
            "{:22} {:11} {:8} {:12} {}{}",
            feature.name,
            feature.subject.name(),
            unit(feature.unit),
            range(feature),
            feature.what,
            if feature.needs_history { " *" } else { "" }
        )?;
    }
    let (window, update) = (WINDOW.as_secs(), UPDATE.as_secs());
    writeln!(
        out,
        "\n* missing in the first {window} s of traffic, when everything is new\n\
         Taken when a connection ends, and every {update} s of one that goes on. Sources and pairs \
         are\ncounted over {window} s of traffic time: the window that runs or the one before, \
         whichever has more."
    )?;
    Ok(out.flush()?)
}

const fn unit(unit: Unit) -> &'static str {
    match unit {
        Unit::Number => "count",
        Unit::Bytes => "bytes",
        Unit::Seconds | Unit::TimeOfDay => "seconds",
        Unit::Rarity => "bits",
        Unit::Share => "share",
        Unit::Flag => "0 or 1",
    }
}

fn range(feature: &Definition) -> String {
    let (low, high) = feature.range;
    if high.is_finite() {
        format!("{low} to {high}")
    } else {
        format!("from {low}")
    }
}

fn line(feature: &Definition) -> serde_json::Value {
    let (low, high) = feature.range;
    json!({
        "name": feature.name,
        "of": feature.subject.name(),
        "unit": unit(feature.unit),
        "min": low,
        "max": high.is_finite().then_some(high),
        "needs_history": feature.needs_history,
        "what": feature.what,
    })
}
