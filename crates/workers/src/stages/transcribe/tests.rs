#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::PathBuf;
use std::process::Command;

use ytcaption_domain::job::{Audio, JobEvent, TranscriptionOptions};
use ytcaption_whisper::ModelError;

use super::*;
use crate::testing::House;

/// The model that the repository carries, or another one with the same vocabulary.
fn model() -> PathBuf {
    std::env::var_os("YTCAPTION_TEST_MODEL")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../models/demo/model")), PathBuf::from)
}

/// Two sentences, two seconds apart, as a FLAC file in the blob store.
async fn talk(house: &House) -> Audio {
    let script = "espeak-ng -v en-us -s 160 -w a.wav 'The house is white and the dog is black.' && \
        espeak-ng -v en-us -s 160 -w b.wav 'Tomorrow is Friday.' && \
        ffmpeg -v error -nostdin -i a.wav -f lavfi -t 2 -i anullsrc=r=22050:cl=mono -i b.wav \
        -filter_complex '[0][1][2]concat=n=3:v=0:a=1' -ar 16000 -ac 1 talk.flac";
    let made = Command::new("sh").args(["-c", script]).current_dir(house.folder.path()).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let path = house.folder.path().join("talk.flac");
    let duration_ms =
        ytcaption_whisper::plan_chunks(&path, &ytcaption_whisper::PlanSettings::default()).await.unwrap().duration_ms;
    let key = BlobKey::new("audio/talk.flac").unwrap();
    let info = house.deps.blobs.put_file(&key, &path).await.unwrap();
    Audio { key: key.to_string(), bytes: info.bytes, sha256: info.sha256, duration_ms }
}

async fn job_with(house: &House, audio: &Audio, chunks: Vec<ChunkSpan>) -> JobId {
    let job = house.submit_url("http://example.org/a.mp4").await;
    house.command(job, JobCommand::StartDownload { worker: "w".into() }).await;
    let audio = audio.clone();
    house.command(job, JobCommand::RecordAudio { attempt: 1, audio, title: None, chunks }).await;
    job
}

fn settings(house: &House) -> TranscribeSettings {
    TranscribeSettings {
        cache_dir: house.folder.path().join("cache"),
        concurrency: 2,
        ..TranscribeSettings::with_model(model())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn chunks_become_text_at_the_times_of_the_recording() {
    let mut house = House::new().await;
    let audio = talk(&house).await;
    let settings = settings(&house);
    house.start_relay();
    house.start(|deps, stop| Box::pin(run(deps, settings, stop)));
    // Between the sentences.
    let cut = audio.duration_ms - 2200;
    let chunks = vec![ChunkSpan { start_ms: 0, end_ms: cut }, ChunkSpan { start_ms: cut, end_ms: audio.duration_ms }];
    let job = job_with(&house, &audio, chunks).await;
    house.wait_for(job, |event| matches!(event, JobEvent::TranscriptionCompleted { .. })).await;
    let second = |event: &JobEvent| matches!(event, JobEvent::ChunkTranscribed { chunk: 1, .. });
    let JobEvent::ChunkTranscribed { segments, language, .. } = house.wait_for(job, second).await else {
        unreachable!()
    };
    assert_eq!(language, "en");
    let text: String = segments.iter().map(|segment| segment.text.as_str()).collect();
    assert!(text.to_lowercase().contains("tomorrow is friday"), "{text}");
    assert!(segments[0].start_ms >= cut && segments[0].end_ms <= audio.duration_ms, "{segments:?}");
    let started = house.wait_for(job, |event| matches!(event, JobEvent::ChunkStarted { .. })).await;
    let JobEvent::ChunkStarted { worker, .. } = started else { unreachable!() };
    assert_eq!(worker, "transcribe@test:1");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_model_or_language_fails_and_says_what_there_is() {
    let mut house = House::new().await;
    let audio = talk(&house).await;
    let settings = settings(&house);
    house.start_relay();
    house.start(|deps, stop| Box::pin(run(deps, settings, stop)));
    for (language, model, code) in [("auto", Some("huge"), "unknown_model"), ("xx", None, "unknown_language")] {
        let id = crate::testing::new_id();
        let command = JobCommand::CreateTranscription {
            account: ytcaption_domain::AccountId::default(),
            source: ytcaption_domain::job::MediaSource::Url { url: "http://example.org/a.mp4".parse().unwrap() },
            transcription: TranscriptionOptions {
                language: language.into(),
                model: model.map(str::to_owned),
                ..TranscriptionOptions::default()
            },
            priority: ytcaption_domain::job::Priority::High,
            webhook_url: None,
        };
        house.deps.jobs.create(id, command, &crate::testing::client()).await.unwrap();
        let job = JobId(id);
        house.command(job, JobCommand::StartDownload { worker: "w".into() }).await;
        let (audio, chunks) = (audio.clone(), vec![ChunkSpan { start_ms: 0, end_ms: audio.duration_ms }]);
        house.command(job, JobCommand::RecordAudio { attempt: 1, audio, title: None, chunks }).await;
        let failed = house.wait_for(job, |event| matches!(event, JobEvent::TranscriptionFailed { .. })).await;
        let JobEvent::TranscriptionFailed { failure, .. } = failed else { unreachable!() };
        assert_eq!(failure.code, code);
        assert!(failure.message.contains(if model.is_some() { "This server has: model" } else { "en" }), "{failure:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_begun_with_another_model_waits_for_a_worker_that_has_it() {
    let mut house = House::new().await;
    let audio = talk(&house).await;
    let job = job_with(&house, &audio, vec![ChunkSpan { start_ms: 0, end_ms: audio.duration_ms }]).await;
    house.command(job, JobCommand::StartChunk { chunk: 0, worker: "w".into(), model: "other".into() }).await;
    let settings = settings(&house);
    house.start_relay();
    house.start(|deps, stop| Box::pin(run(deps, settings, stop)));
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    assert_eq!(house.names(job).await.last().unwrap(), "ChunkStarted", "nothing is decided about it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_without_its_model_does_not_start() {
    let house = House::new().await;
    let settings = TranscribeSettings::with_model(house.folder.path().join("nowhere"));
    let ended = run(house.deps.clone(), settings, CancellationToken::new()).await;
    assert!(matches!(ended, Err(StartError::Model(ModelError::NoFolder { .. }))), "{ended:?}");
}
