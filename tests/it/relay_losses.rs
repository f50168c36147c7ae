//! JetStream's worst days, with the whole system: whatever the stream loses, each accepted job completes, once.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use async_nats::jetstream::stream;
use serde_json::json;
use ytcaption_workers::topology;

use crate::client::Client;
use crate::held::Held;
use crate::history::History;
use crate::system::System;

async fn submit(client: &Client, held: &Held, url: &str) -> String {
    client.submit(&json!({ "url": url, "webhook_url": held.webhook() })).await
}

#[tokio::test]
async fn a_stream_too_small_for_the_jobs_that_wait() {
    const JOBS: usize = 6;
    const ROOM: i64 = 3;
    const WORKERS: usize = 3;
    let system = System::start().await;
    let (held, client) = (Held::start().await, Client::of(&system));
    let history = History::at(system.database_url());
    // Whoever begins makes the stream as it should be, so it is made smaller when all have begun.
    let mut jobs = vec![submit(&client, &held, &held.recording("0")).await];
    history.until_published(&jobs[0]).await;
    while system.log().matches("ready for work").count() < WORKERS {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let nats = ytcaption_workers::nats::connect(system.nats_url()).await.unwrap();
    let jetstream = async_nats::jetstream::new(nats);
    let small = stream::Config { max_messages: ROOM, ..topology::stream_config() };
    jetstream.update_stream(&small).await.unwrap();
    for number in 1..JOBS {
        jobs.push(submit(&client, &held, &held.recording(&number.to_string())).await);
    }
    for job in &jobs {
        history.until_published(job).await;
    }
    held.let_go();
    for job in &jobs {
        history.assert_completed_once(&client, job, 1).await;
    }
    assert_eq!(held.webhooks().len(), JOBS);
    let stream = jetstream.get_stream(small.name).await.unwrap();
    assert_eq!(stream.cached_info().config.max_messages, ROOM, "it was small to the end");
    assert!(stream.cached_info().state.first_sequence > u64::try_from(ROOM).unwrap(), "it has discarded messages");
}

#[tokio::test]
async fn nats_comes_back_with_an_older_copy_of_its_data() {
    let system = System::start().await;
    let (held, client) = (Held::start().await, Client::of(&system));
    let history = History::at(system.database_url());
    let mut jobs = Vec::new();
    for name in ["a", "b"] {
        jobs.push(submit(&client, &held, &held.recording(name)).await);
    }
    for job in &jobs {
        history.until(job, "DownloadStarted", 1).await;
        history.until_published(job).await;
    }
    let (store, copy) = (system.data_dir().join("nats/store"), system.scratch().join("copy"));
    copy_folder(&store, &copy);
    // All places are taken, so this one lies in the stream alone.
    jobs.push(submit(&client, &held, &held.recording("c")).await);
    history.until_published(&jobs[2]).await;

    let nats = system.nats_pid().unwrap();
    system.kill_nats();
    while Path::new(&format!("/proc/{nats}/exe")).exists() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    std::fs::rename(&store, system.scratch().join("newer")).unwrap();
    std::fs::rename(&copy, &store).unwrap();
    assert_eq!(history.count(&jobs[2], "DownloadStarted").await, 0);
    held.let_go();
    for job in &jobs {
        history.assert_completed_once(&client, job, 1).await;
    }
    assert_eq!(held.webhooks().len(), jobs.len());
}

fn copy_folder(from: &Path, to: &Path) {
    assert!(Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap().success());
}
