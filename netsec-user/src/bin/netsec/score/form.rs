//! Scored rows in the form that was asked for.

use std::collections::BTreeMap;
use std::io::{self, BufWriter, StdoutLock, Write as _};

use csv::StringRecord;
use netsec_user::anomaly::{Reason, ScoredRow, sentence};
use serde::Serialize;

use super::ScoreForm;

/// A scored row, to be written.
#[derive(Debug)]
pub(super) struct Row {
    number: u64,
    columns: Vec<String>,
    cells: StringRecord,
    score: f64,
    quantile: f64,
    anomaly: bool,
    reasons: Vec<Reason>,
}

/// The last line.
#[derive(Debug, Serialize)]
pub(super) struct Summary {
    pub(super) rows: u64,
    pub(super) malformed: u64,
    pub(super) anomalies: u64,
    pub(super) contamination: f64,
    /// Rows that score higher are anomalies.
    pub(super) threshold: f64,
    pub(super) seed: u64,
    pub(super) trees: usize,
    pub(super) sample_size: u32,
    pub(super) features: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) labelled_anomalies: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) roc_auc: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) average_precision: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) precision_at_contamination: Option<f64>,
}

/// Writes rows as they come, or holds the strangest back until all are known.
pub(super) struct Rows {
    out: Writer,
    top: Option<usize>,
    held: Vec<Row>,
    /// What a row has to exceed to be among the strangest.
    least: f64,
}

enum Writer {
    Table(BufWriter<StdoutLock<'static>>),
    Csv(Box<csv::Writer<StdoutLock<'static>>>, bool),
    Jsonl(BufWriter<StdoutLock<'static>>),
}

#[derive(Serialize)]
struct Line<'a> {
    event_type: &'static str,
    row: u64,
    score: f64,
    quantile: f64,
    anomaly: bool,
    reason: String,
    explanation: &'a [Reason],
    values: BTreeMap<&'a str, &'a str>,
}

#[derive(Serialize)]
struct LastLine<'a> {
    event_type: &'static str,
    #[serde(flatten)]
    summary: &'a Summary,
}

impl Row {
    pub(super) fn new(row: &ScoredRow<'_>, anomaly: bool, reasons: Vec<Reason>) -> Self {
        Self {
            number: row.number,
            columns: row.columns.to_vec(),
            cells: row.cells.clone(),
            score: row.score,
            quantile: row.quantile,
            anomaly,
            reasons,
        }
    }

    /// Who spoke to whom, where the columns say so: `tcp 10.0.0.1:51000 > 10.0.0.2:443  `.
    fn ends(&self) -> String {
        let cell = |names: &[&str]| {
            let named = |column: &String| names.contains(&column.as_str());
            let at = self.columns.iter().position(named)?;
            self.cells.get(at).filter(|cell| !cell.is_empty())
        };
        let end = |address: &[&str], port: &[&str]| {
            let address = cell(address)?;
            let port = cell(port).map_or_else(String::new, |port| format!(":{port}"));
            Some(if address.contains(':') && !port.is_empty() {
                format!("[{address}]{port}")
            } else {
                format!("{address}{port}")
            })
        };
        let from = end(&["id.orig_h", "src_ip"], &["id.orig_p", "src_port"]);
        let to = end(
            &["id.resp_h", "dest_ip", "dst_ip"],
            &["id.resp_p", "dest_port", "dst_port"],
        );
        let protocol = cell(&["proto", "protocol"])
            .unwrap_or_default()
            .to_lowercase();
        match (from, to) {
            (Some(from), Some(to)) => format!("{protocol} {from} > {to}  ")
                .trim_start()
                .to_owned(),
            _ => String::new(),
        }
    }

    fn reason(&self) -> String {
        if self.reasons.is_empty() {
            return String::new();
        }
        sentence(self.score, &self.reasons)
    }

    fn line(&self) -> Line<'_> {
        let columns = self.columns.iter().map(String::as_str);
        Line {
            event_type: "score",
            row: self.number,
            score: self.score,
            quantile: self.quantile,
            anomaly: self.anomaly,
            reason: self.reason(),
            explanation: &self.reasons,
            values: columns.zip(&self.cells).collect(),
        }
    }
}

impl Rows {
    pub(super) fn new(form: ScoreForm, top: Option<usize>) -> Self {
        let out = io::stdout().lock();
        Self {
            out: match form {
                ScoreForm::Table => Writer::Table(BufWriter::new(out)),
                ScoreForm::Csv => Writer::Csv(Box::new(csv::Writer::from_writer(out)), false),
                ScoreForm::Jsonl => Writer::Jsonl(BufWriter::new(out)),
            },
            top,
            held: Vec::new(),
            least: f64::NEG_INFINITY,
        }
    }

    /// Whether a row of this score may be shown.
    pub(super) fn wants(&self, score: f64) -> bool {
        self.top.is_none_or(|top| top > 0) && score > self.least
    }

    pub(super) fn add(&mut self, row: Row) -> io::Result<()> {
        let Some(top) = self.top else {
            return self.out.row(&row);
        };
        self.held.push(row);
        if self.held.len() >= 2 * top.max(64) {
            self.keep(top);
        }
        Ok(())
    }

    /// Keeps the strangest; of equal ones the first.
    fn keep(&mut self, top: usize) {
        self.held.sort_by(|a, b| b.score.total_cmp(&a.score));
        self.held.truncate(top);
        if let Some(last) = self.held.last().filter(|_| self.held.len() == top) {
            self.least = last.score;
        }
    }

    pub(super) fn finish(mut self, summary: &Summary) -> io::Result<()> {
        if let Some(top) = self.top {
            self.keep(top);
        }
        for row in &self.held {
            self.out.row(row)?;
        }
        self.out.finish(summary)
    }
}

impl Writer {
    fn row(&mut self, row: &Row) -> io::Result<()> {
        match self {
            Self::Table(out) => {
                let mark = if row.anomaly { '!' } else { ' ' };
                let quantile = 100.0 * row.quantile;
                let (number, ends, reason) = (row.number, row.ends(), row.reason());
                writeln!(
                    out,
                    "{mark} row {number:<8} higher than {quantile:.2} %  {ends}{reason}"
                )
            }
            Self::Csv(out, headed) => {
                if !*headed {
                    let added = ["score", "quantile", "anomaly", "reason"];
                    out.write_record(row.columns.iter().map(String::as_str).chain(added))?;
                    *headed = true;
                }
                let added = [
                    format!("{:.6}", row.score),
                    format!("{:.6}", row.quantile),
                    row.anomaly.to_string(),
                    row.reason(),
                ];
                out.write_record(row.cells.iter().chain(added.iter().map(String::as_str)))?;
                Ok(())
            }
            Self::Jsonl(out) => {
                serde_json::to_writer(&mut *out, &row.line())?;
                writeln!(out)
            }
        }
    }

    fn finish(self, summary: &Summary) -> io::Result<()> {
        match self {
            Self::Table(mut out) => {
                writeln!(
                    out,
                    "{} of {} rows score higher than {:.3} (contamination {})",
                    summary.anomalies, summary.rows, summary.threshold, summary.contamination
                )?;
                if let (Some(auc), Some(average)) = (summary.roc_auc, summary.average_precision) {
                    write!(out, "ROC-AUC {auc:.4}, average precision {average:.4}")?;
                    // In a table this short the contamination may be less than a row.
                    let precision = summary.precision_at_contamination;
                    if let Some(precision) = precision.filter(|precision| precision.is_finite()) {
                        write!(out, ", precision at the contamination {precision:.4}")?;
                    }
                    writeln!(out)?;
                }
                out.flush()
            }
            Self::Csv(mut out, _) => out.flush(),
            Self::Jsonl(mut out) => {
                let line = LastLine {
                    event_type: "score_summary",
                    summary,
                };
                serde_json::to_writer(&mut out, &line)?;
                writeln!(out)?;
                out.flush()
            }
        }
    }
}
