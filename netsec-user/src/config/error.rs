//! What is wrong with the settings.

use std::io;
use std::path::PathBuf;

/// Why the settings cannot be used. Those in force stay as they are.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {} (`netsec config init` prints one to start from)", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The file is not what it has to be.
    #[error("{}: {}", path.display(), problem.trim_end())]
    File {
        /// Which file.
        path: PathBuf,
        /// Line, column, the line itself with a mark, and what was expected.
        problem: String,
    },
    /// A setting on the command line is not what it has to be.
    #[error("--set {argument}: {}", problem.trim_end())]
    Argument {
        /// The argument.
        argument: String,
        /// What is wrong.
        problem: String,
    },
    /// Each setting may be right, but not all together.
    #[error("{key} = {value}: {problem}")]
    Value {
        /// The key with its sections.
        key: &'static str,
        /// What it is.
        value: String,
        /// Why it cannot be that.
        problem: &'static str,
    },
}
