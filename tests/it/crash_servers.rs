//! The servers that everything rests on are killed (kill -9) in the middle of jobs: each job completes, once.

use std::time::Duration;

use serde_json::json;

use crate::client::Client;
use crate::held::{Held, REPEATS};
use crate::history::History;
use crate::system::System;

/// A system with one job in each stage that takes time.
struct Scene {
    system: System,
    held: Held,
    client: Client,
    history: History,
    downloading: String,
    transcribing: String,
}

impl Scene {
    async fn set() -> Self {
        let system = System::start().await;
        let (held, client) = (Held::start().await, Client::of(&system));
        let history = History::at(system.database_url());
        let downloading = submit(&client, &held, &held.recording("a")).await;
        let transcribing = submit(&client, &held, &held.talk(REPEATS)).await;
        history.until(&downloading, "DownloadStarted", 1).await;
        history.until(&transcribing, "ChunkStarted", 1).await;
        Self { system, held, client, history, downloading, transcribing }
    }

    async fn assert_all_completed_once(&self) {
        self.held.let_go();
        tokio::join!(
            self.history.assert_completed_once(&self.client, &self.downloading, 1),
            self.history.assert_completed_once(&self.client, &self.transcribing, REPEATS),
        );
        assert_eq!(self.held.webhooks().len(), 2);
    }
}

async fn submit(client: &Client, held: &Held, url: &str) -> String {
    client.submit(&json!({ "url": url, "webhook_url": held.webhook() })).await
}

#[tokio::test]
async fn nats_is_killed() {
    let scene = Scene::set().await;
    scene.system.kill_nats();
    // Postgres is the truth, so a job is taken on nevertheless.
    let meanwhile = submit(&scene.client, &scene.held, &scene.held.recording("b")).await;
    scene.held.let_go();
    scene.history.assert_completed_once(&scene.client, &scene.downloading, 1).await;
    scene.history.assert_completed_once(&scene.client, &scene.transcribing, REPEATS).await;
    scene.history.assert_completed_once(&scene.client, &meanwhile, 1).await;
    assert_eq!(scene.held.webhooks().len(), 3);
}

#[tokio::test]
async fn postgres_is_killed() {
    let scene = Scene::set().await;
    scene.system.kill_postgres();
    scene.assert_all_completed_once().await;
    // The work that went on meanwhile was not thrown away: its result waited.
    assert_eq!(scene.history.count(&scene.downloading, "DownloadStarted").await, 1);
    assert_eq!(scene.history.count(&scene.transcribing, "ChunkStarted").await, 1);
}

#[tokio::test]
async fn nats_is_killed_and_its_data_deleted() {
    let scene = Scene::set().await;
    // One more takes the last place, so that the next waits in the stream, where nobody holds it.
    let last_place = submit(&scene.client, &scene.held, &scene.held.recording("b")).await;
    scene.history.until(&last_place, "DownloadStarted", 1).await;
    let waiting = submit(&scene.client, &scene.held, &scene.held.recording("c")).await;
    scene.history.until_published(&waiting).await;
    let nats = scene.system.nats_pid().unwrap();
    scene.system.kill_nats();
    while std::path::Path::new(&format!("/proc/{nats}/exe")).exists() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    // Renamed, because that takes no time: `up` is about to start the server again.
    let store = scene.system.data_dir().join("nats/store");
    std::fs::rename(&store, scene.system.scratch().join("lost")).unwrap();
    assert_eq!(scene.history.count(&waiting, "DownloadStarted").await, 0);
    scene.held.let_go();
    scene.history.assert_completed_once(&scene.client, &waiting, 1).await;
    scene.history.assert_completed_once(&scene.client, &last_place, 1).await;
    scene.history.assert_completed_once(&scene.client, &scene.downloading, 1).await;
    scene.history.assert_completed_once(&scene.client, &scene.transcribing, REPEATS).await;
    assert_eq!(scene.held.webhooks().len(), 4);
}
