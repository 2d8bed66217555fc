//! Labelled anomaly sets: NumPy archives, and NSL-KDD's text.

use std::fs;
use std::io::Read as _;
use std::path::Path;

use anyhow::{Context as _, bail, ensure};
use flate2::read::{DeflateDecoder, GzDecoder};
use ndarray::Array2;

/// Rows, and for each whether it is an anomaly.
#[derive(Debug)]
pub struct Labelled {
    /// One row a line.
    pub rows: Array2<f64>,
    /// As many as rows.
    pub labels: Vec<bool>,
}

/// The arrays `X` and `y` of a NumPy archive.
///
/// # Errors
///
/// When it is not such an archive.
pub fn npz(file: &Path) -> anyhow::Result<Labelled> {
    let archive = fs::read(file).with_context(|| file.display().to_string())?;
    let rows = matrix(&member(&archive, "X.npy")?)?;
    let labels = matrix(&member(&archive, "y.npy")?)?;
    Ok(Labelled {
        rows,
        labels: labels.iter().map(|label| *label > 0.5).collect(),
    })
}

/// The 38 numeric columns of an NSL-KDD file; every label but `normal` is an anomaly.
///
/// # Errors
///
/// When a line has not 43 fields, or one of the 38 is no number.
pub fn nsl_kdd(file: &Path) -> anyhow::Result<Labelled> {
    /// protocol, service and flag are words.
    const WORDS: [usize; 3] = [1, 2, 3];
    let mut text = String::new();
    GzDecoder::new(fs::File::open(file)?).read_to_string(&mut text)?;
    let (mut values, mut labels) = (Vec::new(), Vec::new());
    for line in text.lines() {
        let fields: Vec<&str> = line.split(',').collect();
        ensure!(fields.len() == 43, "{line}");
        for (at, field) in fields.iter().enumerate().take(41) {
            if !WORDS.contains(&at) {
                values.push(field.parse::<f64>().with_context(|| line.to_owned())?);
            }
        }
        labels.push(fields.get(41).is_some_and(|label| *label != "normal"));
    }
    Ok(Labelled {
        rows: Array2::from_shape_vec((labels.len(), 38), values)?,
        labels,
    })
}

/// A member of a ZIP archive whose local headers hold the sizes, as NumPy writes them.
fn member(archive: &[u8], name: &str) -> anyhow::Result<Vec<u8>> {
    let mut at = 0;
    while archive.get(at..at + 4) == Some(b"PK\x03\x04") {
        let number = |from: usize, bytes: usize| -> anyhow::Result<usize> {
            let field = archive.get(at + from..at + from + bytes);
            let field = field.context("the archive is cut")?;
            Ok(field
                .iter()
                .rev()
                .fold(0, |n, byte| n << 8 | usize::from(*byte)))
        };
        let (method, packed) = (number(8, 2)?, number(18, 4)?);
        let names = at + 30..at + 30 + number(26, 2)?;
        let data = names.end + number(28, 2)?;
        let body = archive
            .get(data..data + packed)
            .context("the archive is cut")?;
        if archive.get(names) == Some(name.as_bytes()) {
            let mut bytes = Vec::new();
            match method {
                0 => bytes.extend_from_slice(body),
                8 => drop(DeflateDecoder::new(body).read_to_end(&mut bytes)?),
                _ => bail!("{name} is compressed by method {method}"),
            }
            return Ok(bytes);
        }
        at = data + packed;
    }
    bail!("the archive holds no {name}")
}

/// A NumPy array of one or two axes, as numbers.
fn matrix(npy: &[u8]) -> anyhow::Result<Array2<f64>> {
    ensure!(
        npy.starts_with(b"\x93NUMPY\x01"),
        "not a NumPy array of version 1"
    );
    let length = npy.get(8..10).context("no header")?;
    let length = usize::from(u16::from_le_bytes(length.try_into()?));
    let header = str::from_utf8(npy.get(10..10 + length).context("no header")?)?;
    let body = npy.get(10 + length..).unwrap_or_default();
    let shape = header.split_once("'shape': (").context("no shape")?.1;
    let shape = shape.split_once(')').context("no shape")?.0;
    let axes: Vec<usize> = shape
        .split(',')
        .filter_map(|axis| axis.trim().parse().ok())
        .collect();
    let (rows, columns) = match *axes {
        [rows] => (rows, 1),
        [rows, columns] => (rows, columns),
        _ => bail!("shape {axes:?}"),
    };
    let kind = header.split_once("'descr': '").context("no type")?.1;
    let values: Vec<f64> = match kind.get(..3) {
        Some("|u1") => body.iter().map(|byte| f64::from(*byte)).collect(),
        Some("<i2") => numbers(body, |bytes| i16::from_le_bytes(bytes).into()),
        Some("<i8") => numbers(body, |bytes| i64::from_le_bytes(bytes) as f64),
        Some("<f8") => numbers(body, f64::from_le_bytes),
        _ => bail!("type {kind}"),
    };
    if header.contains("'fortran_order': True") {
        let columns_first = Array2::from_shape_vec((columns, rows), values)?;
        return Ok(columns_first.t().as_standard_layout().to_owned());
    }
    Ok(Array2::from_shape_vec((rows, columns), values)?)
}

fn numbers<const N: usize>(bytes: &[u8], number: impl Fn([u8; N]) -> f64) -> Vec<f64> {
    bytes
        .as_chunks::<N>()
        .0
        .iter()
        .map(|chunk| number(*chunk))
        .collect()
}
