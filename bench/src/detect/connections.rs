//! Connections a second through the detectors, and through features and a model.

use std::num::NonZeroUsize;

use anyhow::{Context as _, Result, ensure};
use ndarray::Array2;
use netsec_common::flow::FIXED_HASH_KEYS;
use netsec_user::anomaly::{Model, Traffic, TrafficSample};
use netsec_user::connection::Activity;
use netsec_user::detect::settings::Anomaly;
use netsec_user::detect::{DetectSettings, Detectors};
use netsec_user::features::{Features, Limits};
use netsec_user::forest::Parameters;

use super::DetectArgs;
use super::traffic::{Site, second};
use crate::print;
use crate::statistics::Spread;
use crate::stopwatch::Stopwatch;

const SITE: Site = Site {
    clients: 20_000,
    servers: 20_000,
    rate: 10_000,
};

/// Million connection scores a second, for one core.
const TARGET: f64 = 1.0;

/// Measures and reports.
pub(super) fn run(args: &DetectArgs) -> Result<()> {
    let seconds = (args.connections * 1000 / SITE.rate).max(2);
    let model = learn(seconds)?;
    let rows = vectors(&model)?;
    let (mut detecting, mut judging, mut scoring) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..args.rounds {
        detecting.push(rate(seconds * SITE.rate, detectors(seconds)?));
        judging.push(rate(seconds * SITE.rate, features(seconds, &model)?));
        scoring.push(rate(u32::try_from(rows.nrows())?, scores(&model, &rows)?));
    }
    let scoring = Spread::of(scoring);
    let verdict = if scoring.median >= TARGET {
        "met"
    } else {
        "missed"
    };
    print(&format!(
        "\n### connections\n\n{} connections of {} hosts with {}, {} a second of traffic time; {} rounds, one \
         core\n\n| stage | million/s |\n|---|---|\n| all detectors | {:.3} |\n\
         | features, model and drift | {:.3} |\n| scores alone, {} features | {scoring:.3} |\n\n\
         target: at least {TARGET} million scores/s: {verdict}",
        seconds * SITE.rate,
        SITE.clients,
        SITE.servers,
        SITE.rate,
        args.rounds,
        Spread::of(detecting),
        Spread::of(judging),
        rows.ncols(),
    ))
}

/// Million a second.
fn rate(count: u32, seconds: f64) -> f64 {
    f64::from(count) / seconds / 1e6
}

/// Feeds each second's connections; seconds that only the feeding took.
fn feed(seconds: u32, mut each: impl FnMut(&[Activity], u32)) -> f64 {
    let mut taken = 0.0;
    for number in 0..seconds {
        let connections: Vec<Activity> = SITE.connections(number).collect();
        let clock = Stopwatch::start();
        each(&connections, number);
        taken += clock.seconds();
    }
    taken
}

fn detectors(seconds: u32) -> Result<f64> {
    let mut detectors = Detectors::new(DetectSettings::default(), FIXED_HASH_KEYS);
    let mut findings = Vec::new();
    let taken = feed(seconds, |connections, number| {
        for connection in connections {
            detectors.activity(connection);
        }
        detectors.close(second(number + 1), &mut findings);
    });
    let found = detectors.totals().campaigns;
    ensure!(
        !found.is_empty(),
        "the traffic has pings and refused connections, and nothing is found"
    );
    Ok(taken)
}

fn features(seconds: u32, model: &Model) -> Result<f64> {
    let mut traffic = Traffic::new(
        &Anomaly::default(),
        FIXED_HASH_KEYS,
        Some(model.clone()),
        None,
    )?;
    let taken = feed(seconds, |connections, number| {
        for connection in connections {
            traffic.activity(connection);
        }
        traffic.close(second(number + 1), |_strange| {});
    });
    traffic.drift().context("no model")?;
    Ok(taken)
}

/// A second's connections in one go, as live.
fn scores(model: &Model, rows: &Array2<f64>) -> Result<f64> {
    let clock = Stopwatch::start();
    let scores = model.forest.scores(rows.view(), NonZeroUsize::MIN);
    let taken = clock.seconds();
    ensure!(
        scores.iter().all(|score| (0.0..=1.0).contains(score)),
        "a score is out of range"
    );
    Ok(taken)
}

fn learn(seconds: u32) -> Result<Model> {
    let sample = Some(TrafficSample::default());
    let mut traffic = Traffic::new(&Anomaly::default(), FIXED_HASH_KEYS, None, sample)?;
    feed(seconds.min(20), |connections, number| {
        for connection in connections {
            traffic.activity(connection);
        }
        traffic.close(second(number + 1), |_strange| {});
    });
    let sample = traffic.into_sample().context("no sample")?;
    Ok(sample.learn(&Parameters::default(), NonZeroUsize::MIN)?.0)
}

/// A second's connections as the model wants them.
fn vectors(model: &Model) -> Result<Array2<f64>> {
    let anomaly = Anomaly::default();
    let limits = Limits {
        hosts_max: anomaly.hosts_max,
        pairs_max: anomaly.pairs_max,
    };
    let mut features = Features::new(limits, FIXED_HASH_KEYS);
    let names = model.features.iter().map(|feature| feature.name.as_str());
    let places: Vec<usize> = names
        .filter_map(|name| {
            netsec_user::features::FEATURES
                .iter()
                .position(|known| known.name == name)
        })
        .collect();
    let mut values = Vec::new();
    for connection in SITE.connections(0) {
        features.activity(&connection, |_vector| {});
    }
    features.close(second(1), |vector| {
        values.extend(
            places
                .iter()
                .map(|place| vector.values.get(*place).copied().unwrap_or(f64::NAN)),
        );
    });
    let rows = values.len() / places.len().max(1);
    Ok(Array2::from_shape_vec((rows, places.len()), values)?)
}
