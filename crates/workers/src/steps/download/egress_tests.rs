//! The real yt-dlp and ffmpeg, led from a permitted address to one that is not.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use ytcaption_domain::JobId;
use ytcaption_domain::job::JobEvent;

use super::tests::{TONE, harness_with, settings};
use crate::testing::{Answer, HttpServer, Request, TestHarness, media};

/// A playlist (RFC 8216) of these segments.
pub(super) fn playlist(key: &str, segments: &[&str]) -> Answer {
    let segments = segments.join("\n#EXTINF:3,\n");
    let head = "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:3\n#EXT-X-PLAYLIST-TYPE:VOD\n";
    Answer::new("application/vnd.apple.mpegurl", format!("{head}{key}#EXTINF:3,\n{segments}\n#EXT-X-ENDLIST\n"))
}

pub(super) fn page(media: &str) -> Answer {
    Answer::new(
        "text/html",
        format!("<html><head><title>T</title></head><body><video src='{media}'></video></body></html>"),
    )
}

/// The failure of a job.
pub(super) async fn failure(harness: &TestHarness, job: JobId) -> (String, String) {
    harness.end_of(job).await;
    let failed = harness.wait_for(job, |event| matches!(event, JobEvent::JobFailed { .. })).await;
    let JobEvent::JobFailed { failure, .. } = failed else { unreachable!() };
    (failure.code, failure.message)
}

/// For SAMPLE-AES yt-dlp leaves the whole playlist to ffmpeg.
const LEFT_TO_FFMPEG: &str = "#EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"/key\"\n";

#[tokio::test(flavor = "multi_thread")]
async fn no_redirect_page_or_playlist_leads_to_a_private_address() {
    let segment = media(TONE, "ts");
    let inside_segment = segment.clone();
    // What must not be reached: the policy of the harness permits 127.0.0.1 only.
    let inside = HttpServer::start_on("127.0.0.2", move |_, _| Answer::new("video/mp2t", inside_segment.clone())).await;
    let (url, port) = (inside.url.clone(), inside.url.rsplit(':').next().unwrap().to_owned());
    let outside = HttpServer::start(move |request: &Request, _| match request.path.as_str() {
        "/redirect.mp4" => Answer::redirect(&format!("{url}/secret.mp4")),
        "/redirect-v6.mp4" => Answer::redirect(&format!("http://[::1]:{port}/secret.mp4")),
        "/redirect-number.mp4" => Answer::redirect(&format!("http://0x7f000002:{port}/secret.mp4")),
        "/redirect-tls.mp4" => Answer::redirect(&format!("https://127.0.0.2:{port}/secret.mp4")),
        "/redirect-twice.mp4" => Answer::redirect("/redirect.mp4"),
        "/page" => page(&format!("{url}/secret.mp4")),
        "/page-playlist" => page(&format!("{url}/list.m3u8")),
        "/list.m3u8" => playlist("", &["/a.ts", &format!("{url}/b.ts")]),
        "/ffmpeg.m3u8" => playlist(LEFT_TO_FFMPEG, &[&format!("{url}/b.ts")]),
        "/ffmpeg-redirect.m3u8" => playlist(LEFT_TO_FFMPEG, &["/to-b.ts"]),
        "/to-b.ts" => Answer::redirect(&format!("{url}/b.ts")),
        "/a.ts" => Answer::new("video/mp2t", segment.clone()),
        _ => Answer::status(404),
    })
    .await;
    let harness = harness_with(settings).await;
    let mut jobs = Vec::new();
    for path in [
        "/redirect.mp4",
        "/redirect-v6.mp4",
        "/redirect-number.mp4",
        "/redirect-tls.mp4",
        "/redirect-twice.mp4",
        "/page",
        "/page-playlist",
        "/list.m3u8",
        "/ffmpeg.m3u8",
        "/ffmpeg-redirect.m3u8",
    ] {
        jobs.push((path, harness.submit_url(&format!("{}{path}", outside.url)).await));
    }
    for (path, job) in jobs {
        let (code, message) = failure(&harness, job).await;
        assert_eq!(code, "private_address", "{path}: {message}");
        assert!(message.contains("private, loopback") && message.contains("network.allow"), "{message}");
        let names = harness.names(job).await;
        assert_eq!(names.iter().filter(|name| *name == "DownloadStarted").count(), 1, "{path}: {names:?}");
    }
    assert!(inside.requests().is_empty(), "a request arrived: {:?}", inside.requests());
}

#[tokio::test(flavor = "multi_thread")]
async fn playlists_are_fetched_through_the_proxy_by_ytdlp_and_by_ffmpeg() {
    let segment = media(TONE, "ts");
    let server = HttpServer::start(move |request: &Request, _| match request.path.as_str() {
        "/list.m3u8" => playlist("", &["/a.ts", "/a.ts"]),
        "/ffmpeg.m3u8" => playlist(LEFT_TO_FFMPEG, &["/clear.ts"]),
        "/page" => page("/list.m3u8"),
        "/a.ts" | "/clear.ts" => Answer::new("video/mp2t", segment.clone()),
        "/key" => Answer::new("application/octet-stream", vec![7; 16]),
        _ => Answer::status(404),
    })
    .await;
    let harness = harness_with(settings).await;
    for path in ["/list.m3u8", "/page"] {
        let job = harness.submit_url(&format!("{}{path}", server.url)).await;
        assert_eq!(harness.end_of(job).await, "ok", "{path}");
    }
    let job = harness.submit_url(&format!("{}/ffmpeg.m3u8", server.url)).await;
    harness.end_of(job).await;
    let by_ffmpeg = |request: &Request| request.headers.contains_key("icy-metadata") && request.path == "/clear.ts";
    assert!(server.requests().iter().any(by_ffmpeg), "ffmpeg got through: {:?}", server.requests());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_knows_no_proxy_is_not_fetched() {
    let inside = HttpServer::start_on("127.0.0.2", |_, _| Answer::status(200)).await;
    let host = inside.url.trim_start_matches("http://").to_owned();
    let server = HttpServer::start(move |request: &Request, _| match request.path.as_str() {
        "/rtmp" => page(&format!("rtmp://{host}/live/talk")),
        "/rtsp" => page(&format!("rtsp://{host}/talk")),
        "/mms" => page(&format!("mms://{host}/talk")),
        "/ftp" => page(&format!("ftp://{host}/talk.mp4")),
        "/ftp-redirect" => Answer::redirect(&format!("ftp://{host}/talk.mp4")),
        "/file" => page("file:///etc/passwd"),
        // For a live playlist yt-dlp has ffmpeg open the address that it names, whatever that is.
        "/live.m3u8" => Answer::new(
            "application/vnd.apple.mpegurl",
            format!(
                "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1000\n/unended.m3u8\n\
                 #EXT-X-STREAM-INF:BANDWIDTH=2000\ntcp://{host}/talk\n"
            ),
        ),
        "/unended.m3u8" => {
            Answer::new("application/vnd.apple.mpegurl", "#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:3,\n/a.ts\n")
        }
        _ => Answer::status(404),
    })
    .await;
    let harness = harness_with(settings).await;
    let mut jobs = Vec::new();
    for (path, code) in [
        ("/rtmp", "no_video"),
        ("/rtsp", "no_video"),
        ("/mms", "no_video"),
        ("/ftp", "no_video"),
        ("/file", "no_video"),
        ("/ftp-redirect", "invalid_url"),
        ("/live.m3u8", "live_broadcast"),
        ("/unended.m3u8", "live_broadcast"),
    ] {
        jobs.push((path, code, harness.submit_url(&format!("{}{path}", server.url)).await));
    }
    for (path, expected, job) in jobs {
        let (code, message) = failure(&harness, job).await;
        assert_eq!(code, expected, "{path}: {message}");
        let names = harness.names(job).await;
        assert_eq!(names.iter().filter(|name| *name == "DownloadStarted").count(), 1, "{path}: {message}");
    }
    assert!(inside.requests().is_empty(), "a request arrived: {:?}", inside.requests());
}

/// yt-dlp's repairs ran ffmpeg on the segment without a list of protocols.
#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_whose_segment_is_a_playlist_reads_no_local_file() {
    let secret = tempfile::tempdir().unwrap();
    let file = secret.path().join("secret.flac");
    std::fs::write(&file, media(TONE, "flac")).unwrap();
    let local = format!("file://{}", file.display());
    let manifest = "<?xml version='1.0'?><MPD xmlns='urn:mpeg:dash:schema:mpd:2011' type='static' \
                    mediaPresentationDuration='PT3S'><Period><AdaptationSet mimeType='audio/flac'>\
                    <Representation id='a' codecs='flac' bandwidth='64000'><SegmentList duration='3'>\
                    <SegmentURL media='/segment'/></SegmentList></Representation></AdaptationSet></Period></MPD>";
    let server = HttpServer::start(move |request: &Request, _| match request.path.as_str() {
        "/manifest.mpd" => Answer::new("application/dash+xml", manifest),
        "/segment" => playlist("", &[&local]),
        _ => Answer::status(404),
    })
    .await;
    let harness = harness_with(settings).await;
    let job = harness.submit_url(&format!("{}/manifest.mpd", server.url)).await;
    let (code, message) = failure(&harness, job).await;
    assert_eq!(code, "not_media", "{message}");
    assert!(server.requests().iter().any(|request| request.path == "/segment"));
}
