//! The usage of an account, and that a projection which only counts is rebuilt, verified and parked as any other.

use serde_json::json;
use ytcaption_domain::job::{Failure, JobCommand};
use ytcaption_domain::{AccountId, JobId};

use super::{TestHarness, account};
use crate::{JOBS, ParkedCursor, ParkedEvents, Rebuild, Retried, USAGE, UsageDay};

/// A job that is completed, one that failed, one that was cancelled, one that is pending; all projected.
async fn four_jobs(harness: &TestHarness) -> [JobId; 4] {
    let mut jobs = [JobId(uuid::Uuid::nil()); 4];
    for job in &mut jobs {
        *job = harness.create(None).await;
    }
    harness.complete(jobs[0]).await;
    harness.execute(jobs[1], JobCommand::StartDownload { worker: "w".into() }).await;
    let failure = Failure { code: "http_404".into(), message: "not there".into() };
    harness.execute(jobs[1], JobCommand::RecordDownloadFailure { attempt: 1, failure, retry_in_ms: None }).await;
    harness.execute(jobs[2], JobCommand::Cancel { reason: None }).await;
    harness.project().await;
    jobs
}

/// The usage of all days, which are one or, around midnight, two.
async fn usage_of(harness: &TestHarness, account: &AccountId) -> Option<UsageDay> {
    let (from, to) = ("1970-01-01".parse().expect("a date"), "9999-12-31".parse().expect("a date"));
    let days = harness.usage.days(account, from, to).await.expect("an answer");
    days.into_iter().reduce(|one, other| UsageDay {
        day: other.day,
        jobs_created: one.jobs_created + other.jobs_created,
        jobs_completed: one.jobs_completed + other.jobs_completed,
        jobs_failed: one.jobs_failed + other.jobs_failed,
        jobs_cancelled: one.jobs_cancelled + other.jobs_cancelled,
        media_ms: one.media_ms + other.media_ms,
    })
}

/// Created, completed, failed, cancelled, milliseconds of media.
async fn counts(harness: &TestHarness) -> [u64; 5] {
    let used = usage_of(harness, &account()).await.expect("it has used something");
    [used.jobs_created, used.jobs_completed, used.jobs_failed, used.jobs_cancelled, used.media_ms]
}

#[tokio::test]
async fn jobs_and_media_are_counted_by_account_and_day() {
    let harness = TestHarness::open().await;
    let [completed, ..] = four_jobs(&harness).await;
    assert_eq!(counts(&harness).await, [4, 1, 1, 1, 2_000]);
    assert_eq!(usage_of(&harness, &AccountId("other".into())).await, None);
    let day = harness.view(completed).await.ended_at.expect("it has ended").date_naive();
    let days = harness.usage.days(&account(), day, day).await.expect("an answer");
    assert_eq!(days.iter().map(|used| (used.day, used.media_ms)).collect::<Vec<_>>(), [(day, 2_000)]);
    let before = day.pred_opt().expect("a day");
    assert_eq!(harness.usage.days(&account(), day, before).await.expect("an answer"), []);
}

#[tokio::test]
async fn usage_is_verified_and_rebuilt_by_itself() {
    let harness = TestHarness::open().await;
    four_jobs(&harness).await;
    assert_eq!(harness.differences(USAGE).await, []);
    harness.change("UPDATE usage_days SET jobs_failed = jobs_failed + 7 WHERE jobs_failed > 0").await;
    let found = harness.differences(USAGE).await;
    let found: Vec<_> = found.iter().map(|d| (d.table, d.column.as_str(), d.live.clone(), d.rebuilt.clone())).collect();
    assert_eq!(found, [("usage_days", "jobs_failed", json!(8), json!(1))]);
    assert_eq!(harness.differences(JOBS).await, [], "another projection is not touched");

    let mut rebuild = Rebuild::begin(&harness.database, USAGE).await.expect("no other rebuild runs");
    while rebuild.advance().await.expect("an answer") {}
    let switched = rebuild.switch(false).await.expect("nothing is lost");
    rebuild.end().await.expect("an answer");
    assert_eq!((switched.events, switched.parked, switched.generation), (harness.events(None).await, 0, 2));
    assert_eq!(counts(&harness).await, [4, 1, 1, 1, 2_000]);
    assert_eq!(harness.differences(USAGE).await, []);
    // The projector goes on in the new one, and each event still counts once.
    harness.create(None).await;
    harness.project().await;
    assert_eq!(counts(&harness).await, [5, 1, 1, 1, 2_000]);
    let other: i32 = sqlx::query_scalar("SELECT live_generation('jobs')")
        .fetch_one(harness.database.pool())
        .await
        .expect("an answer");
    assert_eq!(other, 1);
}

#[tokio::test]
async fn an_event_that_usage_cannot_read_is_parked_there_and_counted_once_it_can_be_read() {
    let harness = TestHarness::open().await;
    let [.., pending] = four_jobs(&harness).await;
    harness.append(pending, &[(2, "FromTheFuture", "{}"), (3, "JobCancelled", r#"{"type": "JobCancelled"}"#)]).await;
    harness.project().await;
    assert_eq!(counts(&harness).await, [4, 1, 1, 1, 2_000]);
    let parked = ParkedEvents::new(&harness.database);
    let of_usage = parked.page(Some(&USAGE), ParkedCursor::default(), 10).await.expect("a list");
    let found: Vec<_> = of_usage.iter().map(|event| (event.sequence, event.blocked)).collect();
    assert_eq!(found, [(2, false), (3, true)]);
    let of_all = parked.page(None, ParkedCursor::default(), 10).await.expect("a list");
    let projections: Vec<_> = of_all.iter().map(|event| event.projection.as_str()).collect();
    assert_eq!(projections, ["jobs", "usage", "jobs", "usage"], "those with an error of their own come first");
    // A page may end between the two projections of one event.
    let rest = parked.page(None, ParkedCursor::after(&of_all[0]), 10).await.expect("a list");
    assert_eq!(rest, of_all[1..]);
    assert_eq!((parked.count(Some(&USAGE)).await.ok(), parked.count(None).await.ok()), (Some(2), Some(4)));

    assert_eq!(parked.retry(&USAGE, 10).await.expect("an answer"), Retried { applied: 0, parked: 2 });
    // As if a version of the program ran that can read it.
    sqlx::query("ALTER TABLE events DISABLE TRIGGER USER")
        .execute(harness.database.pool())
        .await
        .expect("an owner may");
    let readable = r#"{"type": "BeamSizeChosen", "beam_size": 5}"#;
    let replace = "UPDATE events SET event_type = 'BeamSizeChosen', payload =";
    harness.change(&format!("{replace} '{readable}' WHERE event_type = 'FromTheFuture'")).await;
    assert_eq!(parked.retry(&USAGE, 10).await.expect("an answer"), Retried { applied: 2, parked: 0 });
    assert_eq!(counts(&harness).await, [4, 1, 1, 2, 2_000]);
    assert_eq!(parked.count(Some(&JOBS)).await.expect("an answer"), 2, "each projection for itself");
    assert_eq!(harness.differences(USAGE).await, []);
}
