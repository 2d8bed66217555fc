//! Log rows on their way to the join.

use std::io;
use std::ops::ControlFlow;

use super::Pipeline;
use crate::correlate::Correlator;
use crate::log::{At, LogError, LogReader, Place, Record};
use crate::output::{Coverage, Output};
use crate::summary::Summary;
use crate::time::WallTime;

impl<O: Output> Pipeline<O> {
    /// Joins logs with connections from here on. `logs` are read at the end, as a replay needs it; a
    /// log that grows is handed on by [`record`](Self::record).
    pub fn correlate(&mut self, correlator: Correlator, logs: Vec<LogReader>) {
        self.correlator = Some(correlator);
        self.logs = logs;
    }

    /// Takes a record of a log; one that another log had already is counted and left out.
    ///
    /// # Errors
    ///
    /// The writer's.
    pub fn record(
        &mut self,
        place: Place<'_>,
        record: &Record<'_>,
        now: WallTime,
    ) -> io::Result<()> {
        let Some(correlator) = &mut self.correlator else {
            return Ok(());
        };
        if self.settings.filter.matches_record(record) && !correlator.is_repeat(record) {
            if let Some(enforcing) = &mut self.enforcing {
                enforcing.record(place, record);
            }
            correlator.record(record);
        }
        tell(correlator, &mut self.output, now)
    }

    /// The logs that were read at the end, and why some of them were not read whole.
    #[must_use]
    pub fn logs(&self) -> (&[LogReader], &[LogError]) {
        (&self.logs, &self.log_errors)
    }

    /// What joins logs and connections, if anything does.
    #[must_use]
    pub const fn correlator(&self) -> Option<&Correlator> {
        self.correlator.as_ref()
    }

    /// Tells what netsec itself missed, to be shown beside what other sensors did.
    pub(super) fn count_losses(&mut self, summary: &Summary) {
        let coverage = Coverage::of(summary);
        if let Some(correlator) = &mut self.correlator
            && coverage.frames > 0
        {
            correlator.counted(
                coverage.frames,
                coverage.frames.saturating_sub(coverage.covered),
            );
        }
    }

    /// Reads the logs that were kept for the end, and says what became of all rows.
    pub(super) fn finish_logs(&mut self, now: WallTime) -> io::Result<()> {
        let Some(mut correlator) = self.correlator.take() else {
            return Ok(());
        };
        let (output, filter) = (&mut self.output, &self.settings.filter);
        for log in &mut self.logs {
            let file = log.file().to_owned();
            let read = log.for_each(|line, record| {
                if filter.matches_record(record) && !correlator.is_repeat(record) {
                    if let Some(enforcing) = &mut self.enforcing {
                        let (file, at) = (&file, At::Line(line));
                        enforcing.record(Place { file, at }, record);
                    }
                    correlator.record(record);
                }
                tell(&mut correlator, output, now)?;
                Ok(ControlFlow::Continue(()))
            });
            match read {
                Ok(()) => {}
                Err(LogError::Output(error)) => return Err(error),
                Err(error) => self.log_errors.push(error),
            }
        }
        correlator.finish(now);
        tell(&mut correlator, output, now)?;
        self.correlator = Some(correlator);
        Ok(())
    }
}

/// Writes what the correlator found worth saying.
pub(super) fn tell(
    correlator: &mut Correlator,
    output: &mut impl Output,
    now: WallTime,
) -> io::Result<()> {
    let told = correlator.take_told();
    told.iter().try_for_each(|told| output.told(told, now))
}
