//! What the real yt-dlp makes of pages and playlists that are not just one file.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use ytcaption_blobstore::BlobKey;
use ytcaption_domain::job::JobEvent;

use std::time::Duration;

use super::DownloadSettings;
use super::egress_tests::{failure, playlist};
use super::tests::{TONE, harness_with, settings};
use crate::testing::{Answer, HttpServer, Request, media};

#[tokio::test(flavor = "multi_thread")]
async fn all_sound_of_a_playlist_that_changes_the_sample_rate_is_stored() {
    let tone =
        |form: &str, extension| media(&format!("-f lavfi -i sine=frequency=440:duration=3 -c:a aac {form}"), extension);
    let parts = [
        ("/a.ts", tone("-ar 22050 -ac 1", "ts")),
        ("/b.ts", tone("-ar 44100 -ac 2", "ts")),
        ("/a.aac", tone("-ar 22050 -ac 1", "aac")),
        ("/b.aac", tone("-ar 44100 -ac 2", "aac")),
    ];
    let server = HttpServer::start(move |request: &Request, _| match request.path.as_str() {
        "/ts.m3u8" => playlist("", &["/a.ts\n#EXT-X-DISCONTINUITY", "/b.ts\n#EXT-X-DISCONTINUITY", "/a.ts"]),
        "/aac.m3u8" => playlist("", &["/a.aac\n#EXT-X-DISCONTINUITY", "/b.aac\n#EXT-X-DISCONTINUITY", "/a.aac"]),
        path => match parts.iter().find(|(name, _)| *name == path) {
            Some((_, content)) => Answer::new("application/octet-stream", content.clone()),
            None => Answer::status(404),
        },
    })
    .await;
    let harness = harness_with(settings).await;
    for path in ["/ts.m3u8", "/aac.m3u8"] {
        let job = harness.submit_url(&format!("{}{path}", server.url)).await;
        assert_eq!(harness.end_of(job).await, "ok", "{path}");
        let downloaded = harness.wait_for(job, |event| matches!(event, JobEvent::AudioDownloaded { .. })).await;
        let JobEvent::AudioDownloaded { audio, .. } = downloaded else { unreachable!() };
        assert!(audio.duration_ms.abs_diff(9_000) < 400, "{path}: {audio:?}");
        let flac = harness.directory.path().join("audio.flac");
        harness.deps.blobs.download_to(&BlobKey::new(audio.key).unwrap(), &flac).await.unwrap();
        let pcm = ytcaption_media::decode(&flac, None).await.unwrap();
        for (second, samples) in pcm.samples.chunks(16_000).take(9).enumerate() {
            let crossings = samples.windows(2).filter(|pair| pair[0] <= 0.0 && pair[1] > 0.0).count();
            assert!(crossings.abs_diff(440) < 60, "{path}, second {second}: {crossings} Hz");
        }
        assert!(!harness.names(job).await.contains(&"WarningRaised".to_owned()), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_keeps_ytdlp_busy_ends_soon_and_media_that_takes_long_does_not() {
    let busy = "<video><source ".repeat(200_000);
    let file = media(TONE, "mp3");
    let server = HttpServer::start(move |request: &Request, _| match request.path.as_str() {
        "/busy" => Answer::new("text/html", busy.clone()),
        _ => Answer::new("audio/mpeg", file.clone()),
    })
    .await;
    let harness =
        harness_with(|harness| DownloadSettings { page_cpu: Duration::from_secs(6), ..settings(harness) }).await;
    let job = harness.submit_url(&format!("{}/busy", server.url)).await;
    let (code, message) = failure(&harness, job).await;
    assert!(code == "too_large" && message.contains("processor time"), "{message}");
    let names = harness.names(job).await;
    assert_eq!(names.iter().filter(|name| *name == "DownloadStarted").count(), 1, "{names:?}");
    let job = harness.submit_url(&format!("{}/talk.mp3", server.url)).await;
    assert_eq!(harness.end_of(job).await, "ok");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_one_job_fails_at_once_and_says_what_to_submit() {
    let file = media(TONE, "mp3");
    let feed = |items: &str| {
        format!("<?xml version='1.0'?><rss version='2.0'><channel><title>Feed</title>{items}</channel></rss>")
    };
    let item = |request: &Request, number: usize| {
        let url = format!("http://{}/{number}.mp3", request.headers["host"]);
        format!("<item><title>Episode {number}</title><enclosure url='{url}' type='audio/mpeg'/></item>")
    };
    let server = HttpServer::start(move |request: &Request, _| match request.path.as_str() {
        "/circle" => Answer::redirect("/circle-back"),
        "/circle-back" => Answer::redirect("/circle"),
        path if path.starts_with("/endless") => Answer::redirect(&format!("{path}x")),
        "/two" => {
            let videos = "<video src='/1.mp3'></video><video src='/2.mp3'></video>";
            Answer::new(
                "text/html",
                format!("<html><head><title>A &#27;[1mtalk</title></head><body>{videos}</body></html>"),
            )
        }
        "/feed" => {
            Answer::new("application/rss+xml", feed(&(1..=30).map(|number| item(request, number)).collect::<String>()))
        }
        "/feed-of-one" => Answer::new("application/rss+xml", feed(&item(request, 1))),
        // yt-dlp joins no parts that have headers of their own.
        "/parts.m3u8" => playlist("#EXT-X-MAP:URI=\"/1.mp4\"\n", &["/1.m4s\n#EXT-X-MAP:URI=\"/2.mp4\"", "/2.m4s"]),
        "/1.mp3" | "/2.mp3" => Answer::new("audio/mpeg", file.clone()),
        _ => Answer::status(404),
    })
    .await;
    let harness = harness_with(settings).await;
    let mut jobs = Vec::new();
    for (path, code, texts) in [
        ("/circle", "redirect_loop", vec![]),
        ("/endless", "redirect_loop", vec![]),
        ("/two", "several_media", vec!["2 media", "“A [1mtalk (1)”", "/1.mp3", "“A [1mtalk (2)”", "/2.mp3"]),
        ("/feed", "several_media", vec!["30 media", "1 “Episode 1", "/1.mp3", "2 “Episode 2", "/2.mp3"]),
        ("/parts.m3u8", "unsupported_playlist", vec![]),
    ] {
        jobs.push((path, code, texts, harness.submit_url(&format!("{}{path}", server.url)).await));
    }
    for (path, expected, texts, job) in jobs {
        let (code, message) = failure(&harness, job).await;
        assert_eq!(code, expected, "{path}: {message}");
        assert!(texts.iter().all(|text| message.contains(text)) && !message.contains('\u{1b}'), "{path}: {message}");
        let names = harness.names(job).await;
        assert_eq!(names.iter().filter(|name| *name == "DownloadStarted").count(), 1, "{path}: {names:?}");
    }
    let one = harness.submit_url(&format!("{}/feed-of-one", server.url)).await;
    assert_eq!(harness.end_of(one).await, "ok");
}
