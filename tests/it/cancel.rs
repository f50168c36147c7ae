//! The work for a cancelled job stops within two seconds, in each step.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::client::{Client, JOBS};
use crate::history::History;
use crate::stalled_site::StalledSite;
use crate::system::System;

/// How soon the work must have stopped.
const STOP_TIMEOUT: Duration = Duration::from_secs(2);
/// Repeats of a talk that is still being transcribed when the test cancels it; less than one chunk.
const LONG: u32 = 10;

#[tokio::test]
async fn cancelling_stops_the_work() {
    // One at a time, so that a waiting chunk begins only when another is abandoned.
    let system = System::start_with(&[("YTCAPTION_TRANSCRIPTION__CONCURRENCY", "1")]).await;
    let (stalled, client) = (StalledSite::start().await, Client::for_system(&system));
    let history = History::new(system.database_url());
    during_the_download(&stalled, &client, &history).await;
    during_the_transcription(&stalled, &client, &history).await;
}

async fn during_the_download(stalled: &StalledSite, client: &Client, history: &History) {
    let url = stalled.video_url("unwanted");
    let job = client.submit(&json!({ "url": url })).await;
    until("yt-dlp fetches it", Duration::from_mins(1), || is_named_by_a_process(&url)).await;
    cancel(client, &job).await;
    until("yt-dlp is gone", STOP_TIMEOUT, || !is_named_by_a_process(&url)).await;
    assert_eq!(history.count(&job, "AudioDownloaded").await, 0);
}

async fn during_the_transcription(stalled: &StalledSite, client: &Client, history: &History) {
    let talk = json!({ "url": stalled.talk_url(LONG) });
    let (one, other) = (client.submit(&talk).await, client.submit(&talk).await);
    tokio::join!(history.until(&one, "ChunkScheduled", 1), history.until(&other, "ChunkScheduled", 1));
    let (running, waiting) = tokio::select! {
        () = history.until(&one, "ChunkStarted", 1) => (&one, &other),
        () = history.until(&other, "ChunkStarted", 1) => (&other, &one),
    };
    assert_eq!(history.count(waiting, "ChunkStarted").await, 0);
    let requested = Instant::now();
    cancel(client, running).await;
    history.until(waiting, "ChunkStarted", 1).await;
    assert!(requested.elapsed() < STOP_TIMEOUT, "the next began after {:?}", requested.elapsed());
    assert_eq!(client.ended(running).await["status"], "cancelled");
    assert_eq!(history.count(running, "ChunkTranscribed").await, 0);
}

async fn cancel(client: &Client, job: &str) {
    let response = client.post(&format!("{JOBS}/{job}/cancel"), &json!({})).await;
    assert!(response.status().is_success(), "{}", response.text().await.unwrap());
}

async fn until(what: &str, within: Duration, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + within;
    while !holds() {
        assert!(Instant::now() < deadline, "not within {within:?}: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Whether a running process has this among its arguments.
fn is_named_by_a_process(argument: &str) -> bool {
    let lines = std::fs::read_dir("/proc").unwrap().flatten();
    let commands = lines.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
    commands.into_iter().any(|line| line.split(|byte| *byte == 0).any(|part| part == argument.as_bytes()))
}
