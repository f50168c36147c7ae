//! `replay stream` publishes events again: workers get the messages that they missed, and no step is done twice.

use std::process::Output;
use std::time::Duration;

use async_nats::jetstream::Context;
use async_nats::jetstream::consumer::{Consumer, pull};
use futures::StreamExt as _;
use serde_json::{Value, json};
use ytcaption_domain::step::STEPS;
use ytcaption_workers::topology;

use crate::client::Client;
use crate::history::History;
use crate::stalled_site::StalledSite;
use crate::system::System;

const STREAM: &str = "YTCAPTION_EVENTS";
const POLL: Duration = Duration::from_millis(50);

fn replay(system: &System, arguments: &[&str]) -> Output {
    system.command(&[&["replay", "stream"], arguments].concat()).output().unwrap()
}

fn replayed(system: &System, arguments: &[&str]) -> Value {
    let said = replay(system, &[arguments, &["--json"]].concat());
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    serde_json::from_slice(&said.stdout).unwrap()
}

async fn submit(client: &Client, stalled: &StalledSite, name: &str) -> String {
    client.submit(&json!({ "url": stalled.video_url(name), "webhook_url": stalled.webhook_url() })).await
}

async fn jetstream(system: &System) -> Context {
    async_nats::jetstream::new(ytcaption_workers::nats::connect(system.nats_url()).await.unwrap())
}

async fn queue(jetstream: &Context, name: &str) -> Consumer<pull::Config> {
    jetstream.get_consumer_from_stream(name, STREAM).await.unwrap()
}

/// Waits until no consumer has pending or unacknowledged messages.
async fn wait_until_idle(jetstream: &Context) {
    for config in topology::consumer_configs(&STEPS) {
        let queue = queue(jetstream, &config.durable_name.unwrap()).await;
        loop {
            let info = queue.get_info().await.unwrap();
            if info.num_pending + info.num_ack_pending as u64 == 0 {
                break;
            }
            tokio::time::sleep(POLL).await;
        }
    }
}

async fn last_sequence(jetstream: &Context) -> u64 {
    jetstream.get_stream(STREAM).await.unwrap().cached_info().state.last_sequence
}

#[tokio::test]
async fn replaying_completed_jobs_starts_no_work_and_sends_no_webhook() {
    let system = System::start().await;
    let (stalled, client) = (StalledSite::start().await, Client::for_system(&system));
    let history = History::new(system.database_url());
    stalled.release();
    let jobs = [submit(&client, &stalled, "a").await, submit(&client, &stalled, "b").await];
    for job in &jobs {
        history.assert_completed_once(&client, job, 1).await;
    }
    let stored = "SELECT count(*) FROM events";
    let events: i64 = sqlx::query_scalar(stored).fetch_one(history.pool()).await.unwrap();
    let jetstream = jetstream(&system).await;
    wait_until_idle(&jetstream).await;

    // Without --yes the command only prints what it would do.
    let before = last_sequence(&jetstream).await;
    let said = replay(&system, &["--all"]);
    let text = String::from_utf8(said.stdout).unwrap();
    assert!(text.contains("add --yes") && text.contains(&format!("The work of 0 of {events} is pending")), "{text}");
    let created = text.lines().find(|line| line.contains("job.JobCreated.normal.*")).unwrap();
    assert!(created.ends_with(" download"), "{created}");
    assert_eq!(last_sequence(&jetstream).await, before);

    let done = replayed(&system, &["--all", "--yes"]);
    assert_eq!((&done["published"], &done["events"], &done["pending"]), (&json!(events), &json!(events), &json!(0)));
    assert_eq!(
        last_sequence(&jetstream).await,
        before + u64::try_from(events).unwrap(),
        "JetStream discarded no message"
    );
    wait_until_idle(&jetstream).await;
    let after: i64 = sqlx::query_scalar(stored).fetch_one(history.pool()).await.unwrap();
    assert_eq!(after, events, "no worker has recorded an event");
    assert_eq!(stalled.webhook_ids().len(), jobs.len(), "no webhook was sent a second time");
}

#[tokio::test]
async fn a_job_whose_message_was_lost_is_published_again() {
    let system = System::start().await;
    let (stalled, client) = (StalledSite::start().await, Client::for_system(&system));
    let history = History::new(system.database_url());
    let mut jobs = Vec::new();
    for name in ["a", "b"] {
        jobs.push(submit(&client, &stalled, name).await);
    }
    for job in &jobs {
        history.until(job, "DownloadStarted", 1).await;
    }
    // All workers are busy. The message of the next job is acknowledged without doing its work.
    jobs.push(submit(&client, &stalled, "c").await);
    history.until_published(&jobs[2]).await;
    let jetstream = jetstream(&system).await;
    let mut taken = queue(&jetstream, "download-normal").await.fetch().max_messages(1).messages().await.unwrap();
    let message = taken.next().await.unwrap().unwrap();
    assert!(message.subject.ends_with(&jobs[2]), "{}", message.subject);
    message.double_ack().await.unwrap();

    let all = replayed(&system, &["--unfinished"]);
    assert_eq!((&all["published"], &all["pending"], &all["in_flight"]), (&json!(0), &json!(3), &json!(2)), "{all:#}");
    let done = replayed(&system, &["--job", &jobs[2], "--unfinished", "--yes"]);
    assert_eq!(
        (&done["published"], &done["pending"], &done["in_flight"]),
        (&json!(1), &json!(1), &json!(0)),
        "{done:#}"
    );
    stalled.release();
    for job in &jobs {
        history.assert_completed_once(&client, job, 1).await;
    }
}

#[tokio::test]
async fn invalid_arguments_are_rejected() {
    let system = System::start().await;
    let unknown = "0199a2b4-7f3e-7c10-8d2e-5a9b1c3d4e5f";
    for (arguments, code, part) in [
        (&[][..], 2, "--unfinished"),
        (&["--all", "--unfinished"], 2, "cannot be used with"),
        (&["--from", "yesterday"], 2, "it names no time"),
        (&["--job", unknown], 1, "there is no job"),
    ] {
        let said = replay(&system, arguments);
        let text = String::from_utf8(said.stderr).unwrap();
        assert_eq!(said.status.code(), Some(code), "{arguments:?}: {text}");
        assert!(text.contains(part), "{arguments:?}: {text}");
    }
    let nothing = replay(&system, &["--from", "2h", "--yes"]);
    assert!(nothing.status.success());
    assert!(String::from_utf8(nothing.stdout).unwrap().contains("No event matches"));
}
