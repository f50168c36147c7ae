//! A cancelled job is left alone within two seconds, whatever was being done for it.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::client::{Client, JOBS};
use crate::held::Held;
use crate::history::History;
use crate::system::System;

/// The promise.
const SOON: Duration = Duration::from_secs(2);
/// Repeats of a talk that is still being transcribed when the test cancels it; less than one chunk.
const LONG: u32 = 10;

#[tokio::test]
async fn cancelling_stops_the_work() {
    // One at a time, so that a chunk begins when another is left alone.
    let system = System::with(&[("YTCAPTION_TRANSCRIPTION__CONCURRENCY", "1")]).await;
    let (held, client) = (Held::start().await, Client::of(&system));
    let history = History::at(system.database_url());
    during_the_download(&held, &client, &history).await;
    during_the_transcription(&held, &client, &history).await;
}

async fn during_the_download(held: &Held, client: &Client, history: &History) {
    let url = held.recording("unwanted");
    let job = client.submit(&json!({ "url": url })).await;
    until("yt-dlp fetches it", Duration::from_mins(1), || is_named_by_a_process(&url)).await;
    cancel(client, &job).await;
    until("yt-dlp is gone", SOON, || !is_named_by_a_process(&url)).await;
    assert_eq!(history.count(&job, "AudioDownloaded").await, 0);
}

async fn during_the_transcription(held: &Held, client: &Client, history: &History) {
    let talk = json!({ "url": held.talk(LONG) });
    let (one, other) = (client.submit(&talk).await, client.submit(&talk).await);
    tokio::join!(history.until(&one, "ChunkScheduled", 1), history.until(&other, "ChunkScheduled", 1));
    let (running, waiting) = if history.count(&one, "ChunkStarted").await == 1 { (one, other) } else { (other, one) };
    history.until(&running, "ChunkStarted", 1).await;
    assert_eq!(history.count(&waiting, "ChunkStarted").await, 0);
    let asked = Instant::now();
    cancel(client, &running).await;
    history.until(&waiting, "ChunkStarted", 1).await;
    assert!(asked.elapsed() < SOON, "the next began after {:?}", asked.elapsed());
    assert_eq!(client.ended(&running).await["status"], "cancelled");
    assert_eq!(history.count(&running, "ChunkTranscribed").await, 0);
}

async fn cancel(client: &Client, job: &str) {
    let answer = client.post(&format!("{JOBS}/{job}/cancel"), &json!({})).await;
    assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
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
