//! Whenever the flow table is read besides whole seconds, as a live run reads it, the same is found.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::Cursor;
use std::time::Duration;

use netsec_common::flow::FIXED_HASH_KEYS;
use netsec_common::sample::Sampling;
use netsec_user::connection::Timeouts;
use netsec_user::detect::DetectSettings;
use netsec_user::hook::{Direction, Hook};
use netsec_user::output::{JsonLines, Sensor};
use netsec_user::pipeline::{HookReading, Pipeline, PipelineSettings};
use netsec_user::selftest::{Link, attacks_pcap};
use netsec_user::settings::EngineSettings;
use netsec_user::source::capture::Capture;
use netsec_user::source::host::{HostEngine, HostFrame};
use netsec_user::time::WallTime;
use proptest::prelude::*;

/// The detectors as they are by default, and nothing else.
fn settings(idle: Duration) -> PipelineSettings {
    PipelineSettings {
        timeouts: Timeouts {
            idle,
            active: Duration::from_secs(300),
            ..Timeouts::default()
        },
        ..PipelineSettings::of_findings(Some(DetectSettings::default()))
    }
}

/// Findings, with the flow table of so many slots read after every frame that `reads` says, and at
/// whole seconds, in a capture cut off after so many frames.
fn findings(pcap: &[u8], slots: u32, frames: usize, reads: &[bool]) -> String {
    let idle = Duration::from_secs(60);
    let engine = EngineSettings {
        slots,
        sampling: Sampling::FirstAndQuestions(1),
        snap_bytes: 192,
        idle_timeout: idle,
        hash_keys: FIXED_HASH_KEYS,
        inner: false,
    };
    let mut out = Vec::new();
    let mut pipeline = Pipeline::new(settings(idle), JsonLines::new(&mut out, Sensor::default()));
    let hook = pipeline.add_hook(Hook {
        interface: "test".to_owned(),
        direction: Direction::Ingress,
    });
    let mut engine = HostEngine::new(hook, &engine);
    let mut capture = Capture::from_reader("attacks", Cursor::new(pcap.to_vec())).unwrap();
    let reading = |engine: &HostEngine| HookReading {
        hook,
        ledger: engine.ledger(),
        torn_reads: 0,
    };
    let second = Duration::from_secs(1);
    let mut now = WallTime::default();
    for number in 0..frames {
        let Some(frame) = capture.next_frame().unwrap() else {
            break;
        };
        if frame.time.whole(second) > now.whole(second) {
            pipeline.start(frame.time);
            engine.read(&mut pipeline);
            pipeline.tick(frame.time, &[reading(&engine)]).unwrap();
        }
        now = now.max(frame.time);
        let frame = HostFrame {
            time: frame.time,
            start: frame.start,
            wire_bytes: frame.wire_bytes,
            bytes: frame.bytes,
        };
        engine.process(&frame, &mut pipeline);
        if reads.get(number % reads.len().max(1)) == Some(&true) {
            engine.read(&mut pipeline);
            // As a live run does it: time moves on between two seconds, too.
            pipeline.tick(now, &[reading(&engine)]).unwrap();
        }
    }
    engine.read(&mut pipeline);
    pipeline.finish(now, &[reading(&engine)]).unwrap();
    drop(pipeline);
    let lines = String::from_utf8(out).unwrap();
    let lines = lines
        .lines()
        .filter(|line| line.contains(r#""event_type":"finding""#));
    // Within a second they come in any order.
    let mut lines: Vec<String> = lines.map(|line| format!("{line}\n")).collect();
    lines.sort();
    lines.concat()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn whenever_flows_are_read_the_same_is_found(
        slots in prop::sample::select(vec![64_u32, 512, 1 << 14]),
        frames in 500_usize..9_000,
        reads in prop::collection::vec(prop::bool::weighted(0.05), 1..400),
    ) {
        let pcap = attacks_pcap(Link::default(), &DetectSettings::default());
        let whole = findings(&pcap, 1 << 14, frames, &[]);
        let pieces = findings(&pcap, slots, frames, &reads);
        prop_assert_eq!(whole, pieces);
    }
}
