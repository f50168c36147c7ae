//! A recorded event, in types.

use cqrs_es::Aggregate;
use ytcaption_domain::JobId;
use ytcaption_domain::delivery::{Delivery, DeliveryEvent};
use ytcaption_domain::job::{Job, JobEvent};
use ytcaption_eventstore::RecordedEvent;

use crate::ProjectionError;

/// A recorded event and what it says.
#[derive(Debug)]
pub(crate) struct TypedEvent<'a> {
    /// As the store holds it.
    pub(crate) recorded: &'a RecordedEvent,
    /// What it says.
    pub(crate) content: EventContent,
}

/// The typed events that a recorded event decodes to: at least one, and one only if it was written in its current
/// version. An arm for each aggregate, so that a new aggregate does not compile until every projection has decided.
#[derive(Debug)]
pub(crate) enum EventContent {
    /// Events of a job.
    Job(JobId, Vec<JobEvent>),
    /// Events of a delivery, with the job that it notifies of.
    Delivery(JobId, Vec<DeliveryEvent>),
}

impl<'a> TypedEvent<'a> {
    /// Decodes a recorded event.
    ///
    /// # Errors
    /// This program does not know its aggregate, type, version or shape.
    pub(crate) fn decode(recorded: &'a RecordedEvent) -> Result<Self, ProjectionError> {
        let content = match recorded.aggregate_type.as_str() {
            Job::TYPE => {
                let id = recorded.aggregate_id.parse().map_err(|_| ProjectionError::InvalidJobId)?;
                EventContent::Job(id, recorded.decode()?)
            }
            Delivery::TYPE => {
                let events: Vec<DeliveryEvent> = recorded.decode()?;
                let id = events.first().map(DeliveryEvent::job_id).ok_or(ProjectionError::InvalidJobId)?;
                EventContent::Delivery(id, events)
            }
            other => return Err(ProjectionError::UnknownAggregate(other.to_owned())),
        };
        Ok(Self { recorded, content })
    }
}

impl EventContent {
    /// The job that the event is about.
    pub(crate) const fn job_id(&self) -> JobId {
        match self {
            Self::Job(id, _) | Self::Delivery(id, _) => *id,
        }
    }
}
