//! Captions come while the job runs, in the order of the text, each once, whatever happens to the connection.

use std::process::{Command, Stdio};
use std::time::Duration;

use eventsource_stream::{Event, Eventsource as _};
use futures::StreamExt as _;
use reqwest::{Method, StatusCode};
use serde_json::Value;
use tokio::time::timeout;

use crate::client::{Client, JOBS, PATIENCE};
use crate::cluster::{Cluster, Role};
use crate::held::{Held, assert_heard_all};
use crate::system::System;

/// Says everything so often that the recording is some chunks long.
const REPEATS: u32 = 48;

/// Up to `most` events after the one of that id, and whether nothing can follow.
async fn listen(client: &Client, job: &str, last_id: &str, most: usize) -> (Vec<Event>, bool) {
    let request = client.request(Method::GET, &format!("{JOBS}/{job}/stream")).header("Last-Event-ID", last_id);
    let answer = request.send().await.unwrap();
    if answer.status() == StatusCode::NO_CONTENT {
        return (vec![], true);
    }
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    let mut stream = answer.bytes_stream().eventsource();
    let mut events = vec![];
    while events.len() < most {
        match timeout(PATIENCE, stream.next()).await.expect("news or an end") {
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
async fn a_connection_that_breaks_again_and_again_loses_nothing_at_whichever_server() {
    let cluster = Cluster::start().await;
    let (held, client) = (Held::start().await, cluster.client());
    let second = cluster.beside();
    second.launch(Role::Serve);
    second.launch(Role::Transcribe);
    second.answers().await;
    let servers = [client.clone(), second.client()];

    let job = client.submit_url(&held.talk(REPEATS)).await;
    let (mut told, mut connections) = (Vec::<Event>::new(), 0);
    loop {
        let last_id = told.last().map_or("", |event| event.id.as_str());
        let (news, over) = listen(&servers[connections % 2], &job, last_id, fastrand::usize(1..4)).await;
        told.extend(news);
        connections += 1;
        if over {
            break;
        }
        tokio::time::sleep(Duration::from_millis(fastrand::u64(0..300))).await;
    }
    assert!(connections > 4, "{connections} connections");
    assert_eq!(told.last().unwrap().event, "completed");
    let chunks: Vec<u64> = told.iter().filter_map(|event| data(event)["chunk"].as_u64()).collect();
    assert!(chunks.len() > 2 && chunks.is_sorted(), "{chunks:?}");
    let whole: Value = serde_json::from_str(&client.result(&job, "json").await).unwrap();
    assert_eq!(segments(&told), *whole["segments"].as_array().unwrap(), "the stream is the text, once");
    assert_heard_all(&client.result(&job, "txt").await, REPEATS);
    let again = listen(&servers[0], &job, "", usize::MAX).await.0;
    assert_eq!(again, told, "who comes late is told the same");
}

#[tokio::test]
async fn curl_and_submit_show_captions_as_they_come() {
    let system = System::start().await;
    let (held, client) = (Held::start().await, Client::of(&system));
    let job = client.submit_url(&held.recording("a")).await;
    let url = system.url(&format!("{JOBS}/{job}/stream"));
    let curl = Command::new("curl").args(["-sN", "--max-time", "90", &url]).stdout(Stdio::piped()).spawn();
    let curl = curl.expect("curl is installed");
    client.downloading(&job).await;
    held.let_go();
    let output = tokio::task::spawn_blocking(|| curl.wait_with_output()).await.unwrap().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");
    assert!(text.contains("event: captions\nid: ") && text.contains("three red cars"), "{text}");
    assert_eq!(text.matches("event: completed").count(), 1, "{text}");

    let mut submit = system.command(&["submit", &held.recording("b"), "--follow"]);
    let output = tokio::task::spawn_blocking(move || submit.output()).await.unwrap().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.starts_with("0:00:0"), "{text}");
    assert_heard_all(&text, 1);
}

#[tokio::test]
async fn open_streams_hold_no_server_back_and_a_crash_of_it_costs_nothing() {
    let mut system = System::start().await;
    let (held, client) = (Held::start().await, Client::of(&system));
    let job = client.submit_url(&held.recording("a")).await;
    let (begun, _) = listen(&client, &job, "", 2).await;
    let url = system.url(&format!("{JOBS}/{job}/stream"));
    let open = reqwest::Client::new().get(&url).send().await.unwrap();
    assert!(system.terminate().await.success());
    let rest = timeout(PATIENCE, open.text()).await.unwrap().expect("the stream ends properly");
    assert!(!rest.contains("event: completed"), "{rest}");
    held.let_go();
    system.restart().await;
    let client = Client::of(&system);
    client.completed(&job).await;
    let (rest, _) = listen(&client, &job, &begun.last().unwrap().id, usize::MAX).await;
    assert_eq!(rest.last().unwrap().event, "completed");
    let (whole, _) = listen(&client, &job, "", usize::MAX).await;
    assert_eq!([begun, rest].concat(), whole);
}
