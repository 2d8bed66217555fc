//! `netsec config`.

use std::collections::BTreeMap;
use std::io::{Write as _, stdout};
use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, Subcommand};
use netsec_user::config::{Config, Origin, Sources, template};
use toml::{Table, Value};

/// Where settings come from.
#[derive(Clone, Debug, Args)]
pub(crate) struct ConfigArgs {
    /// Settings file [default: /etc/netsec/netsec.toml when it is there]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// A setting over those of the file, such as detect.scan.ports=20; may be given several times
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
}

impl ConfigArgs {
    /// The settings.
    pub(crate) fn load(&self) -> Result<Config> {
        Ok(self.sources().load()?)
    }

    fn sources(&self) -> Sources {
        Sources {
            file: self.config.clone(),
            arguments: self.set.clone(),
        }
    }
}

/// Arguments of `config`.
#[derive(Debug, Args)]
pub(crate) struct ConfigVerbArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Print a file with every setting, its default, what it means and where the default is from
    Init,
    /// Check a settings file; exit code 3 when it is wrong
    Check {
        /// The file [default: /etc/netsec/netsec.toml]
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
    },
    /// Print the settings that are in force
    Show {
        /// Say behind each where it comes from
        #[arg(long)]
        origin: bool,
        /// Where they come from
        #[command(flatten)]
        config: ConfigArgs,
    },
}

pub(crate) fn config(args: &ConfigVerbArgs) -> Result<()> {
    let mut out = stdout().lock();
    match &args.what {
        What::Init => out.write_all(template()?.as_bytes())?,
        What::Check { file } => {
            let file = file
                .clone()
                .unwrap_or_else(|| netsec_user::config::DEFAULT_PATH.into());
            let sources = Sources {
                file: Some(file.clone()),
                arguments: Vec::new(),
            };
            sources.load()?;
            writeln!(out, "{}: good", file.display())?;
        }
        What::Show { origin, config } => {
            let (config, origins) = config.sources().load_with_origins()?;
            let table = Table::try_from(config)?;
            let origins = origin.then_some(&origins);
            let mut text = String::new();
            write_section(&mut text, "", &table, origins);
            out.write_all(text.trim_start().as_bytes())?;
        }
    }
    Ok(())
}

fn write_section(
    text: &mut String,
    name: &str,
    table: &Table,
    origins: Option<&BTreeMap<String, Origin>>,
) {
    let (sections, keys): (Vec<_>, Vec<_>) = table
        .iter()
        .partition(|(_, value)| matches!(value, Value::Table(_)));
    if !keys.is_empty() {
        text.push_str(&format!("\n[{name}]\n"));
    }
    for (key, value) in keys {
        text.push_str(&format!("{key} = {value}"));
        if let Some(origins) = origins {
            let origin = match origins.get(&format!("{name}.{key}")) {
                None | Some(Origin::Default) => "default".to_owned(),
                Some(Origin::File(path)) => path.display().to_string(),
                Some(Origin::Argument) => "--set".to_owned(),
            };
            text.push_str(&format!("  # {origin}"));
        }
        text.push('\n');
    }
    for (key, value) in sections {
        if let Value::Table(section) = value {
            let name = if name.is_empty() {
                key.clone()
            } else {
                format!("{name}.{key}")
            };
            write_section(text, &name, section, origins);
        }
    }
}
