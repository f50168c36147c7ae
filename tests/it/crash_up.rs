//! `up` is killed (kill -9) in the middle of jobs and started again: each job completes, once.

use serde_json::json;

use crate::client::Client;
use crate::history::History;
use crate::stalled_site::{REPEATS, StalledSite};
use crate::system::System;

#[tokio::test]
async fn a_killed_up_continues_its_download_and_its_transcription() {
    let mut system = System::start().await;
    let (stalled, client) = (StalledSite::start().await, Client::for_system(&system));
    let hook = stalled.webhook_url();
    let downloading = client.submit(&json!({ "url": stalled.video_url("a"), "webhook_url": hook })).await;
    let transcribing = client.submit(&json!({ "url": stalled.talk_url(REPEATS), "webhook_url": hook })).await;
    let history = History::new(system.database_url());
    history.until(&downloading, "DownloadStarted", 1).await;
    history.until(&transcribing, "ChunkStarted", 1).await;
    system.kill();
    assert_eq!(history.count(&downloading, "AudioDownloaded").await, 0, "it was in the middle of the download");
    assert_eq!(history.count(&transcribing, "ChunkTranscribed").await, 0, "it was in the middle of the chunk");

    system.restart().await;
    // A new Postgres process, at another address.
    let (history, client) = (History::new(system.database_url()), Client::for_system(&system));
    stalled.release();
    tokio::join!(
        history.assert_completed_once(&client, &downloading, 1),
        history.assert_completed_once(&client, &transcribing, REPEATS),
    );
    assert_eq!(history.count(&downloading, "DownloadStarted").await, 2);
    assert_eq!(history.count(&transcribing, "ChunkStarted").await, 2);
    assert_eq!(stalled.webhook_ids().len(), 2);
}
