//! Each role, a process of its own, is killed (kill -9) in the middle of a job and started again: the job completes,
//! once.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use reqwest::Method;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};
use ytcaption_eventstore::begin;

use crate::client::{Client, JOB_TIMEOUT, JOBS};
use crate::cluster::{Cluster, Role};
use crate::history::History;
use crate::speech;
use crate::stalled_site::{REPEATS, StalledSite, assert_all_transcribed};

async fn submit(client: &Client, stalled: &StalledSite, url: &str) -> String {
    client.submit(&json!({ "url": url, "webhook_url": stalled.webhook_url() })).await
}

#[tokio::test]
async fn workers_are_killed() {
    let cluster = Cluster::start().await;
    let (client, history) = (cluster.client(), cluster.history());
    // All at once, because JetStream redelivers the messages of a killed worker only after a while.
    tokio::join!(
        download_is_killed(&cluster, &client, &history),
        transcribe_is_killed(&cluster, &client, &history),
        notify_is_killed(&cluster, &client, &history),
    );
}

async fn download_is_killed(cluster: &Cluster, client: &Client, history: &History) {
    let stalled = StalledSite::start().await;
    let job = submit(client, &stalled, &stalled.video_url("a")).await;
    history.until(&job, "DownloadStarted", 1).await;
    cluster.kill(Role::Download);
    cluster.launch(Role::Download);
    history.until(&job, "DownloadStarted", 2).await;
    stalled.release();
    history.assert_completed_once(client, &job, 1).await;
    assert_eq!(history.count(&job, "DownloadStarted").await, 2);
}

async fn transcribe_is_killed(cluster: &Cluster, client: &Client, history: &History) {
    let stalled = StalledSite::start().await;
    let job = submit(client, &stalled, &stalled.talk_url(REPEATS)).await;
    history.until(&job, "ChunkStarted", 1).await;
    cluster.kill(Role::Transcribe);
    assert_eq!(history.count(&job, "ChunkTranscribed").await, 0, "the worker was in the middle of the chunk");
    cluster.launch(Role::Transcribe);
    history.assert_completed_once(client, &job, REPEATS).await;
    assert_eq!(history.count(&job, "ChunkStarted").await, 2);
}

async fn notify_is_killed(cluster: &Cluster, client: &Client, history: &History) {
    let stalled = StalledSite::start().await;
    stalled.respond_to_webhooks(false);
    stalled.release();
    let job = submit(client, &stalled, &stalled.video_url("b")).await;
    while stalled.webhook_ids().is_empty() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    cluster.kill(Role::Notify);
    stalled.respond_to_webhooks(true);
    cluster.launch(Role::Notify);
    history.assert_completed_once(client, &job, 1).await;
    // The first request got no response, so the webhook is sent again, with the same id, by which a receiver recognizes it.
    let ids = stalled.webhook_ids();
    assert_eq!((ids.len(), &ids[0]), (2, &ids[1]));
}

#[tokio::test]
async fn relay_projector_and_api_are_killed() {
    let cluster = Cluster::start().await;
    let (client, history) = (cluster.client(), cluster.history());
    relay_is_killed(&cluster, &client, &history).await;
    projector_is_killed(&cluster, &client, &history).await;
    api_is_killed(&cluster, &client, &history).await;
}

async fn relay_is_killed(cluster: &Cluster, client: &Client, history: &History) {
    let stalled = StalledSite::start().await;
    let job = submit(client, &stalled, &stalled.video_url("a")).await;
    history.until(&job, "DownloadStarted", 1).await;
    cluster.kill(Role::Relay);
    stalled.release();
    history.until(&job, "ChunkScheduled", 1).await;
    // As if it had died between publishing and moving its checkpoint, for all events that it has published.
    sqlx::query("UPDATE checkpoints SET transaction_id = '0', position = 0 WHERE name = 'relay'")
        .execute(history.pool())
        .await
        .unwrap();
    cluster.launch(Role::Relay);
    history.assert_completed_once(client, &job, 1).await;
    assert_eq!(history.count(&job, "DownloadStarted").await, 1);
    assert_eq!(history.count(&job, "ChunkStarted").await, 1);
    assert_eq!(stalled.webhook_ids().len(), 1);
}

/// A process that hangs keeps its connections; the one beside it takes over, and when the first goes on it publishes nothing.
#[tokio::test]
async fn a_relay_that_hangs_is_replaced() {
    let cluster = Cluster::start().await;
    let beside = cluster.beside();
    beside.launch(Role::Relay);
    let (client, history, stalled) = (cluster.client(), cluster.history(), StalledSite::start().await);
    stalled.release();
    let first = submit(&client, &stalled, &stalled.video_url("a")).await;
    history.assert_completed_once(&client, &first, 1).await;

    cluster.signal(Role::Relay, Signal::SIGSTOP);
    let hung = Instant::now();
    let second = submit(&client, &stalled, &stalled.video_url("b")).await;
    history.until(&second, "DownloadStarted", 1).await;
    assert!(hung.elapsed() < Duration::from_secs(25), "it took {:?}", hung.elapsed());
    cluster.signal(Role::Relay, Signal::SIGCONT);
    history.assert_completed_once(&client, &second, 1).await;
    let third = submit(&client, &stalled, &stalled.video_url("c")).await;
    history.assert_completed_once(&client, &third, 1).await;
    for job in [&first, &second, &third] {
        assert_eq!(history.count(job, "DownloadStarted").await, 1);
    }
    assert_eq!(stalled.webhook_ids().len(), 3);
}

async fn projector_is_killed(cluster: &Cluster, client: &Client, history: &History) {
    let stalled = StalledSite::start().await;
    stalled.release();
    // The lock blocks its writes, so it is killed within a transaction in which its checkpoint has moved.
    let mut lock = begin(history.pool()).await.unwrap();
    sqlx::query("LOCK TABLE jobs IN SHARE MODE").execute(&mut *lock).await.unwrap();
    let job = submit(client, &stalled, &stalled.video_url("b")).await;
    let waits = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'jobs'::regclass";
    while sqlx::query_scalar::<_, i64>(waits).fetch_one(history.pool()).await.unwrap() == 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    cluster.kill(Role::Project);
    lock.rollback().await.unwrap();
    history.until(&job, "JobCompleted", 1).await;
    let status = "SELECT status FROM jobs WHERE job_id = $1::uuid";
    let projected = async || -> Option<String> {
        sqlx::query_scalar(status).bind(&job).fetch_optional(history.pool()).await.unwrap()
    };
    assert_eq!(projected().await, None, "the transaction was not committed");
    // The captions are available nevertheless, from the events.
    assert_all_transcribed(&client.result(&job, "txt").await, 1);
    cluster.launch(Role::Project);
    let deadline = Instant::now() + JOB_TIMEOUT;
    while projected().await.as_deref() != Some("completed") {
        assert!(Instant::now() < deadline, "the read model has not caught up: {:?}", projected().await);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    history.assert_completed_once(client, &job, 1).await;
}

async fn api_is_killed(cluster: &Cluster, client: &Client, history: &History) {
    let stalled = StalledSite::start().await;
    let accepted = submit(client, &stalled, &stalled.video_url("c")).await;
    let (first_half, second_half) = speech::video().split_at(speech::video().len() / 2);
    let (send, piece) = futures::channel::mpsc::unbounded::<std::io::Result<&'static [u8]>>();
    send.unbounded_send(Ok(first_half)).unwrap();
    let upload = |body: reqwest::Body| {
        let form = Form::new()
            .part("file", Part::stream(body).file_name("talk.mp4"))
            .text("webhook_url", stalled.webhook_url());
        client.request(Method::POST, JOBS).header("Idempotency-Key", "an-upload").multipart(form).send()
    };
    let sending = tokio::spawn(upload(reqwest::Body::wrap_stream(piece)));
    history.until(&accepted, "DownloadStarted", 1).await;
    cluster.kill(Role::Serve);
    send.unbounded_send(Ok(second_half)).ok();
    assert!(sending.await.unwrap().is_err(), "the upload was interrupted");
    cluster.launch(Role::Serve);
    cluster.ready().await;

    let again = upload(speech::video().into()).await.unwrap().json::<Value>().await.unwrap();
    let same = upload(speech::video().into()).await.unwrap().json::<Value>().await.unwrap();
    let uploaded = again["job_id"].as_str().unwrap();
    assert_eq!(same["job_id"], uploaded, "the same key is the same job");
    stalled.release();
    history.assert_completed_once(client, &accepted, 1).await;
    history.assert_completed_once(client, uploaded, 1).await;
    assert_eq!(stalled.webhook_ids().len(), 2);
}
