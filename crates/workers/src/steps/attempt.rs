//! One attempt at a step of a job: whether it still matters, and what is recorded when it fails.

use std::time::Duration;

use sqlx::PgPool;
use ytcaption_domain::job::{Failure, Job, JobCommand, JobEvent, JobRejection};
use ytcaption_domain::{CommandContext, JobId};
use ytcaption_eventstore::{CommandError, Executed};

use super::commands::{execute_with_retry, outcome_of};
use super::error::{RetryClass, StepError};
use crate::WorkerDeps;
use crate::backoff::{as_ms, full_jitter};
use crate::consumer::Outcome;

/// How often running work asks whether it still matters.
const WATCH: Duration = Duration::from_millis(750);
/// So many attempts may end without a word, by a worker that was killed or stopped, before the job is blamed for it.
const MOST_LOST: i64 = 8;

/// Ends of the job, or a newer attempt at the same step.
const POINTLESS: &str = "
    SELECT event_type <> $2 FROM events
     WHERE aggregate_type = 'job' AND aggregate_id = $1
       AND (event_type = ANY($5)
            OR (event_type = $2 AND (payload->>'attempt')::bigint > $3
                AND ($4::bigint IS NULL OR (payload->>'chunk')::bigint = $4)))
     ORDER BY 1 DESC LIMIT 1";

/// Attempts that began and were never heard of again; the current one is among them.
const LOST: &str = "
    SELECT count(*) FILTER (WHERE event_type = $2) - count(*) FILTER (WHERE event_type = $3) FROM events
     WHERE aggregate_type = 'job' AND aggregate_id = $1 AND event_type IN ($2, $3)
       AND ($4::bigint IS NULL OR (payload->>'chunk')::bigint = $4)";

/// How often and how fast a step is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetrySettings {
    /// Attempts at most, the first included, where the world outside is to retry_class.
    pub attempts: u32,
    /// Upper bound of the first pause; it doubles from attempt to attempt.
    pub first_pause: Duration,
    /// Upper bound of every pause.
    pub longest_pause: Duration,
}

impl Default for RetrySettings {
    fn default() -> Self {
        Self { attempts: 5, first_pause: Duration::from_secs(2), longest_pause: Duration::from_mins(2) }
    }
}

/// What is attempted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Download,
    #[cfg_attr(not(feature = "transcribe"), expect(dead_code, reason = "only the transcription worker makes it"))]
    Chunk(u32),
}

impl Step {
    const fn started(self) -> &'static str {
        match self {
            Self::Download => "DownloadStarted",
            Self::Chunk(_) => "ChunkStarted",
        }
    }

    const fn failed(self) -> &'static str {
        match self {
            Self::Download => "DownloadAttemptFailed",
            Self::Chunk(_) => "ChunkAttemptFailed",
        }
    }

    fn chunk(self) -> Option<i64> {
        match self {
            Self::Download => None,
            Self::Chunk(chunk) => Some(i64::from(chunk)),
        }
    }
}

/// The job does not take the result: a error of ours, which no further attempt mends. It must not stay open for it.
fn refused(rejection: &JobRejection) -> StepError {
    StepError::permanent(
        "result_refused",
        format!(
            "What the worker made of the recording does not fit the job: {rejection}. \
             This is a error of YTCaption: please report it with the id of the job."
        ),
    )
}

/// An attempt under way.
#[derive(Clone, Copy)]
pub(super) struct Attempt<'a> {
    pub(super) deps: &'a WorkerDeps,
    pub(super) context: &'a CommandContext,
    pub(super) job_id: JobId,
    pub(super) step: Step,
    /// As the job counts it, from 1; 0 if it failed before it began.
    pub(super) number: u32,
}

impl Attempt<'_> {
    /// Runs `work` as long as it matters and records how it ended: its command, or its error.
    pub(super) async fn run(
        &self,
        retry: RetrySettings,
        work: impl Future<Output = Result<JobCommand, StepError>>,
    ) -> Outcome {
        if let Some(error) = self.lost_too_often().await {
            return self.fail(error, retry).await;
        }
        let result = tokio::select! {
            result = work => result,
            outcome = self.until_superseded() => return outcome,
        };
        match result {
            Ok(command) => {
                let recorded = execute_with_retry(&self.deps.jobs, self.job_id.0, command, self.context).await;
                match recorded {
                    Ok(executed) => self.outcome_after(&executed),
                    Err(CommandError::Rejected(rejection)) => self.fail(refused(&rejection), retry).await,
                    Err(error) => outcome_of(&error),
                }
            }
            Err(error) => self.fail(error, retry).await,
        }
    }

    /// Records the failure, and says when the next attempt is.
    pub(super) async fn fail(&self, error: StepError, retry: RetrySettings) -> Outcome {
        let pause = full_jitter(self.number, retry.first_pause, retry.longest_pause);
        let again = match error.retry_class {
            RetryClass::Permanent => None,
            RetryClass::Transient => (self.number < retry.attempts).then_some(pause),
            RetryClass::Unavailable => Some(pause),
        };
        let mut failure = error.failure;
        if again.is_none() && error.retry_class == RetryClass::Transient {
            failure.message = format!("{} Given up after {} attempts.", failure.message, self.number);
        }
        tracing::warn!(
            code = failure.code,
            reason = failure.message,
            attempt = self.number,
            again_in_ms = again.map(as_ms),
            "an attempt failed"
        );
        let command = self.failure_command(failure, again.map(as_ms));
        match execute_with_retry(&self.deps.jobs, self.job_id.0, command, self.context).await {
            Err(error) => outcome_of(&error),
            Ok(executed) => match (self.outcome_after(&executed), again) {
                (Outcome::Done, Some(after)) if executed.aggregate.is_open() => Outcome::RetryAfter(after),
                (outcome, _) => outcome,
            },
        }
    }

    fn failure_command(&self, failure: Failure, retry_in_ms: Option<u64>) -> JobCommand {
        let attempt = self.number;
        match self.step {
            Step::Download => JobCommand::RecordDownloadFailure { attempt, failure, retry_in_ms },
            Step::Chunk(chunk) => JobCommand::RecordChunkFailure { chunk, attempt, failure, retry_in_ms },
        }
    }

    /// A command without effect, although the job goes on, was that of an overtaken attempt.
    fn outcome_after(&self, executed: &Executed<Job>) -> Outcome {
        let job = &executed.aggregate;
        let current = match self.step {
            Step::Download => job.audio.is_some() || job.download_attempt == self.number,
            Step::Chunk(chunk) => {
                job.chunk(chunk).is_none_or(|chunk| chunk.result.is_some() || chunk.attempt == self.number)
            }
        };
        if current || !job.is_open() { Outcome::Done } else { Outcome::Superseded }
    }

    /// Returns when the job has ended or another attempt at the step has begun.
    async fn until_superseded(&self) -> Outcome {
        loop {
            tokio::time::sleep(WATCH).await;
            match self.superseded_by(self.deps.database.pool()).await {
                Ok(None) => {}
                Ok(Some(true)) => {
                    tracing::info!("the job has ended; its work is stopped");
                    return Outcome::Done;
                }
                Ok(Some(false)) => {
                    tracing::warn!(attempt = self.number, "another worker has begun the same; this one stops");
                    return Outcome::Superseded;
                }
                // Work goes on without the database; its result waits until it is back.
                Err(error) => tracing::debug!(%error, "whether the work still matters is not known"),
            }
        }
    }

    /// `true` if the job has ended, `false` if the attempt was overtaken.
    async fn superseded_by(&self, pool: &PgPool) -> Result<Option<bool>, sqlx::Error> {
        sqlx::query_scalar(POINTLESS)
            .bind(self.job_id.to_string())
            .bind(self.step.started())
            .bind(i64::from(self.number))
            .bind(self.step.chunk())
            .bind(JobEvent::TERMINAL_EVENTS.map(|event| event.name).as_slice())
            .fetch_optional(pool)
            .await
    }

    /// A recording that kills every worker that touches it must not go on for ever.
    async fn lost_too_often(&self) -> Option<StepError> {
        if i64::from(self.number) <= MOST_LOST {
            return None;
        }
        let lost: Result<i64, _> = sqlx::query_scalar(LOST)
            .bind(self.job_id.to_string())
            .bind(self.step.started())
            .bind(self.step.failed())
            .bind(self.step.chunk())
            .fetch_one(self.deps.database.pool())
            .await;
        lost.is_ok_and(|lost| lost > MOST_LOST).then(|| {
            StepError::permanent(
                "worker_lost",
                format!(
                    "The worker ended {MOST_LOST} times without finishing this recording. \
                     See its log; the recording may need more memory than there is."
                ),
            )
        })
    }
}

#[cfg(test)]
#[path = "attempt_tests.rs"]
mod tests;
