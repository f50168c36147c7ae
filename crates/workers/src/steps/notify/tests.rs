#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use standardwebhooks::Webhook;
use ytcaption_domain::JobId;
use ytcaption_domain::job::{JobCommand, MediaSource};
use ytcaption_domain::network::AddressPolicy;
use ytcaption_eventstore::read_stream;

use super::*;
use crate::testing::{Answer, HttpServer, Request, TestHarness, until};

const SECRET: &str = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";

fn settings() -> WebhookSettings {
    WebhookSettings {
        secret: Some(SECRET.into()),
        schedule: vec![Duration::from_millis(300); 2],
        timeout: Duration::from_secs(2),
        ..WebhookSettings::default()
    }
}

async fn harness_with(policy: AddressPolicy) -> TestHarness {
    let mut harness = TestHarness::new().await;
    harness.deps.network = policy;
    harness.start_relay();
    let public_url = "https://captions.example".parse().unwrap();
    harness.start(|deps, stop| Box::pin(run(deps, settings(), public_url, stop)));
    harness
}

fn loopback() -> AddressPolicy {
    AddressPolicy::new(["127.0.0.1/32"]).unwrap()
}

async fn cancelled_job(harness: &TestHarness, webhook: &str) -> JobId {
    let source = MediaSource::Url { url: "http://example.org/a.mp4".parse().unwrap() };
    let job = harness.submit(source, Some(webhook.parse().unwrap())).await;
    harness.command(job, JobCommand::Cancel { reason: None }).await;
    job
}

/// What the delivery of the job's last event has come to.
async fn delivery_events(harness: &TestHarness, job: JobId) -> Vec<DeliveryEvent> {
    let end = harness.events(job).await.pop().unwrap();
    let id = delivery_id(end.metadata.event_id).to_string();
    let events = read_stream(&harness.deps.database, "delivery", &id).await.unwrap();
    events.iter().flat_map(|event| event.decode().unwrap()).collect()
}

async fn names(harness: &TestHarness, job: JobId) -> Vec<&'static str> {
    delivery_events(harness, job).await.iter().map(|event| event.event().name).collect()
}

fn header_map(request: &Request) -> HeaderMap {
    request
        .headers
        .iter()
        .map(|(name, value)| (HeaderName::try_from(name).unwrap(), HeaderValue::try_from(value).unwrap()))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_receiver_can_verify_the_notification_and_receives_it_once() {
    let server = HttpServer::start(|_, _| Answer::status(204)).await;
    let harness = harness_with(loopback()).await;
    let job = cancelled_job(&harness, &format!("{}/hook?token=secret", server.url)).await;
    until("it was delivered", async || names(&harness, job).await == ["WebhookDelivered"]).await;
    let requests = server.requests();
    assert_eq!(requests.len(), 1);
    let request = &requests[0];
    Webhook::new(SECRET).unwrap().verify(&request.body, &header_map(request)).unwrap();
    let end = harness.events(job).await.pop().unwrap();
    assert_eq!(request.headers["webhook-id"], end.metadata.event_id.to_string());
    assert!(request.headers["traceparent"].starts_with("00-0af7651916cd43dd8448eb211c80319c-"));
    let body: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
    assert_eq!(
        (body["type"].as_str(), body["data"]["job_id"].as_str()),
        (Some("transcription.cancelled"), Some(job.to_string().as_str()))
    );
    let DeliveryEvent::WebhookDelivered { host, attempt, http_status, .. } = &delivery_events(&harness, job).await[0]
    else {
        unreachable!()
    };
    assert_eq!((host.as_str(), *attempt, *http_status), ("127.0.0.1", 1, 204));
    // The stream is lost, and the message with it: no notification is sent twice.
    crate::topology::jetstream(&harness.deps.nats).delete_stream("YTCAPTION_EVENTS").await.unwrap();
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_webhook_of_an_erased_job_is_abandoned_with_its_reason() {
    let harness = harness_with(loopback()).await;
    let source = MediaSource::Url { url: "http://example.org/a.mp4".parse().unwrap() };
    let job = harness.submit(source, Some("http://127.0.0.1:9/hook".parse().unwrap())).await;
    assert!(harness.deps.database.data_keys().destroy(job.0).await.unwrap());
    harness.command(job, JobCommand::Cancel { reason: None }).await;
    let expected = ["WebhookAttemptFailed", "WebhookAbandoned"];
    until("it was abandoned", async || names(&harness, job).await == expected).await;
    // The key is gone, so the reason is not stored either: nothing new about an erased job is kept in plaintext.
    let DeliveryEvent::WebhookAttemptFailed { reason, retry_in_ms, .. } = &delivery_events(&harness, job).await[0]
    else {
        unreachable!()
    };
    assert_eq!((reason.as_str(), *retry_in_ms), (ERASED, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unhealthy_receiver_is_notified_again_by_the_schedule_and_then_abandoned() {
    let server = HttpServer::start(|request, before| match request.path.as_str() {
        "/recovers" if before >= 1 => Answer::status(200),
        "/gone" => Answer::status(410),
        "/elsewhere" => Answer::status(302),
        _ => Answer::status(500),
    })
    .await;
    let harness = harness_with(loopback()).await;
    let recovers = cancelled_job(&harness, &format!("{}/recovers", server.url)).await;
    let expected = ["WebhookAttemptFailed", "WebhookDelivered"];
    until("it recovered", async || names(&harness, recovers).await == expected).await;
    let DeliveryEvent::WebhookAttemptFailed { reason, retry_in_ms, .. } = &delivery_events(&harness, recovers).await[0]
    else {
        unreachable!()
    };
    assert!(reason.contains("500") && retry_in_ms.is_some_and(|ms| (300..=330).contains(&ms)), "{reason}");

    let gone = cancelled_job(&harness, &format!("{}/gone", server.url)).await;
    let expected = ["WebhookAttemptFailed", "WebhookAbandoned"];
    until("a receiver that is gone is abandoned", async || names(&harness, gone).await == expected).await;

    for path in ["/never", "/elsewhere"] {
        let never = cancelled_job(&harness, &format!("{}{path}", server.url)).await;
        let expected = ["WebhookAttemptFailed", "WebhookAttemptFailed", "WebhookAttemptFailed", "WebhookAbandoned"];
        until("it was abandoned", async || names(&harness, never).await == expected).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_private_address_is_connected_to() {
    let server = HttpServer::start(|_, _| Answer::status(200)).await;
    let port = server.url.rsplit(':').next().unwrap().to_owned();
    let harness = harness_with(AddressPolicy::default()).await;
    for host in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]"] {
        let job = cancelled_job(&harness, &format!("http://{host}:{port}/hook")).await;
        let expected = ["WebhookAttemptFailed", "WebhookAbandoned"];
        until("it was abandoned", async || names(&harness, job).await == expected).await;
        let DeliveryEvent::WebhookAttemptFailed { reason, .. } = &delivery_events(&harness, job).await[0] else {
            unreachable!()
        };
        assert!(reason.contains("network.allow"), "{reason}");
    }
    assert!(server.requests().is_empty());
}

#[test]
fn an_invalid_secret_is_refused_at_start() {
    let settings = WebhookSettings { secret: Some("whsec_???".into()), ..settings() };
    let refused = Client::new(&settings, AddressPolicy::default()).err();
    assert!(matches!(refused, Some(StartError::Secret)));
}

/// The program of that language in `docs/webhooks.md`.
fn documented(language: &str) -> &'static str {
    let page = include_str!("../../../../../docs/webhooks.md");
    let (_, rest) = page.split_once(&format!("```{language}\n")).unwrap();
    rest.split_once("```").unwrap().0
}

/// The receivers that the documentation shows accept what is signed with their secret, and nothing else.
#[tokio::test(flavor = "multi_thread")]
async fn the_documented_receivers_verify_the_signature() {
    let harness = harness_with(loopback()).await;
    let directory = harness.directory.path();
    let programs = [
        ("python", "receiver.py", &["python3"][..]),
        ("javascript", "receiver.mjs", &["deno", "run", "--allow-net=127.0.0.1", "--allow-env"]),
    ];
    for (language, file, command) in programs {
        let path = directory.join(file);
        std::fs::write(&path, documented(language)).unwrap();
        for (secret, expected) in
            [(SECRET, "WebhookDelivered"), ("whsec_b3RoZXJvdGhlcm90aGVyb3RoZXI=", "WebhookAttemptFailed")]
        {
            let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let mut receiver = tokio::process::Command::new(command[0]);
            receiver.args(&command[1..]).arg(&path).kill_on_drop(true);
            receiver.env("WEBHOOK_SECRET", secret).env("PORT", port.to_string());
            let _receiver = receiver.spawn().unwrap();
            until("it listens", async || tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok()).await;
            let job = cancelled_job(&harness, &format!("http://127.0.0.1:{port}/")).await;
            until("it was attempted", async || !names(&harness, job).await.is_empty()).await;
            assert_eq!(names(&harness, job).await[0], expected, "{language}");
        }
    }
}
