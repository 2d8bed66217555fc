//! What connections do, on its way to the detectors.

use super::Pipeline;
use crate::connection::Activity;
use crate::detect::{DetectTotals, Detectors};
use crate::finding::{Finding, Severity};
use crate::output::Output;
use crate::packet::PacketView;
use crate::time::WallTime;

impl<O: Output> Pipeline<O> {
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

    /// Lets the detectors look at the second that went by.
    pub(super) fn detect(&mut self, now: WallTime) {
        let Some(detectors) = self.detectors.as_mut().filter(|all| all.is_due(now)) else {
            return;
        };
        let inner = self.settings.detect_inner;
        let table = &mut self.table;
        table.activities(now, |activity| tell(detectors, activity, inner));
        let mut findings = Vec::new();
        detectors.close(now, &mut findings);
        self.write_findings(&findings);
    }

    /// As [`detect`](Self::detect), for the last time.
    pub(super) fn detect_last(&mut self, now: WallTime) {
        let Some(detectors) = self.detectors.as_mut() else {
            return;
        };
        let inner = self.settings.detect_inner;
        let table = &mut self.table;
        table.activities(now, |activity| tell(detectors, activity, inner));
        let mut findings = Vec::new();
        detectors.finish(now, &mut findings);
        self.write_findings(&findings);
    }

    /// Tells the detectors of connections that are gone, before there are too many.
    pub(super) fn detect_gone(&mut self) {
        let Some(detectors) = self.detectors.as_mut() else {
            return;
        };
        let inner = self.settings.detect_inner;
        self.table
            .activities_gone(|activity| tell(detectors, activity, inner));
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
}

fn tell(detectors: &mut Detectors, activity: &Activity, inner: bool) {
    if inner || !activity.connection.key.is_inner() {
        detectors.activity(activity);
    }
}
