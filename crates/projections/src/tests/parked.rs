//! What a projector does with events that it cannot apply, and how they are applied later.

use sqlx::Row as _;
use ytcaption_domain::job::{JobCommand, JobOptions, JobStatus, MediaSource, Priority, TranscriptionOptions};
use ytcaption_domain::upcast::PayloadError;
use ytcaption_domain::{AccountId, JobId};
use ytcaption_eventstore::{Checkpoints, DecodeError, IdGenerator, begin, read_stream};

use super::{TestHarness, context};
use crate::parked::{Parking, park};
use crate::{JOBS, ParkedCursor, ParkedEvent, ParkedEvents, ProjectionError, Retried, generation};

/// Version and status of the job's row, without what queries fold on top.
async fn row(harness: &TestHarness, id: JobId) -> Option<(i64, String)> {
    sqlx::query("SELECT version, status FROM jobs WHERE job_id = $1")
        .bind(id.0)
        .fetch_optional(harness.database.pool())
        .await
        .expect("the table is there")
        .map(|row| (row.get(0), row.get(1)))
}

/// The parked events of `jobs` after a cursor.
async fn list(harness: &TestHarness, after: ParkedCursor) -> Vec<ParkedEvent> {
    ParkedEvents::new(&harness.database).page(Some(&JOBS), after, 10).await.expect("a list")
}

#[tokio::test]
async fn an_unreadable_event_blocks_the_later_ones_of_the_same_job_and_other_jobs_go_on() {
    let harness = TestHarness::open().await;
    let (id, other) = (harness.create(None).await, harness.create(None).await);
    let started = r#"{"type": "DownloadStarted", "attempt": 1, "worker": "w"}"#;
    harness.append(id, &[(2, "FromTheFuture", "{}"), (3, "DownloadStarted", started)]).await;
    harness.complete(other).await;
    harness.project().await;
    assert_eq!(row(&harness, id).await, Some((1, "pending".into())));
    assert_eq!(harness.view(id).await.status, JobStatus::Pending);
    assert_eq!(row(&harness, other).await.map(|row| row.1), Some("completed".into()));

    let parked = ParkedEvents::new(&harness.database);
    let listed = list(&harness, ParkedCursor::default()).await;
    let found: Vec<_> = listed.iter().map(|event| (event.sequence, event.event_type.as_str(), event.blocked)).collect();
    assert_eq!(found, [(2, "FromTheFuture", false), (3, "DownloadStarted", true)]);
    assert!(listed[0].error.contains("newer version"), "{}", listed[0].error);
    assert!(listed[1].error.contains("blocked by event 2"), "{}", listed[1].error);
    let rest = list(&harness, ParkedCursor::after(&listed[0])).await;
    assert_eq!(rest, listed[1..], "a page begins after the one before");
    assert_eq!(list(&harness, ParkedCursor::after(&listed[1])).await, []);

    // Trying again changes nothing yet; a rebuild parks the same, so live and rebuilt are equal.
    assert_eq!(parked.retry(&JOBS, 10).await.expect("an answer"), Retried { applied: 0, parked: 2 });
    assert!(list(&harness, ParkedCursor::default()).await.iter().all(|event| event.retried_at.is_some()));
    assert_eq!(harness.differences(JOBS).await, []);
}

#[tokio::test]
async fn what_an_older_version_could_not_read_is_applied_in_order_by_this_one() {
    let harness = TestHarness::open().await;
    let id = harness.create(Some("https://example.org/hook")).await;
    harness.complete(id).await;
    let expected = harness.view(id).await;
    // What a program leaves that knew JobCreated up to version 1 only: the checkpoint behind all events,
    // no row, the first event parked and the others behind it.
    let pool = harness.database.pool();
    let events = read_stream(&harness.database, "job", &id.to_string()).await.expect("events");
    let checkpoint = Checkpoints::new(pool.clone(), JOBS.name());
    let mut transaction = begin(pool).await.expect("a transaction");
    let from = checkpoint.lock(&mut transaction).await.expect("a checkpoint");
    let last = events.last().expect("an event").cursor;
    checkpoint.advance(&mut *transaction, from, last).await.expect("it is there");
    let parkings: Vec<_> = events
        .iter()
        .map(|event| {
            let error = if event.sequence == 1 {
                let source = PayloadError::NewerVersion { newest: 1 }.into();
                ProjectionError::Unreadable(DecodeError { event: Box::new(event.event_ref()), source })
            } else {
                ProjectionError::Blocked { aggregate_type: event.aggregate_type.clone(), expected: 1 }
            };
            Parking::new(event, error)
        })
        .collect();
    let live = generation::live(&mut *transaction, JOBS.name()).await.expect("a generation");
    park(&mut transaction, JOBS.name(), live, &parkings).await.expect("parked");
    transaction.commit().await.expect("committed");
    assert_eq!(row(&harness, id).await, None);

    let retried = ParkedEvents::new(&harness.database).retry(&JOBS, 10).await.expect("an answer");
    assert_eq!(retried, Retried { applied: events.len() as u64, parked: 0 });
    assert_eq!(row(&harness, id).await, Some((expected.version.cast_signed(), "completed".into())));
    assert_eq!(harness.view(id).await, expected);
    assert!(harness.transcript(id).await.is_some());
    harness.project().await;
    assert_eq!(harness.view(id).await, expected);
}

#[tokio::test]
async fn an_event_that_the_database_rejects_is_parked_alone() {
    let harness = TestHarness::open().await;
    let (before, rejected) = (harness.create(None).await, IdGenerator::system().new_id());
    // An index entry has at most 2,700 bytes.
    let name: String = (0..2_000).map(|_| IdGenerator::system().new_id().simple().to_string()).collect();
    let command = JobCommand::Create {
        account: AccountId(name),
        source: MediaSource::Url { url: "https://example.org/v".parse().expect("a URL") },
        options: JobOptions::Transcription(TranscriptionOptions::default()),
        priority: Priority::Normal,
        webhook_url: None,
        retry_of: None,
    };
    harness.jobs.create(rejected, command, &context()).await.expect("a new job");
    harness.execute(JobId(rejected), JobCommand::Cancel { reason: None }).await;
    let after = harness.create(None).await;
    harness.project().await;
    for id in [before, after] {
        assert_eq!(row(&harness, id).await, Some((1, "pending".into())));
    }
    let listed = list(&harness, ParkedCursor::default()).await;
    let found: Vec<_> = listed.iter().map(|event| (event.sequence, event.blocked)).collect();
    assert_eq!(found, [(1, false), (2, true)]);
    assert!(listed[0].error.contains("the database rejects"), "{}", listed[0].error);
}

#[tokio::test]
async fn a_delivery_whose_job_is_not_there_is_parked() {
    let harness = TestHarness::open().await;
    let id = harness.create(Some("https://example.org/hook")).await;
    let unknown = JobId(IdGenerator::system().new_id());
    let delivered = |job_id| ytcaption_domain::delivery::DeliveryCommand::RecordDelivered {
        job_id,
        host: "example.org".into(),
        http_status: 200,
    };
    for job in [id, unknown] {
        harness
            .deliveries
            .create(IdGenerator::system().new_id(), delivered(job), &context())
            .await
            .expect("a delivery");
    }
    harness.project().await;
    assert_eq!(harness.view(id).await.webhook_status.as_deref(), Some("delivered"));
    let listed = list(&harness, ParkedCursor::default()).await;
    assert_eq!(listed.len(), 1);
    assert!(listed[0].error.contains(&unknown.to_string()), "{}", listed[0].error);
}
