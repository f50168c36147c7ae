//! The use cases that change something.

use std::sync::Arc;

use ytcaption_blobstore::BlobStore;
use ytcaption_domain::job::Job;
use ytcaption_eventstore::{CommandBus, Stamp};

use crate::Queries;

/// The use cases that change something. Cheap to clone.
#[derive(Clone)]
pub struct Commands {
    pub(crate) jobs: Arc<CommandBus<Job>>,
    pub(crate) queries: Queries,
    pub(crate) blobs: Arc<dyn BlobStore>,
    pub(crate) stamp: Stamp,
}

impl Commands {
    /// Commands to the jobs behind `jobs`; uploads go to `blobs`, ids come from `stamp`.
    pub fn new(jobs: Arc<CommandBus<Job>>, queries: Queries, blobs: Arc<dyn BlobStore>, stamp: Stamp) -> Self {
        Self { jobs, queries, blobs, stamp }
    }
}
