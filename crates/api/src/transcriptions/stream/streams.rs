//! All open streams of this process: how many there may be, and what wakes them.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sqlx::PgPool;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit, watch};
use tokio_util::sync::CancellationToken;
use ytcaption_domain::JobId;
use ytcaption_eventstore::{Database, EventListener};

use super::clients::{Clients, Place};
use crate::ApiSettings;
use crate::problem::ApiError;

/// Pages of events read for streams at a time. Commands share the connections to Postgres and must not wait for
/// hundreds of clients that come back at once.
const READS: usize = 3;
/// Appends that follow each other within this time wake the streams once.
const COALESCE: Duration = Duration::from_millis(30);

/// The version of each job, of those that are asked for.
const VERSIONS: &str = "
    SELECT id, coalesce((SELECT max(sequence) FROM events WHERE aggregate_type = 'job' AND aggregate_id = id), 0)
      FROM unnest($1::text[]) AS id";

/// Streams to clients. Whoever appends, in whichever process, wakes them; one question to Postgres finds out for all of
/// them which jobs have something new.
#[derive(Clone)]
pub struct Streams(Arc<Inner>);

struct Inner {
    seats: Arc<Semaphore>,
    clients: Arc<Clients>,
    reads: Semaphore,
    watched: Mutex<HashMap<JobId, watch::Sender<u64>>>,
    stop: CancellationToken,
}

impl std::fmt::Debug for Streams {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Streams").field("free", &self.0.seats.available_permits()).finish_non_exhaustive()
    }
}

/// The right to stream a job, and the news of it.
pub(super) struct Seat {
    streams: Streams,
    version: watch::Receiver<u64>,
    _permit: OwnedSemaphorePermit,
    _place: Place,
}

impl Streams {
    /// No stream is open yet. Streams end when `stop` is cancelled, so that a server can: clients come back, to this
    /// process or another, and go on where they were.
    pub fn start(
        database: &Database,
        listener: Arc<EventListener>,
        settings: &ApiSettings,
        stop: CancellationToken,
    ) -> Self {
        let inner = Arc::new(Inner {
            seats: Arc::new(Semaphore::new(settings.max_streams)),
            clients: Arc::new(Clients::new(settings.max_streams_per_client)),
            reads: Semaphore::new(READS),
            watched: Mutex::default(),
            stop,
        });
        tokio::spawn(watch_jobs(Arc::downgrade(&inner), database.pool().clone(), listener));
        Self(inner)
    }

    /// A seat to stream `job` to the client at that address.
    ///
    /// # Errors
    /// All are taken, or the client has as many as it may.
    pub(super) fn take_seat(&self, job: JobId, client: IpAddr) -> Result<Seat, ApiError> {
        let permit = Arc::clone(&self.0.seats).try_acquire_owned().map_err(|_| ApiError::TooManyStreams)?;
        let place = self.0.clients.admit(client).ok_or(ApiError::TooManyStreamsOfClient)?;
        let mut watched = self.0.watched.lock().unwrap_or_else(PoisonError::into_inner);
        let version = watched.entry(job).or_insert_with(|| watch::Sender::new(0)).subscribe();
        Ok(Seat { streams: self.clone(), version, _permit: permit, _place: place })
    }
}

impl Seat {
    /// Waits until the job may have come beyond `version`.
    pub(super) async fn beyond(&self, version: u64) {
        // The sender is dropped only after the last seat.
        let _ = self.version.clone().wait_for(|newest| *newest > version).await;
    }

    /// Waits until it is this stream's turn to read.
    pub(super) async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        self.streams.0.reads.acquire().await.ok()
    }

    /// Returns when streams have to end.
    pub(super) async fn stopped(&self) {
        self.streams.0.stop.cancelled().await;
    }
}

/// Asks for the versions of the jobs that somebody watches, whenever something was appended, until nobody can any more.
async fn watch_jobs(streams: std::sync::Weak<Inner>, pool: PgPool, listener: Arc<EventListener>) {
    let mut subscription = listener.subscribe();
    loop {
        subscription.wait().await;
        let Some(streams) = streams.upgrade() else { return };
        let jobs: Vec<String> = {
            let mut watched = streams.watched.lock().unwrap_or_else(PoisonError::into_inner);
            watched.retain(|_, version| !version.is_closed());
            watched.keys().map(ToString::to_string).collect()
        };
        if jobs.is_empty() {
            continue;
        }
        match sqlx::query_as::<_, (String, i64)>(VERSIONS).bind(&jobs).fetch_all(&pool).await {
            Ok(versions) => streams.tell(&versions),
            Err(error) => tracing::debug!(%error, "the streams wait for the database"),
        }
        drop(streams);
        tokio::time::sleep(COALESCE).await;
    }
}

impl Inner {
    fn tell(&self, versions: &[(String, i64)]) {
        let watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        for (job, newest) in versions {
            let job = job.parse::<JobId>().ok().and_then(|job| watched.get(&job));
            let newest = u64::try_from(*newest).unwrap_or_default();
            if let Some(version) = job {
                version.send_if_modified(|known| std::mem::replace(known, newest) != newest);
            }
        }
    }
}
