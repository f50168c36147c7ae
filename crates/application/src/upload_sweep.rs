//! Deletes uploads that no job names: those of requests that were refused while the process or the database was lost.
//!
//! Any number of processes may do this at once, and while uploads arrive: an upload is only deleted long after it was stored,
//! and its job is created right after that.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use ytcaption_blobstore::{BlobError, BlobKey, BlobStore};
use ytcaption_eventstore::{Database, DatabaseError, named_in_creations};

use crate::upload::UPLOADS;

/// An upload without a job is deleted after this time. No request lasts nearly as long.
const MIN_AGE: Duration = Duration::from_hours(24);
/// Time between two sweeps of one process.
const INTERVAL: Duration = Duration::from_hours(1);
/// Uploads that are looked up at a time.
const PAGE: usize = 500;

/// Why a sweep did not end; the next one continues.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    /// The storage does not answer.
    #[error("the storage does not list or delete uploads: {0}")]
    Blobs(#[from] BlobError),
    /// The database does not answer.
    #[error("the database does not say which uploads have a job: {0}")]
    Database(#[from] DatabaseError),
}

/// Sweeps the uploads of a storage.
#[derive(Debug)]
pub struct UploadSweep {
    database: Database,
    blobs: Arc<dyn BlobStore>,
    /// All uploads up to here have a job for good or were deleted: keys begin with the time of their making.
    settled: Option<BlobKey>,
}

impl UploadSweep {
    /// A sweep that begins with the oldest upload.
    pub fn new(database: &Database, blobs: Arc<dyn BlobStore>) -> Self {
        Self { database: database.clone(), blobs, settled: None }
    }

    /// Sweeps now and from time to time, for as long as it is polled.
    pub async fn run(mut self) {
        loop {
            match self.sweep(MIN_AGE).await {
                Ok(0) => {}
                Ok(deleted) => tracing::info!(deleted, "deleted uploads that no job names"),
                Err(error) => tracing::warn!(%error, "uploads that no job names stay until the next sweep"),
            }
            if let Err(error) = self.blobs.remove_unfinished().await {
                tracing::warn!(%error, "unfinished files stay in the storage until the next sweep");
            }
            tokio::time::sleep(INTERVAL).await;
        }
    }

    /// Deletes the uploads that were stored longer than `min_age` ago and that no job names; returns how many.
    ///
    /// # Errors
    /// See [`SweepError`]; what was deleted before stays deleted.
    pub(crate) async fn sweep(&mut self, min_age: Duration) -> Result<u64, SweepError> {
        let mut deleted = 0;
        loop {
            let page = self.blobs.list(UPLOADS, self.settled.as_ref(), PAGE).await?;
            let is_old = |at: SystemTime| at.elapsed().is_ok_and(|age| age >= min_age);
            let old: Vec<&BlobKey> = page.iter().filter(|blob| is_old(blob.stored_at)).map(|blob| &blob.key).collect();
            let keys: Vec<String> = old.iter().map(ToString::to_string).collect();
            let named = if keys.is_empty() { Vec::new() } else { named_in_creations(&self.database, &keys).await? };
            for key in old {
                if !named.iter().any(|named| named == key.as_str()) {
                    self.blobs.delete(key).await?;
                    tracing::debug!(%key, "no job names this upload");
                    deleted += 1;
                }
            }
            let settled = page.iter().take_while(|blob| is_old(blob.stored_at)).last();
            let all_settled = settled.is_some_and(|last| Some(&last.key) == page.last().map(|blob| &blob.key));
            self.settled = settled.map(|last| last.key.clone()).or(self.settled.take());
            if !all_settled || page.len() < PAGE {
                return Ok(deleted);
            }
        }
    }
}
