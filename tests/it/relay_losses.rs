//! JetStream loses messages, with the whole system running: each accepted job completes, once.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use async_nats::jetstream::stream;
use serde_json::json;
use ytcaption_workers::topology;

use crate::client::Client;
use crate::history::History;
use crate::stalled_site::StalledSite;
use crate::system::System;

async fn submit(client: &Client, stalled: &StalledSite, url: &str) -> String {
    client.submit(&json!({ "url": url, "webhook_url": stalled.webhook_url() })).await
}

#[tokio::test]
async fn a_stream_that_is_too_small_for_the_waiting_jobs() {
    const JOBS: usize = 6;
    const MAX_MESSAGES: i64 = 3;
    const WORKERS: usize = 3;
    let system = System::start().await;
    let (stalled, client) = (StalledSite::start().await, Client::for_system(&system));
    let history = History::new(system.database_url());
    // Each process that starts configures the stream, so it is made smaller after all have started.
    let mut jobs = vec![submit(&client, &stalled, &stalled.video_url("0")).await];
    history.until_published(&jobs[0]).await;
    while system.log().matches("ready for work").count() < WORKERS {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let nats = ytcaption_workers::nats::connect(system.nats_url()).await.unwrap();
    let jetstream = async_nats::jetstream::new(nats);
    let small = stream::Config { max_messages: MAX_MESSAGES, ..topology::stream_config() };
    jetstream.update_stream(&small).await.unwrap();
    for number in 1..JOBS {
        jobs.push(submit(&client, &stalled, &stalled.video_url(&number.to_string())).await);
    }
    for job in &jobs {
        history.until_published(job).await;
    }
    stalled.release();
    for job in &jobs {
        history.assert_completed_once(&client, job, 1).await;
    }
    assert_eq!(stalled.webhook_ids().len(), JOBS);
    let stream = jetstream.get_stream(small.name).await.unwrap();
    assert_eq!(stream.cached_info().config.max_messages, MAX_MESSAGES, "the stream was small until the end");
    assert!(
        stream.cached_info().state.first_sequence > u64::try_from(MAX_MESSAGES).unwrap(),
        "the stream has discarded messages"
    );
}

#[tokio::test]
async fn nats_restarts_with_an_older_copy_of_its_data() {
    let system = System::start().await;
    let (stalled, client) = (StalledSite::start().await, Client::for_system(&system));
    let history = History::new(system.database_url());
    let mut jobs = Vec::new();
    for name in ["a", "b"] {
        jobs.push(submit(&client, &stalled, &stalled.video_url(name)).await);
    }
    for job in &jobs {
        history.until(job, "DownloadStarted", 1).await;
        history.until_published(job).await;
    }
    let (store, copy) = (system.data_dir().join("nats/store"), system.scratch().join("copy"));
    copy_directory(&store, &copy);
    // All workers are busy, so this one is only in the stream.
    jobs.push(submit(&client, &stalled, &stalled.video_url("c")).await);
    history.until_published(&jobs[2]).await;

    let nats = system.nats_pid().unwrap();
    system.kill_nats();
    while Path::new(&format!("/proc/{nats}/exe")).exists() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    std::fs::rename(&store, system.scratch().join("newer")).unwrap();
    std::fs::rename(&copy, &store).unwrap();
    assert_eq!(history.count(&jobs[2], "DownloadStarted").await, 0);
    stalled.release();
    for job in &jobs {
        history.assert_completed_once(&client, job, 1).await;
    }
    assert_eq!(stalled.webhook_ids().len(), jobs.len());
}

fn copy_directory(from: &Path, to: &Path) {
    assert!(Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap().success());
}
