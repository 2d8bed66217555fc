//! What connections do, on its way to the features, the model and the detectors.

use std::time::Duration;

use super::Pipeline;
use crate::anomaly::Traffic;
use crate::connection::Activity;
use crate::detect::{DetectTotals, Detectors};
use crate::finding::{Finding, Severity};
use crate::output::Output;
use crate::packet::PacketView;
use crate::time::WallTime;

/// Time between two looks.
const SECOND: Duration = Duration::from_secs(1);

impl<O: Output> Pipeline<O> {
    /// Makes features of connections, scores them and keeps them to learn from, as `traffic` says;
    /// nothing of that without one.
    pub fn watch(&mut self, traffic: impl Into<Option<Traffic>>) {
        self.traffic = traffic.into();
        if self.traffic.is_some() {
            self.table.watch();
        }
    }

    /// What was scored and kept to learn from.
    #[must_use]
    pub const fn traffic_model(&self) -> Option<&Traffic> {
        self.traffic.as_ref()
    }

    /// The same, and nothing else.
    #[must_use]
    pub fn into_traffic_model(self) -> Option<Traffic> {
        self.traffic
    }

    /// Tells of a connection from a log, which was not seen as packets. In the order of their ends.
    pub fn activity(&mut self, activity: &Activity) {
        self.start(activity.connection.start);
        self.detect(activity.connection.end);
        tell(activity, &mut self.detectors, &mut self.traffic);
    }

    /// Connections that ended so far.
    #[must_use]
    pub const fn connections_ended(&self) -> u64 {
        self.total.ended + self.interval.ended
    }

    /// The worst severity of a finding so far.
    #[must_use]
    pub const fn worst_finding(&self) -> Option<Severity> {
        self.worst
    }

    /// What the detectors found so far, when they are on.
    #[must_use]
    pub fn detect_totals(&self) -> Option<DetectTotals> {
        self.detectors.as_ref().map(Detectors::totals)
    }

    /// Tells of connections that have left the table, before a second is over.
    pub(super) fn tell_gone(&mut self) {
        let (detectors, traffic) = (&mut self.detectors, &mut self.traffic);
        let inner = self.settings.detect_inner;
        self.table.activities_gone(|activity| {
            if inner || !activity.connection.key.is_inner() {
                tell(activity, detectors, traffic);
            }
        });
    }

    /// Lets model and detectors look at the second that went by.
    pub(super) fn detect(&mut self, now: WallTime) {
        if now.whole(SECOND) <= self.looked {
            return;
        }
        self.looked = now.whole(SECOND);
        self.tell_all(now);
        let mut findings = Vec::new();
        if let Some(detectors) = &mut self.detectors {
            detectors.close(now, &mut findings);
        }
        self.write_findings(&findings);
    }

    /// As [`detect`](Self::detect), for the last time.
    pub(super) fn detect_last(&mut self, now: WallTime) {
        self.tell_all(now);
        let mut findings = Vec::new();
        if let Some(detectors) = &mut self.detectors {
            detectors.finish(now, &mut findings);
        }
        self.write_findings(&findings);
    }

    /// Shows the detectors a packet: what is in its tunnels, or the outermost.
    pub(super) fn detect_packet(&mut self, time: WallTime, view: &PacketView) {
        let inner = self.settings.detect_inner;
        let shown = if inner {
            Some(view)
        } else {
            view.layers().last()
        };
        if let (Some(detectors), Some(view)) = (&mut self.detectors, shown) {
            detectors.packet(time, view);
        }
    }

    pub(super) fn write_findings(&mut self, findings: &[Finding]) {
        for finding in findings {
            self.worst = self.worst.max(Some(finding.severity));
            if let Some(correlator) = &mut self.correlator {
                correlator.finding(finding);
            }
            if let Some(enforcing) = &mut self.enforcing {
                enforcing.finding(finding);
            }
            if self.failed.is_none() {
                self.failed = self.output.finding(finding).err();
            }
        }
    }

    fn tell_all(&mut self, now: WallTime) {
        let (detectors, traffic) = (&mut self.detectors, &mut self.traffic);
        if detectors.is_none() && traffic.is_none() {
            return;
        }
        let inner = self.settings.detect_inner;
        self.table.activities(now, |activity| {
            if inner || !activity.connection.key.is_inner() {
                tell(activity, detectors, traffic);
            }
        });
        if let Some(traffic) = traffic {
            traffic.close(now, |strange| {
                if let Some(detectors) = detectors {
                    detectors.strange(strange);
                }
            });
        }
    }
}

fn tell(activity: &Activity, detectors: &mut Option<Detectors>, traffic: &mut Option<Traffic>) {
    if let Some(detectors) = detectors {
        detectors.activity(activity);
    }
    if let Some(traffic) = traffic {
        traffic.activity(activity);
    }
}
