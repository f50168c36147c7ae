//! Reports the progress of a download to its job, at most once a second.

use std::time::{Duration, Instant};

use tracing::Instrument as _;
use ytcaption_domain::job::JobCommand;

use super::DownloadUnit;
use crate::steps::attempt::Attempt;

/// Least difference between two reports, in percentage points.
const MIN_POINTS: u8 = 10;
/// Least time between two reports.
const MIN_INTERVAL: Duration = Duration::from_secs(1);

/// Reports the progress of one attempt.
pub(super) struct Progress<'a> {
    attempt: &'a Attempt<'a, DownloadUnit>,
    reported: u8,
    at: Instant,
}

impl<'a> Progress<'a> {
    pub(super) fn new(attempt: &'a Attempt<'a, DownloadUnit>) -> Self {
        Self { attempt, reported: 0, at: Instant::now() }
    }

    /// `arrived` of `total` bytes have arrived. Never waits: a report that is late or lost does no harm.
    pub(super) fn report(&mut self, arrived: u64, total: u64) {
        let percent = percent_of(arrived, total);
        if percent < self.reported.saturating_add(MIN_POINTS) || self.at.elapsed() < MIN_INTERVAL {
            return;
        }
        self.reported = percent;
        self.at = Instant::now();
        let (jobs, context) = (self.attempt.deps.jobs.clone(), self.attempt.context.clone());
        let (job_id, attempt) = (self.attempt.unit.0.0, self.attempt.number);
        let report = async move {
            let command = JobCommand::ReportDownloadProgress { attempt, percent };
            if let Err(error) = jobs.execute(job_id, command, &context).await {
                tracing::debug!(%error, percent, "progress was not recorded");
            }
        };
        tokio::spawn(report.in_current_span());
    }
}

fn percent_of(arrived: u64, total: u64) -> u8 {
    match total {
        0 => 0,
        total => u8::try_from((u128::from(arrived) * 100 / u128::from(total)).min(100)).unwrap_or(100),
    }
}

#[cfg(test)]
mod tests {
    use super::percent_of;

    #[test]
    fn a_share_is_between_0_and_100_percent() {
        assert_eq!(
            [(0, 0), (0, 5), (1, 3), (5, 5), (9, 5), (u64::MAX, u64::MAX)].map(|(a, t)| percent_of(a, t)),
            [0, 0, 33, 100, 100, 100]
        );
    }
}
