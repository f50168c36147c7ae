//! The use cases that read.

use std::time::Duration;

use ytcaption_eventstore::{Checkpoints, Database, EventReader, RELAY_CHECKPOINT};
use ytcaption_projections::{JobQueries, ParkedEvents, UsageQueries};

use crate::StoreError;

/// The use cases that read. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Queries {
    pub(crate) database: Database,
    pub(crate) jobs: JobQueries,
    pub(crate) events: EventReader,
    pub(crate) parked: ParkedEvents,
    pub(crate) usage: UsageQueries,
}

impl Queries {
    /// Queries over a database, which need not answer yet.
    pub fn new(database: &Database) -> Self {
        Self {
            jobs: JobQueries::new(database),
            events: EventReader::new(database),
            parked: ParkedEvents::new(database),
            usage: UsageQueries::new(database),
            database: database.clone(),
        }
    }

    /// Whether queries are answered, for readiness probes: reads the read model, so a database without its schema is
    /// an error. Reveals nothing of any job.
    ///
    /// # Errors
    /// The database does not answer, or lacks the schema.
    pub async fn check(&self) -> Result<(), StoreError> {
        Ok(self.jobs.check().await?)
    }

    /// How long no event has reached JetStream, and so no worker, although some wait; zero while none waits. Reveals nothing
    /// of any job.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn dispatch_stalled_for(&self) -> Result<Duration, StoreError> {
        let relay = Checkpoints::new(self.database.pool().clone(), RELAY_CHECKPOINT);
        relay.stalled_for().await.map_err(StoreError::unavailable)
    }
}
