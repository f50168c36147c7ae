use std::time::Duration;

use axum::http::StatusCode;
use serde_json::json;
use uuid::Uuid;
use ytcaption_domain::job::{Failure, JobCommand, JobOptions, MediaSource, Priority, TranscriptionOptions};
use ytcaption_domain::{AccountId, Actor, CommandContext, JobId};

use super::{Api, COLLECTION};

#[tokio::test]
async fn a_job_is_shown_at_once_and_as_it_goes_on() {
    let api = Api::new().await;
    let job = api.submitted().await;
    let path = format!("{COLLECTION}/{job}");
    // The projector has not run yet.
    let shown = api.get(&path).await.json();
    assert_eq!((&shown["status"], &shown["progress"]["percent"]), (&json!("pending"), &json!(0)));
    assert_eq!((&shown["error"], &shown["result_url"]), (&json!(null), &json!(null)));

    api.work(job, JobCommand::StartDownload { worker: "w".into() }).await;
    api.work(job, JobCommand::ReportDownloadProgress { attempt: 1, percent: 50 }).await;
    api.project(job).await;
    let shown = api.get(&path).await.json();
    assert_eq!((&shown["status"], &shown["progress"]["download_percent"]), (&json!("downloading"), &json!(50)));

    let failure = Failure { code: "http_503".into(), message: "The site is busy; it is tried again.".into() };
    api.work(job, JobCommand::RecordDownloadFailure { attempt: 1, failure, retry_in_ms: Some(60_000) }).await;
    api.project(job).await;
    let shown = api.get(&path).await.json();
    assert_eq!((&shown["status"], &shown["error"]["code"]), (&json!("downloading"), &json!("http_503")));
    assert!(shown["retry_at"].is_string(), "{shown}");

    let job = api.submitted().await;
    api.complete(job, Some("A talk")).await;
    let shown = api.get(&format!("{COLLECTION}/{job}")).await.json();
    assert_eq!(shown["result_url"], format!("{COLLECTION}/{job}/result"));
    assert_eq!((&shown["title"], &shown["detected_language"]), (&json!("A talk"), &json!("en")));
    assert_eq!((&shown["progress"]["percent"], &shown["duration_ms"]), (&json!(100), &json!(4_000)));
}

#[tokio::test]
async fn an_unchanged_job_needs_no_body() {
    let api = Api::new().await;
    let job = api.submitted().await;
    let path = format!("{COLLECTION}/{job}");
    let first = api.get(&path).await;
    let tag = first.header("etag").to_owned();
    assert_eq!(tag, "\"1\"");
    let unchanged = api.get_with(&path, &[("if-none-match", &tag)]).await;
    assert_eq!((unchanged.status, unchanged.body.len()), (StatusCode::NOT_MODIFIED, 0));
    assert_eq!(unchanged.header("etag"), tag);

    api.work(job, JobCommand::StartDownload { worker: "w".into() }).await;
    api.project(job).await;
    let changed = api.get_with(&path, &[("if-none-match", &tag)]).await;
    assert_eq!((changed.status, changed.header("etag")), (StatusCode::OK, "\"2\""));
}

#[tokio::test]
async fn an_unknown_job_is_not_found() {
    let api = Api::new().await;
    let id = Uuid::from_u128(7);
    for path in [format!("{COLLECTION}/{id}"), format!("{COLLECTION}/{id}/result")] {
        let problem = api.get(&path).await.problem(404, "job-not-found");
        assert_eq!(problem["instance"], path);
    }
    api.post(&format!("{COLLECTION}/{id}/cancel"), &json!({})).await.problem(404, "job-not-found");
}

#[tokio::test]
async fn an_id_that_is_none_is_refused() {
    let api = Api::new().await;
    for path in ["/7", "/7/result", "/%FF", "/0197a2b4-7f3e-7c10-8d2e-5a9b1c3d4e5"] {
        let problem = api.get(&format!("{COLLECTION}{path}")).await.problem(400, "invalid-parameter");
        assert_eq!(problem["errors"][0]["parameter"], "id");
    }
    api.post(&format!("{COLLECTION}/7/cancel"), &json!({})).await.problem(400, "invalid-parameter");
}

#[tokio::test]
async fn jobs_of_another_account_are_not_there() {
    let api = Api::new().await;
    let job = JobId(Uuid::from_u128(9));
    let theirs = AccountId("theirs".into());
    let create = JobCommand::Create {
        account: theirs.clone(),
        source: MediaSource::Url { url: "https://example.org/a".parse().expect("a URL") },
        options: JobOptions::Transcription(TranscriptionOptions::default()),
        priority: Priority::Normal,
        webhook_url: None,
        retry_of: None,
    };
    let context = CommandContext {
        account: theirs,
        actor: Actor::Client("them".into()),
        correlation_id: Uuid::from_u128(1),
        causation_id: None,
        traceparent: None,
    };
    api.jobs.create(job.0, create, &context).await.expect("the job is created");
    api.get(&format!("{COLLECTION}/{job}")).await.problem(404, "job-not-found");
    api.get(&format!("{COLLECTION}/{job}/result")).await.problem(404, "job-not-found");
    api.post(&format!("{COLLECTION}/{job}/cancel"), &json!({})).await.problem(404, "job-not-found");
    assert_eq!(api.events(job).await.len(), 1, "it was not cancelled");
    assert_eq!(api.get(COLLECTION).await.json()["transcriptions"], json!([]));
}

#[tokio::test]
async fn a_client_may_wait_for_the_end_of_a_job() {
    let api = Api::new().await;
    let job = api.submitted().await;
    let path = format!("{COLLECTION}/{job}");
    let short = api.get_with(&path, &[("prefer", "wait=1")]).await;
    assert_eq!((&short.json()["status"], short.header("preference-applied")), (&json!("pending"), "wait=1"));

    let cancel = async {
        // The wait below has begun.
        tokio::time::sleep(Duration::from_millis(50)).await;
        api.post(&format!("{path}/cancel"), &json!({})).await
    };
    let (ended, _) = tokio::join!(api.get_with(&path, &[("prefer", "wait=20")]), cancel);
    assert_eq!(ended.json()["status"], "cancelled");
    let no_such = format!("{COLLECTION}/{}", Uuid::from_u128(1));
    api.get_with(&no_such, &[("prefer", "wait=20")]).await.problem(404, "job-not-found");
}

#[tokio::test]
async fn a_wait_too_many_is_answered_at_once_and_none_holds_up_the_end_of_the_server() {
    let api = Api::new().await;
    let path = format!("{COLLECTION}/{}", api.submitted().await);
    let wait = async || api.get_with(&path, &[("prefer", "wait=20")]).await;
    let one_too_many = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        let refused = wait().await;
        api.stop.cancel();
        refused
    };
    let (first, second, third, at_once) = tokio::join!(wait(), wait(), wait(), one_too_many);
    assert_eq!(at_once.header("preference-applied"), "");
    for answer in [first, second, third, at_once] {
        assert_eq!(answer.json()["status"], "pending");
    }
}
