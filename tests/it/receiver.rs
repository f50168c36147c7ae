//! A receiver of webhooks, which answers as its paths say and keeps what it was sent.

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

use crate::client::PATIENCE;

/// What the receiver was sent.
#[derive(Debug, Clone)]
pub(crate) struct Told {
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Told {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }
}

#[derive(Clone, Default)]
struct Inbox(Arc<Mutex<Vec<Told>>>);

/// A running receiver; stopped when dropped.
pub(crate) struct Receiver {
    address: String,
    inbox: Inbox,
    _running: AbortOnDropHandle<()>,
}

impl Receiver {
    /// Starts one on loopback. What is sent to `/flaky…` is refused with 500 the first time, to `/broken…` every time,
    /// to `/gone…` with 410; everything else is taken.
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let inbox = Inbox::default();
        let router = Router::new().route("/{path}", post(take)).with_state(inbox.clone());
        let running = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, inbox, _running: AbortOnDropHandle::new(running) }
    }

    /// The full address of a path.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}/{path}", self.address)
    }

    /// What was sent to a path so far.
    pub(crate) fn told(&self, path: &str) -> Vec<Told> {
        self.inbox.0.lock().unwrap().iter().filter(|told| told.path == path).cloned().collect()
    }

    /// Waits until so many messages were sent to a path.
    pub(crate) async fn wait_for(&self, path: &str, count: usize) -> Vec<Told> {
        let deadline = Instant::now() + PATIENCE;
        while self.told(path).len() < count {
            assert!(Instant::now() < deadline, "/{path} was told {} times, not {count}", self.told(path).len());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        self.told(path)
    }
}

async fn take(State(inbox): State<Inbox>, Path(path): Path<String>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let mut told = inbox.0.lock().unwrap();
    let first = told.iter().all(|before| before.path != path);
    let answer = match path.as_str() {
        path if path.starts_with("flaky") && first => StatusCode::INTERNAL_SERVER_ERROR,
        path if path.starts_with("broken") => StatusCode::INTERNAL_SERVER_ERROR,
        path if path.starts_with("gone") => StatusCode::GONE,
        _ => StatusCode::NO_CONTENT,
    };
    told.push(Told { path, headers, body });
    answer
}
