//! Commands that workers give: what becomes of a message when the store does not answer or an aggregate rejects them.

use std::time::Duration;

use backon::Retryable as _;
use cqrs_es::Aggregate;
use uuid::Uuid;
use ytcaption_domain::event::EventFamily;
use ytcaption_domain::{CommandContext, Routed};
use ytcaption_eventstore::{CommandBus, CommandError, Executed, UnreadableEvent};

use crate::backoff::full_jitter;
use crate::consumer::Outcome;

/// Mean delay of a message while the store does not answer.
pub(super) const STORE_DELAY: Duration = Duration::from_secs(4);
/// Delay of a message that only a newer worker can read.
const UNREADABLE_DELAY: Duration = Duration::from_mins(1);
/// Retries of a command before its result, which may have taken long to produce, is dropped.
const MAX_RETRIES: usize = 59;
/// Bounds of the delays between those retries.
const RETRY_DELAYS: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(10));

/// The outcome of a message whose command had no effect.
pub(super) fn outcome_from<E: std::error::Error>(error: &CommandError<E>) -> Outcome {
    match error {
        CommandError::Unavailable(_) | CommandError::Conflict => {
            tracing::warn!(%error, "the message waits");
            Outcome::RetryAfter(STORE_DELAY.mul_f64(0.5 + fastrand::f64()))
        }
        CommandError::Unreadable(_) => {
            tracing::error!(%error, "the message waits for a worker that can read the job");
            Outcome::RetryAfter(UNREADABLE_DELAY)
        }
        CommandError::Rejected(rejection) => Outcome::Unreadable(rejection.to_string()),
        CommandError::Unstorable(_) => Outcome::Unreadable(error.to_string()),
    }
}

/// The outcome of a message whose event cannot be read. An upgrade in which old and new workers run side by side loses
/// nothing: an event that a newer program wrote waits for a newer worker.
pub(super) fn outcome_of_unreadable(error: &UnreadableEvent) -> Outcome {
    if error.is_newer() {
        tracing::error!(%error, "the message waits for a worker that can read it");
        Outcome::RetryAfter(UNREADABLE_DELAY)
    } else {
        Outcome::Unreadable(error.to_string())
    }
}

/// Gives a command whose result must not be lost: while the store does not answer, it is retried for some minutes. If an
/// earlier try has succeeded without an answer, the retry is a no-op.
pub(super) async fn execute_with_retry<A>(
    bus: &CommandBus<A>,
    id: Uuid,
    command: A::Command,
    context: &CommandContext,
) -> Result<Executed<A>, CommandError<A::Error>>
where
    A: Aggregate<Services = ()> + Routed + Clone,
    A::Command: Clone,
    A::Event: EventFamily,
{
    (|| bus.execute(id, command.clone(), context))
        .retry(full_jitter(RETRY_DELAYS.0, RETRY_DELAYS.1).take(MAX_RETRIES))
        .when(|error| matches!(error, CommandError::Unavailable(_) | CommandError::Conflict))
        .notify(|error, delay| tracing::warn!(%error, ?delay, "the result is kept, and its command is retried"))
        .await
}
