//! Every file of the corpus through the whole pipeline: each frame is counted once, as parsed or as
//! rejected, and both outputs stay well formed whatever the bytes.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, ensure};
use netsec_tests::data;
use netsec_tests::replay::{Events, lines_for_people, number};
use netsec_user::replay::ReplayError;
use netsec_user::source::capture::CaptureError;
use serde_json::{Map, Value};

/// Files, those refused by their link type, frames of the others: in flows, without IP, malformed.
/// The kinds all have to occur, or the test checks less than it says.
const TOTALS: Totals = Totals {
    files: 287,
    refused: 34,
    in_flows: 2081,
    not_ip: 338,
    malformed: 166,
};

#[derive(Debug, Default, PartialEq, Eq)]
struct Totals {
    files: u64,
    refused: u64,
    in_flows: u64,
    not_ip: u64,
    malformed: u64,
}

#[test]
fn parsed_and_rejected_are_all_frames() -> anyhow::Result<()> {
    let Some(data) = data::path()? else {
        return Ok(());
    };
    let expected = fs::read(data.join("expected/corpus_frames.json"))?;
    let expected: Map<String, Value> = serde_json::from_slice(&expected)?;
    let mut totals = Totals::default();
    for (name, expect) in &expected {
        totals.files += 1;
        let file = data.join(name);
        match Events::of(&file) {
            Ok(events) => check(&events, expect, &mut totals).with_context(|| name.clone())?,
            Err(error) => {
                let refused = refusal(&error).with_context(|| format!("{name}: {error:#}"))?;
                ensure!(
                    refused.contains("which netsec does not read; it reads "),
                    "{refused}"
                );
                totals.refused += 1;
                continue;
            }
        }
        people_can_read(&file)?;
    }
    ensure!(totals == TOTALS, "{totals:?}, not {TOTALS:?}");
    Ok(())
}

fn check(events: &Events, expect: &Value, totals: &mut Totals) -> anyhow::Result<()> {
    let frames = number(expect, "/frames")?;
    let in_flows = events.stat("/coverage/in_flows")?;
    let not_ip = sum(&events.stats, "/coverage/not_ip")?;
    let malformed = sum(&events.stats, "/malformed")?;
    let (stats, counted) = (&events.stats, events.stat("/frames")?);
    ensure!(counted == frames, "{counted} frames, not {frames}: {stats}");
    ensure!(
        in_flows + not_ip + malformed == frames && events.stat("/coverage/unaccounted")? == 0,
        "{in_flows} + {not_ip} + {malformed} are not {frames}: {stats}"
    );
    ensure!(
        events.stat("/coverage/malformed")? == malformed,
        "two sums of the malformed: {stats}"
    );
    let shown = events.packets.len() as u64;
    ensure!(shown == frames, "{shown} of {frames} packets are shown");

    let (mut packets, mut bytes) = (0, 0);
    for flow in &events.flows {
        for side in ["toserver", "toclient"] {
            packets += number(flow, &format!("/flow/pkts_{side}"))?;
            bytes += number(flow, &format!("/flow/bytes_{side}"))?;
        }
    }
    let flow_bytes = events.stat("/coverage/flow_bytes")?;
    ensure!(
        (packets, bytes) == (in_flows, flow_bytes),
        "the records hold {packets} packets and {bytes} bytes: {stats}"
    );
    let damaged = expect.get("file_damaged").and_then(Value::as_bool);
    let (end, is_complete) = (&events.end, events.end.is_complete());
    ensure!(damaged == Some(!is_complete), "it ends {end}");
    totals.in_flows += in_flows;
    totals.not_ip += not_ip;
    totals.malformed += malformed;
    Ok(())
}

/// Lines, none of them empty, and no byte in them that a terminal would act on.
fn people_can_read(file: &Path) -> anyhow::Result<()> {
    let lines = lines_for_people(file)?;
    ensure!(
        lines.ends_with('\n'),
        "{} ends inside a line",
        file.display()
    );
    let odd = lines.chars().find(|c| c.is_control() && *c != '\n');
    ensure!(odd.is_none(), "{}: {odd:?} in {lines}", file.display());
    Ok(())
}

/// The sum of the counters of an object.
fn sum(stats: &Value, pointer: &str) -> anyhow::Result<u64> {
    let counters = stats.pointer(pointer).and_then(Value::as_object);
    let counters = counters.with_context(|| format!("no {pointer}"))?;
    ensure!(!counters.is_empty(), "{pointer} is empty");
    let values = counters.values().map(Value::as_u64);
    values.sum::<Option<u64>>().context("not a number")
}

/// How a link type was refused, when that is why the capture could not be played.
fn refusal(error: &anyhow::Error) -> Option<String> {
    error.chain().find_map(|cause| {
        let error = cause.downcast_ref::<CaptureError>().or_else(|| {
            match cause.downcast_ref::<ReplayError>() {
                Some(ReplayError::Capture(error)) => Some(error),
                _ => None,
            }
        })?;
        matches!(error, CaptureError::LinkType { .. }).then(|| error.to_string())
    })
}
