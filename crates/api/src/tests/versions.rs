//! Jobs that this version of the program cannot read, beside others.

use serde_json::{Value, json};
use uuid::Uuid;
use ytcaption_domain::JobId;
use ytcaption_testing::RawEvent;

use super::{Api, COLLECTION, eventually};

const EVENTS: &str = "/api/v1/audit/events";

/// Records the first event of a job as another program would.
async fn record(api: &Api, id: u128, version: &str, correlation: &str) -> JobId {
    let job = JobId(Uuid::from_u128(id));
    let payload = json!({
        "type": "JobCreated", "account": "local", "priority": "normal",
        "options": { "kind": "transcription", "language": "auto", "task": "transcribe" },
        "source": { "kind": "url", "url": "https://example.org/v" },
    });
    let metadata = json!({
        "event_id": Uuid::from_u128(id), "occurred_at": "2026-01-31T14:05:00Z", "route": "normal", "account": "local",
        "actor": "client:anonymous", "correlation_id": correlation, "data_key": job.0,
    });
    let (aggregate_id, event_version) = (job.to_string(), version);
    let (aggregate_type, event_type) = ("job", "JobCreated");
    RawEvent { aggregate_type, aggregate_id, sequence: 1, event_type, event_version, payload, metadata }
        .insert(api.database.pool())
        .await;
    job
}

#[tokio::test]
async fn a_job_that_cannot_be_read_says_why_and_no_other_is_affected() {
    let api = Api::new().await;
    let correlation = Uuid::from_u128(7).to_string();
    let earlier = record(&api, 1, "1", &correlation).await;
    let future = record(&api, 2, "3", &correlation).await;
    let corrupted = record(&api, 3, "1", "none").await;

    let shown = api.get(&format!("{COLLECTION}/{earlier}")).await;
    assert_eq!(shown.json()["task"], "transcribe", "{shown:?}");
    let cancelled = api.post(&format!("{COLLECTION}/{earlier}/cancel"), &json!({})).await;
    assert_eq!(cancelled.json()["status"], "cancelled");
    for answer in [
        api.get(&format!("{COLLECTION}/{future}")).await,
        api.post(&format!("{COLLECTION}/{future}/cancel"), &json!({})).await,
        api.get(&format!("{COLLECTION}/{future}?at=1")).await,
    ] {
        let problem = answer.problem(500, "unreadable-job");
        let detail = problem["detail"].as_str().unwrap_or_default();
        let about = format!("event 1 of job {future}, JobCreated version 3");
        assert!(detail.contains(&about) && detail.contains("a newer version of the program"), "{detail}");
    }
    // What has happened can be requested all the same.
    let timeline = api.get(&format!("{COLLECTION}/{future}/explain")).await.json();
    let text = timeline["entries"][0]["text"].as_str().unwrap_or_default();
    assert!(text.contains("version 3 cannot be read") && timeline["entries"][0]["kind"] == "unknown", "{timeline}");
    assert_eq!(api.get(&format!("{COLLECTION}/{future}/events")).await.json()[0]["event_version"], "3");

    eventually("four events are final", async || {
        api.get(EVENTS).await.json()["events"].as_array().is_some_and(|events| events.len() == 4)
    })
    .await;
    let page = api.get(EVENTS).await.json();
    let event = |job: JobId| -> &Value {
        let events = page["events"].as_array().expect("a list");
        events.iter().find(|event| event["aggregate_id"] == job.to_string()).expect("every event is on the page")
    };
    let corrupt = event(corrupted)["corrupt"].as_str().unwrap_or_default();
    assert!(corrupt.contains("`correlation_id` is missing or malformed"), "{page}");
    assert_eq!(event(corrupted)["metadata"]["correlation_id"], "none", "as it is stored");
    assert_eq!(event(future).get("corrupt"), None);
}
