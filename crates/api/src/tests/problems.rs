use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Method, StatusCode};
use axum::middleware::from_fn;
use axum::routing::get;
use serde_json::{Value, json};
use tower::ServiceExt as _;
use tower_http::catch_panic::CatchPanicLayer;

use super::{Api, COLLECTION, request};
use crate::problem;

#[tokio::test]
async fn an_unknown_address_is_a_problem() {
    let api = Api::new().await;
    for path in ["/nowhere", "/api/v1/", "/api/v2/transcriptions", "/docs/nothing.js", "/problems/none"] {
        assert_eq!(api.get(path).await.problem(404, "no-such-page")["instance"], path);
    }
}

#[tokio::test]
async fn an_unknown_method_is_a_problem_that_names_the_known_ones() {
    let api = Api::new().await;
    for (method, path, allowed) in [
        (Method::DELETE, COLLECTION, "GET,HEAD,POST"),
        (Method::POST, "/health/live", "GET,HEAD"),
        (Method::PUT, "/problems", "GET,HEAD"),
    ] {
        let answer = api.send(request(method, path, &[], Body::empty())).await;
        answer.problem(405, "method-not-allowed");
        let mut methods: Vec<_> = answer.header("allow").split(',').collect();
        methods.sort_unstable();
        assert_eq!(methods.join(","), allowed, "{path}");
    }
}

#[tokio::test]
async fn every_kind_of_problem_is_explained() {
    let api = Api::new().await;
    let index = api.get("/problems").await;
    let slugs: Vec<&str> = index.text().split("href=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert!(slugs.contains(&"/problems/job-not-completed") && slugs.len() >= 20, "{slugs:?}");
    for slug in slugs {
        let page = api.get(slug).await;
        assert_eq!(page.status, StatusCode::OK, "{slug}");
        assert!(page.header("content-type").starts_with("text/html"));
        assert!(page.text().contains(slug), "{}", page.text());
    }
}

#[tokio::test]
async fn a_panic_is_a_problem_whose_message_the_client_does_not_see() {
    let router = Router::new()
        .route("/panic", get(|| async { panic!("a secret of the server") as () }))
        .layer(CatchPanicLayer::custom(problem::from_panic))
        .layer(from_fn(problem::render));
    let answer = router.oneshot(request(Method::GET, "/panic", &[], Body::empty())).await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
    let body = to_bytes(answer.into_body(), usize::MAX).await.expect("a whole answer");
    let problem: Value = serde_json::from_slice(&body).expect("JSON");
    assert_eq!(problem["type"], "/problems/internal");
    assert!(!problem.to_string().contains("secret"), "{problem}");
}

#[tokio::test]
async fn a_request_is_found_by_its_id() {
    let api = Api::new().await;
    let problem = api.get_with("/nowhere", &[("x-request-id", "mine-7")]).await.problem(404, "no-such-page");
    assert_eq!(problem["request_id"], "mine-7");
    for unfit in ["two words", &"x".repeat(129)] {
        let problem = api.get_with("/nowhere", &[("x-request-id", unfit)]).await.problem(404, "no-such-page");
        assert_ne!(problem["request_id"], json!(unfit));
    }
}

#[tokio::test]
async fn answers_have_security_headers() {
    let api = Api::new().await;
    for (path, policy) in
        [("/nowhere", "default-src 'none'; frame"), ("/", "script-src 'self'"), ("/docs/", "script-src 'self'")]
    {
        let answer = api.get(path).await;
        assert!(answer.header("content-security-policy").contains(policy), "{path}: {answer:?}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.header("cache-control"), "no-store");
    }
}
