//! Settings from a file and from the command line.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::{Config, ConfigError};

/// Where the settings are looked for when no file is named.
pub const DEFAULT_PATH: &str = "/etc/netsec/netsec.toml";

/// Where settings come from.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The file; without one [`DEFAULT_PATH`] is read when it is there.
    pub file: Option<PathBuf>,
    /// `key=value` each, over the file.
    pub arguments: Vec<String>,
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Built in.
    Default,
    /// A file.
    File(PathBuf),
    /// `--set`.
    Argument,
}

impl Sources {
    /// Reads and checks all settings.
    ///
    /// # Errors
    ///
    /// When a source cannot be read or is wrong.
    pub fn load(&self) -> Result<Config, ConfigError> {
        self.load_with_origins().map(|(config, _)| config)
    }

    /// As [`load`](Self::load), with where each key that is no default comes from, by its dotted
    /// name.
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load).
    pub fn load_with_origins(&self) -> Result<(Config, BTreeMap<String, Origin>), ConfigError> {
        let mut table = Table::new();
        let mut origins = BTreeMap::new();
        if let Some((path, text)) = self.read()? {
            let file_error = |error: toml::de::Error| ConfigError::File {
                path: path.clone(),
                problem: error.to_string(),
            };
            // Read as settings from the text itself, so that an error can point into it.
            toml::from_str::<Config>(&text).map_err(file_error)?;
            table = toml::from_str(&text).map_err(file_error)?;
            note(&table, "", &Origin::File(path), &mut origins);
        }
        for argument in &self.arguments {
            let one = parse_argument(argument)?;
            note(&one, "", &Origin::Argument, &mut origins);
            merge(&mut table, one);
        }
        let config: Config =
            table
                .try_into()
                .map_err(|error: toml::de::Error| ConfigError::Argument {
                    argument: self.arguments.join(" --set "),
                    problem: error.to_string(),
                })?;
        config.check()?;
        Ok((config, origins))
    }

    fn read(&self) -> Result<Option<(PathBuf, String)>, ConfigError> {
        let path = self.file.clone().unwrap_or_else(|| DEFAULT_PATH.into());
        match fs::read_to_string(&path) {
            Ok(text) => Ok(Some((path, text))),
            Err(error) if self.file.is_none() && error.kind() == io::ErrorKind::NotFound => {
                Ok(None)
            }
            Err(source) => Err(ConfigError::Read { path, source }),
        }
    }
}

impl Config {
    /// Reads settings from a text; `path` is what errors call it.
    ///
    /// # Errors
    ///
    /// When the text is wrong.
    pub fn parse(path: &Path, text: &str) -> Result<Self, ConfigError> {
        let config: Self = toml::from_str(text).map_err(|error| ConfigError::File {
            path: path.to_owned(),
            problem: error.to_string(),
        })?;
        config.check()?;
        Ok(config)
    }
}

/// `detect.scan.ports=20` as a document of its own, so that an error can point into it. What is no
/// value of TOML is a text.
fn parse_argument(argument: &str) -> Result<Table, ConfigError> {
    let wrong = |problem: String| ConfigError::Argument {
        argument: argument.to_owned(),
        problem,
    };
    let Some((key, value)) = argument.split_once('=') else {
        return Err(wrong(
            "has to be KEY=VALUE, such as detect.scan.ports=20".to_owned(),
        ));
    };
    let (key, value) = (key.trim(), value.trim());
    let as_it_stands = format!("{key} = {value}");
    let text = if toml::from_str::<Table>(&as_it_stands).is_ok() {
        as_it_stands
    } else {
        format!("{key} = {}", Value::String(value.to_owned()))
    };
    toml::from_str::<Config>(&text).map_err(|error| wrong(error.to_string()))?;
    toml::from_str(&text).map_err(|error| wrong(error.to_string()))
}

/// Values of `over` replace those of `table`, section by section.
fn merge(table: &mut Table, over: Table) {
    for (key, value) in over {
        match (table.get_mut(&key), value) {
            (Some(Value::Table(below)), Value::Table(above)) => merge(below, above),
            (_, value) => {
                table.insert(key, value);
            }
        }
    }
}

fn note(table: &Table, prefix: &str, origin: &Origin, origins: &mut BTreeMap<String, Origin>) {
    for (key, value) in table {
        let name = format!("{prefix}{key}");
        match value {
            Value::Table(section) => note(section, &format!("{name}."), origin, origins),
            Value::String(_)
            | Value::Integer(_)
            | Value::Float(_)
            | Value::Boolean(_)
            | Value::Datetime(_)
            | Value::Array(_) => {
                origins.insert(name, origin.clone());
            }
        }
    }
}
