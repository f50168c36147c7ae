//! The read models against a real Postgres and the real command path.

mod parked;
mod rebuild;
mod redelivery;

use std::sync::Arc;

use uuid::Uuid;
use ytcaption_domain::Span;
use ytcaption_domain::captions::Segment;
use ytcaption_domain::delivery::{Delivery, DeliveryCommand};
use ytcaption_domain::job::{
    Audio, Failure, Job, JobCommand, JobOptions, JobStatus, MediaSource, Priority, TranscriptionOptions,
};
use ytcaption_domain::{AccountId, Actor, CommandContext, JobId};
use ytcaption_eventstore::{
    Appender, CheckpointError, Clock, CommandBus, Cursor, Database, DatabaseSettings, EventListener, Feed, IdGenerator,
};
use ytcaption_testing::Postgres;

use crate::{JobFilter, JobQueries, JobView, ProjectionError, Projector};

struct House {
    database: Database,
    jobs: CommandBus<Job>,
    deliveries: CommandBus<Delivery>,
    projector: Projector,
    queries: JobQueries,
}

impl House {
    async fn open() -> Self {
        let settings = DatabaseSettings { url: Postgres::shared().new_database(), max_connections: 10 };
        let database = Database::open(&settings).expect("a valid URL");
        database.prepare().await.expect("the schema can be made");
        let appender = Appender::start(&database);
        Self {
            jobs: CommandBus::new(&database, appender.clone(), Clock::system(), IdGenerator::system()),
            deliveries: CommandBus::new(&database, appender, Clock::system(), IdGenerator::system()),
            projector: Projector::new(&database),
            queries: JobQueries::new(&database),
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
        Database::open(&DatabaseSettings { url, max_connections: 5 }).expect("a valid URL")
    }

    async fn create(&self, webhook_url: Option<&str>) -> JobId {
        let command = JobCommand::Create {
            account: AccountId::local(),
            source: MediaSource::Url { url: "https://example.org/v".parse().expect("a URL") },
            options: JobOptions::Transcription(TranscriptionOptions::default()),
            priority: Priority::Normal,
            webhook_url: webhook_url.map(|url| url.parse().expect("a URL")),
        };
        let id = IdGenerator::system().new_id();
        self.jobs.create(id, command, &context()).await.expect("a new job");
        JobId(id)
    }

    async fn tell(&self, id: JobId, command: JobCommand) {
        self.jobs.execute(id.0, command, &context()).await.expect("the job accepts it");
    }

    /// Takes a job of two chunks to its end.
    async fn complete(&self, id: JobId) {
        self.tell(id, JobCommand::StartDownload { worker: "w".into() }).await;
        let audio = Audio { key: "a".into(), bytes: 1, sha256: "0".into(), duration_ms: 2000 };
        let chunks = vec![Span { start_ms: 0, end_ms: 1000 }, Span { start_ms: 1000, end_ms: 2000 }];
        self.tell(id, JobCommand::RecordAudio { attempt: 1, audio, title: Some("T".into()), chunks }).await;
        for chunk in [0, 1] {
            self.tell(id, JobCommand::StartChunk { chunk, worker: "w".into(), model: "demo".into() }).await;
        }
        // The second chunk is done first: the transcript is in the order of the recording all the same.
        for (chunk, text) in [(1, "world"), (0, "hello")] {
            let segments = vec![segment(u64::from(chunk) * 1000, text)];
            self.tell(id, JobCommand::RecordChunk { chunk, attempt: 1, language: "en".into(), segments }).await;
        }
    }

    /// How many events there are, of one job or at all.
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

    /// Applies all events.
    async fn project(&self) {
        self.until_final().await;
        // Another projector beside this one may be faster.
        while let Err(error) = self.projector.catch_up().await {
            assert!(matches!(error, ProjectionError::Checkpoint(CheckpointError::Moved(_))), "{error}");
        }
    }

    async fn view(&self, id: JobId) -> JobView {
        self.queries.find(id).await.expect("the database answers").expect("the job exists")
    }
}

fn context() -> CommandContext {
    CommandContext {
        account: AccountId::local(),
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
    let house = House::open().await;
    let id = house.create(None).await;
    house.complete(id).await;
    let folded = house.view(id).await;
    assert_eq!((folded.status, folded.progress_percent()), (JobStatus::Completed, 100));
    house.project().await;
    let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM jobs")
        .fetch_one(house.database.pool())
        .await
        .expect("the table is there");
    assert_eq!(rows, 1);
    assert_eq!(house.view(id).await, folded);
}

#[tokio::test]
async fn a_transcript_is_there_when_the_job_is_complete_and_in_the_order_of_time() {
    let house = House::open().await;
    let id = house.create(None).await;
    house.project().await;
    assert_eq!(house.queries.transcript(id).await.expect("an answer"), None);
    house.complete(id).await;
    house.project().await;
    let transcript = house.queries.transcript(id).await.expect("an answer").expect("it is complete");
    let texts: Vec<&str> = transcript.segments.iter().map(|s| s.text.as_str()).collect();
    assert_eq!((texts, transcript.language.as_str(), transcript.duration_ms), (vec!["hello", "world"], "en", 2000));
}

#[tokio::test]
async fn a_projector_that_is_behind_shows_to_nobody() {
    let house = House::open().await;
    let id = house.create(Some("https://example.org/hook")).await;
    house.project().await;
    house.complete(id).await;
    let view = house.view(id).await;
    assert_eq!((view.status, view.chunks_done), (JobStatus::Completed, 2));
    let ahead = house.queries.transcript(id).await.expect("an answer").expect("it is complete");
    house.project().await;
    assert_eq!(house.queries.transcript(id).await.expect("an answer"), Some(ahead));
    assert_eq!(house.view(id).await, view);
}

#[tokio::test]
async fn a_failed_attempt_shows_until_the_next_one_begins() {
    let house = House::open().await;
    let id = house.create(None).await;
    house.tell(id, JobCommand::StartDownload { worker: "w".into() }).await;
    let failure = Failure { code: "http_503".into(), message: "busy".into() };
    house.tell(id, JobCommand::RecordDownloadFailure { attempt: 1, failure, retry_in_ms: Some(60_000) }).await;
    house.project().await;
    let view = house.view(id).await;
    assert_eq!((view.status, view.error_code.as_deref()), (JobStatus::Downloading, Some("http_503")));
    assert_eq!(view.retry_at.map(|at| (at - view.updated_at).num_seconds()), Some(60));
    house.tell(id, JobCommand::StartDownload { worker: "w".into() }).await;
    house.project().await;
    let view = house.view(id).await;
    assert_eq!((view.error_code, view.retry_at, view.download_attempt), (None, None, 2));
}

#[tokio::test]
async fn pages_hold_every_job_once_newest_first() {
    let house = House::open().await;
    let mut ids = vec![];
    for _ in 0..7 {
        ids.push(house.create(None).await);
    }
    house.tell(ids[3], JobCommand::Cancel { reason: None }).await;
    house.project().await;
    let (mut seen, mut after) = (vec![], None);
    loop {
        let page = house
            .queries
            .page(&JobFilter { account: AccountId::local(), status: None }, after, 3)
            .await
            .expect("an answer");
        seen.extend(page.jobs.iter().map(|view| view.job_id));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    ids.reverse();
    assert_eq!(seen, ids);
    let cancelled = JobFilter { account: AccountId::local(), status: Some(JobStatus::Cancelled) };
    let page = house.queries.page(&cancelled, None, 3).await.expect("an answer");
    assert_eq!(page.jobs.iter().map(|view| view.job_id).collect::<Vec<_>>(), [ids[3]]);
    let foreign = JobFilter { account: AccountId("other".into()), status: None };
    assert!(house.queries.page(&foreign, None, 3).await.expect("an answer").jobs.is_empty());
}

#[tokio::test]
async fn the_delivery_of_the_webhook_shows_at_its_job() {
    let house = House::open().await;
    let id = house.create(Some("https://example.org/hook?token=secret")).await;
    house.project().await;
    assert_eq!(house.view(id).await.webhook_status.as_deref(), Some("pending"));
    let delivered = DeliveryCommand::RecordDelivered { job_id: id, host: "example.org".into(), http_status: 200 };
    house.deliveries.create(Uuid::from_u128(9), delivered, &context()).await.expect("a new delivery");
    house.project().await;
    let view = house.view(id).await;
    assert_eq!((view.webhook_status.as_deref(), view.webhook_attempts), (Some("delivered"), 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_projectors_apply_each_event_once() {
    let house = House::open().await;
    let listener = EventListener::start(&house.database);
    let runners: Vec<_> = (0..3)
        .map(|_| {
            let (projector, listener) = (Projector::new(&house.database), Arc::clone(&listener));
            tokio::spawn(async move { projector.run(listener).await })
        })
        .collect();
    let mut ids = vec![];
    for _ in 0..20 {
        let id = house.create(None).await;
        house.complete(id).await;
        ids.push(id);
    }
    house.project().await;
    for id in ids {
        let view = house.view(id).await;
        // A chunk counted twice would show here: the counts are increments.
        assert_eq!((view.status, view.chunks_done, view.segments), (JobStatus::Completed, 2, 2));
    }
    runners.iter().for_each(tokio::task::JoinHandle::abort);
}
