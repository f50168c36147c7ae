//! Every message may come twice; the second time changes nothing.

use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::jetstream::consumer::pull;
use async_nats::jetstream::{self, stream};
use serde_json::json;
use ytcaption_workers::nats;

use crate::client::Client;
use crate::held::Held;
use crate::history::{History, names};
use crate::system::System;

const STREAM: &str = "YTCAPTION_EVENTS";

#[tokio::test]
async fn a_message_that_comes_again_changes_nothing() {
    let system = System::start().await;
    let (held, client) = (Held::start().await, Client::of(&system));
    let history = History::at(system.database_url());
    let jetstream = jetstream::new(nats::connect(system.nats_url()).await.unwrap());
    let stream = jetstream.get_stream(STREAM).await.unwrap();

    // In the middle of the download: a second attempt begins and overtakes the first.
    let job = client.submit(&json!({ "url": held.recording("a"), "webhook_url": held.webhook() })).await;
    history.until(&job, "DownloadStarted", 1).await;
    let again = publish_again(&jetstream, &stream, &job).await;
    assert!(again.contains(&"JobCreated".to_owned()), "{again:?}");
    history.until(&job, "DownloadStarted", 2).await;
    held.let_go();
    history.assert_completed_once(&client, &job, 1).await;
    nothing_waits(&stream).await;

    // After the end: everything again.
    let before = history.events(&job).await;
    let again = publish_again(&jetstream, &stream, &job).await;
    assert!(again.len() >= before.len(), "{again:?}");
    nothing_waits(&stream).await;
    assert_eq!(names(&history.events(&job).await), names(&before));
    history.assert_completed_once(&client, &job, 1).await;
    assert_eq!(held.webhooks().len(), 1, "nobody is told twice");
}

/// Publishes every message of a job once more, under another `Nats-Msg-Id`, by which the stream does not know it.
/// Returns the events' names.
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

/// Waits until every consumer has taken and answered all there is.
async fn nothing_waits(stream: &stream::Stream) {
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
