//! The settings as a file to start from.

use std::fmt::Write as _;

use toml::{Table, Value};

use super::Config;
use crate::block::BlockSettings;
use crate::decide::{DecideSettings, EnforceSettings};
use crate::detect::DetectSettings;
use crate::detect::settings::{
    Anomaly, Beacon, Bruteforce, Exfiltration, Flood, LateralMovement, LongConnection, Scan,
    SuspiciousPort, Threshold, TunnelDns, TunnelIcmp,
};

/// What stands above everything.
const HEAD: &str = "\
# Settings of netsec. Every key is optional; what stands here are the defaults.
# `netsec config check FILE` finds mistakes, `netsec config show` says what is in force.
";

/// The keys of each section that have an explanation.
const SECTIONS: [(&str, &[Threshold]); 15] = [
    ("detect", DetectSettings::THRESHOLDS),
    ("detect.scan", Scan::THRESHOLDS),
    ("detect.flood", Flood::THRESHOLDS),
    ("detect.bruteforce", Bruteforce::THRESHOLDS),
    ("detect.beacon", Beacon::THRESHOLDS),
    ("detect.long_connection", LongConnection::THRESHOLDS),
    ("detect.exfiltration", Exfiltration::THRESHOLDS),
    ("detect.lateral_movement", LateralMovement::THRESHOLDS),
    ("detect.suspicious_port", SuspiciousPort::THRESHOLDS),
    ("detect.tunnel_dns", TunnelDns::THRESHOLDS),
    ("detect.tunnel_icmp", TunnelIcmp::THRESHOLDS),
    ("detect.anomaly", Anomaly::THRESHOLDS),
    ("block", BlockSettings::THRESHOLDS),
    ("decide", DecideSettings::THRESHOLDS),
    ("enforce", EnforceSettings::THRESHOLDS),
];

/// A file that holds every key with its default, what it means and where the default comes from.
///
/// # Errors
///
/// None: all settings have a form in TOML.
pub fn template() -> Result<String, toml::ser::Error> {
    let table = Table::try_from(Config::default())?;
    let mut text = HEAD.to_owned();
    write_section(&mut text, "", &table);
    Ok(text)
}

/// Keys first: in TOML, what follows a section's header belongs to it.
fn write_section(text: &mut String, name: &str, table: &Table) {
    let (sections, keys): (Vec<_>, Vec<_>) = table
        .iter()
        .partition(|(_, value)| matches!(value, Value::Table(_)));
    if !keys.is_empty() {
        push(text, format_args!("\n[{name}]\n"));
    }
    for (key, value) in keys {
        if let Some(threshold) = explanation(name, key) {
            let what = threshold.what.trim();
            push(text, format_args!("# {what} ({})\n", threshold.source));
        }
        push(text, format_args!("{key} = {value}\n"));
    }
    for (key, value) in sections {
        let Value::Table(section) = value else {
            continue;
        };
        let name = if name.is_empty() {
            key.clone()
        } else {
            format!("{name}.{key}")
        };
        write_section(text, &name, section);
    }
}

fn explanation(section: &str, key: &str) -> Option<&'static Threshold> {
    let (_, keys) = SECTIONS.iter().find(|(name, _)| *name == section)?;
    keys.iter().find(|threshold| threshold.name == key)
}

fn push(text: &mut String, what: std::fmt::Arguments<'_>) {
    // Writing to a String does not fail.
    text.write_fmt(what).unwrap_or_default();
}
