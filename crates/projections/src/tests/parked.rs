//! What a projector does with events that it cannot apply, and what becomes of them.

use sqlx::Row as _;
use ytcaption_domain::job::{JobCommand, JobOptions, JobStatus, MediaSource, Priority, TranscriptionOptions};
use ytcaption_domain::upcast::PayloadError;
use ytcaption_domain::{AccountId, JobId};
use ytcaption_eventstore::{Checkpoints, DecodeError, IdGenerator, begin, read_stream};

use super::{House, context};
use crate::generation::{self, JOBS};
use crate::parked::{Parking, park};
use crate::{Misfit, ParkedCursor, ParkedEvents, Rebuild, Retried};

/// Appends rows to a job's events as a program of another version would: this one would not.
async fn append(house: &House, id: JobId, events: &[(i64, &str, &str)]) {
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
        .execute(house.database.pool())
        .await
        .expect("a row of the right shape");
    }
}

/// Version and status of the job's row, without what queries fold on top.
async fn row(house: &House, id: JobId) -> Option<(i64, String)> {
    sqlx::query("SELECT version, status FROM jobs WHERE job_id = $1")
        .bind(id.0)
        .fetch_optional(house.database.pool())
        .await
        .expect("the table is there")
        .map(|row| (row.get(0), row.get(1)))
}

#[tokio::test]
async fn later_events_of_the_same_job_wait_behind_an_unreadable_one_and_other_jobs_go_on() {
    let house = House::open().await;
    let (id, other) = (house.create(None).await, house.create(None).await);
    let started = r#"{"type": "DownloadStarted", "attempt": 1, "worker": "w"}"#;
    append(&house, id, &[(2, "FromTheFuture", "{}"), (3, "DownloadStarted", started)]).await;
    house.complete(other).await;
    house.project().await;
    assert_eq!(row(&house, id).await, Some((1, "pending".into())));
    assert_eq!(house.view(id).await.status, JobStatus::Pending);
    assert_eq!(row(&house, other).await.map(|row| row.1), Some("completed".into()));

    let parked = ParkedEvents::new(&house.database);
    let listed = parked.list(10).await.expect("a list");
    let told: Vec<_> = listed.iter().map(|event| (event.sequence, event.event_type.as_str(), event.waits)).collect();
    assert_eq!(told, [(2, "FromTheFuture", false), (3, "DownloadStarted", true)]);
    assert!(listed[0].error.contains("newer version"), "{}", listed[0].error);
    assert!(listed[1].error.contains("waits behind event 2"), "{}", listed[1].error);
    let rest = parked.after(ParkedCursor::of(&listed[0]), 10).await.expect("a list");
    assert_eq!(rest, listed[1..], "a page begins after the one before");
    assert_eq!(parked.after(ParkedCursor::of(&listed[1]), 10).await.expect("a list"), []);

    // Trying again changes nothing yet; a rebuild parks the same, so live and rebuilt are equal.
    assert_eq!(parked.retry(10).await.expect("an answer"), Retried { applied: 0, parked: 2 });
    assert!(parked.list(10).await.expect("a list").iter().all(|event| event.retried_at.is_some()));
    let mut rebuild = Rebuild::begin(&house.database).await.expect("nobody else rebuilds");
    assert_eq!(rebuild.compare().await.expect("an answer").next_page().await.expect("an answer"), None);
    rebuild.end().await.expect("an answer");
}

#[tokio::test]
async fn what_an_older_version_could_not_read_is_applied_in_order_by_this_one() {
    let house = House::open().await;
    let id = house.create(Some("https://example.org/hook")).await;
    house.complete(id).await;
    let expected = house.view(id).await;
    // What a program leaves that knew JobCreated up to version 1 only: the checkpoint behind all events,
    // no row, the first event parked and the others behind it.
    let pool = house.database.pool();
    let events = read_stream(&house.database, "job", &id.to_string()).await.expect("events");
    let checkpoint = Checkpoints::new(pool.clone(), JOBS);
    let mut transaction = begin(pool).await.expect("a transaction");
    let from = checkpoint.lock(&mut transaction).await.expect("a checkpoint");
    let last = events.last().expect("an event").cursor;
    checkpoint.advance(&mut *transaction, from, last).await.expect("it stands there");
    let parkings: Vec<_> = events
        .iter()
        .map(|event| {
            let misfit = if event.sequence == 1 {
                let source = PayloadError::NewerVersion { newest: 1 };
                Misfit::Unreadable(DecodeError { event: Box::new(event.event_ref()), source })
            } else {
                Misfit::Waits { aggregate_type: event.aggregate_type.clone(), expected: 1 }
            };
            Parking::new(event, misfit)
        })
        .collect();
    let live = generation::live(&mut *transaction).await.expect("a generation");
    park(&mut transaction, live, &parkings).await.expect("parked");
    transaction.commit().await.expect("committed");
    assert_eq!(row(&house, id).await, None);

    let retried = ParkedEvents::new(&house.database).retry(10).await.expect("an answer");
    assert_eq!(retried, Retried { applied: events.len() as u64, parked: 0 });
    assert_eq!(row(&house, id).await, Some((expected.version, "completed".into())));
    assert_eq!(house.view(id).await, expected);
    assert!(house.queries.transcript(id).await.expect("an answer").is_some());
    house.project().await;
    assert_eq!(house.view(id).await, expected);
}

#[tokio::test]
async fn an_event_that_the_database_refuses_is_parked_alone() {
    let house = House::open().await;
    let (before, refused) = (house.create(None).await, IdGenerator::system().new_id());
    // No index entry can be so long.
    let name: String = (0..2_000).map(|_| IdGenerator::system().new_id().simple().to_string()).collect();
    let command = JobCommand::Create {
        account: AccountId(name),
        source: MediaSource::Url { url: "https://example.org/v".parse().expect("a URL") },
        options: JobOptions::Transcription(TranscriptionOptions::default()),
        priority: Priority::Normal,
        webhook_url: None,
    };
    house.jobs.create(refused, command, &context()).await.expect("a new job");
    house.tell(JobId(refused), JobCommand::Cancel { reason: None }).await;
    let after = house.create(None).await;
    house.project().await;
    for id in [before, after] {
        assert_eq!(row(&house, id).await, Some((1, "pending".into())));
    }
    let listed = ParkedEvents::new(&house.database).list(10).await.expect("a list");
    let told: Vec<_> = listed.iter().map(|event| (event.sequence, event.waits)).collect();
    assert_eq!(told, [(1, false), (2, true)]);
    assert!(listed[0].error.contains("the database refuses"), "{}", listed[0].error);
}

#[tokio::test]
async fn a_delivery_whose_job_is_not_there_waits_for_it() {
    let house = House::open().await;
    let id = house.create(Some("https://example.org/hook")).await;
    let unknown = JobId(IdGenerator::system().new_id());
    let delivered = |job_id| ytcaption_domain::delivery::DeliveryCommand::RecordDelivered {
        job_id,
        host: "example.org".into(),
        http_status: 200,
    };
    for job in [id, unknown] {
        house.deliveries.create(IdGenerator::system().new_id(), delivered(job), &context()).await.expect("a delivery");
    }
    house.project().await;
    assert_eq!(house.view(id).await.webhook_status.as_deref(), Some("delivered"));
    let listed = ParkedEvents::new(&house.database).list(10).await.expect("a list");
    assert_eq!(listed.len(), 1);
    assert!(listed[0].error.contains(&unknown.to_string()), "{}", listed[0].error);
}
