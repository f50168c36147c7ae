//! A Hugging Face hub with one model, which can misbehave in every way that networks and servers do.
//!
//! Like the real one it keeps small files in git and large ones on another host (here: another port), to which it
//! redirects, and which refuses a request with a token that is not for it.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::{Body, Bytes};
use axum::extract::{Path as UrlPath, Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_RANGE, ETAG, HOST, LOCATION, RANGE};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::json;
use sha1::Sha1;
use sha2::{Digest, Sha256};

/// Files larger than this are on the other host.
const LARGE_BYTES: usize = 100_000;
/// Content goes out in pieces of this size.
const PIECE_BYTES: usize = 16 * 1024;

/// What goes wrong with requests.
#[derive(Debug, Clone, Default)]
pub struct Failures {
    /// Every answer with content breaks off after this number of bytes.
    pub break_after: Option<usize>,
    /// This number of answers is 503 before one is not.
    pub unavailable: u32,
    /// Content always begins at the first byte.
    pub ignore_range: bool,
    /// The checksum of this file is announced wrongly.
    pub wrong_checksum: Option<&'static str>,
    /// The weights are announced with this size.
    pub announced_bytes: Option<u64>,
    /// Requests without this token are answered that there is no such model.
    pub token: Option<&'static str>,
    /// Names that are listed beside those of the files.
    pub also_listed: Vec<&'static str>,
    /// Delay before each piece of content, in milliseconds.
    pub delay_ms: u64,
}

/// A request that was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubRequest {
    /// Method and path.
    pub what: String,
    /// Whether it went to the host of the large files.
    pub elsewhere: bool,
    /// `Authorization`, if it was sent.
    pub authorization: Option<String>,
    /// `Range`, if it was sent.
    pub range: Option<String>,
}

struct Hub {
    repository: String,
    commit: Mutex<String>,
    files: Mutex<BTreeMap<String, Bytes>>,
    failures: Mutex<Failures>,
    requests: Mutex<Vec<HubRequest>>,
    elsewhere: u16,
}

/// A running hub; it ends with the process.
pub struct ModelHub {
    hub: Arc<Hub>,
    port: u16,
}

impl ModelHub {
    /// A hub that has the model in `directory` as `repository` (`ORG/NAME`).
    ///
    /// # Panics
    /// The directory cannot be read, or there is no free port.
    pub fn start(repository: &str, directory: &Path) -> Self {
        let read = |path: &Path| Bytes::from(std::fs::read(path).expect("a file of the model"));
        let inside =
            std::fs::read_dir(directory).expect("the model's directory").map(|entry| entry.expect("an entry").path());
        let files = inside.filter_map(|path| Some((path.file_name()?.to_str()?.to_owned(), read(&path)))).collect();
        let listen = || {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
            listener.set_nonblocking(true).expect("a socket that does not block");
            let port = listener.local_addr().expect("an address").port();
            (listener, port)
        };
        let ((here, port), (there, elsewhere)) = (listen(), listen());
        let hub = Arc::new(Hub {
            repository: repository.to_owned(),
            commit: Mutex::new("0123456789abcdef0123456789abcdef01234567".to_owned()),
            files: Mutex::new(files),
            failures: Mutex::default(),
            requests: Mutex::default(),
            elsewhere,
        });
        let routers = [(here, front(&hub)), (there, back(&hub))];
        // A runtime of its own: those of the tests end with them.
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let [front, back] = routers.map(|(listener, router)| async {
                    let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
                    axum::serve(listener, router).await
                });
                let _ = tokio::join!(front, back);
            });
        });
        Self { hub, port }
    }

    /// Its address, as `HF_ENDPOINT` takes it.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// From now on these things go wrong.
    pub fn misbehave(&self, failures: Failures) {
        *locked(&self.hub.failures) = failures;
    }

    /// A new commit with other content of a file.
    pub fn change(&self, file: &str, content: impl Into<Bytes>) {
        let content = content.into();
        *locked(&self.hub.commit) = hex(&Sha1::digest(&content));
        locked(&self.hub.files).insert(file.to_owned(), content);
    }

    /// A file goes.
    pub fn remove(&self, file: &str) {
        locked(&self.hub.files).remove(file);
    }

    /// The requests so far.
    pub fn requests(&self) -> Vec<HubRequest> {
        locked(&self.hub.requests).clone()
    }
}

impl Hub {
    /// Writes a request down.
    fn note(&self, request: &Request) -> HubRequest {
        let header = |name| Some(request.headers().get(name)?.to_str().ok()?.to_owned());
        let noted = HubRequest {
            what: format!("{} {}", request.method(), request.uri().path()),
            elsewhere: header(HOST).is_some_and(|host| host.ends_with(&format!(":{}", self.elsewhere))),
            authorization: header(AUTHORIZATION),
            range: header(RANGE),
        };
        locked(&self.requests).push(noted.clone());
        noted
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The hub itself.
fn front(hub: &Arc<Hub>) -> Router {
    Router::new()
        .route("/api/models/{org}/{name}/revision/{revision}", get(revision))
        .route("/api/models/{org}/{name}/tree/{revision}", get(tree))
        .route("/{org}/{name}/resolve/{commit}/{file}", get(resolve))
        .route("/api/resolve-cache/{file}", get(small))
        .layer(from_fn_with_state(Arc::clone(hub), guard))
        .with_state(Arc::clone(hub))
}

/// The host of the large files.
fn back(hub: &Arc<Hub>) -> Router {
    Router::new()
        .route("/blobs/{file}", get(large))
        .layer(from_fn_with_state(Arc::clone(hub), guard))
        .with_state(Arc::clone(hub))
}

/// Notes every request, and refuses those that must be.
async fn guard(State(hub): State<Arc<Hub>>, request: Request, next: Next) -> Response {
    let noted = hub.note(&request);
    let (elsewhere, authorization) = (noted.elsewhere, noted.authorization);
    let (busy, token) = {
        let mut failures = locked(&hub.failures);
        let busy = failures.unavailable > 0;
        failures.unavailable = failures.unavailable.saturating_sub(1);
        (busy, failures.token)
    };
    if busy {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    if elsewhere {
        // As S3 does with a token that it does not know.
        let refused = authorization.is_some();
        return if refused { StatusCode::BAD_REQUEST.into_response() } else { next.run(request).await };
    }
    if token.is_some_and(|token| authorization != Some(format!("Bearer {token}"))) {
        return (StatusCode::UNAUTHORIZED, [("x-error-code", "RepoNotFound")]).into_response();
    }
    next.run(request).await
}

fn not_found(code: &'static str) -> Response {
    (StatusCode::NOT_FOUND, [("x-error-code", code)]).into_response()
}

async fn revision(
    State(hub): State<Arc<Hub>>,
    UrlPath((org, name, revision)): UrlPath<(String, String, String)>,
) -> Response {
    let commit = locked(&hub.commit).clone();
    if format!("{org}/{name}") != hub.repository {
        return not_found("RepoNotFound");
    }
    if revision != "main" && revision != commit {
        return not_found("RevisionNotFound");
    }
    let also = locked(&hub.failures).also_listed.clone();
    let files = locked(&hub.files);
    let listed = files.keys().map(String::as_str).chain(also);
    let siblings: Vec<_> = listed.map(|file| json!({ "rfilename": file })).collect();
    Json(json!({ "id": hub.repository, "modelId": hub.repository, "sha": commit, "private": false, "tags": [],
                 "downloads": 0, "likes": 0, "siblings": siblings }))
    .into_response()
}

/// What newer clients ask instead of the revision: every file with its size and checksum.
async fn tree(State(hub): State<Arc<Hub>>) -> Response {
    let files = locked(&hub.files);
    let entry = |(file, content): (&String, &Bytes)| {
        let mut entry = json!({ "type": "file", "path": file, "size": content.len(), "oid": blob_sum(content) });
        if content.len() > LARGE_BYTES {
            let sum = hex(&Sha256::digest(content));
            entry["lfs"] = json!({ "oid": sum, "size": content.len(), "pointerSize": 132 });
        }
        entry
    };
    Json(files.iter().map(entry).collect::<Vec<_>>()).into_response()
}

async fn resolve(
    State(hub): State<Arc<Hub>>,
    UrlPath((_, _, commit, file)): UrlPath<(String, String, String, String)>,
) -> Response {
    let Some(content) = locked(&hub.files).get(&file).cloned() else { return not_found("EntryNotFound") };
    let failures = locked(&hub.failures).clone();
    let large = content.len() > LARGE_BYTES;
    let mut sum = if large { hex(&Sha256::digest(&content)) } else { blob_sum(&content) };
    if failures.wrong_checksum == Some(&file) {
        sum = "0".repeat(sum.len());
    }
    let bytes = failures.announced_bytes.filter(|_| large).unwrap_or(content.len() as u64);
    let location = if large {
        format!("http://127.0.0.1:{}/blobs/{file}?signature=confidential", hub.elsewhere)
    } else {
        format!("/api/resolve-cache/{file}")
    };
    let known = [
        ("x-repo-commit", commit),
        ("x-linked-etag", format!("\"{sum}\"")),
        ("x-linked-size", bytes.to_string()),
        (LOCATION.as_str(), location),
    ];
    (StatusCode::TEMPORARY_REDIRECT, known, "Temporary Redirect").into_response()
}

async fn small(State(hub): State<Arc<Hub>>, UrlPath(file): UrlPath<String>, headers: HeaderMap) -> Response {
    let Some(content) = locked(&hub.files).get(&file).cloned() else { return not_found("EntryNotFound") };
    let failures = locked(&hub.failures).clone();
    let wrong = failures.wrong_checksum == Some(&file);
    let sum = if wrong { "0".repeat(40) } else { blob_sum(&content) };
    let known = [("x-repo-commit", locked(&hub.commit).clone()), (ETAG.as_str(), format!("\"{sum}\""))];
    (known, send(&content, &headers, &failures)).into_response()
}

async fn large(State(hub): State<Arc<Hub>>, UrlPath(file): UrlPath<String>, headers: HeaderMap) -> Response {
    let Some(content) = locked(&hub.files).get(&file).cloned() else { return not_found("EntryNotFound") };
    let failures = locked(&hub.failures).clone();
    send(&content, &headers, &failures)
}

/// git's checksum of a file.
fn blob_sum(content: &[u8]) -> String {
    let mut sum = Sha1::new();
    sum.update(format!("blob {}\0", content.len()));
    sum.update(content);
    hex(&sum.finalize())
}

/// The content, or the part of it that was requested, broken off where it is to be.
fn send(content: &Bytes, headers: &HeaderMap, failures: &Failures) -> Response {
    let range = headers.get(RANGE).and_then(|range| range.to_str().ok()).filter(|_| !failures.ignore_range);
    let from = range.and_then(|range| range.strip_prefix("bytes=")?.split('-').next()?.parse().ok());
    let from: usize = from.unwrap_or(0);
    if from > 0 && from >= content.len() {
        return StatusCode::RANGE_NOT_SATISFIABLE.into_response();
    }
    let part = content.slice(from..);
    let goes = failures.break_after.unwrap_or(usize::MAX).min(part.len());
    let breaks = goes < part.len();
    let pieces: Vec<Bytes> = part.slice(..goes).chunks(PIECE_BYTES).map(Bytes::copy_from_slice).collect();
    let delay = std::time::Duration::from_millis(failures.delay_ms);
    let content_length = part.len().to_string();
    let sent = futures::stream::unfold(pieces.into_iter(), move |mut pieces| async move {
        tokio::time::sleep(delay).await;
        pieces.next().map(|piece| (Ok::<_, Infallible>(piece), pieces))
    });
    let body = if breaks {
        use futures::StreamExt as _;
        let broken = futures::stream::once(async { Err(std::io::Error::other("broken off")) });
        Body::from_stream(sent.map(|piece| Ok(piece.unwrap_or_default())).chain(broken))
    } else {
        Body::from_stream(sent)
    };
    let whole = format!("bytes {from}-{}/{}", content.len().saturating_sub(1), content.len());
    if from > 0 {
        (StatusCode::PARTIAL_CONTENT, [(CONTENT_LENGTH, content_length), (CONTENT_RANGE, whole)], body).into_response()
    } else {
        ([(CONTENT_LENGTH, content_length)], body).into_response()
    }
}
