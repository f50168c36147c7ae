#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use async_nats::jetstream::consumer::{DeliverPolicy, pull};
use async_nats::jetstream::stream;
use futures::StreamExt as _;
use ytcaption_domain::Span;
use ytcaption_domain::captions::Segment;
use ytcaption_domain::job::{Audio, JobCommand, MediaSource};
use ytcaption_domain::{CommandContext, JobId};
use ytcaption_telemetry::context::TRACEPARENT;

use super::*;
use crate::cloud_event::CloudEvent;
use crate::testing::{TEST_TIMEOUT, TestHarness, client, until};

/// Everything on the stream, in its order.
pub(super) async fn on_stream(harness: &TestHarness) -> Vec<(async_nats::jetstream::Message, CloudEvent)> {
    let Ok(stream) = topology::jetstream(&harness.deps.nats).get_stream("YTCAPTION_EVENTS").await else {
        return Vec::new();
    };
    let config = pull::Config { deliver_policy: DeliverPolicy::All, ..pull::Config::default() };
    let Ok(consumer) = stream.create_consumer(config).await else { return Vec::new() };
    let mut messages = Vec::new();
    let mut batch = consumer.fetch().max_messages(1000).messages().await.unwrap();
    while let Some(Ok(message)) = batch.next().await {
        let event = serde_json::from_slice(&message.payload).unwrap();
        messages.push((message, event));
    }
    messages
}

pub(super) async fn wait_for_count(harness: &TestHarness, count: usize) {
    until(&format!("{count} events are on the stream"), async || on_stream(harness).await.len() == count).await;
}

pub(super) fn ids(messages: &[(async_nats::jetstream::Message, CloudEvent)]) -> Vec<uuid::Uuid> {
    messages.iter().map(|(_, event)| event.id).collect()
}

pub(super) async fn stored_ids(harness: &TestHarness) -> Vec<uuid::Uuid> {
    let page = Feed::new(&harness.deps.database).after(Cursor::default(), 1000).await.unwrap();
    page.iter().map(|event| event.metadata.event_id).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_published_in_order_and_once_also_by_a_second_leader() {
    let mut harness = TestHarness::new().await;
    let mut jobs = Vec::new();
    for _ in 0..3 {
        jobs.push(harness.submit_url("http://example.org/a.mp4").await);
    }
    let first = harness.start_relay();
    wait_for_count(&harness, 3).await;
    let second = harness.start_relay();
    harness.command(jobs[0], JobCommand::StartDownload { worker: "w".into() }).await;
    wait_for_count(&harness, 4).await;

    first.cancel();
    harness.stopped().await;
    for job in &jobs {
        harness.command(*job, JobCommand::Cancel { reason: None }).await;
    }
    let since = std::time::Instant::now();
    wait_for_count(&harness, 7).await;
    assert!(since.elapsed() < Duration::from_secs(5), "the second leader took {:?}", since.elapsed());
    let messages = on_stream(&harness).await;
    assert_eq!(ids(&messages), stored_ids(&harness).await);

    let (message, event) = &messages[0];
    assert_eq!(message.subject.as_str(), format!("ytcaption.events.job.JobCreated.normal.{}", jobs[0]));
    let headers = message.headers.as_ref().unwrap();
    assert_eq!(headers.get("Nats-Msg-Id").unwrap().as_str(), event.id.to_string());
    assert_eq!(headers.get(TRACEPARENT).unwrap().as_str(), client().traceparent.unwrap());
    assert_eq!(event.kind, "ytcaption.job.JobCreated.v2");
    assert_eq!((event.specversion.as_str(), event.sequence.as_str()), ("1.0", "0000000001"));
    assert_eq!(event.data.as_ref().unwrap()["source"]["url"], "http://example.org/a.mp4");
    second.cancel();
    harness.stopped().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_was_deleted_gets_what_unfinished_jobs_need() {
    let mut harness = TestHarness::new().await;
    harness.start_relay();
    let ended = harness.submit_url("http://example.org/ended.mp4").await;
    harness.command(ended, JobCommand::Cancel { reason: None }).await;
    let open = harness.submit_url("http://example.org/open.mp4").await;
    harness.command(open, JobCommand::StartDownload { worker: "w".into() }).await;
    wait_for_count(&harness, 4).await;

    topology::jetstream(&harness.deps.nats).delete_stream("YTCAPTION_EVENTS").await.unwrap();
    wait_for_count(&harness, 1).await;
    assert_eq!(
        ids(&on_stream(&harness).await),
        stored_ids(&harness).await[2..3],
        "what began it, and not that it was begun"
    );

    // What follows goes on in order, and nothing comes twice.
    harness.command(open, JobCommand::Cancel { reason: None }).await;
    wait_for_count(&harness, 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_a_job_is_published_again_until_its_webhook_was_notified() {
    let mut harness = TestHarness::new().await;
    harness.start_relay();
    let url = "http://example.org/open.mp4".parse().unwrap();
    let webhook = "http://example.org/hook".parse().unwrap();
    let job = harness.submit(MediaSource::Url { url }, Some(webhook)).await;
    harness.command(job, JobCommand::Cancel { reason: None }).await;
    wait_for_count(&harness, 2).await;
    topology::jetstream(&harness.deps.nats).delete_stream("YTCAPTION_EVENTS").await.unwrap();
    wait_for_count(&harness, 1).await;
    assert_eq!(on_stream(&harness).await[0].1.kind, "ytcaption.job.JobCancelled.v1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payload_too_large_for_a_message_stays_in_the_store() {
    let mut harness = TestHarness::new().await;
    let job = harness.submit_url("http://example.org/long.mp4").await;
    long_chunk(&harness, job, &client()).await;
    harness.start_relay();
    wait_for_count(&harness, harness.events(job).await.len()).await;
    let messages = on_stream(&harness).await;
    let (_, long) = messages.iter().find(|(_, event)| event.kind.contains("ChunkTranscribed")).unwrap();
    assert_eq!(long.data, None);
    assert_eq!(long.dataref, Some(format!("urn:ytcaption:event:{}", long.id)));
    assert_eq!(ids(&messages), stored_ids(&harness).await);
}

/// Takes a job to the end with a chunk of more text than a message can carry.
async fn long_chunk(harness: &TestHarness, job: JobId, _context: &CommandContext) {
    let segment = |index: u64| Segment {
        start_ms: index,
        end_ms: index + 1,
        text: "word ".repeat(200),
        avg_logprob: 0.0,
        no_speech_prob: 0.0,
        compression_ratio: 1.0,
        temperature: 0.0,
        words: vec![],
    };
    let audio = Audio { key: "audio/x".into(), bytes: 1, sha256: String::new(), duration_ms: 2000 };
    let chunks = vec![Span { start_ms: 0, end_ms: 2000 }];
    for command in [
        JobCommand::StartDownload { worker: "w".into() },
        JobCommand::RecordAudio { attempt: 1, audio, title: None, chunks },
        JobCommand::StartChunk { chunk: 0, worker: "w".into(), model: "m".into() },
        JobCommand::RecordChunk {
            chunk: 0,
            attempt: 1,
            language: "en".into(),
            segments: (0..1200).map(segment).collect(),
        },
    ] {
        harness.command(job, command).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unavailable_stream_holds_the_relay_up_and_nothing_is_left_out() {
    let mut harness = TestHarness::new().await;
    let jetstream = topology::jetstream(&harness.deps.nats);
    // A stream that accepts nothing, as when JetStream is full or without a leader.
    let mut full = stream::Config { max_messages: 1, ..topology::stream_config() };
    full.discard = stream::DiscardPolicy::New;
    harness.start_relay();
    let first = harness.submit_url("http://example.org/1.mp4").await;
    wait_for_count(&harness, 1).await;
    jetstream.update_stream(&full).await.unwrap();
    for number in 2..5 {
        harness.submit_url(&format!("http://example.org/{number}.mp4")).await;
    }
    harness.command(first, JobCommand::StartDownload { worker: "w".into() }).await;
    // The relay brings the stream's configuration back to what it should be when it looks again.
    tokio::time::timeout(TEST_TIMEOUT, wait_for_count(&harness, 5)).await.unwrap();
    assert_eq!(ids(&on_stream(&harness).await), stored_ids(&harness).await);
}
