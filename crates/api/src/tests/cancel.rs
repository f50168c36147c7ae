use axum::body::Body;
use axum::http::{Method, StatusCode};
use serde_json::json;
use ytcaption_domain::job::JobEvent;

use super::{Api, COLLECTION, request};

#[tokio::test]
async fn a_job_is_cancelled_once_and_knows_why() {
    let api = Api::new().await;
    let job = api.submitted().await;
    let path = format!("{COLLECTION}/{job}/cancel");
    let answer = api.post(&path, &json!({"reason": "wrong video"})).await;
    assert_eq!((answer.status, &answer.json()["status"]), (StatusCode::OK, &json!("cancelled")));
    let again = api.send(request(Method::POST, &path, &[], Body::empty())).await;
    assert_eq!((again.status, &again.json()["status"]), (StatusCode::OK, &json!("cancelled")));
    let events = api.events(job).await;
    assert_eq!(events.len(), 2);
    let cancelled: Vec<JobEvent> = events[1].decode().expect("a job's event");
    assert_eq!(cancelled, [JobEvent::JobCancelled { reason: Some("wrong video".into()) }]);

    api.project(job).await;
    let shown = api.get(&format!("{COLLECTION}/{job}")).await.json();
    assert_eq!(shown["status"], "cancelled");
    let problem = api.get(&format!("{COLLECTION}/{job}/result")).await.problem(409, "job-cancelled");
    assert_eq!(problem["job_status"], "cancelled");
}

#[tokio::test]
async fn a_job_that_has_ended_cannot_be_cancelled() {
    let api = Api::new().await;
    let job = api.submitted().await;
    api.complete(job, None).await;
    let problem = api.post(&format!("{COLLECTION}/{job}/cancel"), &json!({})).await.problem(409, "job-already-ended");
    assert_eq!(problem["job_status"], "completed");
    assert_eq!(problem["status_url"], format!("{COLLECTION}/{job}"));
}

#[tokio::test]
async fn an_invalid_reason_cancels_nothing() {
    let api = Api::new().await;
    let job = api.submitted().await;
    let path = format!("{COLLECTION}/{job}/cancel");
    assert_eq!(api.post(&path, &json!({"reason": "r".repeat(501)})).await.invalid_fields(), ["/reason"]);
    assert_eq!(api.post(&path, &json!({"why": "so"})).await.invalid_fields(), ["/why"]);
    let headers = [("content-type", "text/plain")];
    let answer = api.send(request(Method::POST, &path, &headers, Body::from("wrong video"))).await;
    answer.problem(415, "unsupported-media-type");
    assert_eq!(api.events(job).await.len(), 1);
}
