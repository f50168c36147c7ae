//! The use cases that wait for a job.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use cqrs_es::Aggregate;
use tokio::sync::{Semaphore, SemaphorePermit, watch};
use ytcaption_domain::JobId;
use ytcaption_domain::job::Job;
use ytcaption_eventstore::{Database, EventListener, read_versions};

use crate::Queries;

/// Pages of events that subscriptions read at a time. Commands share the connections to Postgres and must not wait for
/// hundreds of clients that come back at once.
const CONCURRENT_READS: usize = 3;
/// Appends that follow each other within this time wake the subscriptions once.
const COALESCE: Duration = Duration::from_millis(30);

/// The use cases that wait for a job. Every append, in whichever process, wakes them; one query to Postgres finds out
/// for all of them which jobs have new events. Cheap to clone.
#[derive(Clone)]
pub struct Subscriptions {
    pub(crate) queries: Queries,
    watched: Arc<Watched>,
}

/// The jobs that are waited for.
struct Watched {
    versions: Mutex<HashMap<JobId, watch::Sender<u64>>>,
    reads: Semaphore,
}

impl fmt::Debug for Subscriptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscriptions").field("jobs", &self.watched.lock().len()).finish_non_exhaustive()
    }
}

impl Subscriptions {
    /// Begins to follow appends. Ends when the last clone and the last subscription are dropped.
    pub fn start(database: &Database, listener: Arc<EventListener>) -> Self {
        let watched = Arc::new(Watched { versions: Mutex::default(), reads: Semaphore::new(CONCURRENT_READS) });
        tokio::spawn(follow(Arc::downgrade(&watched), database.clone(), listener));
        Self { queries: Queries::new(database), watched }
    }

    /// Follows the version of a job.
    pub(crate) fn watch(&self, job: JobId) -> JobWatch {
        let version = self.watched.lock().entry(job).or_insert_with(|| watch::Sender::new(0)).subscribe();
        JobWatch { watched: Arc::clone(&self.watched), version }
    }
}

/// Follows the version of one job.
pub(crate) struct JobWatch {
    watched: Arc<Watched>,
    version: watch::Receiver<u64>,
}

impl JobWatch {
    /// Returns when the job may have a version beyond `version`.
    pub(crate) async fn beyond(&mut self, version: u64) {
        // The sender is dropped only after the last watch of the job.
        let _ = self.version.wait_for(|newest| *newest > version).await;
    }

    /// Returns when the job has a version that this watch has not seen.
    pub(crate) async fn changed(&mut self) {
        let _ = self.version.changed().await;
    }

    /// Returns when it is this subscription's turn to read; until the permit is dropped.
    pub(crate) async fn read_permit(&self) -> Option<SemaphorePermit<'_>> {
        self.watched.reads.acquire().await.ok()
    }
}

impl Watched {
    fn lock(&self) -> MutexGuard<'_, HashMap<JobId, watch::Sender<u64>>> {
        self.versions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads the versions of the watched jobs whenever something was appended, while anyone can watch.
async fn follow(watched: Weak<Watched>, database: Database, listener: Arc<EventListener>) {
    let mut subscription = listener.subscribe();
    loop {
        subscription.wait().await;
        let Some(watched) = watched.upgrade() else { return };
        let jobs: Vec<String> = {
            let mut versions = watched.lock();
            versions.retain(|_, version| !version.is_closed());
            versions.keys().map(ToString::to_string).collect()
        };
        if jobs.is_empty() {
            continue;
        }
        match read_versions(&database, Job::TYPE, &jobs).await {
            Ok(newest) => publish(&watched, &newest),
            Err(error) => tracing::debug!(%error, "subscriptions wait for the database"),
        }
        drop(watched);
        tokio::time::sleep(COALESCE).await;
    }
}

fn publish(watched: &Watched, newest: &[(String, u64)]) {
    let versions = watched.lock();
    for (job, newest) in newest {
        if let Some(version) = job.parse::<JobId>().ok().and_then(|job| versions.get(&job)) {
            version.send_if_modified(|known| std::mem::replace(known, *newest) != *newest);
        }
    }
}
