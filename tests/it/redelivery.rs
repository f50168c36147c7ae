//! Every message may be delivered twice; the second delivery changes nothing.

use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::jetstream::consumer::pull;
use async_nats::jetstream::{self, stream};
use serde_json::json;
use ytcaption_workers::nats;

use crate::client::Client;
use crate::history::{History, names};
use crate::stalled_site::StalledSite;
use crate::system::System;

const STREAM: &str = "YTCAPTION_EVENTS";

#[tokio::test]
async fn a_redelivered_message_changes_nothing() {
    let system = System::start().await;
    let (stalled, client) = (StalledSite::start().await, Client::for_system(&system));
    let history = History::new(system.database_url());
    let jetstream = jetstream::new(nats::connect(system.nats_url()).await.unwrap());

    // During the download: a second attempt begins and supersedes the first.
    let job = client.submit(&json!({ "url": stalled.video_url("a"), "webhook_url": stalled.webhook_url() })).await;
    history.until(&job, "DownloadStarted", 1).await;
    // The API is ready before the stream is made, which a worker that has begun needed.
    let stream = jetstream.get_stream(STREAM).await.unwrap();
    let again = publish_again(&jetstream, &stream, &job).await;
    assert!(again.contains(&"JobCreated".to_owned()), "{again:?}");
    history.until(&job, "DownloadStarted", 2).await;
    stalled.release();
    history.assert_completed_once(&client, &job, 1).await;
    wait_until_idle(&stream).await;

    // After the job has ended: all messages again.
    let before = history.events(&job).await;
    let again = publish_again(&jetstream, &stream, &job).await;
    assert!(again.len() >= before.len(), "{again:?}");
    wait_until_idle(&stream).await;
    assert_eq!(names(&history.events(&job).await), names(&before));
    history.assert_completed_once(&client, &job, 1).await;
    assert_eq!(stalled.webhook_ids().len(), 1, "the webhook is delivered once");
}

/// Publishes every message of a job again, with a new `Nats-Msg-Id`, so that JetStream does not discard it as a duplicate.
/// Returns the types of the events.
async fn publish_again(jetstream: &jetstream::Context, stream: &stream::Stream, job: &str) -> Vec<String> {
    let last = stream.get_info().await.unwrap().state.last_sequence;
    let mut published = Vec::new();
    for sequence in 1..=last {
        let message = stream.get_raw_message(sequence).await.unwrap();
        let subject = message.subject.to_string();
        if !subject.ends_with(job) {
            continue;
        }
        let mut headers = HeaderMap::new();
        headers.insert("Nats-Msg-Id", format!("again-{sequence}-{last}"));
        let ack = jetstream.publish_with_headers(subject.clone(), headers, message.payload).await.unwrap();
        assert!(!ack.await.unwrap().duplicate, "{subject}");
        published.push(subject.split('.').nth(3).unwrap().to_owned());
    }
    published
}

/// Waits until no consumer has pending or unacknowledged messages.
async fn wait_until_idle(stream: &stream::Stream) {
    for name in ["download-normal", "transcribe-normal", "notify"] {
        loop {
            let consumer = stream.get_consumer::<pull::Config>(name).await.unwrap();
            let info = consumer.cached_info();
            if info.num_pending == 0 && info.num_ack_pending == 0 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}
