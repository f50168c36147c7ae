//! SIGTERM: work that can end soon ends, other work is handed back, and nothing is lost.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::client::Client;
use crate::history::History;
use crate::stalled_site::{REPEATS, StalledSite};
use crate::system::System;

/// The documented grace period, in seconds.
const GRACE_SECONDS: u64 = 30;
/// How long the managed servers may take to stop after that.
const SERVERS_STOP: Duration = Duration::from_secs(5);
/// After a restart, work that was handed back begins within this time; after a crash it would take 10 s and more.
const RESUMED: Duration = Duration::from_secs(8);

#[tokio::test]
async fn sigterm_drains_and_loses_nothing() {
    let mut system = System::start().await;
    let (stalled, client) = (StalledSite::start().await, Client::for_system(&system));
    let hook = stalled.webhook_url();
    let downloading = client.submit(&json!({ "url": stalled.video_url("a"), "webhook_url": hook })).await;
    let transcribing = client.submit(&json!({ "url": stalled.talk_url(REPEATS), "webhook_url": hook })).await;
    let history = History::new(system.database_url());
    history.until(&downloading, "DownloadStarted", 1).await;
    history.until(&transcribing, "ChunkStarted", 1).await;

    let requested = Instant::now();
    let status = system.terminate().await;
    assert!(status.success(), "{status}");
    assert!(requested.elapsed() < Duration::from_secs(GRACE_SECONDS) + SERVERS_STOP, "{:?}", requested.elapsed());

    system.restart().await;
    let restarted = Instant::now();
    let (history, client) = (History::new(system.database_url()), Client::for_system(&system));
    assert_eq!(history.count(&transcribing, "ChunkTranscribed").await, 1, "the chunk had time to end");
    history.until(&downloading, "DownloadStarted", 2).await;
    assert!(restarted.elapsed() < RESUMED, "the message was handed back, so it must not wait for the ack timeout");
    stalled.release();
    history.assert_completed_once(&client, &downloading, 1).await;
    history.assert_completed_once(&client, &transcribing, REPEATS).await;
    assert_eq!(history.count(&transcribing, "ChunkStarted").await, 1);
    assert_eq!(stalled.webhook_ids().len(), 2);
}
