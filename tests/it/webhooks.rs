//! When a job has ended, its webhook is sent: signed, once, and again after an error response. `invalid_input` tests that
//! receivers on private addresses are refused by default.

use std::time::Duration;

use reqwest::StatusCode;
use reqwest::multipart::Form;
use serde_json::{Value, json};
use standardwebhooks::Webhook;

use crate::client::{Client, JOBS, events};
use crate::media_site;
use crate::system::System;
use crate::webhook_receiver::{WebhookReceiver, WebhookRequest};

/// The signing secret that the receivers and the system share, in base64.
const SECRET: &str = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwBfl3hYbQ1yE=";
/// A secret of another system.
const OTHER_SECRET: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
/// No further request arrives after this time, which is longer than each delay between attempts.
const QUIET: Duration = Duration::from_secs(3);

#[tokio::test]
async fn the_webhook_of_a_job_is_sent_when_it_ends() {
    let settings = [("YTCAPTION_WEBHOOK__SECRET", SECRET), ("YTCAPTION_WEBHOOK__RETRY_SECONDS", "1,1")];
    let system = System::start_with(&settings).await;
    let (client, receiver) = (Client::for_system(&system), WebhookReceiver::start().await);
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
        assert_eq!(receiver.requests(path).len(), times, "/{path}");
    }
}

/// Submits this media of the site, with a webhook at this path of the receiver.
async fn submit(client: &Client, receiver: &WebhookReceiver, media: &str, path: &str) -> String {
    client.submit(&json!({ "url": media_site::url(media), "webhook_url": receiver.url(path) })).await
}

/// Submits a text file, whose job fails soon, with a webhook at this path of the receiver.
async fn submit_text(client: &Client, receiver: &WebhookReceiver, path: &str) -> String {
    let form = Form::new().text("webhook_url", receiver.url(path));
    client.upload_with(form, "text.mp4", media_site::text().to_vec()).await
}

/// The request must be signed with the secret, and the signature must cover its body, id and timestamp.
fn assert_signed(request: &WebhookRequest) {
    let ours = Webhook::new(SECRET).unwrap();
    ours.verify(&request.body, &request.headers).unwrap();
    assert!(Webhook::new(OTHER_SECRET).unwrap().verify(&request.body, &request.headers).is_err());
    assert!(ours.verify(&[&request.body[..], b" "].concat(), &request.headers).is_err());
    for (header, other) in [("webhook-id", "another"), ("webhook-timestamp", "1767323045")] {
        let mut headers = request.headers.clone();
        headers.insert(header, other.parse().unwrap());
        assert!(ours.verify(&request.body, &headers).is_err(), "{header}");
    }
    assert_eq!(request.header("content-type"), "application/json");
}

/// The first request to this path, whose body must contain exactly these data.
async fn assert_notified(
    receiver: &WebhookReceiver,
    client: &Client,
    id: &str,
    end: &str,
    more: Value,
) -> WebhookRequest {
    let request = receiver.wait_for(end, 1).await.remove(0);
    assert_signed(&request);
    let job = client.ended(id).await;
    let mut data = json!({ "job_id": id, "status": end });
    data.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let body = request.json();
    let timestamp = body["timestamp"].as_str().unwrap();
    assert_eq!(body, json!({ "type": format!("transcription.{end}"), "timestamp": timestamp, "data": data }));
    let instant = |text: &str| text.parse::<chrono::DateTime<chrono::Utc>>().unwrap().timestamp_millis();
    assert_eq!(instant(timestamp), instant(job["ended_at"].as_str().unwrap()));
    request
}

async fn completed(client: &Client, receiver: &WebhookReceiver, system: &System) {
    let id = submit(client, receiver, "/video.mp4", "completed").await;
    let result_url = system.url(&format!("{JOBS}/{id}/result"));
    let request = assert_notified(receiver, client, &id, "completed", json!({ "result_url": result_url })).await;
    assert_eq!(reqwest::get(result_url).await.unwrap().status(), StatusCode::OK);
    let webhook = client.wait_until(&id, |job| job["webhook"]["status"] == "delivered").await["webhook"].clone();
    let url = ytcaption_domain::shown_webhook_url(receiver.url("completed").as_str());
    assert_eq!(webhook, json!({ "url": url, "status": "delivered", "attempts": 1 }));
    // The id of the request is that of the terminal event.
    let events = events(system.database_url(), "job", &id).await;
    let last = events.last().unwrap();
    assert_eq!(last.event_type, "JobCompleted");
    assert_eq!(request.header("webhook-id"), last.metadata.event_id.to_string());
}

async fn failed(client: &Client, receiver: &WebhookReceiver) {
    let id = submit_text(client, receiver, "failed").await;
    let error = client.ended(&id).await["error"].clone();
    assert_eq!(error["code"], "not_media");
    let more = json!({ "error": { "code": error["code"], "message": error["message"] } });
    assert_notified(receiver, client, &id, "failed", more).await;
}

async fn cancelled(client: &Client, receiver: &WebhookReceiver) {
    let id = submit(client, receiver, "/slow.mp4", "cancelled").await;
    client.downloading(&id).await;
    client.post(&format!("{JOBS}/{id}/cancel"), &json!({})).await;
    assert_notified(receiver, client, &id, "cancelled", json!({})).await;
}

async fn refused_once(client: &Client, receiver: &WebhookReceiver) {
    let id = submit_text(client, receiver, "flaky").await;
    let requests = receiver.wait_for("flaky", 2).await;
    requests.iter().for_each(assert_signed);
    assert_eq!(requests[0].header("webhook-id"), requests[1].header("webhook-id"));
    assert_eq!(requests[0].body, requests[1].body);
    let job = client.wait_until(&id, |job| job["webhook"]["status"] == "delivered").await;
    assert_eq!(job["webhook"]["attempts"], 2);
}

async fn given_up(client: &Client, receiver: &WebhookReceiver, path: &str, attempts: usize) {
    let id = submit_text(client, receiver, path).await;
    receiver.wait_for(path, attempts).await;
    let job = client.wait_until(&id, |job| job["webhook"]["status"] == "abandoned").await;
    assert_eq!((&job["webhook"]["attempts"], &job["status"]), (&json!(attempts), &json!("failed")));
}
