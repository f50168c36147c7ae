//! A media site and webhook receiver on loopback whose responses stall until the test releases them, so that a job stays
//! in the middle of a step for as long as the test needs it there.

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

/// Bytes of a stalled video that are sent at once: enough for yt-dlp to begin.
const BEGINNING: usize = 4096;
/// While a video is stalled, this many bytes are sent each time this delay has passed, so that yt-dlp does not time out.
const KEEP_ALIVE: (usize, Duration) = (16, Duration::from_millis(200));
/// Number of repeats of [`speech::video`] in the talk of most tests.
pub(crate) const REPEATS: u32 = 6;
/// Silence after each repeat, in seconds, so that repeats are transcribed in separate windows.
const SILENCE: u32 = 20;
/// Phrases that occur once in each repeat, in lower case and without punctuation.
const PHRASES: [&str; 3] = ["three red cars", "open the window now", "the dog is black"];

/// A WAV file with this number of repeats; twelve repeats take some seconds to transcribe.
fn long_talk(repeats: u32) -> Vec<u8> {
    static ONCE: OnceLock<(TempDir, String)> = OnceLock::new();
    let (_, once) = ONCE.get_or_init(|| {
        let directory = tempfile::tempdir().unwrap();
        let video = directory.path().join("video.mp4");
        std::fs::write(&video, speech::video()).unwrap();
        let padded = format!("-i {} -vn -af apad=pad_dur={SILENCE} -ac 1 -ar 16000", video.display());
        let once = directory.path().join("once.wav");
        std::fs::write(&once, speech::media(&padded, "wav")).unwrap();
        let once = once.display().to_string();
        (directory, once)
    });
    speech::media(&format!("-stream_loop {} -i {once} -c copy", repeats - 1), "wav")
}

/// Fails unless each phrase occurs exactly `repeats` times in the transcript: nothing is missing and nothing is repeated.
pub(crate) fn assert_all_transcribed(text: &str, repeats: u32) {
    let text = text.to_lowercase();
    for phrase in PHRASES {
        assert_eq!(text.matches(phrase).count(), repeats as usize, "{phrase:?} in {text:?}");
    }
}

/// A running site and receiver; stopped when dropped.
pub(crate) struct StalledSite {
    url: String,
    released: watch::Sender<bool>,
    webhook_ids: WebhookIds,
    responding: watch::Sender<bool>,
    _serving: AbortOnDropHandle<()>,
}

/// The `webhook-id` of every POST received.
type WebhookIds = Arc<Mutex<Vec<String>>>;

impl StalledSite {
    /// Starts to serve: videos stall, webhooks get a response at once.
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (released, is_released) = watch::channel(false);
        let (responding, is_responding) = watch::channel(true);
        let webhook_ids = WebhookIds::default();
        let router = Router::new()
            .route("/stalled/{name}", get(stalled_video))
            .with_state(is_released)
            .route("/talk/{repeats}", get(talk))
            .route("/hook", post(hook))
            .with_state((Arc::clone(&webhook_ids), is_responding));
        let serving = AbortOnDropHandle::new(tokio::spawn(async move { axum::serve(listener, router).await.unwrap() }));
        Self { url, released, webhook_ids, responding, _serving: serving }
    }

    /// The URL of [`speech::video`], stalled until released. Different names make different downloads.
    pub(crate) fn video_url(&self, name: &str) -> String {
        format!("{}/stalled/{name}.mp4", self.url)
    }

    /// The URL of speech that takes some seconds to transcribe; its download does not stall.
    pub(crate) fn talk_url(&self, repeats: u32) -> String {
        format!("{}/talk/{repeats}", self.url)
    }

    /// The URL that receives webhooks.
    pub(crate) fn webhook_url(&self) -> String {
        format!("{}/hook", self.url)
    }

    /// Releases all videos: the rest of each is sent at once.
    pub(crate) fn release(&self) {
        self.released.send_replace(true);
    }

    /// Sets whether webhooks get a response; otherwise their requests wait.
    pub(crate) fn respond_to_webhooks(&self, respond: bool) {
        self.responding.send_replace(respond);
    }

    /// The `webhook-id` of every POST so far.
    pub(crate) fn webhook_ids(&self) -> Vec<String> {
        self.webhook_ids.lock().unwrap().clone()
    }
}

async fn talk(Path(repeats): Path<u32>) -> impl IntoResponse {
    ([(CONTENT_TYPE, "audio/wav")], tokio::task::spawn_blocking(move || long_talk(repeats)).await.unwrap())
}

async fn stalled_video(State(mut is_released): State<watch::Receiver<bool>>) -> impl IntoResponse {
    let content = Bytes::from_static(speech::video());
    let headers = [(CONTENT_TYPE, "video/mp4".to_owned()), (CONTENT_LENGTH, content.len().to_string())];
    let mut rest = content;
    let beginning = rest.split_to(BEGINNING);
    is_released.mark_unchanged();
    let pieces =
        futures::stream::unfold((Some(beginning), rest, is_released), |(next, mut rest, mut is_released)| async move {
            if let Some(piece) = next {
                return Some((Ok::<_, std::io::Error>(piece), (None, rest, is_released)));
            }
            if rest.is_empty() {
                return None;
            }
            let (bytes, delay) = KEEP_ALIVE;
            let all = tokio::time::timeout(delay, is_released.wait_for(|released| *released)).await.is_ok();
            let piece = rest.split_to(if all { rest.len() } else { bytes.min(rest.len()) });
            Some((Ok(piece), (None, rest, is_released)))
        });
    (headers, Body::from_stream(pieces))
}

async fn hook(
    State((webhook_ids, mut is_responding)): State<(WebhookIds, watch::Receiver<bool>)>,
    headers: HeaderMap,
) -> StatusCode {
    let id = headers["webhook-id"].to_str().unwrap().to_owned();
    webhook_ids.lock().unwrap().push(id);
    // The sender is dropped only when the test is over.
    let _ = is_responding.wait_for(|responding| *responding).await;
    StatusCode::NO_CONTENT
}
