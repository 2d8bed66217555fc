//! Many connections of one source that are each only a little strange.
//!
//! A forest scores what lies outside the range that it was grown on no higher than what lies at its edge,
//! so that the probes of a scan may all be somewhat strange and none the strangest. One in twenty ordinary
//! connections exceeds the 95 % quantile; that fifty of a hundred do by chance has a probability of 10⁻³⁷.

use std::net::IpAddr;

use crate::connection::KeyHash;
use crate::detect::bounded::{Bounded, Kept};
use crate::detect::settings::Anomaly;
use crate::features::WINDOW;
use crate::time::WallTime;

/// What each source did in a window of [`WINDOW`].
#[derive(Debug)]
pub(super) struct Crowds {
    sources: Bounded<IpAddr, Crowd>,
    least: u64,
    share: f64,
    /// The score that a connection has to exceed.
    score: f64,
}

/// Connections of one source.
#[derive(Clone, Copy, Debug)]
pub(super) struct Crowd {
    /// When the window began.
    begin: WallTime,
    last: WallTime,
    pub(super) all: u64,
    /// Those that exceed the quantile.
    pub(super) strange: u64,
}

impl Kept for Crowd {
    fn rank(&self) -> usize {
        usize::try_from(self.all).unwrap_or(usize::MAX)
    }

    fn last(&self) -> WallTime {
        self.last
    }
}

impl Crowds {
    /// None yet; `score` is that at `crowd_quantile`.
    pub(super) fn new(settings: &Anomaly, score: f64, hash: &KeyHash) -> Self {
        Self {
            sources: Bounded::new(settings.hosts_max, hash),
            least: settings.crowd,
            share: settings.crowd_share,
            score,
        }
    }

    /// Adds a connection; gives the crowd, when the connection is one of a strange one.
    pub(super) fn add(&mut self, source: IpAddr, end: WallTime, score: f64) -> Option<Crowd> {
        let begin = end.whole(WINDOW);
        let new = || Crowd {
            begin,
            last: end,
            all: 0,
            strange: 0,
        };
        let crowd = self.sources.entry(source, new);
        if begin > crowd.begin {
            *crowd = new();
        }
        let is_strange = score > self.score;
        crowd.last = crowd.last.max(end);
        crowd.all += 1;
        crowd.strange += u64::from(is_strange);
        let enough =
            crowd.all >= self.least && crowd.strange as f64 >= self.share * crowd.all as f64;
        (enough && is_strange).then_some(*crowd)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_of_which_half_is_strange_is_told_and_an_ordinary_one_is_not() {
        let settings = Anomaly::default();
        let told = |strange_of_ten: u64| {
            let mut crowds = Crowds::new(&settings, 0.6, &KeyHash::new([7; 10]));
            let source = IpAddr::from([10, 0, 0, 1]);
            let mut told = 0;
            for n in 0..1000_u64 {
                let score = if n % 10 < strange_of_ten { 0.7 } else { 0.5 };
                let end = WallTime::from_ns(i64::try_from(n).unwrap() * 1_000_000);
                told += u64::from(crowds.add(source, end, score).is_some());
            }
            told
        };
        assert_eq!(told(1), 0);
        assert_eq!(told(4), 0);
        assert_eq!(told(10), 901);
        // A new window begins anew.
        let mut crowds = Crowds::new(&settings, 0.6, &KeyHash::new([7; 10]));
        let source = IpAddr::from([10, 0, 0, 1]);
        for window in 0..20 {
            for n in 0..60 {
                let end = WallTime::from_ns((window * 300 + n) * 1_000_000_000);
                assert!(crowds.add(source, end, 0.7).is_none());
            }
        }
    }
}
