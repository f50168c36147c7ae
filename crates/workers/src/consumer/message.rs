//! What a worker receives: an event, and how it was delivered.

use async_nats::jetstream;
use tokio_util::sync::CancellationToken;
use ytcaption_domain::JobId;

use super::Outcome;
use crate::cloud_event::{CloudEvent, REPUBLISHED};

/// One event to work on.
#[derive(Debug, Clone)]
pub struct Message {
    /// The event that triggers the work.
    pub event: CloudEvent,
    /// How often the message was delivered, this delivery included.
    pub deliveries: u64,
    /// Whether the relay has published the event before: after a loss, or on request.
    pub republished: bool,
    /// Cancelled when this process stops and cannot wait any longer: the work is handed back.
    pub stopping: CancellationToken,
}

/// A message that a worker cannot use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// The payload is not a `CloudEvent`.
    #[error("the message is not a CloudEvent: {0}")]
    NotACloudEvent(String),
    /// The event belongs to something else than a job.
    #[error("`{kind}` of `{subject}` is not an event of a job")]
    NotOfAJob {
        /// Type of the event.
        kind: String,
        /// Id of its aggregate.
        subject: String,
    },
}

impl From<MessageError> for Outcome {
    fn from(error: MessageError) -> Self {
        Self::Unreadable(error.to_string())
    }
}

impl Message {
    /// Reads what the stream has delivered.
    pub(super) fn from_jetstream(
        message: &jetstream::Message,
        stopping: CancellationToken,
    ) -> Result<Self, MessageError> {
        let event = serde_json::from_slice(&message.payload)
            .map_err(|error| MessageError::NotACloudEvent(error.to_string()))?;
        let deliveries = message.info().map_or(1, |info| u64::try_from(info.delivered).unwrap_or(1));
        let republished = message.headers.as_ref().is_some_and(|headers| headers.get(REPUBLISHED).is_some());
        Ok(Self { event, deliveries, republished, stopping })
    }

    /// The job that the event belongs to.
    ///
    /// # Errors
    /// It is an event of another aggregate.
    pub fn job_id(&self) -> Result<JobId, MessageError> {
        let id = (self.event.aggregate_type() == "job").then(|| self.event.subject.parse().ok()).flatten();
        id.ok_or_else(|| MessageError::NotOfAJob { kind: self.event.kind.clone(), subject: self.event.subject.clone() })
    }
}
