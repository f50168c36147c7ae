//! Captions are streamed while the job runs, in the order of the text, each once, even when connections break.

use std::process::{Command, Stdio};
use std::time::Duration;

use eventsource_stream::{Event, Eventsource as _};
use futures::StreamExt as _;
use reqwest::{Method, StatusCode};
use serde_json::Value;
use tokio::time::timeout;

use crate::client::{Client, JOB_TIMEOUT, JOBS};
use crate::cluster::{Cluster, Role};
use crate::stalled_site::{StalledSite, assert_all_transcribed};
use crate::system::System;

/// Number of repeats that make media of several chunks.
const REPEATS: u32 = 48;

/// Up to `most` events after the one with that id, and whether the stream has ended.
async fn read_events(client: &Client, job: &str, last_id: &str, most: usize) -> (Vec<Event>, bool) {
    let request = client.request(Method::GET, &format!("{JOBS}/{job}/stream")).header("Last-Event-ID", last_id);
    let response = request.send().await.unwrap();
    if response.status() == StatusCode::NO_CONTENT {
        return (vec![], true);
    }
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut stream = response.bytes_stream().eventsource();
    let mut events = vec![];
    while events.len() < most {
        match timeout(JOB_TIMEOUT, stream.next()).await.expect("an event or the end of the stream") {
            Some(event) => events.push(event.unwrap()),
            None => break,
        }
    }
    (events, false)
}

fn segments(events: &[Event]) -> Vec<Value> {
    let captions = events.iter().filter(|event| event.event == "captions");
    captions.flat_map(|event| data(event)["segments"].as_array().unwrap().clone()).collect()
}

fn data(event: &Event) -> Value {
    serde_json::from_str(&event.data).unwrap()
}

#[tokio::test]
async fn connections_that_break_lose_no_event_on_either_server() {
    let cluster = Cluster::start().await;
    let (stalled, client) = (StalledSite::start().await, cluster.client());
    let second = cluster.beside();
    second.launch(Role::Serve);
    second.launch(Role::Transcribe);
    second.is_live().await;
    let servers = [client.clone(), second.client()];

    let job = client.submit_url(&stalled.talk_url(REPEATS)).await;
    let (mut received, mut connections) = (Vec::<Event>::new(), 0);
    loop {
        let last_id = received.last().map_or("", |event| event.id.as_str());
        let (events, ended) = read_events(&servers[connections % 2], &job, last_id, fastrand::usize(1..4)).await;
        received.extend(events);
        connections += 1;
        if ended {
            break;
        }
        tokio::time::sleep(Duration::from_millis(fastrand::u64(0..300))).await;
    }
    assert!(connections > 4, "{connections} connections");
    assert_eq!(received.last().unwrap().event, "completed");
    let chunks: Vec<u64> = received.iter().filter_map(|event| data(event)["chunk"].as_u64()).collect();
    assert!(chunks.len() > 2 && chunks.is_sorted(), "{chunks:?}");
    let whole: Value = serde_json::from_str(&client.result(&job, "json").await).unwrap();
    assert_eq!(segments(&received), *whole["segments"].as_array().unwrap(), "the stream has each segment once");
    assert_all_transcribed(&client.result(&job, "txt").await, REPEATS);
    let again = read_events(&servers[0], &job, "", usize::MAX).await.0;
    assert_eq!(again, received, "a client that connects late gets the same events");
}

#[tokio::test]
async fn curl_and_submit_print_captions_while_the_job_runs() {
    let system = System::start().await;
    let (stalled, client) = (StalledSite::start().await, Client::for_system(&system));
    let job = client.submit_url(&stalled.video_url("a")).await;
    let url = system.url(&format!("{JOBS}/{job}/stream"));
    let curl = Command::new("curl").args(["-sN", "--max-time", "90", &url]).stdout(Stdio::piped()).spawn();
    let curl = curl.expect("curl is installed");
    client.downloading(&job).await;
    stalled.release();
    let output = tokio::task::spawn_blocking(|| curl.wait_with_output()).await.unwrap().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");
    assert!(text.contains("event: captions\nid: ") && text.contains("three red cars"), "{text}");
    assert_eq!(text.matches("event: completed").count(), 1, "{text}");

    let mut submit = system.command(&["submit", &stalled.video_url("b"), "--follow"]);
    let output = tokio::task::spawn_blocking(move || submit.output()).await.unwrap().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.starts_with("0:00:0"), "{text}");
    assert_all_transcribed(&text, 1);
}

#[tokio::test]
async fn open_streams_do_not_delay_shutdown_and_are_resumed_after_it() {
    let mut system = System::start().await;
    let (stalled, client) = (StalledSite::start().await, Client::for_system(&system));
    let job = client.submit_url(&stalled.video_url("a")).await;
    let (begun, _) = read_events(&client, &job, "", 2).await;
    let url = system.url(&format!("{JOBS}/{job}/stream"));
    let open = reqwest::Client::new().get(&url).send().await.unwrap();
    assert!(system.terminate().await.success());
    let rest = timeout(JOB_TIMEOUT, open.text()).await.unwrap().expect("the stream ends without an error");
    assert!(!rest.contains("event: completed"), "{rest}");
    stalled.release();
    system.restart().await;
    let client = Client::for_system(&system);
    client.completed(&job).await;
    let (rest, _) = read_events(&client, &job, &begun.last().unwrap().id, usize::MAX).await;
    assert_eq!(rest.last().unwrap().event, "completed");
    let (whole, _) = read_events(&client, &job, "", usize::MAX).await;
    assert_eq!([begun, rest].concat(), whole);
}
