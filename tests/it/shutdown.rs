//! SIGTERM: what can end soon ends, what cannot is handed back, nothing is lost.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::client::Client;
use crate::held::{Held, REPEATS};
use crate::history::History;
use crate::system::System;

/// The promise, in seconds.
const GRACE_SECONDS: u64 = 30;
/// What its own servers may take to stop after that.
const SERVERS_STOP: Duration = Duration::from_secs(5);
/// After a restart, work that was handed back begins within this time; of a dead worker it would take 10 s and more.
const RESUMED: Duration = Duration::from_secs(8);

#[tokio::test]
async fn sigterm_drains_and_loses_nothing() {
    let mut system = System::start().await;
    let (held, client) = (Held::start().await, Client::of(&system));
    let hook = held.webhook();
    let downloading = client.submit(&json!({ "url": held.recording("a"), "webhook_url": hook })).await;
    let transcribing = client.submit(&json!({ "url": held.talk(REPEATS), "webhook_url": hook })).await;
    let history = History::at(system.database_url());
    history.until(&downloading, "DownloadStarted", 1).await;
    history.until(&transcribing, "ChunkStarted", 1).await;

    let told = Instant::now();
    let status = system.terminate().await;
    assert!(status.success(), "{status}");
    assert!(told.elapsed() < Duration::from_secs(GRACE_SECONDS) + SERVERS_STOP, "{:?}", told.elapsed());

    system.restart().await;
    let restarted = Instant::now();
    let (history, client) = (History::at(system.database_url()), Client::of(&system));
    assert_eq!(history.count(&transcribing, "ChunkTranscribed").await, 1, "the chunk could end");
    history.until(&downloading, "DownloadStarted", 2).await;
    assert!(restarted.elapsed() < RESUMED, "it was handed back, so nobody waits for a sign of life");
    held.let_go();
    history.assert_completed_once(&client, &downloading, 1).await;
    history.assert_completed_once(&client, &transcribing, REPEATS).await;
    assert_eq!(history.count(&transcribing, "ChunkStarted").await, 1);
    assert_eq!(held.webhooks().len(), 2);
}
