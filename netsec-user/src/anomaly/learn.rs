//! From a table to a model.

use std::num::NonZeroUsize;
use std::ops::ControlFlow;

use csv::StringRecord;
use ndarray::Array2;

use super::calibration::Calibration;
use super::model::{Model, Range};
use crate::forest::{Forest, GrowError, Parameters, Random};
use crate::table::{ColumnError, Encoding, Input, LeftOut, Scanned, TableError, scan};

/// Most rows that are held to learn from.
pub const SAMPLE_ROWS: usize = 1 << 18;

/// Why nothing can be learned.
#[derive(Debug, thiserror::Error)]
pub enum LearnError {
    /// The table cannot be read.
    #[error(transparent)]
    Table(#[from] TableError),
    /// A column that was asked for is not there.
    #[error("{file}: {source}")]
    Column {
        /// The table.
        file: String,
        /// Which.
        source: ColumnError,
    },
    /// Tables that do not have the same columns.
    #[error("{file} has other columns than the tables before it: {}", columns.join(", "))]
    OtherColumns {
        /// The table.
        file: String,
        /// Its columns.
        columns: Vec<String>,
    },
    /// No column tells rows apart.
    #[error("no column can be used: {}", reasons.join("; "))]
    NoFeature {
        /// Each column, and why not.
        reasons: Vec<String>,
    },
    /// No forest can be grown.
    #[error(transparent)]
    Grow(#[from] GrowError),
}

/// A model, and what learning it met.
#[derive(Debug)]
pub struct Learned {
    /// The model.
    pub model: Model,
    /// What of each table was read.
    pub scanned: Vec<Scanned>,
    /// Columns that are not used.
    pub left_out: Vec<LeftOut>,
}

/// Learns from tables with the same columns: from all columns but `label`, or those `wanted`.
///
/// # Errors
///
/// [`LearnError`].
pub fn learn(
    inputs: &[Input],
    wanted: Option<&[String]>,
    label: Option<&str>,
    parameters: &Parameters,
    threads: NonZeroUsize,
) -> Result<Learned, LearnError> {
    let mut random = Random::new(parameters.seed);
    let mut sample = Sample::default();
    let (mut scanned, mut file) = (Vec::<Scanned>::new(), "");
    for input in inputs {
        file = input.name();
        let read = scan(input, |_, row| {
            sample.offer(row, &mut random);
            Ok(ControlFlow::Continue(()))
        })?;
        if scanned
            .first()
            .is_some_and(|first| first.columns != read.columns)
        {
            let file = file.to_owned();
            let columns = read.columns;
            return Err(LearnError::OtherColumns { file, columns });
        }
        scanned.push(read);
    }
    let names = scanned
        .first()
        .map(|read| read.columns.clone())
        .unwrap_or_default();
    let in_file = |source| LearnError::Column {
        file: file.to_owned(),
        source,
    };
    if let Some(label) = label.filter(|label| !names.iter().any(|name| name == label)) {
        let wanted = [label.to_owned()];
        Encoding::learn(&names, &[], Some(&wanted), None).map_err(in_file)?;
    }
    let learned = Encoding::learn(&names, &sample.rows, wanted, label);
    let (encoding, left_out) = learned.map_err(in_file)?;
    if encoding.features().is_empty() {
        let reasons = left_out
            .iter()
            .map(|left| format!("{}: {}", left.column, left.reason));
        let reasons = reasons.collect();
        return Err(LearnError::NoFeature { reasons });
    }
    let places = encoding.places(&names).map_err(in_file)?;
    let rows = encoded(&encoding, &places, &sample.rows);
    Ok(Learned {
        model: model_of(
            Forest::grow(rows.view(), parameters, threads)?,
            encoding,
            &rows,
            parameters,
            threads,
        ),
        scanned,
        left_out,
    })
}

/// A model from a forest and the rows that it was grown on.
pub(super) fn model_of(
    forest: Forest,
    encoding: Encoding,
    rows: &Array2<f64>,
    parameters: &Parameters,
    threads: NonZeroUsize,
) -> Model {
    let calibration = Calibration::of(forest.scores(rows.view(), threads));
    Model {
        features: encoding.features(),
        encoding,
        ranges: Range::all(rows),
        calibration,
        parameters: *parameters,
        rows: rows.nrows() as u64,
        forest,
    }
}

/// Rows as a matrix, a feature a column.
pub(super) fn encoded(encoding: &Encoding, places: &[usize], rows: &[StringRecord]) -> Array2<f64> {
    let width = encoding.features().len();
    let mut numbers = Vec::with_capacity(rows.len() * width);
    for row in rows {
        encoding.encode(row, places, &mut numbers);
    }
    Array2::from_shape_vec((rows.len(), width), numbers).unwrap_or_default()
}

/// A uniform sample of rows met one by one (Vitter's algorithm R, 1985).
#[derive(Debug, Default)]
struct Sample {
    rows: Vec<StringRecord>,
    met: usize,
}

impl Sample {
    fn offer(&mut self, row: &StringRecord, random: &mut Random) {
        self.met += 1;
        if self.rows.len() < SAMPLE_ROWS {
            self.rows.push(row.clone());
        } else if let Some(place) = self.rows.get_mut(random.below(self.met)) {
            place.clone_from(row);
        }
    }
}
