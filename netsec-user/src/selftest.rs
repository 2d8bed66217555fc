//! The self-test: frames made for it, through the program as this kernel runs it, fire every
//! detector and take every way through the block table.
//!
//! No interface is touched and nothing is attached: frames go in by `BPF_PROG_TEST_RUN`, with times
//! of their own, so that two hours of traffic take seconds. The same traffic goes through the engine
//! on the host, for tests without root.

mod frame;
#[cfg(test)]
mod harmless;
mod rulings;
mod traffic;
#[cfg(test)]
mod variants;

use std::io::{self, Cursor};
use std::num::NonZeroUsize;
use std::time::Duration;

use netsec_common::flow::FIXED_HASH_KEYS;
use netsec_common::sample::Sampling;

pub use self::frame::Link;
pub use self::rulings::rulings;
use self::traffic::Traffic;
pub use self::traffic::{EXFILTRATION_BYTES, Expected};
use crate::anomaly::{self, LearnError, MisfitError, Model, TrafficSample};
use crate::detect::DetectSettings;
use crate::finding::{Finding, Kind};
use crate::forest::Parameters;
use crate::output::Output;
use crate::pipeline::{Pipeline, PipelineSettings};
use crate::replay::{ReplayError, replay_through};
use crate::settings::EngineSettings;
use crate::source::capture::Capture;
use crate::source::engine::FrameError;
use crate::source::host::HostEngine;
use crate::source::kernel::{KernelError, KernelReplay};

/// Time without a packet that ends a flow, as by default.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);

/// What was tried, and whether it came out as it should.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What was tried.
    pub name: String,
    /// Whether it did what it should.
    pub passed: bool,
    /// What was found, or what is wrong.
    pub detail: String,
}

/// Where the frames go.
#[derive(Clone, Copy, Debug)]
pub enum Through<'a> {
    /// netsec's eBPF object, loaded into this kernel.
    Kernel(&'a [u8]),
    /// The engine on the host.
    Host,
}

/// Why the self-test could not be made.
#[derive(Debug, thiserror::Error)]
pub enum SelfTestError {
    /// The traffic could not be played.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// The program cannot be loaded.
    #[error(transparent)]
    Kernel(#[from] KernelError),
    /// The kernel refuses a frame.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// No model came of the ordinary traffic.
    #[error("the self-test's own traffic gives no model")]
    Learn(#[from] LearnError),
    /// The model does not fit.
    #[error(transparent)]
    Misfit(#[from] MisfitError),
}

/// Fires every detector: one check for each kind of finding.
///
/// It passes when the kind is found, with the right attacker and the right victim. The thresholds are
/// those of `settings`, but for [`EXFILTRATION_BYTES`]; kinds that are off are on.
///
/// # Errors
///
/// [`SelfTestError`]; a detector that does not fire is none.
pub fn detectors(
    through: Through<'_>,
    link: Link,
    settings: &DetectSettings,
) -> Result<Vec<Check>, SelfTestError> {
    let mut settings = settings.clone();
    settings.off.clear();
    settings.exfiltration.bytes = settings.exfiltration.bytes.min(EXFILTRATION_BYTES);
    let model = learn(through, link, &settings)?;
    let attacks = Traffic::attacks(link, &settings);
    let traffic = anomaly::Traffic::new(&settings.anomaly, FIXED_HASH_KEYS, Some(model), None)?;
    let mut found = Vec::new();
    let mut pipeline = Pipeline::new(
        PipelineSettings::of_findings(Some(settings)),
        Findings(&mut found),
    );
    pipeline.watch(traffic);
    play(through, &attacks, &mut pipeline)?;
    drop(pipeline);
    let mut checks: Vec<Check> = attacks
        .expected
        .iter()
        .map(|expected| check(expected, &found))
        .collect();
    checks.push(anomaly_check(&attacks.expected, &found));
    Ok(checks)
}

/// The traffic of [`detectors`] as a capture file, for other tests of the detectors.
#[must_use]
pub fn attacks_pcap(link: Link, settings: &DetectSettings) -> Vec<u8> {
    Traffic::attacks(link, settings).pcap()
}

/// Learns what is usual from ordinary traffic.
fn learn(
    through: Through<'_>,
    link: Link,
    settings: &DetectSettings,
) -> Result<Model, SelfTestError> {
    let sample = Some(TrafficSample::default());
    let traffic = anomaly::Traffic::new(&settings.anomaly, FIXED_HASH_KEYS, None, sample)?;
    let mut nothing = Vec::new();
    let mut pipeline = Pipeline::new(PipelineSettings::of_findings(None), Findings(&mut nothing));
    pipeline.watch(traffic);
    play(through, &Traffic::ordinary(link), &mut pipeline)?;
    let sample = pipeline
        .into_traffic_model()
        .and_then(anomaly::Traffic::into_sample)
        .unwrap_or_default();
    let (model, _alike) = sample.learn(&Parameters::default(), NonZeroUsize::MIN)?;
    Ok(model)
}

fn play<O: Output>(
    through: Through<'_>,
    traffic: &Traffic,
    pipeline: &mut Pipeline<O>,
) -> Result<(), SelfTestError> {
    let capture = Capture::from_reader("self-test", Cursor::new(traffic.pcap()));
    let mut capture = capture.map_err(ReplayError::from)?;
    let settings = engine_settings();
    match through {
        Through::Host => {
            let open = |hook| Ok(HostEngine::new(hook, &settings));
            replay_through(&mut capture, open, pipeline, |_| true)?;
        }
        Through::Kernel(object) => {
            let open = |hook| KernelReplay::load(object, hook, &settings);
            replay_through(&mut capture, open, pipeline, |_| true)?;
        }
    }
    Ok(())
}

/// Whether what is expected was found. A finding of the kind with somebody else as the attacker or
/// the victim is none.
fn check(expected: &Expected, found: &[Finding]) -> Check {
    let of_kind = || found.iter().filter(|finding| finding.kind == expected.kind);
    let fits = |finding: &&Finding| {
        finding.attacker.host() == expected.attacker && finding.victim.host() == expected.victim
    };
    let passed = of_kind().any(|finding| fits(&finding));
    let shown = of_kind().rfind(fits).or_else(|| of_kind().next_back());
    let detail = match shown {
        Some(finding) => format!(
            "{} > {}: {}",
            finding.attacker, finding.victim, finding.message
        ),
        None => "not found".to_owned(),
    };
    Check {
        name: expected.kind.name().to_owned(),
        passed,
        detail,
    }
}

/// The model has to find the connection strange that stays for an hour: those it knows are short.
fn anomaly_check(expected: &[Expected], found: &[Finding]) -> Check {
    let strange = expected
        .iter()
        .find(|expected| expected.kind == Kind::LongConnection);
    let (attacker, victim) =
        strange.map_or((None, None), |strange| (strange.attacker, strange.victim));
    let expected = Expected {
        kind: Kind::Anomaly,
        attacker,
        victim,
    };
    check(&expected, found)
}

const fn engine_settings() -> EngineSettings {
    EngineSettings {
        slots: 1 << 14,
        sampling: Sampling::FirstAndQuestions(1),
        snap_bytes: 192,
        idle_timeout: IDLE_TIMEOUT,
        hash_keys: FIXED_HASH_KEYS,
        inner: false,
    }
}

/// Keeps findings.
#[derive(Debug)]
struct Findings<'a>(&'a mut Vec<Finding>);

impl Output for Findings<'_> {
    fn finding(&mut self, finding: &Finding) -> io::Result<()> {
        self.0.push(finding.clone());
        Ok(())
    }
}

/// What the engine on the host finds in some traffic, without a model.
#[cfg(test)]
fn found_in(traffic: &Traffic, settings: &DetectSettings) -> Vec<Finding> {
    let mut found = Vec::new();
    let settings = PipelineSettings::of_findings(Some(settings.clone()));
    let mut pipeline = Pipeline::new(settings, Findings(&mut found));
    play(Through::Host, traffic, &mut pipeline).unwrap();
    drop(pipeline);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever carries it, every attack is found with the right attacker and the right victim.
    #[test]
    fn every_detector_fires_on_any_link() {
        for link in [
            Link::default(),
            Link {
                ipv6: true,
                vlan: None,
            },
            Link {
                ipv6: false,
                vlan: Some(7),
            },
        ] {
            let checks = detectors(Through::Host, link, &DetectSettings::default()).unwrap();
            assert_eq!(checks.len(), Kind::ALL.len());
            for kind in Kind::ALL {
                assert!(checks.iter().any(|check| check.name == kind.name()));
            }
            let failed: Vec<_> = checks.iter().filter(|check| !check.passed).collect();
            assert!(failed.is_empty(), "{link:?}: {failed:#?}");
        }
    }

    #[test]
    fn a_detector_that_cannot_fire_fails_the_test() {
        let mut settings = DetectSettings::default();
        settings.suspicious_port.ignore_ports = vec![4444];
        let checks = detectors(Through::Host, Link::default(), &settings).unwrap();
        let failed: Vec<_> = checks.iter().filter(|check| !check.passed).collect();
        assert_eq!(failed.len(), 1, "{failed:#?}");
        assert_eq!(failed[0].name, "suspicious_port");
        assert_eq!(failed[0].detail, "not found");
    }
}
