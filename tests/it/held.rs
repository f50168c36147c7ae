//! Places on loopback that hold the system back until the test lets it go: so a job is in the middle of a stage for as
//! long as the test wants it there.

use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

use crate::speech;

/// What comes at once: enough for yt-dlp to begin, in bytes.
const BEGINNING: usize = 4096;
/// While it is held, a few bytes come now and then, so that nobody takes the server for dead.
const DRIP: (usize, Duration) = (16, Duration::from_millis(200));
/// How often everything that is said in [`speech::video`] is said in the talk of most tests.
pub(crate) const REPEATS: u32 = 6;
/// Silence after each, so that each is heard by itself, in seconds.
const SILENCE: u32 = 20;
/// What is said in each repeat, as it is compared.
const PHRASES: [&str; 3] = ["three red cars", "open the window now", "the dog is black"];

/// A recording (WAV) that says everything so often; twelve repeats take some seconds to transcribe.
fn long_talk(repeats: u32) -> Vec<u8> {
    static ONCE: OnceLock<(TempDir, String)> = OnceLock::new();
    let (_, once) = ONCE.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let video = folder.path().join("video.mp4");
        std::fs::write(&video, speech::video()).unwrap();
        let padded = format!("-i {} -vn -af apad=pad_dur={SILENCE} -ac 1 -ar 16000", video.display());
        let once = folder.path().join("once.wav");
        std::fs::write(&once, speech::media(&padded, "wav")).unwrap();
        let once = once.display().to_string();
        (folder, once)
    });
    speech::media(&format!("-stream_loop {} -i {once} -c copy", repeats - 1), "wav")
}

/// Fails unless everything in a recording that says it all `repeats` times was heard so often: nothing is missing, and
/// nothing stands there twice.
pub(crate) fn assert_heard_all(text: &str, repeats: u32) {
    let text = text.to_lowercase();
    for phrase in PHRASES {
        assert_eq!(text.matches(phrase).count(), repeats as usize, "{phrase:?} in {text:?}");
    }
}

/// The site and the receiver; gone when dropped.
pub(crate) struct Held {
    url: String,
    open: watch::Sender<bool>,
    told: Told,
    answering: watch::Sender<bool>,
    _serving: AbortOnDropHandle<()>,
}

/// The `webhook-id` of every POST that came.
type Told = Arc<Mutex<Vec<String>>>;

impl Held {
    /// Begins to serve; recordings are held, webhooks answered.
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (open, opened) = watch::channel(false);
        let (answering, answered) = watch::channel(true);
        let told = Told::default();
        let router = Router::new()
            .route("/held/{name}", get(held))
            .with_state(opened)
            .route("/talk/{repeats}", get(talk))
            .route("/hook", post(hook))
            .with_state((Arc::clone(&told), answered));
        let serving = AbortOnDropHandle::new(tokio::spawn(async move { axum::serve(listener, router).await.unwrap() }));
        Self { url, open, told, answering, _serving: serving }
    }

    /// [`speech::video`], held back. The name tells one download from another.
    pub(crate) fn recording(&self, name: &str) -> String {
        format!("{}/held/{name}.mp4", self.url)
    }

    /// A recording that takes some seconds to transcribe; it is not held.
    pub(crate) fn talk(&self, repeats: u32) -> String {
        format!("{}/talk/{repeats}", self.url)
    }

    /// Where webhooks go.
    pub(crate) fn webhook(&self) -> String {
        format!("{}/hook", self.url)
    }

    /// Lets all recordings go.
    pub(crate) fn let_go(&self) {
        self.open.send_replace(true);
    }

    /// Whether webhooks are answered; else they wait.
    pub(crate) fn answer_webhooks(&self, answer: bool) {
        self.answering.send_replace(answer);
    }

    /// The `webhook-id` of every POST so far.
    pub(crate) fn webhooks(&self) -> Vec<String> {
        self.told.lock().unwrap().clone()
    }
}

async fn talk(Path(repeats): Path<u32>) -> impl IntoResponse {
    ([(CONTENT_TYPE, "audio/wav")], tokio::task::spawn_blocking(move || long_talk(repeats)).await.unwrap())
}

async fn held(State(mut opened): State<watch::Receiver<bool>>) -> impl IntoResponse {
    let content = Bytes::from_static(speech::video());
    let headers = [(CONTENT_TYPE, "video/mp4".to_owned()), (CONTENT_LENGTH, content.len().to_string())];
    let mut rest = content;
    let beginning = rest.split_to(BEGINNING);
    opened.mark_unchanged();
    let pieces = futures::stream::unfold((Some(beginning), rest, opened), |(next, mut rest, mut opened)| async move {
        if let Some(piece) = next {
            return Some((Ok::<_, std::io::Error>(piece), (None, rest, opened)));
        }
        if rest.is_empty() {
            return None;
        }
        let (bytes, pause) = DRIP;
        let all = tokio::time::timeout(pause, opened.wait_for(|open| *open)).await.is_ok();
        let piece = rest.split_to(if all { rest.len() } else { bytes.min(rest.len()) });
        Some((Ok(piece), (None, rest, opened)))
    });
    (headers, Body::from_stream(pieces))
}

async fn hook(State((told, mut answering)): State<(Told, watch::Receiver<bool>)>, headers: HeaderMap) -> StatusCode {
    let id = headers["webhook-id"].to_str().unwrap().to_owned();
    told.lock().unwrap().push(id);
    // The sender is gone only when the test is over.
    let _ = answering.wait_for(|answer| *answer).await;
    StatusCode::NO_CONTENT
}
