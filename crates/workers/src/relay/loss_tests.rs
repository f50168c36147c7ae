//! Losses of JetStream, on a real nats-server: what unfinished jobs need is published again, and nothing else.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use async_nats::jetstream::consumer::{Consumer, pull};
use async_nats::jetstream::{Context, stream};
use futures::StreamExt as _;
use ytcaption_domain::JobId;
use ytcaption_domain::Span;
use ytcaption_domain::job::{Audio, JobCommand};
use ytcaption_eventstore::RecordedEvent;

use super::guard::Loss;
use super::tests::{ids, on_stream, stored_ids, wait_for_count};
use super::*;
use crate::cloud_event::CloudEvent;
use crate::testing::{TestHarness, client, until};

const STREAM: &str = "YTCAPTION_EVENTS";

fn jetstream(harness: &TestHarness) -> Context {
    topology::jetstream(&harness.deps.nats)
}

async fn start_download(harness: &TestHarness, job: JobId) {
    harness.command(job, JobCommand::StartDownload { worker: "w".into() }).await;
}

/// A job with two chunks, the first of which is transcribed.
async fn half_done(harness: &TestHarness) -> JobId {
    let job = harness.submit_url("http://example.org/half.mp4").await;
    start_download(harness, job).await;
    let audio = Audio { key: "audio/x".into(), bytes: 1, sha256: String::new(), duration_ms: 2000 };
    let chunks = [0, 1].map(|n| Span { start_ms: n * 1000, end_ms: (n + 1) * 1000 }).to_vec();
    for command in [
        JobCommand::RecordAudio { attempt: 1, audio, title: None, chunks },
        JobCommand::StartChunk { chunk: 0, worker: "w".into(), model: "m".into() },
        JobCommand::RecordChunk { chunk: 0, attempt: 1, language: "en".into(), segments: vec![] },
    ] {
        harness.command(job, command).await;
    }
    job
}

/// What is in the stream: the id of the job, and the name of the event.
async fn in_stream(harness: &TestHarness) -> Vec<(String, String)> {
    let name = |kind: &str| kind.split('.').nth(2).unwrap().to_owned();
    on_stream(harness).await.into_iter().map(|(_, event)| (event.subject, name(&event.kind))).collect()
}

async fn wait_for(harness: &TestHarness, job: JobId, event: &str) {
    let wanted = (job.to_string(), event.to_owned());
    until(&format!("{event} is in the stream"), async || in_stream(harness).await.contains(&wanted)).await;
}

async fn wait_until_all_is_published(harness: &TestHarness) {
    until("everything is published", async || {
        let relay = Checkpoints::new(harness.deps.database.pool().clone(), RELAY_CHECKPOINT).get().await.unwrap();
        let left = Feed::new(&harness.deps.database).lag(relay, 1).await.unwrap();
        left == 0 && relay != Cursor::default()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_purged_stream_exactly_what_is_needed_comes_back() {
    let mut harness = TestHarness::new().await;
    harness.start_relay();
    let ended = harness.submit_url("http://example.org/ended.mp4").await;
    harness.command(ended, JobCommand::Cancel { reason: None }).await;
    let half = half_done(&harness).await;
    let begun = harness.submit_url("http://example.org/begun.mp4").await;
    start_download(&harness, begun).await;
    let waiting = harness.submit_url("http://example.org/waiting.mp4").await;
    wait_until_all_is_published(&harness).await;
    jetstream(&harness).get_stream(STREAM).await.unwrap().purge().await.unwrap();
    wait_for(&harness, waiting, "JobCreated").await;
    // The second chunk of the one; of the other nothing, because its work is in flight.
    let expected = [(half, "ChunkScheduled"), (waiting, "JobCreated")];
    assert_eq!(in_stream(&harness).await, expected.map(|(job, event)| (job.to_string(), event.to_owned())));

    // The attempt is older than such work should take: another worker may try.
    let long_ago = format!(
        "ALTER TABLE events DISABLE TRIGGER events_append_only;
         UPDATE events SET recorded_at = recorded_at - interval '31 seconds' WHERE aggregate_id = '{begun}'"
    );
    sqlx::raw_sql(&long_ago).execute(harness.deps.database.pool()).await.unwrap();
    wait_for(&harness, begun, "JobCreated").await;
    assert_eq!(in_stream(&harness).await.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn single_messages_that_were_deleted_come_back() {
    let mut harness = TestHarness::new().await;
    harness.start_relay();
    let mut jobs = Vec::new();
    for number in 0..3 {
        jobs.push(harness.submit_url(&format!("http://example.org/{number}.mp4")).await);
    }
    wait_for_count(&harness, 3).await;
    assert!(jetstream(&harness).get_stream(STREAM).await.unwrap().delete_message(2).await.unwrap());
    wait_for_count(&harness, 3).await;
    let order: Vec<String> = in_stream(&harness).await.into_iter().map(|(job, _)| job).collect();
    assert_eq!(order, [jobs[0], jobs[2], jobs[1]].map(|job| job.to_string()));
    // JetStream would have dropped the id that it knows; for readers the event is the same.
    let (message, event) = on_stream(&harness).await.pop().unwrap();
    let id = message.headers.as_ref().unwrap().get("Nats-Msg-Id").unwrap().to_string();
    assert_eq!((id, event.id), (format!("{}.2", event.id), stored_ids(&harness).await[1]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_of_the_same_name_is_another_stream() {
    let mut harness = TestHarness::new().await;
    harness.start_relay();
    let first = harness.submit_url("http://example.org/1.mp4").await;
    start_download(&harness, first).await;
    wait_for_count(&harness, 2).await;
    jetstream(&harness).delete_stream(STREAM).await.unwrap();
    topology::ensure(&harness.deps.nats, harness.deps.steps).await.unwrap();
    // The new one gives out the same numbers before the relay has looked at it.
    let second = harness.submit_url("http://example.org/2.mp4").await;
    wait_for(&harness, first, "JobCreated").await;
    wait_for(&harness, second, "JobCreated").await;
    until("the relay knows each", async || numbers(&harness).await.iter().all(|number| *number > 0)).await;
}

/// The sequences of messages that the relay has recorded.
async fn numbers(harness: &TestHarness) -> Vec<i64> {
    let all = "SELECT stream_sequence FROM relay_messages ORDER BY job_id, sequence";
    sqlx::query_scalar(all).fetch_all(harness.deps.database.pool()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_too_small_for_all_that_waits_gives_every_job_its_turn() {
    const JOBS: usize = 40;
    const ROOM: i64 = 5;
    let mut harness = TestHarness::new().await;
    harness.start_relay();
    let first = harness.submit_url("http://example.org/first.mp4").await;
    wait_for(&harness, first, "JobCreated").await;
    let small = stream::Config { max_messages: ROOM, ..topology::stream_config() };
    jetstream(&harness).update_stream(&small).await.unwrap();
    let mut jobs = vec![first];
    while jobs.len() < JOBS {
        jobs.push(harness.submit_url("http://example.org/a.mp4").await);
    }
    wait_until_all_is_published(&harness).await;
    assert!(!in_stream(&harness).await.contains(&(first.to_string(), "JobCreated".to_owned())));

    // A worker that does two at a time. It does not look after the stream as the others do, so that it stays small.
    let queue: Consumer<pull::Config> =
        jetstream(&harness).get_consumer_from_stream("download-normal", STREAM).await.unwrap();
    let mut ended = Vec::new();
    until("all have ended", async || {
        let mut taken = queue.fetch().max_messages(2).messages().await.unwrap();
        while let Some(Ok(message)) = taken.next().await {
            let event: CloudEvent = serde_json::from_slice(&message.payload).unwrap();
            let job: JobId = event.subject.parse().unwrap();
            let cancel = JobCommand::Cancel { reason: None };
            if !harness.deps.jobs.execute(job.0, cancel, &client()).await.unwrap().events.is_empty() {
                ended.push(job);
            }
            message.ack().await.unwrap();
        }
        ended.len() == JOBS
    })
    .await;
    ended.sort_by_key(ToString::to_string);
    assert_eq!(ended, jobs, "each of them, and each once");
    let room = jetstream(&harness).get_stream(STREAM).await.unwrap().cached_info().config.max_messages;
    assert_eq!(room, ROOM, "the stream was small to the end");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_leaders_for_a_moment_publish_everything_once_and_in_order() {
    let harness = TestHarness::new().await;
    let deps = RelayDeps {
        database: harness.deps.database.clone(),
        nats: harness.deps.nats.clone(),
        listener: EventListener::start(&harness.deps.database),
        steps: harness.deps.steps,
    };
    let mut old = Relay::begin(&deps).await.unwrap();
    let mut new = Relay::begin(&deps).await.unwrap();
    for relay in [&mut old, &mut new] {
        relay.refill_stream().await.unwrap();
    }
    for _ in 0..20 {
        harness.submit_url("http://example.org/a.mp4").await;
    }
    until("the events are final", async || stored_ids(&harness).await.len() == 20).await;
    let (old_page, new_page) = (old.next_page().await.unwrap(), new.next_page().await.unwrap());
    let outcomes = tokio::join!(old.publish(old_page), new.publish(new_page));
    let moved =
        |outcome: &Result<(), RelayError>| matches!(outcome, Err(RelayError::Checkpoint(CheckpointError::Moved(_))));
    match &outcomes {
        (Ok(()), late) | (late, Ok(())) if moved(late) => {}
        others => panic!("one moves the checkpoint, and the other learns of it: {others:?}"),
    }
    let messages = on_stream(&harness).await;
    assert_eq!(ids(&messages), stored_ids(&harness).await);
    assert_eq!(numbers(&harness).await, (1..=20).collect::<Vec<i64>>());
    // The late one may not publish anything again either.
    let late = if outcomes.0.is_ok() { &mut new } else { &mut old };
    jetstream(&harness).delete_stream(STREAM).await.unwrap();
    topology::ensure(&harness.deps.nats, harness.deps.steps).await.unwrap();
    assert!(moved(&late.refill_stream().await.map(drop)));
    assert!(on_stream(&harness).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn events_without_acks_are_published_once() {
    let mut harness = TestHarness::new().await;
    for _ in 0..5 {
        harness.submit_url("http://example.org/a.mp4").await;
    }
    // A leader publishes, and crashes before it receives the acks.
    let page = first(&harness, 5).await;
    let publisher = Publisher::new(jetstream(&harness), harness.deps.nats.clone());
    publisher.publish(&page[..3]).await.unwrap();
    harness.start_relay();
    wait_for_count(&harness, 5).await;
    until("the relay has caught up", async || numbers(&harness).await == [1, 2, 3, 4, 5]).await;
    assert_eq!(ids(&on_stream(&harness).await), stored_ids(&harness).await);
}

async fn first(harness: &TestHarness, count: usize) -> Vec<RecordedEvent> {
    let feed = Feed::new(&harness.deps.database);
    until("the events are final", async || feed.after(Cursor::default(), 1000).await.unwrap().len() == count).await;
    feed.after(Cursor::default(), 1000).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sequence_that_is_assigned_twice_shows_a_lost_end() {
    let harness = TestHarness::new().await;
    let pool = harness.deps.database.pool();
    let mut guard = StreamGuard::new(jetstream(&harness), pool.clone());
    let fresh = guard.compare().await.unwrap();
    assert_eq!(fresh.loss, Loss::Everything, "an unknown stream counts as one that lost everything");
    let ack = |sequence, duplicate| async_nats::jetstream::publish::PublishAck {
        sequence,
        duplicate,
        ..async_nats::jetstream::publish::PublishAck::default()
    };
    assert!(matches!(guard.after_acks(&[ack(1, false)]), Err(RelayError::UnknownStream)));
    let mut connection = pool.acquire().await.unwrap();
    guard.store(&mut connection, fresh.state).await.unwrap();
    assert_eq!(guard.compare().await.unwrap().loss, Loss::Nothing);

    let (later, loss) = guard.after_acks(&[ack(1, false), ack(2, false), ack(3, false)]).unwrap();
    assert_eq!(loss, Loss::Nothing);
    guard.store(&mut connection, later).await.unwrap();
    guard.committed(later);
    assert_eq!(guard.after_acks(&[ack(1, true)]).unwrap(), (later, Loss::Nothing), "a duplicate proves nothing");
    assert_eq!(guard.after_acks(&[ack(2, false), ack(3, false)]).unwrap().1, Loss::From(2));
    assert_eq!(guard.compare().await.unwrap().loss, Loss::From(1), "three were stored and the stream is empty");
}
