//! Postgres and nats-server are killed (kill -9) in the middle of jobs: each job completes, once.

use std::time::Duration;

use serde_json::json;

use crate::client::Client;
use crate::history::History;
use crate::stalled_site::{REPEATS, StalledSite};
use crate::system::System;

/// A system with one job in each step that takes time.
struct Scenario {
    system: System,
    stalled: StalledSite,
    client: Client,
    history: History,
    downloading: String,
    transcribing: String,
}

impl Scenario {
    async fn start() -> Self {
        let system = System::start().await;
        let (stalled, client) = (StalledSite::start().await, Client::for_system(&system));
        let history = History::new(system.database_url());
        let downloading = submit(&client, &stalled, &stalled.video_url("a")).await;
        let transcribing = submit(&client, &stalled, &stalled.talk_url(REPEATS)).await;
        history.until(&downloading, "DownloadStarted", 1).await;
        history.until(&transcribing, "ChunkStarted", 1).await;
        Self { system, stalled, client, history, downloading, transcribing }
    }

    async fn assert_all_completed_once(&self) {
        self.stalled.release();
        tokio::join!(
            self.history.assert_completed_once(&self.client, &self.downloading, 1),
            self.history.assert_completed_once(&self.client, &self.transcribing, REPEATS),
        );
        assert_eq!(self.stalled.webhook_ids().len(), 2);
    }
}

async fn submit(client: &Client, stalled: &StalledSite, url: &str) -> String {
    client.submit(&json!({ "url": url, "webhook_url": stalled.webhook_url() })).await
}

#[tokio::test]
async fn nats_is_killed() {
    let scenario = Scenario::start().await;
    scenario.system.kill_nats();
    // Events are stored in Postgres, so a job is accepted nevertheless.
    let meanwhile = submit(&scenario.client, &scenario.stalled, &scenario.stalled.video_url("b")).await;
    scenario.stalled.release();
    scenario.history.assert_completed_once(&scenario.client, &scenario.downloading, 1).await;
    scenario.history.assert_completed_once(&scenario.client, &scenario.transcribing, REPEATS).await;
    scenario.history.assert_completed_once(&scenario.client, &meanwhile, 1).await;
    assert_eq!(scenario.stalled.webhook_ids().len(), 3);
}

#[tokio::test]
async fn postgres_is_killed() {
    let scenario = Scenario::start().await;
    scenario.system.kill_postgres();
    scenario.assert_all_completed_once().await;
    // The work in progress was not discarded: its result waited for Postgres.
    assert_eq!(scenario.history.count(&scenario.downloading, "DownloadStarted").await, 1);
    assert_eq!(scenario.history.count(&scenario.transcribing, "ChunkStarted").await, 1);
}

#[tokio::test]
async fn nats_is_killed_and_its_data_deleted() {
    let scenario = Scenario::start().await;
    // This one takes the last free worker slot, so that the next waits in the stream and no worker has it.
    let last_slot = submit(&scenario.client, &scenario.stalled, &scenario.stalled.video_url("b")).await;
    scenario.history.until(&last_slot, "DownloadStarted", 1).await;
    let waiting = submit(&scenario.client, &scenario.stalled, &scenario.stalled.video_url("c")).await;
    scenario.history.until_published(&waiting).await;
    let nats = scenario.system.nats_pid().unwrap();
    scenario.system.kill_nats();
    while std::path::Path::new(&format!("/proc/{nats}/exe")).exists() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    // Renamed rather than deleted, because that takes no time: `up` is about to restart the server.
    let store = scenario.system.data_dir().join("nats/store");
    std::fs::rename(&store, scenario.system.scratch().join("lost")).unwrap();
    assert_eq!(scenario.history.count(&waiting, "DownloadStarted").await, 0);
    scenario.stalled.release();
    scenario.history.assert_completed_once(&scenario.client, &waiting, 1).await;
    scenario.history.assert_completed_once(&scenario.client, &last_slot, 1).await;
    scenario.history.assert_completed_once(&scenario.client, &scenario.downloading, 1).await;
    scenario.history.assert_completed_once(&scenario.client, &scenario.transcribing, REPEATS).await;
    assert_eq!(scenario.stalled.webhook_ids().len(), 4);
}
