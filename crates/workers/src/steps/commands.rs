//! Giving commands from a stage: what to do when the store does not answer or refuses.

use std::time::Duration;

use cqrs_es::Aggregate;
use uuid::Uuid;
use ytcaption_domain::event::EventFamily;
use ytcaption_domain::{CommandContext, Routed};
use ytcaption_eventstore::{CommandBus, CommandError, Executed, UnreadableEvent};

use crate::backoff::full_jitter;
use crate::consumer::Outcome;

/// A message waits about so long when the store does not answer.
pub(super) const STORE_PAUSE: Duration = Duration::from_secs(4);
/// A message waits so long for a worker that can read the job.
const UNREADABLE_PAUSE: Duration = Duration::from_mins(1);
/// A result that was long in the making is offered to the store about so often before it is thrown away.
const OFFERS: u32 = 60;
/// Longest pause between two offers.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// What becomes of a message whose command had no effect.
pub(super) fn outcome_of<E: std::error::Error>(error: &CommandError<E>) -> Outcome {
    match error {
        CommandError::Unavailable(_) | CommandError::Conflict => {
            tracing::warn!(%error, "the message waits");
            Outcome::RetryAfter(STORE_PAUSE.mul_f64(0.5 + fastrand::f64()))
        }
        CommandError::Unreadable(_) => {
            tracing::error!(%error, "the message waits for a worker that can read the job");
            Outcome::RetryAfter(UNREADABLE_PAUSE)
        }
        CommandError::Rejected(rejection) => Outcome::Unreadable(rejection.to_string()),
    }
}

/// What becomes of a message whose event cannot be read. Nothing is lost by an upgrade in which old and new workers run
/// side by side: what a newer program wrote waits for one.
pub(super) fn unreadable(error: &UnreadableEvent) -> Outcome {
    if error.is_newer() {
        tracing::error!(%error, "the message waits for a worker that can read it");
        Outcome::RetryAfter(UNREADABLE_PAUSE)
    } else {
        Outcome::Unreadable(error.to_string())
    }
}

/// Gives a command whose result must not be lost: while the store does not answer, it is given again for some minutes.
/// A command that was carried out without our hearing of it decides to nothing the second time.
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
    for offer in 1..OFFERS {
        match bus.execute(id, command.clone(), context).await {
            Err(error @ (CommandError::Unavailable(_) | CommandError::Conflict)) => {
                tracing::warn!(%error, offer, "the result is kept and offered again");
                tokio::time::sleep(full_jitter(offer, Duration::from_millis(500), LONGEST_PAUSE)).await;
            }
            outcome => return outcome,
        }
    }
    bus.execute(id, command, context).await
}
