//! Live and replayed connections against a model, and as what a model is learned from.

use std::num::NonZeroUsize;

use ndarray::{ArrayView2, ArrayViewMut1};

use super::crowd::Crowds;
use super::drift::Drift;
use super::learn::{LearnError, SAMPLE_ROWS, model_of};
use super::model::Model;
use super::reason::sentence;
use crate::connection::{Activity, KeyHash};
use crate::detect::Strange;
use crate::detect::settings::Anomaly;
use crate::features::{self, COUNT, FEATURES, Features, Limits, Vector};
use crate::forest::{Forest, Parameters, Random};
use crate::table::Encoding;
use crate::time::WallTime;

/// Features named as reasons of one finding.
const REASONS: usize = 3;

/// Why a model does not fit traffic.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the model was learned from {}, which {} of connections (see: netsec features); learn one from \
     traffic: netsec train CAPTURE, or run or replay with --train-to",
    unknown.join(", "),
    if unknown.len() == 1 { "is no feature" } else { "are no features" }
)]
pub struct MisfitError {
    unknown: Vec<String>,
}

/// The stage between connections and detectors that turns connections into numbers, scores them,
/// and keeps them to learn from.
#[derive(Debug)]
pub struct Traffic {
    features: Features,
    judge: Option<Judge>,
    sample: Option<TrafficSample>,
    vectors: Vec<Vector>,
}

/// A model at work.
#[derive(Debug)]
struct Judge {
    model: Model,
    /// Where in a vector the model's features are.
    places: Vec<usize>,
    threshold: f64,
    crowds: Crowds,
    crowd_quantile: f64,
    /// The highest score of the training connections.
    highest: f64,
    drift: Drift,
    /// Vectors as the model wants them.
    rows: Vec<f64>,
}

/// Vectors to learn from: a uniform sample of those that were met (Vitter's algorithm R, 1985), of
/// [`SAMPLE_ROWS`] at most; 70 MB then.
#[derive(Debug)]
pub struct TrafficSample {
    rows: Vec<[f64; COUNT]>,
    met: usize,
    random: Random,
}

impl Traffic {
    /// Nothing seen yet. With a sample, connections are added to it to learn from.
    ///
    /// # Errors
    ///
    /// [`MisfitError`], when the model was learned from something else.
    pub fn new(
        settings: &Anomaly,
        hash_keys: [u32; 10],
        model: Option<Model>,
        sample: Option<TrafficSample>,
    ) -> Result<Self, MisfitError> {
        let limits = Limits {
            hosts_max: settings.hosts_max,
            pairs_max: settings.pairs_max,
        };
        let hash = KeyHash::new(hash_keys);
        let judge = model.map(|model| Judge::new(model, settings, &hash));
        Ok(Self {
            features: Features::new(limits, hash_keys),
            judge: judge.transpose()?,
            sample,
            vectors: Vec::new(),
        })
    }

    /// Learns what a connection did.
    pub fn activity(&mut self, activity: &Activity) {
        let vectors = &mut self.vectors;
        self.features
            .activity(activity, |vector| vectors.push(vector));
    }

    /// Ends the second before `now`: scores the connections that ended in it, or have been going on
    /// for long, and tells which are strange.
    pub fn close(&mut self, now: WallTime, tell: impl FnMut(&Strange)) {
        let vectors = &mut self.vectors;
        self.features.close(now, |vector| vectors.push(vector));
        if let Some(sample) = &mut self.sample {
            for vector in vectors.iter() {
                sample.offer(&vector.values);
            }
        }
        if let Some(judge) = &mut self.judge {
            judge.look(vectors, tell);
        }
        vectors.clear();
    }

    /// What was met to learn from.
    #[must_use]
    pub const fn sample(&self) -> Option<&TrafficSample> {
        self.sample.as_ref()
    }

    /// The same, to go on with other traffic.
    #[must_use]
    pub fn into_sample(self) -> Option<TrafficSample> {
        self.sample
    }

    /// How what was scored differs from what the model was learned from.
    #[must_use]
    pub fn drift(&self) -> Option<&Drift> {
        self.judge.as_ref().map(|judge| &judge.drift)
    }

    /// Entries of the features' memory that were put out to make room.
    #[must_use]
    pub const fn evicted(&self) -> u64 {
        self.features.evicted()
    }
}

impl Judge {
    fn new(model: Model, settings: &Anomaly, hash: &KeyHash) -> Result<Self, MisfitError> {
        let place = |name: &str| FEATURES.iter().position(|feature| feature.name == name);
        let names = model.features.iter().map(|feature| feature.name.as_str());
        let unknown = names.clone().filter(|name| place(name).is_none());
        let unknown: Vec<String> = unknown.map(|name| format!("`{name}`")).collect();
        if !unknown.is_empty() {
            return Err(MisfitError { unknown });
        }
        Ok(Self {
            places: names.filter_map(place).collect(),
            threshold: model.calibration.score_at(settings.quantile),
            crowds: Crowds::new(
                settings,
                model.calibration.score_at(settings.crowd_quantile),
                hash,
            ),
            crowd_quantile: settings.crowd_quantile,
            highest: model.calibration.score_at(1.0),
            drift: Drift::new(&model),
            rows: Vec::new(),
            model,
        })
    }

    /// Scores all vectors in one go: that is several times as fast as one by one.
    fn look(&mut self, vectors: &[Vector], mut tell: impl FnMut(&Strange)) {
        self.rows.clear();
        for vector in vectors {
            let values = self.places.iter().map(|place| vector.values.get(*place));
            self.rows
                .extend(values.map(|value| value.copied().unwrap_or(f64::NAN)));
        }
        let shape = (vectors.len(), self.places.len());
        let Ok(rows) = ArrayView2::from_shape(shape, &self.rows) else {
            return;
        };
        let scores = self.model.forest.scores(rows, NonZeroUsize::MIN);
        for ((vector, row), score) in vectors.iter().zip(rows.outer_iter()).zip(scores) {
            self.drift.add(&self.model, row, score);
            let connection = &vector.connection;
            let crowd = self
                .crowds
                .add(connection.key.source(), connection.end, score);
            if score > self.threshold || crowd.is_some() {
                let service = features::service(&vector.connection.key);
                let cell = |column: &str| (column == "service_rarity").then_some(service.as_str());
                let reasons = self.model.reasons(row, cell, REASONS);
                let mut message = sentence(score, &reasons);
                if let Some(crowd) = crowd {
                    message = format!(
                        "{message}; {} of {} connections of this source beyond the {:.0} % quantile",
                        crowd.strange,
                        crowd.all,
                        100.0 * self.crowd_quantile
                    );
                }
                tell(&Strange {
                    connection: vector.connection.clone(),
                    proven: vector.proven,
                    score,
                    quantile: self.model.calibration.quantile(score),
                    is_beyond: score > self.highest,
                    message,
                    reasons: reasons
                        .into_iter()
                        .map(|reason| (reason.feature, reason.value, reason.text))
                        .collect(),
                });
            }
        }
    }
}

impl Default for TrafficSample {
    fn default() -> Self {
        Self {
            rows: Vec::new(),
            met: 0,
            random: Random::new(0),
        }
    }
}

impl TrafficSample {
    /// Vectors that were met.
    #[must_use]
    pub const fn met(&self) -> usize {
        self.met
    }

    /// A model of what was met, from the features that tell connections apart; also the names of
    /// those that do not.
    ///
    /// # Errors
    ///
    /// [`LearnError`], when there are too few connections or all are alike.
    pub fn learn(
        &self,
        parameters: &Parameters,
        threads: NonZeroUsize,
    ) -> Result<(Model, Vec<&'static str>), LearnError> {
        let (mut places, mut alike) = (Vec::new(), Vec::new());
        for (at, feature) in FEATURES.iter().enumerate() {
            if self.varies(at) {
                places.push((at, feature));
            } else {
                alike.push(feature.name);
            }
        }
        if places.is_empty() && self.rows.len() > 1 {
            let reasons = vec!["all connections are alike".to_owned()];
            return Err(LearnError::NoFeature { reasons });
        }
        let columns = places
            .iter()
            .map(|(_, feature)| (feature.name, feature.unit));
        let encoding = Encoding::of_numbers(columns);
        let mut rows = ndarray::Array2::zeros((self.rows.len(), places.len()));
        let fill = |(mut row, values): (ArrayViewMut1<'_, f64>, &[f64; COUNT])| {
            for (place, (at, _)) in row.iter_mut().zip(&places) {
                *place = values.get(*at).copied().unwrap_or(f64::NAN);
            }
        };
        rows.outer_iter_mut().zip(&self.rows).for_each(fill);
        let forest = Forest::grow_by_magnitude(rows.view(), parameters, threads)?;
        Ok((
            model_of(forest, encoding, &rows, parameters, threads),
            alike,
        ))
    }

    fn offer(&mut self, values: &[f64; COUNT]) {
        self.met += 1;
        if self.rows.len() < SAMPLE_ROWS {
            self.rows.push(*values);
        } else if let Some(place) = self.rows.get_mut(self.random.below(self.met)) {
            *place = *values;
        }
    }

    /// Whether a feature has two values.
    fn varies(&self, at: usize) -> bool {
        let values = self.rows.iter().filter_map(|row| row.get(at).copied());
        let mut values = values.filter(|value| value.is_finite());
        let first = values.next();
        first.is_some_and(|first| values.any(|value| value.total_cmp(&first).is_ne()))
    }
}
