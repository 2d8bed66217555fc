//! Models in files: JSON, so that a person can see what a model was learned from; numbers of trees
//! come back to the last bit.

use std::fs;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::calibration::Calibration;
use super::model::{Model, Range};
use crate::forest::{Forest, ForestTextError, Parameters};
use crate::table::{Encoding, Feature};

/// What the file says it is.
const FORMAT: &str = "netsec anomaly model";

/// The version written, and the newest read.
const VERSION: u64 = 1;

/// Why a model file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// It cannot be read or written.
    #[error("cannot read or write the model {file}")]
    Io {
        /// The file.
        file: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It ends early.
    #[error("the model {file} is cut: it ends early, in line {line}; copy or train it again")]
    Cut {
        /// The file.
        file: String,
        /// Where.
        line: usize,
    },
    /// Not one of ours.
    #[error("{file} is no model of netsec: {why}")]
    NoModel {
        /// The file.
        file: String,
        /// Why.
        why: String,
    },
    /// Of a later netsec.
    #[error(
        "the model {file} has version {version}, and this netsec reads up to {VERSION}: update netsec or train the model again"
    )]
    Newer {
        /// The file.
        file: String,
        /// Its version.
        version: u64,
    },
    /// Its trees make no sense.
    #[error("{file}: {source}")]
    Damaged {
        /// The file.
        file: String,
        /// What.
        source: ForestTextError,
    },
}

#[derive(Debug, Serialize, Deserialize)]
struct Stored {
    format: String,
    version: u64,
    features: Vec<Feature>,
    ranges: Vec<Range>,
    rows: u64,
    seed: u64,
    trees_asked: u32,
    sample_size_asked: u32,
    sample_size: u32,
    missing: Vec<f64>,
    encoding: Encoding,
    calibration: Calibration,
    trees: Vec<String>,
}

impl Model {
    /// Writes the model beside `path` first and then in its place, so that no reader meets a part.
    ///
    /// # Errors
    ///
    /// [`ModelError::Io`].
    pub fn save(&self, path: &Path) -> Result<(), ModelError> {
        let stored = Stored {
            format: FORMAT.to_owned(),
            version: VERSION,
            features: self.features.clone(),
            ranges: self.ranges.clone(),
            rows: self.rows,
            seed: self.parameters.seed,
            trees_asked: self.parameters.trees,
            sample_size_asked: self.parameters.sample_size,
            sample_size: self.forest.sample_size(),
            missing: self.forest.missing_values().to_vec(),
            encoding: self.encoding.clone(),
            calibration: self.calibration.clone(),
            trees: self.forest.tree_texts(),
        };
        let mut part = path.as_os_str().to_owned();
        part.push(".part");
        let write = || -> io::Result<()> {
            fs::write(&part, serde_json::to_vec_pretty(&stored)?)?;
            fs::rename(&part, path)
        };
        write().map_err(|source| failed(path, source))
    }

    /// Reads a model.
    ///
    /// # Errors
    ///
    /// [`ModelError`], when the file is no model, is cut or damaged, or of a later version.
    pub fn load(path: &Path) -> Result<Self, ModelError> {
        let text = fs::read(path).map_err(|source| failed(path, source))?;
        Self::parse(&path.display().to_string(), &text)
    }

    fn parse(file: &str, text: &[u8]) -> Result<Self, ModelError> {
        let file = || file.to_owned();
        let not_json = |error: serde_json::Error| {
            if error.is_eof() {
                ModelError::Cut {
                    file: file(),
                    line: error.line(),
                }
            } else {
                no_model(file(), &error.to_string())
            }
        };
        let value: Value = serde_json::from_slice(text).map_err(not_json)?;
        if value.get("format").and_then(Value::as_str) != Some(FORMAT) {
            return Err(no_model(file(), "it does not say so in `format`"));
        }
        match value.get("version").and_then(Value::as_u64) {
            Some(VERSION) => {}
            Some(version) if version > VERSION => {
                return Err(ModelError::Newer {
                    file: file(),
                    version,
                });
            }
            _ => return Err(no_model(file(), "it has no version that is known")),
        }
        let stored: Stored =
            serde_json::from_value(value).map_err(|error| no_model(file(), &error.to_string()))?;
        let width = stored.features.len();
        let fits = stored.encoding.features() == stored.features
            && stored.ranges.len() == width
            && stored.missing.len() == width;
        if !fits || !stored.calibration.is_sound() {
            return Err(no_model(file(), "its parts do not fit each other"));
        }
        let forest = Forest::of_texts(&stored.trees, stored.sample_size, stored.missing);
        let forest = forest.map_err(|source| ModelError::Damaged {
            file: file(),
            source,
        })?;
        Ok(Self {
            encoding: stored.encoding,
            features: stored.features,
            ranges: stored.ranges,
            calibration: stored.calibration,
            parameters: Parameters {
                trees: stored.trees_asked,
                sample_size: stored.sample_size_asked,
                seed: stored.seed,
            },
            rows: stored.rows,
            forest,
        })
    }
}

fn no_model(file: String, why: &str) -> ModelError {
    ModelError::NoModel {
        file,
        why: why.to_owned(),
    }
}

fn failed(path: &Path, source: io::Error) -> ModelError {
    ModelError::Io {
        file: path.display().to_string(),
        source,
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::float_cmp, reason = "equal means equal to the last bit")]

    use std::num::NonZeroUsize;

    use super::*;
    use crate::anomaly::{learn, score};
    use crate::table::Input;

    fn table() -> Input {
        let mut text = "src_ip,dst_port,protocol,bytes\n".to_owned();
        for row in 0..600_u32 {
            let (host, port) = (row % 7, [53, 80, 443][row as usize % 3]);
            text += &format!(
                "10.0.0.{host},{port},tcp{},{}\n",
                row % 2,
                1000 + row * 37 % 501
            );
        }
        text += "203.0.113.9,6667,icmp,99000000\n";
        Input::of_bytes("table".to_owned(), text.into_bytes())
    }

    fn scores(model: &Model) -> Vec<f64> {
        let mut scores = Vec::new();
        score(&table(), model, NonZeroUsize::MIN, |row| {
            scores.push(row.score);
            Ok(())
        })
        .unwrap();
        scores
    }

    fn trained() -> Model {
        let parameters = Parameters::default();
        let learned = learn(&[table()], None, None, &parameters, NonZeroUsize::MIN);
        learned.unwrap().model
    }

    #[test]
    fn a_model_from_a_file_gives_the_same_scores() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("model.json");
        let model = trained();
        model.save(&path).unwrap();
        let again = Model::load(&path).unwrap();
        let before = scores(&model);
        assert_eq!(before, scores(&again));
        assert_eq!(before.len(), 601);
        let most = before.iter().copied().fold(0.0, f64::max);
        assert_eq!(before[600], most);
    }

    #[test]
    fn what_is_no_whole_model_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("model.json");
        trained().save(&path).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        let error = |text: &str| Model::parse("m", text.as_bytes()).unwrap_err().to_string();
        for length in [0, 1, 100, text.len() / 2, text.len() - 2] {
            let error = error(text.get(..length).unwrap());
            assert!(error.starts_with("the model m is cut"), "{length}: {error}");
        }
        let newer = text.replace("\"version\": 1", "\"version\": 2");
        assert!(error(&newer).contains("has version 2"));
        assert!(error("{}").contains("is no model of netsec"));
        assert!(error("src,dst\n").contains("is no model of netsec"));
        let damaged = text.replacen('<', "<x", 1);
        assert_eq!(
            error(&damaged),
            "m: the model is damaged: tree 1 is not complete"
        );
    }

    #[test]
    fn another_table_is_refused_by_name() {
        let other = Input::of_bytes("other.csv".to_owned(), b"a,b\n1,2\n3,4\n".to_vec());
        let error = score(&other, &trained(), NonZeroUsize::MIN, |_| Ok(())).unwrap_err();
        let error = error.to_string();
        let start =
            "other.csv does not fit the model: there is no column `src_ip`; the columns are a, b";
        assert!(error.starts_with(start), "{error}");
    }
}
