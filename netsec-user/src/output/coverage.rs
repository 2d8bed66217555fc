//! How complete the figures are: the ledger's identity as a ratio.

use std::fmt;

use netsec_common::ledger::{Class, Counter, Snapshot};

use super::number::{Grouped, Share};
use crate::summary::Summary;

/// How many of the frames seen are explained by the ledger's identity *and* reached the sensor.
///
/// ```text
/// covered = packets in flows − packets lost with flow records − packets never read
///         + not IP + malformed
/// ratio   = covered / frames
/// ```
///
/// Packets never read are known at the end of a run only: what the kernel accounted in flows, less
/// what was lost, less what the flow deltas brought. Lost header samples cost no coverage: they are
/// copies of frames that are accounted for.
#[derive(Clone, Copy, Debug)]
pub struct Coverage {
    /// Frames seen.
    pub frames: u64,
    /// Frames explained and delivered.
    pub covered: u64,
    /// Packets accounted in flows that no delta brought, of a finished run.
    pub unread_packets: u64,
    /// Frames seen minus frames explained; zero unless netsec is broken.
    pub imbalance: i64,
    ledger: Snapshot,
    torn_reads: u64,
}

impl Coverage {
    /// The coverage of a summary: of its interval, or of the whole run for the last one.
    #[must_use]
    pub fn of(summary: &Summary) -> Self {
        let mut coverage = Self::of_ledger(ledger(summary));
        coverage.torn_reads = summary.torn_reads;
        if summary.is_final {
            let delivered = coverage
                .ledger
                .get(Counter::FlowPackets)
                .saturating_sub(coverage.ledger.get(Counter::RecordsLostPackets));
            coverage.unread_packets = delivered.saturating_sub(summary.read.packets);
            coverage.covered = coverage.covered.saturating_sub(coverage.unread_packets);
        }
        coverage
    }

    /// The coverage of one ledger.
    #[must_use]
    pub fn of_ledger(ledger: Snapshot) -> Self {
        let covered = ledger
            .get(Counter::FlowPackets)
            .saturating_add(ledger.sum(Class::NotIp))
            .saturating_add(ledger.sum(Class::Malformed))
            .saturating_add(ledger.sum(Class::Dropped))
            .saturating_sub(ledger.get(Counter::RecordsLostPackets));
        Self {
            frames: ledger.get(Counter::Frames),
            covered,
            unread_packets: 0,
            imbalance: ledger.imbalance(),
            ledger,
            torn_reads: 0,
        }
    }

    /// The ledger it was computed from.
    #[must_use]
    pub const fn ledger(&self) -> &Snapshot {
        &self.ledger
    }

    /// Whether every single frame is covered.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        self.covered == self.frames && self.imbalance == 0
    }

    /// From 0 to 1; 1 only when complete.
    #[must_use]
    pub fn ratio(&self) -> f64 {
        if self.is_complete() {
            return 1.0;
        }
        (self.covered as f64 / self.frames.max(1) as f64).min(0.999_999_999)
    }

    /// In percent, three decimals; 100 only when complete.
    #[must_use]
    pub const fn share(&self) -> Share {
        let some_missing = self.frames.saturating_sub(1);
        let part = match (self.imbalance, self.frames) {
            (0, _) => self.covered,
            (_, 0) => 1,
            _ if self.covered > some_missing => some_missing,
            _ => self.covered,
        };
        Share {
            part,
            whole: self.frames,
            decimals: 3,
        }
    }

    /// The identity in words; `grouped` puts commas between thousands.
    #[must_use]
    pub const fn identity(&self, grouped: bool) -> Identity<'_> {
        Identity {
            coverage: self,
            grouped,
        }
    }

    /// What was lost, in words; `grouped` puts commas between thousands.
    #[must_use]
    pub const fn losses(&self, grouped: bool) -> Losses<'_> {
        Losses {
            coverage: self,
            grouped,
        }
    }
}

/// Sum over the hooks: of the interval, or of the whole run for the last summary.
pub(super) fn ledger(summary: &Summary) -> Snapshot {
    let mut sum = Snapshot::default();
    for hook in &summary.hooks {
        sum.merge(if summary.is_final {
            &hook.total
        } else {
            &hook.interval
        });
    }
    sum
}

/// `12345 frames = 12300 in flows + 40 not IP (32 arp, 8 llc) + 5 malformed (5 udp_length) + 0
/// unaccounted`.
#[derive(Clone, Copy, Debug)]
pub struct Identity<'a> {
    coverage: &'a Coverage,
    grouped: bool,
}

impl fmt::Display for Identity<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ledger = &self.coverage.ledger;
        let count = |n| Count(n, self.grouped);
        write!(
            f,
            "{} frames = {} in flows + {} not IP",
            count(self.coverage.frames),
            count(ledger.get(Counter::FlowPackets)),
            count(ledger.sum(Class::NotIp)),
        )?;
        let kinds = |f: &mut _, class| kinds(f, ledger, class, self.grouped);
        kinds(f, Class::NotIp)?;
        write!(f, " + {} malformed", count(ledger.sum(Class::Malformed)))?;
        kinds(f, Class::Malformed)?;
        if ledger.sum(Class::Dropped) != 0 {
            write!(f, " + {} dropped", count(ledger.sum(Class::Dropped)))?;
            kinds(f, Class::Dropped)?;
        }
        write!(
            f,
            " + {} unaccounted",
            count(ledger.sum(Class::Unaccounted))
        )?;
        kinds(f, Class::Unaccounted)?;
        match self.coverage.imbalance {
            0 => Ok(()),
            imbalance => write!(f, " + {imbalance} UNEXPLAINED"),
        }
    }
}

/// The counters of a class that are not zero, largest first.
pub(super) fn kinds(
    f: &mut fmt::Formatter<'_>,
    ledger: &Snapshot,
    class: Class,
    grouped: bool,
) -> fmt::Result {
    let mut kinds: Vec<_> = ledger
        .iter()
        .filter(|(counter, value)| counter.class() == class && *value != 0)
        .collect();
    kinds.sort_by_key(|&(_, value)| std::cmp::Reverse(value));
    for (i, (counter, value)) in kinds.iter().enumerate() {
        let before = if i == 0 { " (" } else { ", " };
        write!(f, "{before}{} {}", Count(*value, grouped), counter.name())?;
    }
    if kinds.is_empty() {
        Ok(())
    } else {
        f.write_str(")")
    }
}

/// `lost 0 records (0 packets), 0 samples; 0 torn reads`, and packets never read when there are.
#[derive(Clone, Copy, Debug)]
pub struct Losses<'a> {
    coverage: &'a Coverage,
    grouped: bool,
}

impl Losses<'_> {
    /// Whether anything at all was lost.
    #[must_use]
    pub fn any(&self) -> bool {
        self.coverage.ledger.sum(Class::Lost) != 0 || self.coverage.unread_packets != 0
    }
}

impl fmt::Display for Losses<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = |n| Count(n, self.grouped);
        let lost = |counter| count(self.coverage.ledger.get(counter));
        write!(
            f,
            "lost {} records ({} packets), {} samples; {} torn reads",
            lost(Counter::RecordsLost),
            lost(Counter::RecordsLostPackets),
            lost(Counter::SamplesLost),
            count(self.coverage.torn_reads),
        )?;
        match self.coverage.unread_packets {
            0 => Ok(()),
            unread => write!(f, "; {} packets never read", count(unread)),
        }
    }
}

/// A number; true puts commas between thousands.
pub(super) struct Count(pub(super) u64, pub(super) bool);

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.1 {
            Grouped(self.0).fmt(f)
        } else {
            self.0.fmt(f)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::ledger;
    use super::*;

    #[test]
    fn the_identity_is_written_out() {
        let coverage = Coverage::of_ledger(ledger(&[
            (Counter::Frames, 12_345),
            (Counter::FlowPackets, 12_300),
            (Counter::Llc, 8),
            (Counter::Arp, 32),
            (Counter::UdpLength, 5),
        ]));
        assert!(coverage.is_complete());
        assert_eq!(coverage.share().to_string(), "100.000 %");
        assert_eq!(
            coverage.identity(false).to_string(),
            "12345 frames = 12300 in flows + 40 not IP (32 arp, 8 llc) + 5 malformed \
             (5 udp_length) + 0 unaccounted"
        );
        assert_eq!(
            coverage.losses(true).to_string(),
            "lost 0 records (0 packets), 0 samples; 0 torn reads"
        );
    }

    #[test]
    fn one_packet_lost_in_a_million_is_not_complete() {
        let coverage = Coverage::of_ledger(ledger(&[
            (Counter::Frames, 10_000_000),
            (Counter::FlowPackets, 10_000_000),
            (Counter::RecordsLost, 1),
            (Counter::RecordsLostPackets, 1),
        ]));
        assert!(!coverage.is_complete());
        assert_eq!(coverage.share().to_string(), "99.999 %");
        assert!(coverage.ratio() < 1.0);
        assert!(coverage.losses(false).any());
    }

    #[test]
    fn a_broken_identity_is_never_complete() {
        // The loss of one frame hides behind another counted twice.
        let coverage = Coverage::of_ledger(ledger(&[
            (Counter::Frames, 10),
            (Counter::FlowPackets, 11),
            (Counter::RecordsLostPackets, 1),
        ]));
        assert_eq!(coverage.covered, coverage.frames);
        assert!(!coverage.is_complete());
        assert_eq!(
            coverage.share().to_string(),
            "90.000 %",
            "at least one short"
        );
        assert!(coverage.ratio() < 1.0);
        assert!(
            coverage
                .identity(false)
                .to_string()
                .ends_with("+ -1 UNEXPLAINED")
        );
    }

    #[test]
    fn unaccounted_frames_are_not_covered() {
        let coverage = Coverage::of_ledger(ledger(&[
            (Counter::Frames, 4),
            (Counter::FlowPackets, 3),
            (Counter::NoFlowSet, 1),
        ]));
        assert_eq!(coverage.share().to_string(), "75.000 %");
        assert!((coverage.ratio() - 0.75).abs() < 1e-9);
    }
}
