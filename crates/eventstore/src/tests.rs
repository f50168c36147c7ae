//! The store against a real Postgres.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use cqrs_es::persist::{PersistenceError, SerializedEvent};
use futures::future::join_all;
use sqlx::PgPool;
use uuid::Uuid;
use ytcaption_domain::Span;
use ytcaption_domain::job::{
    Job, JobCommand, JobOptions, JobRejection, JobStatus, MediaSource, Priority, TranscriptionOptions,
};
use ytcaption_domain::{AccountId, Actor, CommandContext};
use ytcaption_testing::Postgres;

use crate::append::NewEvents;
use crate::encryption::MasterKeys;
use crate::{
    Appender, CheckpointError, Checkpoints, Clock, CommandBus, CommandError, Cursor, Database, EventListener, Feed,
    IdGenerator, RecordedEvent, begin, read_stream,
};

pub(crate) fn master_keys() -> MasterKeys {
    MasterKeys::parse(ytcaption_testing::MASTER_KEY, []).expect("a key")
}

pub(crate) async fn database() -> Database {
    let database = Database::open(&Postgres::shared().new_database().into(), 40)
        .expect("a valid URL")
        .with_master_keys(master_keys());
    database.prepare().await.expect("the schema can be made");
    database
}

pub(crate) fn bus(database: &Database) -> CommandBus<Job> {
    let appender = Appender::start(database);
    CommandBus::new(database, appender, Clock::system(), IdGenerator::system())
}

pub(crate) fn context() -> CommandContext {
    CommandContext {
        account: AccountId::local(),
        actor: Actor::Client("test".into()),
        correlation_id: Uuid::from_u128(7),
        causation_id: None,
        traceparent: None,
    }
}

pub(crate) fn create() -> JobCommand {
    JobCommand::Create {
        account: AccountId::local(),
        source: MediaSource::Url { url: "https://example.org/v".parse().expect("a URL") },
        options: JobOptions::Transcription(TranscriptionOptions::default()),
        priority: Priority::High,
        webhook_url: None,
        retry_of: None,
    }
}

pub(crate) fn start() -> JobCommand {
    JobCommand::StartDownload { worker: "w".into() }
}

/// The first `count` events. Tests in other databases of the server hold the horizon back, so this may take a while.
pub(crate) async fn first(count: usize, database: &Database) -> Vec<RecordedEvent> {
    let feed = Feed::new(database);
    loop {
        let events = feed.after(Cursor::default(), 10_000).await.expect("the feed answers");
        if events.len() >= count {
            return events;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_command_is_stored_with_who_when_and_why() {
    let database = database().await;
    let id = IdGenerator::system().new_id();
    let executed = bus(&database).create(id, create(), &context()).await.expect("a new job");
    assert_eq!((executed.version, executed.aggregate.status), (1, Some(JobStatus::Pending)));
    let stored = read_stream(&database, "job", &id.to_string()).await.expect("it is there");
    assert_eq!(stored.len(), 1);
    assert_eq!(stored[0].event_type, "JobCreated");
    assert_eq!(stored[0].metadata.context, context());
    assert_eq!(stored[0].metadata.route, "high");
    assert!(!stored[0].metadata.event_id.is_nil());
}

#[tokio::test]
async fn a_rejected_command_leaves_no_trace() {
    let database = database().await;
    let outcome = bus(&database).execute(Uuid::from_u128(1), start(), &context()).await;
    assert!(matches!(outcome, Err(CommandError::Rejected(JobRejection::NotFound))), "{outcome:?}");
    let stored = read_stream(&database, "job", &Uuid::from_u128(1).to_string()).await.expect("it answers");
    assert!(stored.is_empty());
}

#[tokio::test]
async fn an_id_is_taken_once() {
    let database = database().await;
    let bus = bus(&database);
    let id = Uuid::from_u128(1);
    let (first, second) = (bus.create(id, create(), &context()).await, bus.create(id, create(), &context()).await);
    assert!(first.is_ok());
    assert!(matches!(second, Err(CommandError::Conflict)), "{second:?}");
}

#[tokio::test]
async fn one_conflict_does_not_fail_its_neighbours() {
    let database = database().await;
    let bus = bus(&database);
    let taken = Uuid::from_u128(1);
    bus.create(taken, create(), &context()).await.expect("free so far");
    let outcomes = join_all((1..=50).map(|n| {
        let bus = &bus;
        async move { bus.create(Uuid::from_u128(n), create(), &context()).await.is_ok() }
    }))
    .await;
    assert_eq!(outcomes.iter().filter(|ok| !**ok).count(), 1);
    assert!(!outcomes[0], "the id that was taken");
    assert_eq!(first(50, &database).await.len(), 50);
}

#[tokio::test]
async fn commands_to_one_job_at_once_all_take_effect() {
    let database = database().await;
    let bus = bus(&database);
    let id = Uuid::from_u128(1);
    let context = context();
    bus.create(id, create(), &context).await.expect("a new job");
    let outcomes = join_all((0..5).map(|_| bus.execute(id, start(), &context))).await;
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    let (job, version) = bus.load(id).await.expect("it loads");
    assert_eq!((job.download_attempt, version), (5, 6));
}

#[tokio::test]
async fn the_events_of_one_command_keep_their_order() {
    let database = database().await;
    let bus = bus(&database);
    let id = Uuid::from_u128(1);
    bus.create(id, create(), &context()).await.expect("a new job");
    bus.execute(id, start(), &context()).await.expect("it starts");
    let audio = ytcaption_domain::job::Audio { key: "k".into(), bytes: 1, sha256: "0".into(), duration_ms: 300 };
    let chunks = (0..300).map(|n| Span { start_ms: n, end_ms: n + 1 }).collect();
    let record = JobCommand::RecordAudio { attempt: 1, audio, title: None, chunks };
    let recorded = bus.execute(id, record, &context()).await.expect("a sound plan").events;
    assert_eq!(recorded.len(), 3, "several at once: {recorded:?}");
    let stored = first(5, &database).await;
    let names: Vec<&str> = stored[2..].iter().map(|event| event.event_type.as_str()).collect();
    assert_eq!(names, recorded.iter().map(|event| event.event().name).collect::<Vec<_>>());
    assert_eq!(stored.iter().map(|event| event.sequence).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
}

const WRITERS: u32 = 20;
const EVENTS_PER_WRITER: u32 = 510;

/// Appends single events with random delays before the commit, some rolled back; returns how many were committed.
async fn write_slowly(pool: PgPool, writer: u32) -> u32 {
    let mut committed = 0;
    for n in 1..=EVENTS_PER_WRITER {
        let mut transaction = begin(&pool).await.expect("a connection");
        let metadata = ytcaption_domain::EventMetadata {
            data_key: None,
            event_id: Uuid::from_u128(u128::from(writer) << 64 | u128::from(n)),
            occurred_at: Clock::system().now(),
            route: "normal".into(),
            context: context(),
        };
        sqlx::query(
            "INSERT INTO events
                 (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata)
             VALUES ('probe', $1, $2, 'Probe', '1', '{}', $3)",
        )
        .bind(writer.to_string())
        .bind(i64::from(committed + 1))
        .bind(sqlx::types::Json(metadata.to_json()))
        .execute(&mut *transaction)
        .await
        .expect("an insert");
        // A cheap pseudo-random pattern: mostly quick, sometimes slow, sometimes rolled back.
        let dice = (writer * 7919 + n * 104_729) % 23;
        if dice < 3 {
            tokio::time::sleep(Duration::from_millis(u64::from(dice) * 3 + 1)).await;
        }
        if dice == 5 {
            transaction.rollback().await.expect("a rollback");
        } else {
            transaction.commit().await.expect("a commit");
            committed += 1;
        }
    }
    committed
}

/// Follows the feed, or with `naive` the positions alone, until the writers are done and nothing new comes.
async fn follow(database: Database, naive: bool, mut done: tokio::sync::watch::Receiver<bool>) -> Vec<(String, i64)> {
    let feed = Feed::new(&database);
    let mut cursor = Cursor::default();
    let mut seen = vec![];
    loop {
        let finished = *done.borrow_and_update();
        let page: Vec<(Cursor, String, i64)> = if naive {
            sqlx::query_as::<_, (i64, String, i64)>(
                "SELECT position, aggregate_id, sequence FROM events WHERE position > $1 ORDER BY position LIMIT 100",
            )
            .bind(cursor.position)
            .fetch_all(database.pool())
            .await
            .expect("a query")
            .into_iter()
            .map(|(position, id, sequence)| (Cursor { transaction_id: 0, position }, id, sequence))
            .collect()
        } else {
            let page = feed.after(cursor, 100).await.expect("the feed answers");
            page.into_iter().map(|e| (e.cursor, e.aggregate_id, i64::try_from(e.sequence).expect("small"))).collect()
        };
        // The feed waits for transactions of tests in other databases.
        if page.is_empty() && finished && (naive || feed.lag(cursor, 1).await.expect("an answer") == 0) {
            return seen;
        }
        for (at, id, sequence) in page {
            cursor = at;
            seen.push((id, sequence));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_feed_misses_nothing_where_a_naive_reader_does() {
    let database = database().await;
    let (stop, done) = tokio::sync::watch::channel(false);
    let readers = [false, true].map(|naive| tokio::spawn(follow(database.clone(), naive, done.clone())));
    let writers = (0..WRITERS).map(|writer| tokio::spawn(write_slowly(database.pool().clone(), writer)));
    let committed: u32 = join_all(writers).await.into_iter().map(|n| n.expect("a writer ends well")).sum();
    assert!(committed >= 9_500, "{committed} committed");
    stop.send(true).expect("the readers listen");
    let [feed, naive] = readers;
    let (feed, naive) = (feed.await.expect("a reader"), naive.await.expect("a reader"));

    let mut last: HashMap<String, i64> = HashMap::new();
    for (id, sequence) in &feed {
        let previous = last.insert(id.clone(), *sequence).unwrap_or(0);
        assert_eq!(*sequence, previous + 1, "writer {id}: each event once and in order");
    }
    assert_eq!(feed.len(), committed as usize, "nothing is missed");
    let naive: HashSet<_> = naive.into_iter().collect();
    assert!(naive.len() < committed as usize, "the naive reader missed nothing: this test proves nothing");
}

#[tokio::test]
async fn a_checkpoint_moves_only_from_its_current_cursor() {
    let database = database().await;
    let checkpoint = Checkpoints::new(database.pool().clone(), "reader");
    let start = checkpoint.get().await.expect("it is made");
    let next = Cursor { transaction_id: 900, position: 4 };
    checkpoint.advance(database.pool(), start, next).await.expect("that is its cursor");
    assert_eq!(checkpoint.get().await.expect("it answers"), next);
    let late = checkpoint.advance(database.pool(), start, next).await;
    assert!(matches!(late, Err(CheckpointError::Moved(_))), "{late:?}");
}

#[tokio::test]
async fn readers_are_woken_by_an_append() {
    let database = database().await;
    let listener = EventListener::start(&database);
    let bus = bus(&database);
    let context = context();
    // The first waits may end by polling while the listener is still connecting.
    let mut quickest = Duration::MAX;
    for n in 1..=10 {
        let begun = tokio::time::Instant::now();
        let mut subscription = listener.subscribe();
        let (created, ()) = tokio::join!(bus.create(Uuid::from_u128(n), create(), &context), subscription.wait());
        created.expect("a new job");
        quickest = quickest.min(begun.elapsed());
    }
    assert!(quickest < Duration::from_millis(400), "only polling woke the reader: {quickest:?}");
}

#[tokio::test]
async fn what_is_appended_while_a_reader_is_busy_wakes_it_all_the_same() {
    let database = database().await;
    let listener = EventListener::start(&database);
    let bus = bus(&database);
    let mut quickest = Duration::MAX;
    // An subscription that nothing woke rings after half a second.
    for n in 1..=10 {
        let mut subscription = listener.subscribe();
        bus.create(Uuid::from_u128(n), create(), &context()).await.expect("a new job");
        // The reader is busy with something else meanwhile.
        tokio::time::sleep(Duration::from_millis(50)).await;
        let begun = tokio::time::Instant::now();
        subscription.wait().await;
        quickest = quickest.min(begun.elapsed());
    }
    assert!(quickest < Duration::from_millis(100), "only polling woke the reader: {quickest:?}");
}

#[tokio::test]
async fn a_database_that_is_gone_is_said_to_be_gone() {
    let database = Database::open(&"postgres://someone@127.0.0.1:1/none".into(), 1)
        .expect("a valid URL")
        .with_master_keys(master_keys());
    let outcome = bus(&database).create(Uuid::from_u128(1), create(), &context()).await;
    assert!(matches!(outcome, Err(CommandError::Unavailable(_))), "{outcome:?}");
}

/// One command that creates an aggregate, with `payload` in its event.
fn one_event(n: u128, payload: serde_json::Value) -> NewEvents {
    NewEvents::from(vec![SerializedEvent {
        aggregate_id: Uuid::from_u128(n).to_string(),
        sequence: 1,
        aggregate_type: "job".into(),
        event_type: "JobCreated".into(),
        event_version: "1".into(),
        payload,
        metadata: serde_json::json!({}),
    }])
}

#[tokio::test]
async fn a_command_that_cannot_be_stored_fails_alone_and_for_good() {
    let database = database().await;
    let appender = Appender::start(&database);
    let appends = (0..100).map(|n| {
        let payload = serde_json::json!({ "title": if n % 10 == 3 { "Talk \0 one" } else { "Talk" } });
        let appender = appender.clone();
        async move { appender.append(one_event(n, payload)).await }
    });
    for (n, outcome) in join_all(appends).await.into_iter().enumerate() {
        match outcome {
            Ok(()) => assert_ne!(n % 10, 3, "{n}"),
            Err(PersistenceError::UnknownError(error)) => {
                assert_eq!(n % 10, 3, "{n}: {error}");
                assert!(error.to_string().contains("Unicode"), "{error}");
            }
            Err(other) => panic!("{n}: {other:?}"),
        }
    }
    let stored: i64 =
        sqlx::query_scalar("SELECT count(*) FROM events").fetch_one(database.pool()).await.expect("a count");
    assert_eq!(stored, 90);
}

#[tokio::test]
async fn what_the_database_cannot_store_is_not_taken_for_a_database_that_is_away() {
    let database = database().await;
    let actor = Actor::Client("a\0b".into());
    let outcome = bus(&database).create(Uuid::from_u128(1), create(), &CommandContext { actor, ..context() }).await;
    assert!(matches!(outcome, Err(CommandError::Unstorable(_))), "{outcome:?}");
    for (statement, is_of_data) in [
        ("SELECT '\"\\u0000\"'::jsonb", true),
        ("SELECT repeat('a', 2000000000)", true),
        ("SELECT pg_terminate_backend(pg_backend_pid())", false),
        ("SELECT * FROM there_is_none", false),
    ] {
        let error = sqlx::query(statement).execute(database.pool()).await.expect_err(statement);
        assert_eq!(crate::is_data_error(&error), is_of_data, "{statement}: {error}");
    }
}
