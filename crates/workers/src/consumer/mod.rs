//! The loop that every stage runs: takes messages when there is room for them, and answers each for the stage.
//!
//! ```text
//!  doorbell (core NATS) ─┐
//!  tick, 1 s ────────────┼─▶ fetch, no wait, at most as many as there are free permits
//!  a permit came free ───┘        │ queues of a stage by weight
//!                                 ▼
//!                  task: worker.work(message)      progress to NATS every 5 s
//!                        Done ─▶ ack   Again ─▶ nak with delay   Unreadable ─▶ term   Overtaken ─▶ no answer
//! ```
//!
//! Nothing is fetched that cannot be begun at once, so a crowd of workers shares the work evenly, and one that dies
//! takes nothing down with it: what it held is delivered to another after `ack_wait`.

mod ack;
mod handler;
mod listener;
mod queues;
mod run;

use std::time::Duration;

use async_nats::jetstream;
use ytcaption_domain::JobId;

pub use run::run;

use crate::cloud_event::{CloudEvent, REPUBLISHED};

/// How often NATS is told that work goes on; the consumers' `ack_wait` is three times as long.
pub(crate) const PROGRESS: Duration = Duration::from_secs(5);

/// A durable consumer and how much of a stage's attention it gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Queue {
    /// Name of the durable consumer.
    pub consumer: &'static str,
    /// Of so many turns as all weights together, this queue is asked first in `weight`; when the queue whose turn it
    /// is has nothing, the others are asked, the most important first.
    pub weight: usize,
}

/// The queues of a stage with priorities: ten turns, six for `high`, three for `normal`, one for `low`.
pub(crate) const fn by_priority(high: &'static str, normal: &'static str, low: &'static str) -> [Queue; 3] {
    [Queue { consumer: high, weight: 6 }, Queue { consumer: normal, weight: 3 }, Queue { consumer: low, weight: 1 }]
}

/// One event to work on.
#[derive(Debug, Clone)]
pub struct Message {
    /// The event.
    pub event: CloudEvent,
    /// The job it speaks of.
    pub job_id: JobId,
    /// How often it was delivered, this time included.
    pub deliveries: u64,
    /// Whether it was put on the stream once more, after a loss or on request.
    pub republished: bool,
}

/// What became of a message. Failures that belong to a job were recorded by the stage before it answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// There is nothing more to do.
    Done,
    /// Deliver it again after this time.
    RetryAfter(Duration),
    /// Another worker has the message by now and answers it.
    Superseded,
    /// Nobody will ever be able to work on it; the text says why.
    Unreadable(String),
}

/// A kind of work.
pub trait StepWorker: Send + Sync + 'static {
    /// Its name in logs, metrics and worker names.
    const NAME: &'static str;

    /// Works on one event. Dropping the future abandons the work and leaves nothing running.
    fn work(&self, message: Message) -> impl Future<Output = Outcome> + Send;
}

/// Reads what came from the stream.
fn read(message: &jetstream::Message) -> Result<Message, String> {
    let event: CloudEvent =
        serde_json::from_slice(&message.payload).map_err(|error| format!("it is no CloudEvent: {error}"))?;
    let job_id = event.subject.parse().map_err(|_| format!("`{}` is no job id", event.subject))?;
    let deliveries = message.info().map_or(1, |info| u64::try_from(info.delivered).unwrap_or(1));
    let republished = message.headers.as_ref().is_some_and(|headers| headers.get(REPUBLISHED).is_some());
    Ok(Message { event, job_id, deliveries, republished })
}

#[cfg(test)]
mod tests;
