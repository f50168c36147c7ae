use std::net::TcpListener;

use axum::http::StatusCode;
use serde_json::json;

use super::upload::{form, post_form};
use super::{Answer, Api, COLLECTION};

/// The URL of a database without a server.
fn nowhere() -> String {
    let port = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("loopback has a free port").port();
    format!("postgres://user@127.0.0.1:{port}/none")
}

fn assert_unavailable(answer: &Answer) {
    let problem = answer.problem(503, "unavailable");
    assert_eq!(problem["dependency"], "postgres");
    assert!(answer.header("retry-after").parse::<u32>().is_ok_and(|seconds| seconds > 0), "{answer:?}");
    assert!(!problem.to_string().contains("127.0.0.1"), "the inside stays inside: {problem}");
}

#[tokio::test]
async fn without_a_database_every_request_says_so() {
    let api = Api::over(&nowhere(), None).await;
    let body = json!({"url": "https://example.org/a"});
    let path = format!("{COLLECTION}/0197a2b4-7f3e-7c10-8d2e-5a9b1c3d4e5f");
    let (submit, show, list, ready) =
        tokio::join!(api.post(COLLECTION, &body), api.get(&path), api.get(COLLECTION), api.get("/health/ready"));
    for answer in [submit, show, list] {
        assert_unavailable(&answer);
    }
    assert_eq!(ready.status, StatusCode::SERVICE_UNAVAILABLE);
    let dependencies = &ready.json()["dependencies"];
    assert_eq!(
        (&dependencies["postgres"]["status"], &dependencies["storage"]["status"]),
        (&json!("down"), &json!("up"))
    );
    assert_eq!(api.get("/health/live").await.status, StatusCode::OK);
}

#[tokio::test]
async fn an_upload_whose_job_may_have_been_stored_is_kept() {
    let api = Api::over(&nowhere(), None).await;
    let answer = post_form(&api, form(&[("file", Some("a.mp4"), b"content")]), &[]).await;
    assert_unavailable(&answer);
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    assert!(!api.blob_files().is_empty());
}

#[tokio::test]
async fn without_storage_an_upload_says_so() {
    let api = Api::new().await;
    std::fs::remove_dir_all(api.directory.path()).expect("the test may remove its directory");
    std::fs::write(api.directory.path(), b"in the way").expect("the test may write");
    let answer = post_form(&api, form(&[("file", Some("a.mp4"), b"content")]), &[]).await;
    assert_eq!(answer.problem(503, "unavailable")["dependency"], "storage");
    assert_eq!(api.job_count().await, 0);
    let ready = api.get("/health/ready").await.json();
    assert_eq!(ready["dependencies"]["storage"]["status"], "down");
    std::fs::remove_file(api.directory.path()).expect("the test may clean up");
}
