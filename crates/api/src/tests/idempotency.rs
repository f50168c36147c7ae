use axum::http::StatusCode;
use serde_json::json;

use super::upload::{form, post_form};
use super::{Api, COLLECTION, eventually};

const KEY: [(&str, &str); 1] = [("idempotency-key", "4f1c-submit-talk")];

#[tokio::test]
async fn the_same_request_with_the_same_key_is_one_job() {
    let api = Api::new().await;
    let body = json!({"url": "https://example.org/talk.mp4", "language": "en"});
    let first = api.post_with(COLLECTION, &body, &KEY).await;
    let again = api.post_with(COLLECTION, &body, &KEY).await;
    assert_eq!((first.status, again.status), (StatusCode::ACCEPTED, StatusCode::ACCEPTED), "{again:?}");
    assert_eq!(first.json(), again.json());
    assert_eq!(again.header("location"), first.header("location"));
    assert_eq!(api.events(first.job_id()).await.len(), 1);

    // However far the job has come, also when its model has been decided meanwhile.
    api.complete(first.job_id(), None).await;
    let later = api.post_with(COLLECTION, &body, &KEY).await.json();
    assert_eq!((&later["status"], &later["job_id"]), (&json!("completed"), &first.json()["job_id"]));

    let other = api.post_with(COLLECTION, &body, &[("idempotency-key", "another")]).await;
    assert_ne!(other.job_id(), first.job_id());
    assert_ne!(api.post(COLLECTION, &body).await.job_id(), first.job_id());
}

#[tokio::test]
async fn a_key_belongs_to_one_request() {
    let api = Api::new().await;
    let body = json!({"url": "https://example.org/talk.mp4", "webhook_url": "https://example.org/hook"});
    let first = api.post_with(COLLECTION, &body, &KEY).await;
    for (field, value) in [
        ("url", "https://example.org/other.mp4"),
        ("language", "de"),
        ("priority", "low"),
        ("model", "m"),
        ("webhook_url", "https://example.org/other"),
    ] {
        let mut other = body.clone();
        other[field] = json!(value);
        let problem = api.post_with(COLLECTION, &other, &KEY).await.problem(422, "idempotency-key-reused");
        assert_eq!(problem["status_url"], first.json()["status_url"], "{field}");
    }
    assert_eq!(api.job_count().await, 1);
}

#[tokio::test]
async fn many_at_once_are_one_job() {
    let api = Api::new().await;
    let body = json!({"url": "https://example.org/talk.mp4"});
    let all = futures::future::join_all((0..16).map(|_| api.post_with(COLLECTION, &body, &KEY))).await;
    assert!(all.iter().all(|answer| answer.status == StatusCode::ACCEPTED), "{all:?}");
    assert!(all.iter().all(|answer| answer.json() == all[0].json()));
    assert_eq!(api.events(all[0].job_id()).await.len(), 1);
}

#[tokio::test]
async fn a_repeated_upload_keeps_one_blob() {
    let api = Api::new().await;
    let body = form(&[("file", Some("a.mp4"), b"the same content")]);
    let first = post_form(&api, body.clone(), &KEY).await;
    let blobs = api.blob_files();
    assert_eq!(first.json(), post_form(&api, body, &KEY).await.json());
    let other = form(&[("file", Some("a.mp4"), b"other content")]);
    post_form(&api, other, &KEY).await.problem(422, "idempotency-key-reused");
    eventually("only the first blob is left", async || api.blob_files() == blobs).await;
    assert_eq!(api.job_count().await, 1);
}

#[tokio::test]
async fn an_unfit_key_is_refused() {
    let api = Api::new().await;
    let body = json!({"url": "https://example.org/talk.mp4"});
    for key in ["", "two words", &"k".repeat(256)] {
        let answer = api.post_with(COLLECTION, &body, &[("idempotency-key", key)]).await;
        assert_eq!(answer.problem(400, "invalid-parameter")["errors"][0]["parameter"], "Idempotency-Key");
    }
}
