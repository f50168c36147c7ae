//! A receiver of webhooks: the path of a request decides the response, and every request is kept.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

use crate::client::JOB_TIMEOUT;

/// A request that the receiver got.
#[derive(Debug, Clone)]
pub(crate) struct WebhookRequest {
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl WebhookRequest {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }
}

#[derive(Clone, Default)]
struct Requests(Arc<Mutex<Vec<WebhookRequest>>>);

/// A running receiver; stopped when dropped.
pub(crate) struct WebhookReceiver {
    base_url: String,
    requests: Requests,
    _running: AbortOnDropHandle<()>,
}

impl WebhookReceiver {
    /// Starts a receiver on loopback. It responds with 500 to the first request at each path `/flaky…` and to every request
    /// at `/broken…`, with 410 at `/gone…`, and with 204 otherwise.
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base_url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Requests::default();
        let router = Router::new().route("/{path}", post(receive)).with_state(requests.clone());
        let running = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { base_url, requests, _running: AbortOnDropHandle::new(running) }
    }

    /// The URL of a path.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}/{path}", self.base_url)
    }

    /// The requests to a path so far.
    pub(crate) fn requests(&self, path: &str) -> Vec<WebhookRequest> {
        self.requests.0.lock().unwrap().iter().filter(|request| request.path == path).cloned().collect()
    }

    /// Waits until a path has received at least `count` requests; returns them.
    pub(crate) async fn wait_for(&self, path: &str, count: usize) -> Vec<WebhookRequest> {
        let deadline = Instant::now() + JOB_TIMEOUT;
        while self.requests(path).len() < count {
            assert!(Instant::now() < deadline, "/{path} received {} requests, not {count}", self.requests(path).len());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        self.requests(path)
    }
}

async fn receive(
    State(requests): State<Requests>,
    Path(path): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    let mut requests = requests.0.lock().unwrap();
    let first = requests.iter().all(|before| before.path != path);
    let status = match path.as_str() {
        path if path.starts_with("flaky") && first => StatusCode::INTERNAL_SERVER_ERROR,
        path if path.starts_with("broken") => StatusCode::INTERNAL_SERVER_ERROR,
        path if path.starts_with("gone") => StatusCode::GONE,
        _ => StatusCode::NO_CONTENT,
    };
    requests.push(WebhookRequest { path, headers, body });
    status
}
