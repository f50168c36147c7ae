use axum::body::Body;
use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use ytcaption_domain::job::{JobEvent, JobOptions, MediaSource, Priority, Task, TranscriptionOptions};
use ytcaption_domain::{AccountId, Actor};

use super::{Api, COLLECTION, MAX_BODY_BYTES, request};

#[tokio::test]
async fn an_address_becomes_a_job() {
    let api = Api::new().await;
    let body = json!({
        "youtube_url": "https://www.youtube.com/watch?v=jNQXAC9IVRw",
        "language": "PT", "priority": "high", "model": "faster-whisper-small", "task": "translate", "prompt": "Itaipu",
        "webhook_url": "https://example.org/hooks",
    });
    let answer = api.post(COLLECTION, &body).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");
    let (job, receipt) = (answer.job_id(), answer.json());
    assert_eq!(receipt["status"], "pending");
    assert_eq!(receipt["status_url"], format!("{COLLECTION}/{job}"));
    assert_eq!(answer.header("location"), format!("{COLLECTION}/{job}"));

    let shown = api.get(answer.header("location")).await.json();
    assert_eq!(shown["created_at"], receipt["created_at"]);
    assert_eq!((&shown["language"], &shown["task"]), (&json!("pt"), &json!("translate")));
    assert_eq!(shown["source"], json!({"kind": "url", "name": "https://www.youtube.com/watch?v=jNQXAC9IVRw"}));

    let events = api.events(job).await;
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].metadata.context.account, AccountId::local());
    assert_eq!(events[0].metadata.context.actor, Actor::Client("anonymous".into()));
    assert_eq!(
        api.creation(job).await,
        JobEvent::JobCreated {
            account: AccountId::local(),
            source: MediaSource::Url { url: "https://www.youtube.com/watch?v=jNQXAC9IVRw".parse().expect("a URL") },
            options: JobOptions::Transcription(TranscriptionOptions {
                language: "pt".into(),
                task: Task::Translate,
                model: Some("faster-whisper-small".into()),
                initial_prompt: Some("Itaipu".into()),
                ..TranscriptionOptions::default()
            }),
            priority: Priority::High,
            webhook_url: Some("https://example.org/hooks".parse().expect("a URL")),
            retry_of: None,
        }
    );
}

#[tokio::test]
async fn an_invalid_field_is_named_and_nothing_is_stored() {
    let api = Api::new().await;
    let url = "https://example.org/a.mp4";
    for (body, pointer, reason) in [
        (json!({"url": "no address"}), "/url", "not a valid URL"),
        (json!({"url": "file:///etc/passwd"}), "/url", "with the scheme `file:`"),
        (json!({"url": "ftp://example.org/a.mp4"}), "/url", "with the scheme `ftp:`"),
        (json!({"url": "http://127.0.0.1/a.mp4"}), "/url", "private, loopback"),
        (json!({"youtube_url": "http://192.168.1.7/a.mp4"}), "/youtube_url", "private, loopback"),
        (json!({"url": "http://localhost:8000/a.mp4"}), "/url", "private, loopback"),
        (json!({"url": url, "webhook_url": "http://[::1]/hook"}), "/webhook_url", "private, loopback"),
        (json!({"url": url, "language": "klingon"}), "/language", "`klingon` is not a language"),
        (json!({"url": url, "priority": "urgent"}), "/priority", "high, normal or low"),
        (json!({"url": url, "model": "../../etc"}), "/model", "model's name"),
        (json!({"url": url, "colour": "blue"}), "/colour", "unknown"),
        (json!({"url": 7}), "/url", "must be a text"),
        (json!({"url": "https://example.org/".to_owned() + &"a".repeat(2_048)}), "/url", "longer than 2048"),
        (json!({"url": url, "youtube_url": url}), "/youtube_url", "not both"),
        (json!({}), "/url", "Give the URL of the media"),
        (json!(["url"]), "", "JSON object"),
    ] {
        let answer = api.post(COLLECTION, &body).await;
        assert_eq!(answer.invalid_fields(), [pointer], "{body}");
        let error = answer.json()["errors"][0]["detail"].as_str().unwrap_or_default().to_owned();
        assert!(error.contains(reason), "{body}: {error}");
    }
    assert_eq!(api.job_count().await, 0);
}

#[tokio::test]
async fn all_errors_are_named_at_once() {
    let api = Api::new().await;
    let body = json!({"url": "x", "language": "xx", "priority": null, "model": 1, "webhook_url": "y", "a": 1});
    let answer = api.post(COLLECTION, &body).await;
    assert_eq!(answer.invalid_fields(), ["/a", "/language", "/model", "/url", "/webhook_url"]);
}

#[tokio::test]
async fn a_body_that_is_not_json_is_refused_with_the_place() {
    let api = Api::new().await;
    for body in ["", "{", "{\"url\": }", "url=https://example.org"] {
        let headers = [("content-type", "application/json; charset=utf-8")];
        let answer = api.send(request(Method::POST, COLLECTION, &headers, Body::from(body))).await;
        let problem = answer.problem(400, "malformed-body");
        assert!(problem["detail"].as_str().is_some_and(|text| text.contains("line 1 column")), "{problem}");
    }
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_with_the_limit() {
    let api = Api::new().await;
    let body = json!({"url": "https://example.org/", "model": "m".repeat(10_000)});
    let problem = api.post(COLLECTION, &body).await.problem(413, "too-large");
    assert_eq!(problem["limit_bytes"], MAX_BODY_BYTES);
}

#[tokio::test]
async fn a_body_of_another_type_is_refused() {
    let api = Api::new().await;
    for headers in [&[][..], &[("content-type", "text/plain")], &[("content-type", "application/xml")]] {
        let body = Body::from(r#"{"url": "https://example.org/a"}"#);
        api.send(request(Method::POST, COLLECTION, headers, body)).await.problem(415, "unsupported-media-type");
    }
    let headers = [("content-type", "application/vnd.api+json")];
    let body = Body::from(r#"{"url": "https://example.org/a"}"#);
    let answer = api.send(request(Method::POST, COLLECTION, &headers, body)).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");
}

#[tokio::test]
async fn a_page_of_another_site_submits_nothing() {
    let api = Api::new().await;
    let body = json!({"url": "https://example.org/a"});
    for site in ["cross-site", "same-site"] {
        api.post_with(COLLECTION, &body, &[("sec-fetch-site", site)]).await.problem(403, "cross-site-request");
    }
    assert_eq!(api.job_count().await, 0);
    // Over plain HTTP in a local network a browser sends `Origin` alone.
    let host = ("host", "192.168.1.5:8000");
    for origin in ["http://evil.example", "null", "http://192.168.1.5:9000"] {
        api.post_with(COLLECTION, &body, &[host, ("origin", origin)]).await.problem(403, "cross-site-request");
    }
    let page = api.post_with(COLLECTION, &body, &[host, ("origin", "http://192.168.1.5:8000")]).await;
    assert_eq!(page.status, 202, "{page:?}");
    let own = api.post_with(COLLECTION, &body, &[("sec-fetch-site", "same-origin")]).await;
    assert_eq!(own.status, StatusCode::ACCEPTED, "{own:?}");
}

#[tokio::test]
async fn deeply_nested_json_is_a_problem_like_any_other() {
    let api = Api::new().await;
    let mut body = Value::Null;
    for _ in 0..500 {
        body = json!([body]);
    }
    api.post(COLLECTION, &json!({"url": body})).await.problem(400, "malformed-body");
}
