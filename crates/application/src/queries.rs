//! The use cases that read.

use ytcaption_eventstore::{Database, EventReader};
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
}
