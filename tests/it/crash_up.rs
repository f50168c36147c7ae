//! `up` is killed (kill -9) in the middle of jobs and started again: each job completes, once.

use serde_json::json;

use crate::client::Client;
use crate::held::{Held, REPEATS};
use crate::history::History;
use crate::system::System;

#[tokio::test]
async fn a_killed_up_goes_on_with_what_it_was_downloading_and_transcribing() {
    let mut system = System::start().await;
    let (held, client) = (Held::start().await, Client::of(&system));
    let hook = held.webhook();
    let downloading = client.submit(&json!({ "url": held.recording("a"), "webhook_url": hook })).await;
    let transcribing = client.submit(&json!({ "url": held.talk(REPEATS), "webhook_url": hook })).await;
    let history = History::at(system.database_url());
    history.until(&downloading, "DownloadStarted", 1).await;
    history.until(&transcribing, "ChunkStarted", 1).await;
    system.kill();
    assert_eq!(history.count(&downloading, "AudioDownloaded").await, 0, "it was in the middle of the download");
    assert_eq!(history.count(&transcribing, "ChunkTranscribed").await, 0, "it was in the middle of the chunk");

    system.restart().await;
    // Another Postgres, at another address.
    let (history, client) = (History::at(system.database_url()), Client::of(&system));
    held.let_go();
    tokio::join!(
        history.assert_completed_once(&client, &downloading, 1),
        history.assert_completed_once(&client, &transcribing, REPEATS),
    );
    assert_eq!(history.count(&downloading, "DownloadStarted").await, 2);
    assert_eq!(history.count(&transcribing, "ChunkStarted").await, 2);
    assert_eq!(held.webhooks().len(), 2);
}
