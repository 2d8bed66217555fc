//! Connections unlike those that a model was learned from.

use std::time::Duration;

use super::sighting::Sighting;
use crate::connection::Connection;
use crate::finding::{Evidence, Kind, Severity};

/// A connection that a model finds strange.
#[derive(Clone, Debug)]
pub struct Strange {
    /// The connection.
    pub connection: Connection,
    /// Whether its originator's address is no forgery.
    pub proven: bool,
    /// Of the forest, in (0, 1].
    pub score: f64,
    /// Share of the training connections that are not stranger, 0 to 1.
    pub quantile: f64,
    /// Whether it is stranger than every training connection.
    pub is_beyond: bool,
    /// What makes it strange, the strongest first: feature, value and words.
    pub reasons: Vec<(String, Option<f64>, String)>,
    /// The score and the words in one sentence.
    pub message: String,
}

/// Never more than of medium severity: strange is not bad.
pub(super) fn sighting(strange: &Strange) -> Sighting {
    let connection = &strange.connection;
    let key = &connection.key;
    let texts = strange.reasons.iter().map(|(_, _, text)| text.clone());
    let mut evidence = Evidence::new()
        .number("score", strange.score)
        .number("quantile", strange.quantile)
        .list("reasons", texts)
        .count("bytes_out", connection.originator.bytes)
        .count("bytes_in", connection.responder.bytes);
    for (feature, value, _) in &strange.reasons {
        let figure = crate::finding::Figure::Number(value.unwrap_or(f64::NAN));
        evidence = evidence.with(feature.clone(), figure);
    }
    Sighting {
        kind: Kind::Anomaly,
        severity: if strange.is_beyond {
            Severity::Medium
        } else {
            Severity::Low
        },
        attacker: key.source().into(),
        proven: strange.proven,
        victim: key.destination().into(),
        service: Some((
            key.protocol(),
            key.has_ports().then(|| key.destination_port()),
        )),
        start: connection.start,
        last: connection.end,
        window: Duration::ZERO,
        evidence,
        message: strange.message.clone(),
    }
}
