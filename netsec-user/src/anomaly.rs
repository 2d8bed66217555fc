//! Rows of a table scored by how strange they are, with reasons.
//!
//! [`learn`] reads a table, learns how to turn its rows into numbers, and grows a forest on them;
//! what it learned is a [`Model`], which [`score`] applies to the rows of the same table or another.
//! At most [`SAMPLE_ROWS`] rows are held to learn from: of a longer table a random sample, of which
//! every row is as likely; scoring holds a block of rows.
//!
//! Connections are scored by [`Traffic`], from their [`features`](crate::features).

mod calibration;
mod crowd;
mod drift;
mod file;
mod learn;
mod model;
mod reason;
mod score;
mod traffic;

pub use self::calibration::Calibration;
pub use self::drift::Drift;
pub use self::file::ModelError;
pub use self::learn::{LearnError, Learned, SAMPLE_ROWS, learn};
pub use self::model::{Model, Range};
pub use self::reason::{Reason, sentence};
pub use self::score::{ScoreError, ScoredRow, score};
pub use self::traffic::{MisfitError, Traffic, TrafficSample};
