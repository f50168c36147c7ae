//! Whoever asked for it is told when a job has ended: signed, once, and again after a refusal. That receivers inside are
//! refused by default stands in `bad_input`.

use std::time::Duration;

use reqwest::StatusCode;
use reqwest::multipart::Form;
use serde_json::{Value, json};
use standardwebhooks::Webhook;

use crate::client::{Client, JOBS, events};
use crate::receiver::{Receiver, Told};
use crate::site;
use crate::system::System;

/// What the receivers and the system know, in base64.
const SECRET: &str = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwBfl3hYbQ1yE=";
/// Somebody else's.
const OTHER_SECRET: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
/// Nothing more comes after this time, which is longer than every pause between attempts.
const QUIET: Duration = Duration::from_secs(3);

#[tokio::test]
async fn the_end_of_a_job_is_told_to_its_webhook() {
    let settings = [("YTCAPTION_WEBHOOK__SECRET", SECRET), ("YTCAPTION_WEBHOOK__RETRY_SECONDS", "1,1")];
    let system = System::with(&settings).await;
    let (client, receiver) = (Client::of(&system), Receiver::start().await);
    tokio::join!(
        completed(&client, &receiver, &system),
        failed(&client, &receiver),
        cancelled(&client, &receiver),
        refused_once(&client, &receiver),
        given_up(&client, &receiver, "broken", 3),
        given_up(&client, &receiver, "gone", 1),
    );
    tokio::time::sleep(QUIET).await;
    for (path, times) in [("completed", 1), ("failed", 1), ("cancelled", 1), ("flaky", 2), ("broken", 3), ("gone", 1)] {
        assert_eq!(receiver.told(path).len(), times, "/{path}");
    }
}

/// Submits a recording whose end is told to this path of the receiver.
async fn submit(client: &Client, receiver: &Receiver, recording: &str, path: &str) -> String {
    client.submit(&json!({ "url": site::url(recording), "webhook_url": receiver.url(path) })).await
}

/// Submits a file that is no recording, which fails soon; its end is told to this path of the receiver.
async fn submit_text(client: &Client, receiver: &Receiver, path: &str) -> String {
    let form = Form::new().text("webhook_url", receiver.url(path));
    client.upload_with(form, "text.mp4", site::text().to_vec()).await
}

/// The message must be signed with the secret, and every part of it must count for the signature.
fn assert_signed(told: &Told) {
    let ours = Webhook::new(SECRET).unwrap();
    ours.verify(&told.body, &told.headers).unwrap();
    assert!(Webhook::new(OTHER_SECRET).unwrap().verify(&told.body, &told.headers).is_err());
    assert!(ours.verify(&[&told.body[..], b" "].concat(), &told.headers).is_err());
    for (header, other) in [("webhook-id", "another"), ("webhook-timestamp", "1767323045")] {
        let mut headers = told.headers.clone();
        headers.insert(header, other.parse().unwrap());
        assert!(ours.verify(&told.body, &headers).is_err(), "{header}");
    }
    assert_eq!(told.header("content-type"), "application/json");
}

/// The one message at this path, which must say this and nothing else.
async fn told_once(receiver: &Receiver, client: &Client, id: &str, end: &str, more: Value) -> Told {
    let told = receiver.wait_for(end, 1).await.remove(0);
    assert_signed(&told);
    let job = client.ended(id).await;
    let mut data = json!({ "job_id": id, "status": end });
    data.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let body = told.json();
    let timestamp = body["timestamp"].as_str().unwrap();
    assert_eq!(body, json!({ "type": format!("transcription.{end}"), "timestamp": timestamp, "data": data }));
    let instant = |text: &str| text.parse::<chrono::DateTime<chrono::Utc>>().unwrap().timestamp_millis();
    assert_eq!(instant(timestamp), instant(job["ended_at"].as_str().unwrap()));
    told
}

async fn completed(client: &Client, receiver: &Receiver, system: &System) {
    let id = submit(client, receiver, "/video.mp4", "completed").await;
    let result_url = system.url(&format!("{JOBS}/{id}/result"));
    let told = told_once(receiver, client, &id, "completed", json!({ "result_url": result_url })).await;
    assert_eq!(reqwest::get(result_url).await.unwrap().status(), StatusCode::OK);
    let webhook = client.wait_until(&id, |job| job["webhook"]["status"] == "delivered").await["webhook"].clone();
    assert_eq!(webhook, json!({ "url": receiver.url("completed"), "status": "delivered", "attempts": 1 }));
    // The message carries the id of the event it tells of.
    let events = events(system.database_url(), "job", &id).await;
    let last = events.last().unwrap();
    assert_eq!(last.event_type, "JobCompleted");
    assert_eq!(told.header("webhook-id"), last.metadata.event_id.to_string());
}

async fn failed(client: &Client, receiver: &Receiver) {
    let id = submit_text(client, receiver, "failed").await;
    let error = client.ended(&id).await["error"].clone();
    assert_eq!(error["code"], "not_media");
    let more = json!({ "error": { "code": error["code"], "message": error["message"] } });
    told_once(receiver, client, &id, "failed", more).await;
}

async fn cancelled(client: &Client, receiver: &Receiver) {
    let id = submit(client, receiver, "/slow.mp4", "cancelled").await;
    client.downloading(&id).await;
    client.post(&format!("{JOBS}/{id}/cancel"), &json!({})).await;
    told_once(receiver, client, &id, "cancelled", json!({})).await;
}

async fn refused_once(client: &Client, receiver: &Receiver) {
    let id = submit_text(client, receiver, "flaky").await;
    let told = receiver.wait_for("flaky", 2).await;
    told.iter().for_each(assert_signed);
    assert_eq!(told[0].header("webhook-id"), told[1].header("webhook-id"));
    assert_eq!(told[0].body, told[1].body);
    let job = client.wait_until(&id, |job| job["webhook"]["status"] == "delivered").await;
    assert_eq!(job["webhook"]["attempts"], 2);
}

async fn given_up(client: &Client, receiver: &Receiver, path: &str, attempts: usize) {
    let id = submit_text(client, receiver, path).await;
    receiver.wait_for(path, attempts).await;
    let job = client.wait_until(&id, |job| job["webhook"]["status"] == "abandoned").await;
    assert_eq!((&job["webhook"]["attempts"], &job["status"]), (&json!(attempts), &json!("failed")));
}
