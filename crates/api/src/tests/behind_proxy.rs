//! Below a path of a proxy, and what a trusted proxy says of its clients.

use axum::body::Body;
use axum::http::{Method, StatusCode};
use axum::response::Response;
use serde_json::json;
use tower::ServiceExt as _;

use super::{Answer, Api, COLLECTION, request};

/// The setting.
const PUBLIC_URL: &str = "https://captions.example/captions/";

async fn below_captions() -> Api {
    Api::new().await.with_settings(|settings| settings.public_url = Some(PUBLIC_URL.parse().expect("a URL")))
}

/// Opens a stream, which lasts as long as the response.
async fn stream(api: &Api, job: &str, client: &str) -> Response {
    let path = format!("{COLLECTION}/{job}/stream");
    let request = request(Method::GET, &path, &[("x-forwarded-for", client)], Body::empty());
    api.router.clone().oneshot(request).await.expect("the router always answers")
}

#[tokio::test]
async fn every_link_begins_with_the_path_and_every_path_is_found_with_it_and_without() {
    let api = below_captions().await;
    for prefix in ["/captions", ""] {
        let body = json!({"url": "https://example.org/talk.mp4"});
        let accepted = api.post(&format!("{prefix}{COLLECTION}"), &body).await;
        assert_eq!(accepted.status, StatusCode::ACCEPTED, "{accepted:?}");
        let job = accepted.job_id();
        let status_url = format!("/captions{COLLECTION}/{job}");
        assert_eq!(accepted.header("location"), status_url);
        assert_eq!(accepted.json()["status_url"], status_url);
        assert_eq!(api.get(&format!("{prefix}{COLLECTION}/{job}")).await.json()["status_url"], status_url);

        let early = api.get(&format!("{prefix}{COLLECTION}/{job}/result?format=srt")).await.json();
        assert_eq!(early["type"], "/captions/problems/job-not-completed", "{early}");
        assert_eq!(early["instance"], format!("/captions{COLLECTION}/{job}/result"));
        assert_eq!(early["status_url"], status_url);
        assert_eq!(api.get(early["type"].as_str().expect("a URL")).await.status, StatusCode::OK);

        api.complete(job, None).await;
        let done = api.get(&status_url).await.json();
        let result_url = done["result_url"].as_str().expect("a URL");
        assert_eq!(result_url, format!("{status_url}/result"));
        assert_eq!(api.get(result_url).await.status, StatusCode::OK);
        let stream = api.get(&format!("{prefix}{COLLECTION}/{job}/stream")).await;
        assert!(stream.text().contains(&format!("\"result_url\":\"{result_url}\"")), "{stream:?}");
    }
    let page = api.get(&format!("/captions{COLLECTION}?limit=1")).await;
    let next = page.header("link").split_once('>').expect("a link").0.trim_start_matches('<');
    assert!(next.starts_with("/captions/api/"), "{next}");
    assert_eq!(api.get(next).await.json()["transcriptions"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn pages_and_documentation_are_below_the_path() {
    let api = below_captions().await;
    for prefix in ["/captions", ""] {
        assert_eq!(api.get(&format!("{prefix}/docs")).await.header("location"), "/captions/docs/");
        assert_eq!(api.get(&format!("{prefix}/docs/")).await.status, StatusCode::OK);
        let start = api.get(&format!("{prefix}/docs/swagger-initializer.js")).await;
        assert!(start.text().contains("\"../openapi.json\""), "{}", start.text());
        let description = api.get(&format!("{prefix}/openapi.json")).await.json();
        assert_eq!(description["servers"], json!([{"url": "/captions"}]));
    }
    let links = |page: &Answer| -> Vec<String> {
        page.text().split("href=\"").skip(1).filter_map(|rest| Some(rest.split_once('"')?.0.to_owned())).collect()
    };
    for page in ["/captions", "/captions/", "/", "/captions/problems", "/problems/internal"] {
        let page = api.get(page).await;
        for link in links(&page) {
            assert!(link.starts_with("/captions/"), "{link} in {}", page.text());
            let found = api.get(&link).await.status;
            assert!(found == StatusCode::OK || link.ends_with("/health/ready"), "{link}: {found}");
        }
        assert!(!links(&page).is_empty());
    }
    for path in ["/captions/nothing", "/captionsx/docs/"] {
        assert_eq!(api.get(path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    assert_eq!(api.get("/captions/nothing").await.json()["instance"], "/captions/nothing");
}

#[tokio::test]
async fn a_trusted_proxy_says_who_the_client_is_and_where_the_interface_is() {
    let api = Api::new().await.with_settings(|settings| {
        settings.trusted_proxies = vec!["127.0.0.0/8".to_owned()];
        settings.max_streams_per_client = 1;
    });
    let body = json!({"url": "https://example.org/talk.mp4"});
    let accepted = api.post_with(COLLECTION, &body, &[("x-forwarded-prefix", "/below")]).await;
    let job = accepted.job_id().to_string();
    assert_eq!(accepted.header("location"), format!("/below{COLLECTION}/{job}"));
    let evil = api.post_with(COLLECTION, &body, &[("x-forwarded-prefix", "//evil.example")]).await;
    assert!(evil.header("location").starts_with(COLLECTION), "{evil:?}");

    let open = stream(&api, &job, "192.0.2.1").await;
    assert_eq!(open.status(), StatusCode::OK);
    for same in ["192.0.2.1", "203.0.113.9, 192.0.2.1"] {
        assert_eq!(stream(&api, &job, same).await.status(), StatusCode::TOO_MANY_REQUESTS, "{same}");
    }
    assert_eq!(stream(&api, &job, "192.0.2.2").await.status(), StatusCode::OK);

    let page = [("origin", "https://captions.example"), ("host", "127.0.0.1:8000")];
    let forwarded = |host, proto| [&page[..], &[("x-forwarded-host", host), ("x-forwarded-proto", proto)]].concat();
    let api = api.with_settings(|settings| settings.allowed_hosts = vec!["captions.example".to_owned()]);
    assert_eq!(api.post_with(COLLECTION, &body, &page).await.status, StatusCode::ACCEPTED);
    let same = api.post_with(COLLECTION, &body, &forwarded("captions.example", "https")).await;
    assert_eq!(same.status, StatusCode::ACCEPTED, "{same:?}");
    api.post_with(COLLECTION, &body, &forwarded("captions.example", "http")).await.problem(403, "cross-site-request");
    api.post_with(COLLECTION, &body, &forwarded("evil.example", "https")).await.problem(421, "host-not-allowed");
}
