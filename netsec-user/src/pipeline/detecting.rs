//! What connections do, on its way to the detectors.

use super::Pipeline;
use crate::detect::{DetectTotals, Detectors};
use crate::finding::{Finding, Severity};
use crate::output::Output;
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
        let table = &mut self.table;
        table.activities(now, |activity| detectors.activity(activity));
        let mut findings = Vec::new();
        detectors.close(now, &mut findings);
        self.write_findings(&findings);
    }

    /// As [`detect`](Self::detect), for the last time.
    pub(super) fn detect_last(&mut self, now: WallTime) {
        let Some(detectors) = self.detectors.as_mut() else {
            return;
        };
        let table = &mut self.table;
        table.activities(now, |activity| detectors.activity(activity));
        let mut findings = Vec::new();
        detectors.finish(now, &mut findings);
        self.write_findings(&findings);
    }

    pub(super) fn write_findings(&mut self, findings: &[Finding]) {
        for finding in findings {
            self.worst = self.worst.max(Some(finding.severity));
            if let Some(enforcing) = &mut self.enforcing {
                enforcing.finding(finding);
            }
            if self.failed.is_none() {
                self.failed = self.output.finding(finding).err();
            }
        }
    }
}
