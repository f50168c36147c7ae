use axum::body::Body;
use axum::http::{Method, StatusCode};
use serde_json::json;
use ytcaption_blobstore::BlobKey;
use ytcaption_domain::JobId;
use ytcaption_domain::job::{JobEvent, MediaSource};

use super::upload::{form, post_form};
use super::{Answer, Api, COLLECTION, request};

async fn retry(api: &Api, job: JobId, headers: &[(&str, &str)]) -> Answer {
    api.send(request(Method::POST, &format!("{COLLECTION}/{job}/retry"), headers, Body::empty())).await
}

fn new_job(answer: &Answer) -> JobId {
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{:?}", answer.json());
    assert_eq!(answer.header("location"), format!("{COLLECTION}/{}", answer.job_id()));
    answer.job_id()
}

async fn cancelled(api: &Api) -> JobId {
    let job = api.submitted().await;
    api.post(&format!("{COLLECTION}/{job}/cancel"), &json!({})).await;
    job
}

#[tokio::test]
async fn a_cancelled_job_is_done_once_more_as_a_new_job_that_names_it() {
    let api = Api::new().await;
    let first = cancelled(&api).await;
    let second = new_job(&retry(&api, first, &[]).await);
    assert_ne!(first, second);

    let mut expected = api.creation(first).await;
    if let JobEvent::JobCreated { retry_of, .. } = &mut expected {
        *retry_of = Some(first);
    }
    assert_eq!(api.creation(second).await, expected);
    let shown = api.get(&format!("{COLLECTION}/{second}")).await.json();
    assert_eq!((&shown["status"], &shown["retry_of"]), (&json!("pending"), &json!(first.to_string())));
    let explained = api.get(&format!("{COLLECTION}/{second}/explain")).await.json();
    assert!(explained.to_string().contains(&format!("once more after job {first}")), "{explained}");
    assert_eq!(api.get(&format!("{COLLECTION}/{first}")).await.json()["status"], "cancelled");
}

#[tokio::test]
async fn the_same_request_sent_twice_retries_once() {
    let api = Api::new().await;
    let (first, other) = (cancelled(&api).await, cancelled(&api).await);
    let key = [("idempotency-key", "retry-1")];
    let second = new_job(&retry(&api, first, &key).await);
    assert_eq!(new_job(&retry(&api, first, &key).await), second);
    retry(&api, other, &key).await.problem(422, "idempotency-key-reused");
}

#[tokio::test]
async fn a_job_that_runs_or_is_completed_is_not_retried() {
    let api = Api::new().await;
    let job = api.submitted().await;
    assert_eq!(retry(&api, job, &[]).await.problem(409, "job-not-retryable")["job_status"], "pending");
    api.complete(job, None).await;
    assert_eq!(retry(&api, job, &[]).await.problem(409, "job-not-retryable")["job_status"], "completed");
    retry(&api, JobId(uuid::Uuid::from_u128(7)), &[]).await.problem(404, "job-not-found");
}

#[tokio::test]
async fn a_job_whose_media_is_gone_says_so() {
    let api = Api::new().await;
    let erased = cancelled(&api).await;
    assert!(api.database.data_keys().destroy(erased.0).await.expect("the database answers"));
    retry(&api, erased, &[]).await.problem(410, "media-gone");

    let job = post_form(&api, form(&[("file", Some("a.mp4"), b"not media")]), &[]).await.job_id();
    api.post(&format!("{COLLECTION}/{job}/cancel"), &json!({})).await;
    let JobEvent::JobCreated { source: MediaSource::Upload { key, .. }, .. } = api.creation(job).await else {
        panic!("not an upload");
    };
    new_job(&retry(&api, job, &[]).await);
    api.state.blobs.delete(&BlobKey::new(key).expect("a key")).await.expect("deleted");
    retry(&api, job, &[]).await.problem(410, "media-gone");
}
