//! The use cases that change something.

use std::sync::Arc;

use ytcaption_blobstore::BlobStore;
use ytcaption_domain::job::Job;
use ytcaption_eventstore::{CommandBus, IdGenerator};

use crate::Queries;

/// The use cases that change something. Cheap to clone.
#[derive(Clone)]
pub struct Commands {
    pub(crate) jobs: Arc<CommandBus<Job>>,
    pub(crate) queries: Queries,
    pub(crate) blobs: Arc<dyn BlobStore>,
    pub(crate) ids: IdGenerator,
}

impl Commands {
    /// Commands to the jobs behind `jobs`; uploads go to `blobs`, ids come from `ids`.
    pub fn new(jobs: Arc<CommandBus<Job>>, queries: Queries, blobs: Arc<dyn BlobStore>, ids: IdGenerator) -> Self {
        Self { jobs, queries, blobs, ids }
    }
}
