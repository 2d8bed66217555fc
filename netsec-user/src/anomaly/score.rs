//! Rows through a model.

use std::io;
use std::num::NonZeroUsize;
use std::ops::ControlFlow;

use csv::StringRecord;
use ndarray::ArrayView1;

use super::learn::encoded;
use super::model::Model;
use crate::table::{ColumnError, Input, Scanned, TableError, scan};

/// Rows scored at a time.
const BLOCK: usize = 8192;

/// Why rows cannot be scored.
#[derive(Debug, thiserror::Error)]
pub enum ScoreError {
    /// The table cannot be read.
    #[error(transparent)]
    Table(#[from] TableError),
    /// The model was learned from columns that the table has not.
    #[error("{file} does not fit the model: {source}; train one on tables like it: netsec train")]
    Column {
        /// The table.
        file: String,
        /// Which.
        source: ColumnError,
    },
}

/// A row and its score.
#[derive(Clone, Copy, Debug)]
pub struct ScoredRow<'a> {
    /// Its number in the table, from 1 on.
    pub number: u64,
    /// Names of the columns.
    pub columns: &'a [String],
    /// Its cells.
    pub cells: &'a StringRecord,
    /// Its features.
    pub values: ArrayView1<'a, f64>,
    /// In (0, 1]; the higher the stranger.
    pub score: f64,
    /// Share of the training rows that are not stranger, 0 to 1.
    pub quantile: f64,
}

impl ScoredRow<'_> {
    /// The cell of a column.
    #[must_use]
    pub fn cell(&self, column: &str) -> Option<&str> {
        let at = self.columns.iter().position(|name| name == column)?;
        self.cells.get(at)
    }
}

/// Scores every row of a table, in order.
///
/// # Errors
///
/// [`ScoreError`], when the table does not fit the model or cannot be read, or `each` fails.
pub fn score(
    input: &Input,
    model: &Model,
    threads: NonZeroUsize,
    mut each: impl FnMut(&ScoredRow<'_>) -> io::Result<()>,
) -> Result<Scanned, ScoreError> {
    let mut block = Block {
        model,
        threads,
        columns: Vec::new(),
        places: Vec::new(),
        rows: Vec::with_capacity(BLOCK),
        done: 0,
    };
    let mut misfit = None;
    let scanned = scan(input, |columns, row| {
        if block.columns.is_empty() {
            match model.encoding.places(columns) {
                Ok(places) => block.places = places,
                Err(error) => {
                    misfit = Some(error);
                    return Ok(ControlFlow::Break(()));
                }
            }
            block.columns = columns.to_vec();
        }
        block.rows.push(row.clone());
        if block.rows.len() == BLOCK {
            block.score(&mut each)?;
        }
        Ok(ControlFlow::Continue(()))
    })?;
    if let Some(source) = misfit {
        let file = input.name().to_owned();
        return Err(ScoreError::Column { file, source });
    }
    block.score(&mut each).map_err(TableError::Output)?;
    Ok(scanned)
}

struct Block<'a> {
    model: &'a Model,
    threads: NonZeroUsize,
    columns: Vec<String>,
    places: Vec<usize>,
    rows: Vec<StringRecord>,
    done: u64,
}

impl Block<'_> {
    fn score(&mut self, each: &mut impl FnMut(&ScoredRow<'_>) -> io::Result<()>) -> io::Result<()> {
        let values = encoded(&self.model.encoding, &self.places, &self.rows);
        let scores = self.model.forest.scores(values.view(), self.threads);
        for ((cells, values), score) in self.rows.iter().zip(values.outer_iter()).zip(scores) {
            self.done += 1;
            each(&ScoredRow {
                number: self.done,
                columns: &self.columns,
                cells,
                values,
                score,
                quantile: self.model.calibration.quantile(score),
            })?;
        }
        self.rows.clear();
        Ok(())
    }
}
