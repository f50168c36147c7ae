use axum::http::StatusCode;
use serde_json::json;
use ytcaption_testing::{NatsServer, Postgres};

use super::{Api, COLLECTION, eventually};

#[tokio::test]
async fn a_process_that_runs_is_alive() {
    let api = Api::new().await;
    let answer = api.get("/health/live").await;
    assert_eq!((answer.status, &answer.json()["status"]), (StatusCode::OK, &json!("alive")));
}

#[tokio::test]
async fn readiness_names_each_dependency_and_follows_it() {
    let nats = NatsServer::start();
    let client = async_nats::connect(nats.url()).await.expect("the server takes connections");
    let api = Api::over(&Postgres::shared().new_database(), Some(client)).await;

    let before = api.get("/health/ready").await;
    assert_eq!(before.status, StatusCode::SERVICE_UNAVAILABLE, "the schema is not there yet");
    assert_eq!(before.json()["dependencies"]["postgres"]["status"], "down");

    api.database.prepare().await.expect("the schema is created");
    let ready = api.get("/health/ready").await;
    assert_eq!((ready.status, &ready.json()["status"]), (StatusCode::OK, &json!("ready")), "{ready:?}");
    for name in ["postgres", "nats", "storage"] {
        let health = &ready.json()["dependencies"][name];
        assert_eq!(health["status"], "up");
        assert!(health["latency_ms"].as_f64().is_some_and(|latency| latency < 2_000.0), "{health}");
    }

    drop(nats);
    eventually("NATS is seen to be down", async || {
        let answer = api.get("/health/ready").await;
        let dependencies = &answer.json()["dependencies"];
        answer.status == StatusCode::SERVICE_UNAVAILABLE
            && dependencies["nats"]["status"] == "down"
            && dependencies["nats"]["detail"].is_string()
            && dependencies["postgres"]["status"] == "up"
    })
    .await;
}

#[tokio::test]
async fn requests_are_counted_by_route_not_by_path() {
    let api = Api::new().await;
    let job = api.submitted().await;
    api.get(&format!("{COLLECTION}/{job}")).await;
    api.get("/no/such/path").await;
    let answer = api.get("/metrics").await;
    assert!(answer.header("content-type").starts_with("text/plain; version=0.0.4"));
    let text = answer.text();
    for series in [
        r#"http_requests_total{service="api",endpoint="/api/v1/transcriptions",status="202"}"#,
        r#"http_requests_total{service="api",endpoint="/api/v1/transcriptions/{id}",status="200"}"#,
        r#"http_requests_total{service="api",endpoint="unmatched",status="404"}"#,
        r#"http_request_duration_seconds_count{service="api",endpoint="/api/v1/transcriptions/{id}"}"#,
    ] {
        assert!(text.contains(series), "no {series} in\n{text}");
    }
    assert!(!text.contains(&job.to_string()) && !text.contains("/no/such/path"), "{text}");
}

#[tokio::test]
async fn the_documentation_needs_no_other_server() {
    let api = Api::new().await;
    let page = api.get("/docs/").await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(!page.text().contains("//"), "nothing is loaded from elsewhere: {}", page.text());
    for file in ["swagger-ui.css", "swagger-ui-bundle.js", "swagger-ui-standalone-preset.js", "swagger-initializer.js"]
    {
        assert!(page.text().contains(file));
        let answer = api.get(&format!("/docs/{file}")).await;
        assert_eq!(answer.status, StatusCode::OK, "{file}");
        assert!(!answer.body.is_empty());
    }
    let start = api.get("/docs/swagger-initializer.js").await;
    assert!(start.text().contains("/openapi.json"), "{}", start.text());
    let home = api.get("/").await;
    assert!(home.text().contains("href=\"/docs/\""));
}
