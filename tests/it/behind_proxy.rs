//! The system below a path of a reverse proxy, which removes the path from the requests or does not.

use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use reqwest::header::{LINK, LOCATION};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

use crate::client::JOBS;
use crate::speech;
use crate::system::{System, program};
use crate::webhook_receiver::WebhookReceiver;

/// The path at which the proxies offer the API.
const PREFIX: &str = "/captions";

struct ReverseProxy {
    /// The URL of the API for clients.
    url: String,
    /// The URL of the API itself, once it runs.
    api: Arc<OnceLock<String>>,
    _running: AbortOnDropHandle<()>,
}

#[derive(Clone)]
struct Passing {
    api: Arc<OnceLock<String>>,
    strips: bool,
    http: reqwest::Client,
}

impl ReverseProxy {
    async fn start(strips: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}{PREFIX}", listener.local_addr().unwrap());
        let api = Arc::new(OnceLock::new());
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        let passing = Passing { api: Arc::clone(&api), strips, http };
        let router = Router::new().fallback(pass).with_state(passing);
        let running = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, api, _running: AbortOnDropHandle::new(running) }
    }

    /// The URL of a link in an answer of the API.
    fn link(&self, link: &str) -> String {
        assert!(link.starts_with(PREFIX), "{link}");
        format!("{}{link}", self.url.strip_suffix(PREFIX).unwrap())
    }
}

/// Passes on what is below the path, and nothing else.
async fn pass(State(proxy): State<Passing>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let uri = parts.uri.to_string();
    let Some(rest) = uri.strip_prefix(PREFIX) else { return StatusCode::NOT_FOUND.into_response() };
    let path = if proxy.strips { rest } else { &uri };
    let passed = proxy.http.request(parts.method, format!("{}{path}", proxy.api.get().unwrap()));
    let passed = passed.headers(parts.headers).body(reqwest::Body::wrap_stream(body.into_data_stream()));
    let answer = passed.send().await.unwrap();
    let (status, headers) = (answer.status(), answer.headers().clone());
    (status, headers, Body::from_stream(answer.bytes_stream())).into_response()
}

#[tokio::test]
async fn below_a_path_of_a_proxy_every_link_leads_somewhere() {
    let proxies = [ReverseProxy::start(true).await, ReverseProxy::start(false).await];
    let public_url = proxies[0].url.as_str();
    let system = System::start_with(&[("YTCAPTION_API__PUBLIC_URL", public_url)]).await;
    let receiver = WebhookReceiver::start().await;
    let file = system.scratch().join("talk.mp4");
    std::fs::write(&file, speech::video()).unwrap();
    let http = reqwest::Client::new();
    let get = async |url: &str| {
        let answer = http.get(url).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{url}");
        answer
    };
    for proxy in &proxies {
        proxy.api.set(system.url("")).unwrap();
        // The command line, through the proxy.
        let mut submit = tokio::process::Command::from(program());
        submit.arg("submit").arg(&file).args(["--wait", "--format", "srt", "--api", &proxy.url]);
        submit.args(["--webhook-url", &receiver.url("hook")]);
        let output = submit.output().await.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(String::from_utf8_lossy(&output.stdout).contains("-->"));

        // A program that follows the links.
        let list = get(&format!("{}{JOBS}?limit=1", proxy.url)).await;
        let next = list.headers().get(LINK).map(|link| link.to_str().unwrap().to_owned());
        let job: Value = list.json::<Value>().await.unwrap()["transcriptions"][0].take();
        get(&proxy.link(job["status_url"].as_str().unwrap())).await;
        let captions = get(&proxy.link(job["result_url"].as_str().unwrap())).await;
        assert!(captions.text().await.unwrap().contains("segments"));
        let events = get(&format!("{}{JOBS}/{}/stream", proxy.url, job["job_id"].as_str().unwrap())).await;
        assert!(events.text().await.unwrap().contains(&format!("\"result_url\":\"{PREFIX}/api/")));
        if let Some(next) = next {
            get(&proxy.link(next.split_once('>').unwrap().0.trim_start_matches('<'))).await;
        }
        let absent = http.post(format!("{}{JOBS}", proxy.url)).json(&json!({})).send().await.unwrap();
        assert_eq!(absent.status(), StatusCode::UNPROCESSABLE_ENTITY);
        get(&proxy.link(absent.json::<Value>().await.unwrap()["type"].as_str().unwrap())).await;
        let accepted = json!({"url": "http://127.0.0.1:9/talk.mp4"});
        let accepted = http.post(format!("{}{JOBS}", proxy.url)).json(&accepted).send().await.unwrap();
        get(&proxy.link(accepted.headers()[LOCATION].to_str().unwrap())).await;

        // A person with a browser.
        let docs = get(&format!("{}/docs", proxy.url)).await;
        assert_eq!(docs.url().as_str(), format!("{}/docs/", proxy.url));
        let description: Value = get(docs.url().join("../openapi.json").unwrap().as_str()).await.json().await.unwrap();
        assert_eq!(description["servers"], json!([{ "url": PREFIX }]));
    }
    // A receiver of webhooks.
    for sent in receiver.wait_for("hook", 2).await {
        let result_url = sent.json()["data"]["result_url"].as_str().unwrap().to_owned();
        assert!(result_url.starts_with(&format!("{public_url}{JOBS}/")), "{result_url}");
        get(&result_url).await;
    }
    // Without the proxy, as the command line of the same machine does by default.
    let listed = system.command(&["jobs", "list", "--json"]).output().unwrap();
    let jobs: Value = serde_json::from_slice(&listed.stdout).unwrap();
    assert_eq!(jobs.as_array().unwrap().len(), 4);
    get(&system.url(jobs[0]["status_url"].as_str().unwrap())).await;
}
