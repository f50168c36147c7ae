//! The loop that the workers of every step run: fetch messages while there are free permits, hand each to the step's
//! worker, and acknowledge it by the outcome.
//!
//! ```text
//! StreamListener (core NATS) ─┐
//! tick, 1 s ──────────────────┼─▶ fetch, no wait, at most as many as there are free permits
//! a permit became free ───────┘        │ the queues of the step, by weight
//!                                      ▼
//!                task: worker.work(message)           in progress to NATS every 5 s
//!                      Done ─▶ ack   RetryAfter ─▶ nak with delay   Unreadable ─▶ term   Superseded ─▶ no answer
//! ```
//!
//! A message is fetched only if its work can start at once, so that workers share the work evenly. The messages of a
//! worker that is lost are delivered to others after `ack_wait`.

mod ack;
mod handler;
mod listener;
mod message;
mod queues;
mod run;

use std::time::Duration;

use ytcaption_domain::step::Step;

pub use message::{Message, MessageError};
pub use run::run;

/// How often NATS receives that a message is in progress; `ack_wait` of the consumers is three times as long.
pub(crate) const PROGRESS_INTERVAL: Duration = Duration::from_secs(5);

/// The delay until unfinished work is delivered to another worker. Unlike a nak without a delay, the server stores this
/// one, so that it holds even if the server restarts before a worker fetches the message.
pub(crate) const AT_ONCE: Duration = Duration::from_millis(1);

/// The outcome of the work on a message. A failure that belongs to a job has been recorded in its events before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The message needs no more work.
    Done,
    /// The message is to be delivered again after this delay.
    RetryAfter(Duration),
    /// This process stops before the work has ended, which is recorded: the message is for another worker.
    HandedBack,
    /// Another worker has the same message by now, and acknowledges it.
    Superseded,
    /// No worker will ever be able to work on the message, for this reason.
    Unreadable(String),
}

/// Does the work of one step.
pub trait StepWorker: Send + Sync + 'static {
    /// The step; its queues are those that [`run`] fetches from.
    const STEP: Step;

    /// Works on one message. Dropping the future abandons the work and leaves nothing running.
    fn work(&self, message: Message) -> impl Future<Output = Outcome> + Send;
}

#[cfg(test)]
mod tests;
