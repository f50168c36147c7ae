//! A media site on loopback, with the valid and invalid media that users submit. All tests of the process share it.

use std::sync::OnceLock;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::header::CONTENT_TYPE;
use axum::response::{Html, IntoResponse};
use axum::routing::get;
use futures::StreamExt as _;

use crate::speech;

/// Title of the page that plays the video.
pub(crate) const TITLE: &str = "Three sentences";
/// Delay between two pieces of the slow video.
const PIECE_DELAY: Duration = Duration::from_secs(1);

/// The URL of a path of the site:
///
/// - `/page`: a page that plays the video; `/video.mp4`: the video itself
/// - `/slow.mp4`: the same video, sent so slowly that its download takes minutes
/// - `/page-without-video`, `/text.mp4`, `/no-audio.mp4`, `/silence.mp4`, `/empty.mp4`, `/cut-off.mp4`
/// - `/cut-short.mp4`: the first half of `/video.mp4`
/// - any other path: 404
pub(crate) fn url(path: &str) -> String {
    static BASE_URL: OnceLock<String> = OnceLock::new();
    let base_url = BASE_URL.get_or_init(|| {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let base_url = format!("http://{}", listener.local_addr().unwrap());
        // The site needs a runtime of its own: a test's runtime ends with the test.
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                axum::serve(listener, router()).await.unwrap();
            });
        });
        base_url
    });
    format!("{base_url}{path}")
}

fn router() -> Router {
    let page = Html(format!(
        "<!doctype html><title>{TITLE}</title><h1>{TITLE}</h1><video src=\"/video.mp4\" controls></video>"
    ));
    let nothing = Html("<!doctype html><title>Words only</title><p>There is no audio on this page.</p>");
    Router::new()
        .route("/page", get(async move || page))
        .route("/video.mp4", get(async || mp4(speech::video())))
        .route("/slow.mp4", get(slow))
        .route("/page-without-video", get(async move || nothing))
        .route("/text.mp4", get(async || mp4(text())))
        .route("/no-audio.mp4", get(async || mp4(no_audio())))
        .route("/silence.mp4", get(async || mp4(silence())))
        .route("/empty.mp4", get(async || mp4(b"")))
        .route("/cut-off.mp4", get(async || mp4(cut_off())))
        .route("/cut-short.mp4", get(async || mp4(cut_short())))
}

/// A video without an audio track.
pub(crate) fn no_audio() -> &'static [u8] {
    static MADE: OnceLock<Vec<u8>> = OnceLock::new();
    MADE.get_or_init(|| speech::media("-f lavfi -i testsrc=duration=2:size=160x90:rate=5", "mp4"))
}

/// A media file with silence only.
pub(crate) fn silence() -> &'static [u8] {
    static MADE: OnceLock<Vec<u8>> = OnceLock::new();
    MADE.get_or_init(|| speech::media("-f lavfi -i anullsrc=r=16000:cl=mono -t 3", "mp4"))
}

/// A video whose second half is missing, and with it the index (moov), so that none of it can be decoded.
pub(crate) fn cut_off() -> &'static [u8] {
    static MADE: OnceLock<Vec<u8>> = OnceLock::new();
    let whole = MADE.get_or_init(|| speech::media("-f lavfi -i sine=duration=3", "mp4"));
    &whole[..whole.len() / 2]
}

/// A video whose second half is missing. Its index is at its beginning and describes the whole video.
pub(crate) fn cut_short() -> &'static [u8] {
    let whole = speech::video();
    &whole[..whole.len() / 2]
}

/// A text file that is submitted as a video.
pub(crate) fn text() -> &'static [u8] {
    b"This is a text, whatever its name says. It has never contained audio or video, only these two sentences.\n"
}

fn mp4(content: &'static [u8]) -> impl IntoResponse {
    ([(CONTENT_TYPE, "video/mp4")], content)
}

/// Pieces keep coming, so the client does not time out, and the download does not end during a test.
async fn slow() -> impl IntoResponse {
    let pieces = speech::video().chunks(256).map(|piece| Ok::<_, std::io::Error>(Bytes::from_static(piece)));
    let slowly = futures::stream::iter(pieces).then(async |piece| {
        tokio::time::sleep(PIECE_DELAY).await;
        piece
    });
    ([(CONTENT_TYPE, "video/mp4")], Body::from_stream(slowly))
}
