#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Instant;

use ytcaption_domain::job::{JobEvent, TranscriptionOptions};
use ytcaption_domain::network::AddressPolicy;
use ytcaption_domain::text::{self, MAX_TITLE_CHARS};

use super::*;
use crate::steps::RetrySettings;
use crate::testing::{Answer, HttpServer, Request, TestHarness, media};

pub(super) const TONE: &str = "-f lavfi -i sine=frequency=440:duration=3 -ac 1 -b:a 64k";
const PICTURES: &str = "-f lavfi -i testsrc=duration=1:size=64x64:rate=5 -an";

pub(super) fn settings(harness: &TestHarness) -> DownloadSettings {
    let delay = Duration::from_millis(200);
    DownloadSettings {
        work_dir: harness.directory.path().join("work"),
        max_bytes: 2 * 1024 * 1024,
        max_duration: Duration::from_mins(1),
        retry: RetrySettings { max_attempts: 2, min_delay: delay, max_delay: delay },
        concurrency: 4,
        ..DownloadSettings::default()
    }
}

pub(super) async fn harness_with(settings: impl FnOnce(&TestHarness) -> DownloadSettings) -> TestHarness {
    let mut harness = TestHarness::new().await;
    let settings = settings(&harness);
    harness.start_relay();
    harness.start(|deps, stop| Box::pin(run(deps, settings, stop)));
    harness
}

fn files(directory: &Path) -> usize {
    std::fs::read_dir(directory).map(Iterator::count).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_media_file_and_a_page_with_one_become_stored_audio_in_chunks() {
    let file = media(TONE, "mp3");
    let server = HttpServer::start(move |request: &Request, _| match request.path.as_str() {
        "/talk.mp3" => Answer::new("audio/mpeg", file.clone()),
        "/page" => Answer::new(
            "text/html",
            "<html><head><title>A talk</title></head><body><video src='/talk.mp3'></video></body></html>",
        ),
        _ => Answer::status(404),
    })
    .await;
    let harness = harness_with(settings).await;
    for (path, title) in [("/talk.mp3", Some("talk")), ("/page", Some("A talk"))] {
        let job = harness.submit_url(&format!("{}{path}", server.url)).await;
        assert_eq!(harness.end_of(job).await, "ok", "{path}");
        let downloaded = harness.wait_for(job, |event| matches!(event, JobEvent::AudioDownloaded { .. })).await;
        let JobEvent::AudioDownloaded { audio, title: found, .. } = downloaded else { unreachable!() };
        assert!((2900..3200).contains(&audio.duration_ms), "{audio:?}");
        assert_eq!(audio.key, format!("audio/{job}/1.flac"));
        assert_eq!(found.as_deref(), title, "{path}");
        let info = harness.deps.blobs.info(&BlobKey::new(audio.key.clone()).unwrap()).await.unwrap();
        assert_eq!((info.bytes, info.sha256), (audio.bytes, audio.sha256));
        let scheduled = harness.wait_for(job, |event| matches!(event, JobEvent::ChunkScheduled { .. })).await;
        assert_eq!(scheduled, JobEvent::ChunkScheduled { chunk: 0, start_ms: 0, end_ms: audio.duration_ms });
    }
    assert_eq!(files(&harness.directory.path().join("work")), 0, "no temporary file is left");
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_a_page_calls_its_media_the_job_ends_with_a_title_that_can_be_shown() {
    let file = media(TONE, "mp3");
    let page = |title: &str, more: &str| format!("<title>{title}</title>{more}<video src='/talk.mp3'></video>");
    let json_ld = |name: &str| {
        let object = format!(
            r#"{{"@context":"https://schema.org","@type":"VideoObject","name":"{name}","contentUrl":"/talk.mp3"}}"#
        );
        page("A page", &format!("<script type='application/ld+json'>{object}</script>"))
    };
    let pages = [
        (page("Talk &#0; one\u{1b}[31m", ""), "Talk"),
        (page("Talk \u{202e}eno\u{2066}\r\n two", ""), "Talk eno two"),
        (page(&"long ".repeat(400_000), ""), "long long"),
        (page("می\u{200c}خواهم 👩\u{200d}👧", ""), "می\u{200c}خواهم 👩\u{200d}👧"),
        (json_ld(r"Talk \u0000 one"), ""),
        (json_ld(r"Talk \ud800 one"), ""),
    ];
    let titles: Vec<&str> = pages.iter().map(|(_, title)| *title).collect();
    let bodies: Vec<String> = pages.iter().map(|(body, _)| body.clone()).collect();
    let server = HttpServer::start(move |request: &Request, _| match request.path.as_str() {
        "/talk.mp3" => Answer::new("audio/mpeg", file.clone()),
        path => match path[1..].parse::<usize>().ok().and_then(|index| bodies.get(index)) {
            Some(body) => Answer::new("text/html", body.clone()),
            None => Answer::status(404),
        },
    })
    .await;
    let harness = harness_with(settings).await;
    for (index, expected) in titles.into_iter().enumerate() {
        let job = harness.submit_url(&format!("{}/{index}", server.url)).await;
        assert_eq!(harness.end_of(job).await, "ok", "{index}");
        let downloaded = harness.wait_for(job, |event| matches!(event, JobEvent::AudioDownloaded { .. })).await;
        let JobEvent::AudioDownloaded { title, .. } = downloaded else { unreachable!() };
        let title = title.expect("a title");
        assert!(title.starts_with(expected), "{index}: {title:?}");
        assert_eq!(text::clean(&title, MAX_TITLE_CHARS), title, "{index}: bounded and printable");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_permanent_error_ends_the_job_at_once_and_says_why() {
    let silent = media(PICTURES, "mp4");
    let long = media("-f lavfi -i anullsrc=r=8000 -t 90 -b:a 8k", "mp3");
    let cut_off = media(TONE, "mp4")[..600].to_vec();
    let server = HttpServer::start(move |request: &Request, _| match request.path.as_str() {
        "/forbidden.mp4" => Answer::status(403),
        "/text.mp4" => Answer::new("video/mp4", "this is not a video\n".repeat(100)),
        "/page" => Answer::new("text/html", "<html><title>No video here</title><body>Words.</body></html>"),
        "/silent.mp4" => Answer::new("video/mp4", silent.clone()),
        "/empty.mp4" => Answer::new("video/mp4", ""),
        "/long.mp3" => Answer::new("audio/mpeg", long.clone()),
        "/cut.mp4" => Answer::new("video/mp4", cut_off.clone()),
        "/large.mp4" => Answer::new("video/mp4", vec![0; 3 * 1024 * 1024]),
        "/endless.mp4" => {
            let takes = Duration::from_secs(4);
            Answer { claimed_length: None, takes, ..Answer::new("video/mp4", vec![0; 8 * 1024 * 1024]) }
        }
        _ => Answer::status(404),
    })
    .await;
    let harness = harness_with(settings).await;
    let mut jobs = Vec::new();
    for (path, code) in [
        ("/missing.mp4", "http_404"),
        ("/forbidden.mp4", "http_403"),
        ("/text.mp4", "not_media"),
        ("/page", "no_video"),
        ("/silent.mp4", "no_audio_track"),
        ("/empty.mp4", "empty_file"),
        ("/long.mp3", "too_long"),
        ("/cut.mp4", "truncated_media"),
        ("/large.mp4", "too_large"),
        ("/endless.mp4", "too_large"),
    ] {
        jobs.push((path, code, harness.submit_url(&format!("{}{path}", server.url)).await));
    }
    for (path, code, job) in jobs {
        assert_eq!(harness.end_of(job).await, code, "{path}");
        let names = harness.names(job).await;
        assert_eq!(names.iter().filter(|name| *name == "DownloadStarted").count(), 1, "{path}: {names:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transient_error_is_retried_a_few_times() {
    let file = media(TONE, "mp3");
    let server = HttpServer::start(move |request: &Request, before| match request.path.as_str() {
        "/recovers.mp3" if before > 0 => Answer::new("audio/mpeg", file.clone()),
        _ => Answer::status(503),
    })
    .await;
    let harness = harness_with(settings).await;
    let job = harness.submit_url(&format!("{}/recovers.mp3", server.url)).await;
    assert_eq!(harness.end_of(job).await, "ok");
    let failed = harness.wait_for(job, |event| matches!(event, JobEvent::DownloadAttemptFailed { .. })).await;
    let JobEvent::DownloadAttemptFailed { failure, retry_in_ms, attempt: 1 } = failed else { unreachable!() };
    assert_eq!(failure.code, "http_5xx");
    assert!(retry_in_ms.is_some_and(|ms| ms <= 200));

    let job = harness.submit_url(&format!("{}/never.mp3", server.url)).await;
    assert_eq!(harness.end_of(job).await, "http_5xx");
    let names = harness.names(job).await;
    assert_eq!(names.iter().filter(|name| *name == "DownloadStarted").count(), 2, "{names:?}");

    let refused = harness.submit_url("http://127.0.0.1:9/a.mp3").await;
    assert_eq!(harness.end_of(refused).await, "unavailable");
    let nowhere = harness.submit_url("http://no-such-host.invalid/a.mp3").await;
    // The name service may be down: such a job has more attempts than the two of others.
    let second = |event: &JobEvent| matches!(event, JobEvent::DownloadAttemptFailed { attempt: 2, .. });
    let JobEvent::DownloadAttemptFailed { failure, retry_in_ms, .. } = harness.wait_for(nowhere, second).await else {
        unreachable!()
    };
    assert_eq!((failure.code.as_str(), retry_in_ms.is_some()), ("unresolved_host", true));
}

#[tokio::test(flavor = "multi_thread")]
async fn private_addresses_are_not_downloaded_from() {
    let mut harness = TestHarness::new().await;
    harness.deps.network = AddressPolicy::default();
    let settings = settings(&harness);
    harness.start_relay();
    harness.start(|deps, stop| Box::pin(run(deps, settings, stop)));
    let server = HttpServer::start(|_, _| Answer::status(200)).await;
    let port = server.url.rsplit(':').next().unwrap().to_owned();
    for host in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0.0.0.0", "2130706433"] {
        let job = harness.submit_url(&format!("http://{host}:{port}/a.mp4")).await;
        assert_eq!(harness.end_of(job).await, "private_address", "{host}");
    }
    assert!(server.requests().is_empty(), "no request arrived: {:?}", server.requests());
    let job = harness.submit_url("ftp://example.org/a.mp4").await;
    assert_eq!(harness.end_of(job).await, "invalid_url");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_download_stops_within_two_seconds_with_all_its_processes() {
    let server = HttpServer::start(|_, _| {
        let takes = Duration::from_mins(1);
        Answer { takes, ..Answer::new("video/mp4", vec![0; 1024 * 1024]) }
    })
    .await;
    let harness = harness_with(settings).await;
    let address = format!("{}/slow-{}.mp4", server.url, crate::testing::new_id());
    let job = harness.submit_url(&address).await;
    let runs = || {
        let of = |entry: std::fs::DirEntry| std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let shows = |line: Vec<u8>| String::from_utf8_lossy(&line).contains(&address);
        std::fs::read_dir("/proc").unwrap().flatten().map(of).any(shows)
    };
    crate::testing::until("yt-dlp downloads", async || runs() && !server.requests().is_empty()).await;
    harness.command(job, JobCommand::Cancel { reason: None }).await;
    let since = Instant::now();
    crate::testing::until("yt-dlp is gone", async || !runs()).await;
    assert!(since.elapsed() < Duration::from_secs(2), "it took {:?}", since.elapsed());
    crate::testing::until("its directory is gone", async || files(&harness.directory.path().join("work")) == 0).await;
    assert_eq!(harness.names(job).await.last().unwrap(), "JobCancelled");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_uploaded_file_needs_no_downloader() {
    let harness =
        harness_with(|harness| DownloadSettings { yt_dlp: "/nowhere/yt-dlp".into(), ..settings(harness) }).await;
    let file = media(TONE, "ogg");
    let key = BlobKey::new("uploads/talk").unwrap();
    let info = harness.deps.blobs.put_stream(&key, &mut file.as_slice(), 1 << 20).await.unwrap();
    let upload = |key: &str| MediaSource::Upload {
        key: key.into(),
        file_name: "talk.ogg".into(),
        bytes: info.bytes,
        sha256: info.sha256.clone(),
    };
    let job = harness.submit(upload("uploads/talk"), None).await;
    assert_eq!(harness.end_of(job).await, "ok");
    let nothing = media("-f lavfi -i anullsrc=r=16000:cl=mono -t 0", "wav");
    let key = BlobKey::new("uploads/nothing").unwrap();
    harness.deps.blobs.put_stream(&key, &mut nothing.as_slice(), 1 << 20).await.unwrap();
    let empty = harness.submit(upload("uploads/nothing"), None).await;
    assert_eq!(harness.end_of(empty).await, "empty_audio");
    let lost = harness.submit(upload("uploads/lost"), None).await;
    assert_eq!(harness.end_of(lost).await, "upload_missing");
    let url = harness.submit_url("http://127.0.0.1:9/a.mp4").await;
    assert_eq!(harness.end_of(url).await, "tool_missing");
}

#[tokio::test(flavor = "multi_thread")]
async fn progress_is_recorded_at_most_once_a_second() {
    let file = media("-f lavfi -i anoisesrc=duration=40 -b:a 128k", "mp3");
    let server = HttpServer::start(move |_, _| {
        let takes = Duration::from_secs(6);
        Answer { takes, ..Answer::new("audio/mpeg", file.clone()) }
    })
    .await;
    let harness = harness_with(settings).await;
    let job = harness.submit_url(&format!("{}/talk.mp3", server.url)).await;
    assert_eq!(harness.end_of(job).await, "ok");
    let names = harness.names(job).await;
    let reports = names.iter().filter(|name| *name == "DownloadProgressed").count();
    assert!((1..=7).contains(&reports), "{names:?}");
}

/// Kills the first ffmpeg in whose command line all of `texts` occur.
fn kill_ffmpeg(texts: [&str; 2]) -> bool {
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line);
        if line.contains("ffmpeg\0") && texts.iter().all(|text| line.contains(text)) {
            let id = entry.file_name().to_str().unwrap().parse().unwrap();
            return nix::sys::signal::kill(nix::unistd::Pid::from_raw(id), nix::sys::signal::Signal::SIGKILL).is_ok();
        }
    }
    false
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_converter_or_planner_costs_an_attempt_and_not_the_rest_of_the_media() {
    let harness = harness_with(|harness| {
        let settings = settings(harness);
        let retry = RetrySettings { max_attempts: 5, ..settings.retry };
        DownloadSettings { max_duration: Duration::from_hours(5), retry, ..settings }
    })
    .await;
    let file = media("-f lavfi -i anoisesrc=duration=2400:sample_rate=16000 -ac 1", "flac");
    let key = BlobKey::new("uploads/long").unwrap();
    let info = harness.deps.blobs.put_stream(&key, &mut file.as_slice(), 1 << 30).await.unwrap();
    let (bytes, sha256) = (info.bytes, info.sha256);
    let upload = MediaSource::Upload { key: "uploads/long".into(), file_name: "long.flac".into(), bytes, sha256 };
    let work = harness.directory.path().join("work").display().to_string();
    let job = harness.submit(upload, None).await;
    for input in ["/upload", "/audio.flac"] {
        crate::testing::until("ffmpeg is killed", async || kill_ffmpeg([&work, input])).await;
    }
    assert_eq!(harness.end_of(job).await, "ok");
    let downloaded = harness.wait_for(job, |event| matches!(event, JobEvent::AudioDownloaded { .. })).await;
    let JobEvent::AudioDownloaded { audio, .. } = downloaded else { unreachable!() };
    assert_eq!(audio.duration_ms, 2_400_000);
    let names = harness.names(job).await;
    let count = |name: &str| names.iter().filter(|found| *found == name).count();
    assert_eq!((count("DownloadAttemptFailed"), count("WarningRaised")), (2, 0), "{names:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_and_other_tracks_are_reported() {
    let two = "-f lavfi -i anullsrc=r=16000:cl=mono -f lavfi -i anullsrc=r=16000:cl=mono -map 0 -map 1 -t 2 -c:a aac";
    let file = media(two, "mkv");
    let server = HttpServer::start(move |_, _| Answer::new("video/x-matroska", file.clone())).await;
    let harness = harness_with(settings).await;
    let job = harness.submit_url(&format!("{}/talk.mkv", server.url)).await;
    assert_eq!(harness.end_of(job).await, "ok");
    let (job, _) = harness.deps.jobs.load(job.0).await.unwrap();
    let codes: Vec<_> = job.warnings.iter().map(|warning| warning.code.as_str()).collect();
    assert_eq!(codes, ["audio_track_chosen", "silent_audio"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_audio_track_that_was_requested_is_the_one_that_is_stored() {
    let inputs = "-f lavfi -i sine=frequency=300:duration=2 -f lavfi -i anullsrc=r=16000:cl=mono:d=1 -map 0 -map 1";
    let names = "-metadata:s:a:0 language=eng -metadata:s:a:1 language=por -metadata:s:a:1 title=Comentário";
    let file = media(&format!("{inputs} {names} -c:a aac"), "mkv");
    let server = HttpServer::start(move |_, _| Answer::new("video/x-matroska", file.clone())).await;
    let harness = harness_with(settings).await;
    let source = || MediaSource::Url { url: format!("{}/talk.mkv", server.url).parse().unwrap() };
    let submit = async |number| {
        harness.submit_with(source(), TranscriptionOptions { audio_track: Some(number), ..<_>::default() }).await
    };
    let second = submit(2).await;
    assert_eq!(harness.end_of(second).await, "ok");
    let (job, _) = harness.deps.jobs.load(second.0).await.unwrap();
    assert!(job.audio.unwrap().duration_ms.abs_diff(1_000) < 100);
    let codes: Vec<_> = job.warnings.iter().map(|warning| warning.code.as_str()).collect();
    assert_eq!(codes, ["silent_audio"], "no warning about a choice of the client");
    let third = submit(3).await;
    assert_eq!(harness.end_of(third).await, "unknown_audio_track");
    let failed = harness.wait_for(third, |event| matches!(event, JobEvent::JobFailed { .. })).await;
    let JobEvent::JobFailed { failure, .. } = failed else { unreachable!() };
    assert!(failure.message.contains("number 3: it has 1 (eng), 2 (por, “Comentário”)"), "{}", failure.message);
}
