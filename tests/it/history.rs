//! The events of jobs, read from the event store; reads retry while the database is down.

use std::time::{Duration, Instant};

use sqlx::PgPool;
use ytcaption_domain::delivery::delivery_id;
use ytcaption_eventstore::{Database, RecordedEvent, read_stream};

use crate::client::{Client, JOB_TIMEOUT};
use crate::stalled_site::assert_all_transcribed;

const POLL: Duration = Duration::from_millis(20);

/// The event store behind a system.
pub(crate) struct History {
    database: Database,
}

impl History {
    /// Reads the event store at this URL.
    pub(crate) fn new(database_url: &str) -> Self {
        Self {
            database: Database::open(&database_url.into(), 4).unwrap().with_master_keys(
                ytcaption_eventstore::encryption::MasterKeys::parse(ytcaption_testing::MASTER_KEY, []).unwrap(),
            ),
        }
    }

    /// The connection pool, for a test's own queries.
    pub(crate) fn pool(&self) -> &PgPool {
        self.database.pool()
    }

    /// The events of a job. Waits while the database is unreachable.
    pub(crate) async fn events(&self, job: &str) -> Vec<RecordedEvent> {
        self.stream("job", job).await
    }

    /// The number of events of this type in a job's stream.
    pub(crate) async fn count(&self, job: &str, event: &str) -> usize {
        self.events(job).await.iter().filter(|recorded| recorded.event_type == event).count()
    }

    /// Waits until the job has at least `times` events of this type.
    pub(crate) async fn until(&self, job: &str, event: &str, times: usize) {
        let deadline = Instant::now() + JOB_TIMEOUT;
        while self.count(job, event).await < times {
            if Instant::now() > deadline {
                let there = self.events(job).await;
                panic!("timed out waiting for {times} x {event}; there is {:?}", names(&there));
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Waits until the relay has published all events of the job.
    pub(crate) async fn until_published(&self, job: &str) {
        // The relay has no checkpoint before its first event.
        let published =
            "SELECT coalesce(bool_and((c.transaction_id, c.position) >= (e.transaction_id, e.position)), false)
                           FROM checkpoints c, events e WHERE c.name = 'relay' AND e.aggregate_id = $1";
        let deadline = Instant::now() + JOB_TIMEOUT;
        while !sqlx::query_scalar::<_, bool>(published).bind(job).fetch_one(self.pool()).await.unwrap() {
            assert!(Instant::now() < deadline, "the relay has not published the events of the job");
            tokio::time::sleep(POLL).await;
        }
    }

    /// Fails unless each step of the job was done exactly once, its webhook included, and its captions are the transcript
    /// of a talk with this number of repeats.
    pub(crate) async fn assert_completed_once(&self, client: &Client, job: &str, repeats: u32) {
        self.until(job, "JobCompleted", 1).await;
        client.completed(job).await;
        let events = self.events(job).await;
        let names = names(&events);
        let count = |name: &str| names.iter().filter(|other| **other == name).count();
        let once = ["JobCreated", "AudioDownloaded", "JobCompleted"];
        assert_eq!(once.map(count), [1; 3], "{names:?}");
        assert_eq!(count("ChunkTranscribed"), count("ChunkScheduled"), "{names:?}");
        assert_eq!(count("JobFailed"), 0, "{names:?}");
        let end = events.iter().find(|event| event.event_type == "JobCompleted").unwrap();
        self.assert_delivered_once(end).await;
        assert_all_transcribed(&client.result(job, "txt").await, repeats);
    }

    /// Fails unless the webhook for this terminal event was delivered exactly once.
    async fn assert_delivered_once(&self, end: &RecordedEvent) {
        let delivery = delivery_id(end.metadata.event_id).to_string();
        let deadline = Instant::now() + JOB_TIMEOUT;
        loop {
            let events = self.stream("delivery", &delivery).await;
            let delivered = events.iter().filter(|event| event.event_type == "WebhookDelivered").count();
            assert!(delivered <= 1, "{:?}", names(&events));
            if delivered == 1 {
                return;
            }
            assert!(Instant::now() < deadline, "the webhook was not delivered; there is {:?}", names(&events));
            tokio::time::sleep(POLL).await;
        }
    }

    async fn stream(&self, aggregate: &str, id: &str) -> Vec<RecordedEvent> {
        let deadline = Instant::now() + JOB_TIMEOUT;
        loop {
            match read_stream(&self.database, aggregate, id).await {
                Ok(events) => return events,
                Err(error) => assert!(Instant::now() < deadline, "the database is still unreachable: {error}"),
            }
            tokio::time::sleep(POLL).await;
        }
    }
}

/// The types of events, in order.
pub(crate) fn names(events: &[RecordedEvent]) -> Vec<&str> {
    events.iter().map(|event| event.event_type.as_str()).collect()
}
