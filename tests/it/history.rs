//! What the event store says of jobs, watched while servers come and go.

use std::time::{Duration, Instant};

use sqlx::PgPool;
use ytcaption_domain::delivery::delivery_id;
use ytcaption_eventstore::{Database, DatabaseSettings, RecordedEvent, read_stream};

use crate::client::{Client, PATIENCE};
use crate::held::assert_heard_all;

const POLL: Duration = Duration::from_millis(20);

/// The event store behind a system.
pub(crate) struct History {
    database: Database,
}

impl History {
    /// Reads the store at this URL.
    pub(crate) fn at(database_url: &str) -> Self {
        let settings = DatabaseSettings { url: database_url.to_owned(), max_connections: 4 };
        Self { database: Database::open(&settings).unwrap() }
    }

    /// The database itself.
    pub(crate) fn pool(&self) -> &PgPool {
        self.database.pool()
    }

    /// The job's events. Waits while the database is away.
    pub(crate) async fn events(&self, job: &str) -> Vec<RecordedEvent> {
        self.stream("job", job).await
    }

    /// How often an event stands in a job's history.
    pub(crate) async fn count(&self, job: &str, event: &str) -> usize {
        self.events(job).await.iter().filter(|recorded| recorded.event_type == event).count()
    }

    /// Waits until the job has so many events of that name.
    pub(crate) async fn until(&self, job: &str, event: &str, times: usize) {
        let deadline = Instant::now() + PATIENCE;
        while self.count(job, event).await < times {
            if Instant::now() > deadline {
                let there = self.events(job).await;
                panic!("waited in vain for {times} x {event}; there is {:?}", names(&there));
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Waits until the relay has published everything that has happened to the job.
    pub(crate) async fn until_published(&self, job: &str) {
        // The relay has no checkpoint before its first event.
        let published =
            "SELECT coalesce(bool_and((c.transaction_id, c.position) >= (e.transaction_id, e.position)), false)
                           FROM checkpoints c, events e WHERE c.name = 'relay' AND e.aggregate_id = $1";
        let deadline = Instant::now() + PATIENCE;
        while !sqlx::query_scalar::<_, bool>(published).bind(job).fetch_one(self.pool()).await.unwrap() {
            assert!(Instant::now() < deadline, "the relay does not publish");
            tokio::time::sleep(POLL).await;
        }
    }

    /// Fails unless everything has happened to the job exactly once, its webhook included, and its captions are what
    /// is said in a recording of so many repeats.
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
        self.assert_told_once(end).await;
        assert_heard_all(&client.result(job, "txt").await, repeats);
    }

    /// Fails unless the webhook of this end of a job was told, once.
    async fn assert_told_once(&self, end: &RecordedEvent) {
        let delivery = delivery_id(end.metadata.event_id).to_string();
        let deadline = Instant::now() + PATIENCE;
        loop {
            let events = self.stream("delivery", &delivery).await;
            let told = events.iter().filter(|event| event.event_type == "WebhookDelivered").count();
            assert!(told <= 1, "{:?}", names(&events));
            if told == 1 {
                return;
            }
            assert!(Instant::now() < deadline, "the webhook was not told; there is {:?}", names(&events));
            tokio::time::sleep(POLL).await;
        }
    }

    async fn stream(&self, aggregate: &str, id: &str) -> Vec<RecordedEvent> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match read_stream(&self.database, aggregate, id).await {
                Ok(events) => return events,
                Err(error) => assert!(Instant::now() < deadline, "the database does not come back: {error}"),
            }
            tokio::time::sleep(POLL).await;
        }
    }
}

/// The names of events.
pub(crate) fn names(events: &[RecordedEvent]) -> Vec<&str> {
    events.iter().map(|event| event.event_type.as_str()).collect()
}
