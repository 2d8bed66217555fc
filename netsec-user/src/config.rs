//! `netsec.toml`: every key has a default, unknown keys are refused, errors point at the place.
//!
//! A section is a struct that lies beside the code it steers; [`Config`] names them.

mod check;
mod error;
mod explain;
mod load;

use serde::{Deserialize, Serialize};

use crate::block::BlockSettings;
use crate::decide::{DecideSettings, EnforceSettings};
use crate::detect::DetectSettings;

pub use self::error::ConfigError;
pub use self::explain::template;
pub use self::load::{DEFAULT_PATH, Origin, Sources};

/// All settings of a file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Section `[detect]`.
    pub detect: DetectSettings,
    /// Section `[block]`.
    pub block: BlockSettings,
    /// Section `[decide]`.
    pub decide: DecideSettings,
    /// Section `[enforce]`.
    pub enforce: EnforceSettings,
}

#[cfg(test)]
mod tests;
