//! The parts of a list.

use std::time::Duration;

use netsec_common::block::Prefix;

use super::super::wire::{Answer, Failure, ImportResult, ListName, PAGE, Terms};
use super::{block_request, malformed, mode_name, prefix};
use crate::decide::Desk;

pub(super) fn import(
    desk: &mut Desk<'_>,
    list: ListName,
    decision: u64,
    entries: &str,
    terms: &Terms,
) -> Result<Answer, Failure> {
    let request = block_request(terms)?;
    let part = entries
        .lines()
        .map(part_entry)
        .collect::<Result<Vec<_>, Failure>>()?;
    if part.len() > PAGE {
        return Err(malformed(&format!("a part has at most {PAGE} entries")));
    }
    let imported = desk.import(decision, list.into(), &part, &request);
    Ok(Answer::Import(ImportResult {
        decision: imported.id,
        mode: mode_name(desk.table.mode()).to_owned(),
        entries: imported.entries,
        refused: imported.refused,
    }))
}

/// `192.0.2.0/24` or `192.0.2.0/24 3600`.
fn part_entry(line: &str) -> Result<(Prefix, Option<Duration>), Failure> {
    let (text, seconds) = match line.split_once(' ') {
        None => (line, None),
        Some((text, seconds)) => (text, Some(seconds)),
    };
    let seconds = seconds.map(str::parse).transpose();
    let seconds =
        seconds.map_err(|_error| malformed(&format!("{line:?}: no number of seconds")))?;
    Ok((prefix(text)?, seconds.map(Duration::from_secs)))
}
