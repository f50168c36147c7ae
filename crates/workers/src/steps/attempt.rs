//! One attempt at a unit of a step's work: whether its result is still wanted, and what is recorded when it fails.
//!
//! Nothing here knows a particular step or aggregate: [`StepUnit`] is what a step says about its own.

use std::time::Duration;

use cqrs_es::Aggregate;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use ytcaption_domain::event::EventFamily;
use ytcaption_domain::job::Failure;
use ytcaption_domain::step::Step;
use ytcaption_domain::{CommandContext, Routed};
use ytcaption_eventstore::work::{self, SupersededBy, WorkUnit};
use ytcaption_eventstore::{CommandBus, CommandError, Executed};

use super::commands::{execute_with_retry, outcome_from};
use super::error::{RetryClass, StepError};
use crate::WorkerDeps;
use crate::backoff::{as_ms, full_jitter};
use crate::consumer::{AT_ONCE, Outcome};

/// How often running work is compared with the store.
const CHECK_INTERVAL: Duration = Duration::from_millis(750);
/// With the default delays, four minutes instead of a quarter of one.
const MORE_ATTEMPTS_TO_RESOLVE: u32 = 5;

/// How often and how fast a step is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetrySettings {
    /// Attempts at most, the first included, at work that fails with a transient error.
    pub max_attempts: u32,
    /// Upper bound of the delay before the second attempt; it doubles from attempt to attempt.
    pub min_delay: Duration,
    /// Upper bound of every delay.
    pub max_delay: Duration,
}

impl Default for RetrySettings {
    fn default() -> Self {
        Self { max_attempts: 5, min_delay: Duration::from_secs(2), max_delay: Duration::from_mins(2) }
    }
}

/// One unit of a step's work, and the aggregate that records the attempts at it.
pub(crate) trait StepUnit: Send + Sync {
    /// The aggregate that records the attempts.
    type Aggregate: Aggregate<Services = (), Command: Clone, Event: EventFamily> + Routed + Clone;

    /// The step.
    const STEP: Step;
    /// Attempts that may be lost, because the worker's process died during them, before the job fails because of it. An
    /// attempt that a stopping worker has handed back is not lost.
    const MAX_LOST_ATTEMPTS: i64 = 8;

    /// Which unit it is.
    fn work_unit(&self) -> WorkUnit;

    /// Id of the aggregate that records the attempts at it.
    fn aggregate_id(&self) -> Uuid;

    /// Number of its latest attempt, 0 before the first; `None` if it needs no more work: it is done, or obsolete since
    /// the job has ended.
    fn latest_attempt(&self, aggregate: &Self::Aggregate) -> Option<u32>;

    /// The command that records a failed attempt, and the delay until the next one.
    fn record_failure(&self, attempt: u32, failure: Failure, retry_in_ms: Option<u64>) -> CommandOf<Self>;
}

/// The commands of the aggregate that records the attempts at a unit.
pub(crate) type CommandOf<U> = <<U as StepUnit>::Aggregate as Aggregate>::Command;

/// An attempt in progress.
pub(crate) struct Attempt<'a, U: StepUnit> {
    pub(crate) deps: &'a WorkerDeps,
    pub(crate) bus: &'a CommandBus<U::Aggregate>,
    pub(crate) context: &'a CommandContext,
    pub(crate) unit: U,
    /// Counted from 1 by the aggregate; 0 if it failed before it started.
    pub(crate) number: u32,
    /// See [`crate::consumer::Message::stopping`].
    pub(crate) stopping: CancellationToken,
}

impl<U: StepUnit> Attempt<'_, U> {
    /// Runs `work` while its result is wanted, and records how it ended: with a command, or with an error.
    pub(crate) async fn run(
        &self,
        retry: RetrySettings,
        work: impl Future<Output = Result<CommandOf<U>, StepError>>,
    ) -> Outcome {
        if let Some(error) = self.lost_too_often().await {
            return self.fail(error, retry).await;
        }
        let result = tokio::select! {
            result = work => result,
            outcome = self.until_superseded() => return outcome,
            () = self.stopping.cancelled() => return self.hand_back().await,
        };
        let command = match result {
            Ok(command) => command,
            Err(error) => return self.fail(error, retry).await,
        };
        match execute_with_retry(self.bus, self.unit.aggregate_id(), command, self.context).await {
            Ok(executed) => self.outcome_after(&executed),
            Err(CommandError::Rejected(rejection)) => self.fail(StepError::result_rejected(&rejection), retry).await,
            Err(error @ CommandError::Unstorable(_)) => self.fail(StepError::result_rejected(&error), retry).await,
            Err(error) => outcome_from(&error),
        }
    }

    /// Records the failure, and says when the next attempt is.
    pub(crate) async fn fail(&self, error: StepError, retry: RetrySettings) -> Outcome {
        let StepError { retry_class, mut failure, reason, .. } = error;
        let delay = full_jitter(retry.min_delay, retry.max_delay)
            .nth(usize::try_from(self.number.saturating_sub(1)).unwrap_or(usize::MAX));
        let retry_after = match retry_class {
            RetryClass::Permanent => None,
            RetryClass::Transient => delay.filter(|_| self.number < retry.max_attempts),
            RetryClass::Unresolved => delay.filter(|_| self.number < retry.max_attempts + MORE_ATTEMPTS_TO_RESOLVE),
            RetryClass::Unavailable => delay,
        };
        if retry_after.is_none() && matches!(retry_class, RetryClass::Transient | RetryClass::Unresolved) {
            failure.message = format!("{} Given up after {} attempts.", failure.message, self.number);
        }
        tracing::warn!(
            code = failure.code,
            failure = failure.message,
            reason,
            attempt = self.number,
            retry_in_ms = retry_after.map(as_ms),
            "an attempt failed"
        );
        let command = self.unit.record_failure(self.number, failure, retry_after.map(as_ms));
        match execute_with_retry(self.bus, self.unit.aggregate_id(), command, self.context).await {
            Err(error) => outcome_from(&error),
            Ok(executed) => match (self.unit.latest_attempt(&executed.aggregate), retry_after) {
                (Some(latest), Some(delay)) if latest == self.number => Outcome::RetryAfter(delay),
                _ => self.outcome_after(&executed),
            },
        }
    }

    /// Records that this process stops before the attempt has ended, so that the attempt does not count as lost.
    async fn hand_back(&self) -> Outcome {
        let failure = Failure {
            code: "worker_stopped".to_owned(),
            message: "The worker was stopped before it had finished; another one begins again.".to_owned(),
        };
        let command = self.unit.record_failure(self.number, failure, Some(as_ms(AT_ONCE)));
        if let Err(error) = self.bus.execute(self.unit.aggregate_id(), command, self.context).await {
            tracing::warn!(%error, "the unfinished attempt counts as lost");
        }
        Outcome::HandedBack
    }

    /// Gives a command in the middle of the attempt.
    ///
    /// # Errors
    /// The store does not answer, or the aggregate rejects the command.
    pub(crate) async fn execute(&self, command: CommandOf<U>) -> Result<Executed<U::Aggregate>, StepError> {
        execute_with_retry(self.bus, self.unit.aggregate_id(), command, self.context).await.map_err(|error| match error
        {
            CommandError::Rejected(rejection) => StepError::result_rejected(&rejection),
            error @ CommandError::Unstorable(_) => StepError::result_unstorable(&error),
            error => {
                let message = "The event store cannot be used at the moment. The step is tried again.";
                StepError::unavailable("store_unavailable", message).because(error)
            }
        })
    }

    /// A command without effect, although the unit needs work, was that of a superseded attempt.
    fn outcome_after(&self, executed: &Executed<U::Aggregate>) -> Outcome {
        match self.unit.latest_attempt(&executed.aggregate) {
            Some(latest) if latest != self.number => Outcome::Superseded,
            _ => Outcome::Done,
        }
    }

    /// Returns when the job has ended or a later attempt at the unit has started.
    async fn until_superseded(&self) -> Outcome {
        loop {
            tokio::time::sleep(CHECK_INTERVAL).await;
            match work::superseded_by(&self.deps.database, &U::STEP, self.unit.work_unit(), self.number).await {
                Ok(None) => {}
                Ok(Some(SupersededBy::JobEnd)) => {
                    tracing::info!("the job has ended; its work is stopped");
                    return Outcome::Done;
                }
                Ok(Some(SupersededBy::LaterAttempt)) => {
                    tracing::warn!(attempt = self.number, "another worker has started a later attempt; this one stops");
                    return Outcome::Superseded;
                }
                // Work continues without the database; the command with its result is retried.
                Err(error) => tracing::debug!(%error, "whether the result is still wanted is not known"),
            }
        }
    }

    /// Media that kill every worker that reads them must not occupy workers for ever.
    async fn lost_too_often(&self) -> Option<StepError> {
        if i64::from(self.number) <= U::MAX_LOST_ATTEMPTS {
            return None;
        }
        let unfinished = work::unfinished_attempts(&self.deps.database, &U::STEP, self.unit.work_unit()).await;
        unfinished.is_ok_and(|unfinished| unfinished > U::MAX_LOST_ATTEMPTS).then(|| {
            StepError::permanent(
                "worker_lost",
                format!(
                    "The worker's process died {} times while it was working on this media ({}). Its log may say why: \
                     too little memory, or a model that crashes. Then retry the job.",
                    U::MAX_LOST_ATTEMPTS,
                    U::STEP.name
                ),
            )
        })
    }
}

#[cfg(test)]
#[path = "attempt_tests.rs"]
mod tests;
