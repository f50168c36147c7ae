//! The read models against a real Postgres and the real command path.

mod erased;
mod parked;
mod rebuild;
mod redelivery;
mod usage;

use std::sync::Arc;

use uuid::Uuid;
use ytcaption_domain::captions::{Segment, Transcript};
use ytcaption_domain::delivery::{Delivery, DeliveryCommand};
use ytcaption_domain::job::{
    Audio, Failure, Job, JobCommand, JobOptions, JobStatus, MediaSource, Priority, TranscriptionOptions,
};
use ytcaption_domain::{AccountId, Actor, CommandContext, JobId, Span};
use ytcaption_eventstore::encryption::MasterKeys;
use ytcaption_eventstore::{
    Appender, CheckpointError, Clock, CommandBus, Cursor, Database, EventListener, Feed, IdGenerator,
};
use ytcaption_testing::{MASTER_KEY, Postgres};

use crate::{
    Difference, JobFilter, JobQueries, JobSnapshot, JobView, PROJECTIONS, Projector, ProjectorError, Rebuild,
    RegisteredProjection, UsageQueries, project_all,
};

struct TestHarness {
    database: Database,
    jobs: CommandBus<Job>,
    deliveries: CommandBus<Delivery>,
    projectors: [Projector; PROJECTIONS.len()],
    queries: JobQueries,
    usage: UsageQueries,
}

impl TestHarness {
    async fn open() -> Self {
        let database = Database::open(&Postgres::shared().new_database().into(), 10)
            .expect("a valid URL")
            .with_master_keys(MasterKeys::parse(MASTER_KEY, []).expect("a key"));
        database.prepare().await.expect("the schema can be made");
        let appender = Appender::start(&database);
        Self {
            jobs: CommandBus::new(&database, appender.clone(), Clock::system(), IdGenerator::system()),
            deliveries: CommandBus::new(&database, appender, Clock::system(), IdGenerator::system()),
            projectors: PROJECTIONS.map(|projection| Projector::new(&database, projection)),
            queries: JobQueries::new(&database),
            usage: UsageQueries::new(&database),
            database,
        }
    }

    /// The database as another process reaches it, in this role or as its owner.
    fn as_another_process(&self, role: Option<&str>) -> Database {
        let owner = self.database.connect_options();
        let url = format!(
            "postgres://{}@{}:{}/{}",
            role.unwrap_or(owner.get_username()),
            owner.get_host(),
            owner.get_port(),
            owner.get_database().expect("a database")
        );
        Database::open(&url.into(), 5)
            .expect("a valid URL")
            .with_master_keys(MasterKeys::parse(MASTER_KEY, []).expect("a key"))
    }

    async fn create(&self, webhook_url: Option<&str>) -> JobId {
        let command = JobCommand::Create {
            account: account(),
            source: MediaSource::Url { url: "https://example.org/v".parse().expect("a URL") },
            options: JobOptions::Transcription(TranscriptionOptions::default()),
            priority: Priority::Normal,
            webhook_url: webhook_url.map(|url| url.parse().expect("a URL")),
            retry_of: None,
        };
        let id = IdGenerator::system().new_id();
        self.jobs.create(id, command, &context()).await.expect("a new job");
        JobId(id)
    }

    async fn execute(&self, id: JobId, command: JobCommand) {
        self.jobs.execute(id.0, command, &context()).await.expect("the job accepts it");
    }

    /// Takes a job of two chunks to its end.
    async fn complete(&self, id: JobId) {
        self.execute(id, JobCommand::StartDownload { worker: "w".into() }).await;
        let audio = Audio { key: "a".into(), bytes: 1, sha256: "0".into(), duration_ms: 2000 };
        let chunks = vec![Span { start_ms: 0, end_ms: 1000 }, Span { start_ms: 1000, end_ms: 2000 }];
        self.execute(id, JobCommand::RecordAudio { attempt: 1, audio, title: Some("T".into()), chunks }).await;
        for chunk in [0, 1] {
            self.execute(id, JobCommand::StartChunk { chunk, worker: "w".into(), model: "demo".into() }).await;
        }
        // The second chunk is done first: the transcript is in the order of the media all the same.
        for (chunk, text) in [(1, "world"), (0, "hello")] {
            let segments = vec![segment(u64::from(chunk) * 1000, text)];
            self.execute(id, JobCommand::RecordChunk { chunk, attempt: 1, language: "en".into(), segments }).await;
        }
    }

    /// How many events there are, of one job or of all.
    async fn events(&self, of: Option<JobId>) -> u64 {
        let count: i64 = sqlx::query_scalar("SELECT count(*) FROM events WHERE $1::text IS NULL OR aggregate_id = $1")
            .bind(of.map(|id| id.to_string()))
            .fetch_one(self.database.pool())
            .await
            .expect("the table is there");
        count.unsigned_abs()
    }

    /// Waits until a reader of the feed sees all events; tests beside this one hold the horizon back.
    async fn until_final(&self) {
        let feed = Feed::new(&self.database);
        let visible = async || feed.after(Cursor::default(), 10_000).await.expect("the feed answers").len() as u64;
        while visible().await < self.events(None).await {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    }

    /// Applies all events to all projections.
    async fn project(&self) {
        self.until_final().await;
        for projector in &self.projectors {
            // Another projector beside this one may be faster.
            while let Err(error) = projector.catch_up().await {
                assert!(matches!(error, ProjectorError::Checkpoint(CheckpointError::Moved(_))), "{error}");
            }
        }
    }

    async fn view(&self, id: JobId) -> JobView {
        self.snapshot(id).await.view
    }

    async fn transcript(&self, id: JobId) -> Option<Transcript> {
        self.queries.transcript(self.snapshot(id).await).await.expect("the database answers")
    }

    async fn snapshot(&self, id: JobId) -> JobSnapshot {
        self.queries.find(&account(), id).await.expect("the database answers").expect("the job exists")
    }

    /// What differs between the live rows of a projection and those that follow from the events.
    async fn differences(&self, projection: RegisteredProjection) -> Vec<Difference> {
        let mut rebuild = Rebuild::begin(&self.database, projection).await.expect("no other rebuild runs");
        let mut comparison = rebuild.compare().await.expect("an answer");
        let mut all = vec![];
        while let Some(page) = comparison.next_page().await.expect("an answer") {
            all.extend(page);
        }
        drop(comparison);
        rebuild.end().await.expect("an answer");
        all
    }

    /// Runs a statement that changes rows.
    async fn change(&self, sql: &str) {
        let changed = sqlx::query(sql).execute(self.database.pool()).await.expect("valid SQL");
        assert!(changed.rows_affected() > 0, "{sql}");
    }

    /// Appends rows to a job's events as a program of another version would: this one would not.
    async fn append(&self, id: JobId, events: &[(i64, &str, &str)]) {
        for (sequence, event_type, payload) in events {
            sqlx::query(
                "INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata)
                 SELECT aggregate_type, aggregate_id, $2, $3, '1', $4::text::jsonb, metadata FROM events
                  WHERE aggregate_id = $1 AND sequence = 1",
            )
            .bind(id.to_string())
            .bind(sequence)
            .bind(event_type)
            .bind(payload)
            .execute(self.database.pool())
            .await
            .expect("a row of the right shape");
        }
    }
}

/// The account of all jobs.
fn account() -> AccountId {
    AccountId("tests".to_owned())
}

fn context() -> CommandContext {
    CommandContext {
        account: account(),
        actor: Actor::Client("test".into()),
        correlation_id: Uuid::from_u128(7),
        causation_id: None,
        traceparent: None,
    }
}

fn segment(start_ms: u64, text: &str) -> Segment {
    Segment {
        start_ms,
        end_ms: start_ms + 500,
        text: text.into(),
        avg_logprob: -0.1,
        no_speech_prob: 0.0,
        compression_ratio: 1.0,
        temperature: 0.0,
        words: vec![],
    }
}

#[tokio::test]
async fn a_job_is_seen_at_once_and_the_same_before_and_after_its_projection() {
    let harness = TestHarness::open().await;
    let id = harness.create(None).await;
    harness.complete(id).await;
    let folded = harness.view(id).await;
    assert_eq!((folded.status, folded.progress_percent()), (JobStatus::Completed, 100));
    harness.project().await;
    let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM jobs")
        .fetch_one(harness.database.pool())
        .await
        .expect("the table is there");
    assert_eq!(rows, 1);
    assert_eq!(harness.view(id).await, folded);
}

#[tokio::test]
async fn a_transcript_is_there_when_the_job_is_complete_and_in_the_order_of_time() {
    let harness = TestHarness::open().await;
    let id = harness.create(None).await;
    harness.project().await;
    assert_eq!(harness.transcript(id).await, None);
    harness.complete(id).await;
    harness.project().await;
    let transcript = harness.transcript(id).await.expect("it is complete");
    let texts: Vec<&str> = transcript.segments.iter().map(|s| s.text.as_str()).collect();
    assert_eq!((texts, transcript.language.as_str(), transcript.duration_ms), (vec!["hello", "world"], "en", 2000));
}

#[tokio::test]
async fn a_client_does_not_see_that_a_projector_is_behind() {
    let harness = TestHarness::open().await;
    let id = harness.create(Some("https://example.org/hook")).await;
    harness.project().await;
    harness.complete(id).await;
    let view = harness.view(id).await;
    assert_eq!((view.status, view.chunks_done), (JobStatus::Completed, 2));
    let ahead = harness.transcript(id).await.expect("it is complete");
    harness.project().await;
    assert_eq!(harness.transcript(id).await, Some(ahead));
    assert_eq!(harness.view(id).await, view);
}

#[tokio::test]
async fn a_failed_attempt_shows_until_the_next_one_begins() {
    let harness = TestHarness::open().await;
    let id = harness.create(None).await;
    harness.execute(id, JobCommand::StartDownload { worker: "w".into() }).await;
    let failure = Failure { code: "http_503".into(), message: "busy".into() };
    harness.execute(id, JobCommand::RecordDownloadFailure { attempt: 1, failure, retry_in_ms: Some(60_000) }).await;
    harness.project().await;
    let view = harness.view(id).await;
    assert_eq!((view.status, view.error_code.as_deref()), (JobStatus::Downloading, Some("http_503")));
    assert_eq!(view.retry_at.map(|at| (at - view.updated_at).num_seconds()), Some(60));
    harness.execute(id, JobCommand::StartDownload { worker: "w".into() }).await;
    harness.project().await;
    let view = harness.view(id).await;
    assert_eq!((view.error_code, view.retry_at, view.download_attempt), (None, None, 2));
}

#[tokio::test]
async fn pages_hold_every_job_once_newest_first() {
    let harness = TestHarness::open().await;
    let mut ids = vec![];
    for _ in 0..7 {
        ids.push(harness.create(None).await);
    }
    harness.execute(ids[3], JobCommand::Cancel { reason: None }).await;
    harness.project().await;
    let (mut seen, mut after) = (vec![], None);
    loop {
        let page = harness.queries.page(&account(), JobFilter::default(), after, 3).await.expect("an answer");
        seen.extend(page.jobs.iter().map(|view| view.job_id));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    ids.reverse();
    assert_eq!(seen, ids);
    let cancelled = JobFilter { status: Some(JobStatus::Cancelled) };
    let page = harness.queries.page(&account(), cancelled, None, 3).await.expect("an answer");
    assert_eq!(page.jobs.iter().map(|view| view.job_id).collect::<Vec<_>>(), [ids[3]]);
}

#[tokio::test]
async fn a_job_of_another_account_is_as_if_it_were_not_there() {
    let harness = TestHarness::open().await;
    let id = harness.create(None).await;
    harness.complete(id).await;
    let other = AccountId("other".to_owned());
    // Before and after the projector has reached it.
    for _ in 0..2 {
        assert!(harness.queries.find(&account(), id).await.expect("an answer").is_some());
        assert!(harness.queries.find(&other, id).await.expect("an answer").is_none());
        let page = harness.queries.page(&other, JobFilter::default(), None, 3).await.expect("an answer");
        assert!(page.jobs.is_empty());
        harness.project().await;
    }
}

#[tokio::test]
async fn the_delivery_of_the_webhook_shows_at_its_job() {
    let harness = TestHarness::open().await;
    let id = harness.create(Some("https://example.org/hook?token=secret")).await;
    harness.project().await;
    assert_eq!(harness.view(id).await.webhook_status.as_deref(), Some("pending"));
    let delivered = DeliveryCommand::RecordDelivered { job_id: id, host: "example.org".into(), http_status: 200 };
    harness.deliveries.create(Uuid::from_u128(9), delivered, &context()).await.expect("a new delivery");
    harness.project().await;
    let view = harness.view(id).await;
    assert_eq!((view.webhook_status.as_deref(), view.webhook_attempts), (Some("delivered"), 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_projectors_apply_each_event_once() {
    let harness = TestHarness::open().await;
    let listener = EventListener::start(&harness.database);
    let runners: Vec<_> = (0..3)
        .map(|_| {
            let (database, listener) = (harness.database.clone(), Arc::clone(&listener));
            tokio::spawn(async move { project_all(&database, listener).await })
        })
        .collect();
    let mut ids = vec![];
    for _ in 0..20 {
        let id = harness.create(None).await;
        harness.complete(id).await;
        ids.push(id);
    }
    harness.project().await;
    for id in ids {
        let view = harness.view(id).await;
        // A chunk counted twice would show here: the counts are increments.
        assert_eq!((view.status, view.chunks_done, view.segments), (JobStatus::Completed, 2, 2));
    }
    runners.iter().for_each(tokio::task::JoinHandle::abort);
}
