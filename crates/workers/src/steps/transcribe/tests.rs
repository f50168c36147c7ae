#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use ytcaption_domain::job::{Audio, Failure, JobEvent, TranscriptionOptions};
use ytcaption_models::{Catalogue, ModelEntry, ModelSettings, default_memory_bytes};
use ytcaption_whisper::CacheSettings;

use super::*;
use crate::steps::attempt::RetrySettings;
use crate::testing::TestHarness;

mod options;

/// The model that the repository carries, or another one with the same vocabulary.
fn model() -> PathBuf {
    std::env::var_os("YTCAPTION_TEST_MODEL")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../models/demo/model")), PathBuf::from)
}

/// Two sentences, two seconds apart, as a FLAC file in the blob store.
async fn talk(harness: &TestHarness) -> Audio {
    let script = "espeak-ng -v en-us -s 160 -w a.wav 'The harness is white and the dog is black.' && \
        espeak-ng -v en-us -s 160 -w b.wav 'Tomorrow is Friday.' && \
        ffmpeg -v error -nostdin -i a.wav -f lavfi -t 2 -i anullsrc=r=22050:cl=mono -i b.wav \
        -filter_complex '[0][1][2]concat=n=3:v=0:a=1' -ar 16000 -ac 1 talk.flac";
    let made = Command::new("sh").args(["-c", script]).current_dir(harness.directory.path()).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let path = harness.directory.path().join("talk.flac");
    let duration_ms =
        ytcaption_media::plan_chunks(&path, ytcaption_media::PlanSettings::default()).await.unwrap().duration_ms;
    let key = BlobKey::new("audio/talk.flac").unwrap();
    let info = harness.deps.blobs.put_file(&key, &path).await.unwrap();
    Audio { key: key.to_string(), bytes: info.bytes, sha256: info.sha256, duration_ms }
}

async fn job_with(harness: &TestHarness, audio: &Audio, chunks: Vec<Span>) -> JobId {
    let job = harness.submit_url("http://example.org/a.mp4").await;
    harness.command(job, JobCommand::StartDownload { worker: "w".into() }).await;
    let audio = audio.clone();
    let whole = vec![Span { start_ms: 0, end_ms: audio.duration_ms }];
    let chunks = if chunks.is_empty() { whole } else { chunks };
    harness.command(job, JobCommand::RecordAudio { attempt: 1, audio, title: None, chunks }).await;
    job
}

/// The model at `default`, and those in the harness's directory `models`.
fn models(harness: &TestHarness, default: &Path) -> CacheSettings {
    CacheSettings {
        catalogue: Catalogue::new(harness.directory.path().join("models"), ModelEntry::new(default)),
        model: ModelSettings::default(),
        memory_bytes: default_memory_bytes(),
    }
}

fn settings(harness: &TestHarness) -> TranscribeSettings {
    TranscribeSettings {
        cache_dir: harness.directory.path().join("cache"),
        concurrency: 2,
        ..TranscribeSettings::default()
    }
}

/// A job for all of `audio`, with a model of its own choice.
async fn job_for(harness: &TestHarness, audio: &Audio, transcription: TranscriptionOptions) -> JobId {
    let id = crate::testing::new_id();
    let command = JobCommand::Create {
        account: ytcaption_domain::AccountId::local(),
        source: ytcaption_domain::job::MediaSource::Url { url: "http://example.org/a.mp4".parse().unwrap() },
        options: ytcaption_domain::job::JobOptions::Transcription(transcription),
        priority: ytcaption_domain::job::Priority::High,
        webhook_url: None,
        retry_of: None,
    };
    harness.deps.jobs.create(id, command, &crate::testing::client()).await.unwrap();
    let job = JobId(id);
    harness.command(job, JobCommand::StartDownload { worker: "w".into() }).await;
    let (audio, chunks) = (audio.clone(), vec![Span { start_ms: 0, end_ms: audio.duration_ms }]);
    harness.command(job, JobCommand::RecordAudio { attempt: 1, audio, title: None, chunks }).await;
    job
}

fn with_model(name: &str) -> TranscriptionOptions {
    TranscriptionOptions { model: Some(name.to_owned()), ..TranscriptionOptions::default() }
}

async fn failure_of(harness: &TestHarness, job: JobId) -> Failure {
    let failed = harness.wait_for(job, |event| matches!(event, JobEvent::JobFailed { .. })).await;
    let JobEvent::JobFailed { failure, .. } = failed else { unreachable!() };
    failure
}

#[tokio::test(flavor = "multi_thread")]
async fn chunks_become_text_at_the_times_of_the_media() {
    let mut harness = TestHarness::new().await;
    let audio = talk(&harness).await;
    let (models, settings) = (models(&harness, &model()), settings(&harness));
    harness.start_relay();
    harness.start(|deps, stop| Box::pin(run(deps, models, settings, stop)));
    // Between the sentences.
    let cut = audio.duration_ms - 2200;
    let chunks = vec![Span { start_ms: 0, end_ms: cut }, Span { start_ms: cut, end_ms: audio.duration_ms }];
    let job = job_with(&harness, &audio, chunks).await;
    harness.wait_for(job, |event| matches!(event, JobEvent::JobCompleted { .. })).await;
    let second = |event: &JobEvent| matches!(event, JobEvent::ChunkTranscribed { chunk: 1, .. });
    let JobEvent::ChunkTranscribed { segments, language, .. } = harness.wait_for(job, second).await else {
        unreachable!()
    };
    assert_eq!(language, "en");
    let text: String = segments.iter().map(|segment| segment.text.as_str()).collect();
    assert!(text.to_lowercase().contains("tomorrow is friday"), "{text}");
    assert!(segments[0].start_ms >= cut && segments[0].end_ms <= audio.duration_ms, "{segments:?}");
    let started = harness.wait_for(job, |event| matches!(event, JobEvent::ChunkStarted { .. })).await;
    let JobEvent::ChunkStarted { worker, .. } = started else { unreachable!() };
    assert_eq!(worker, "transcribe@test:1");
}

/// Each text in its voice, with silence between, as a FLAC file in the blob store; and the start of each.
async fn said(harness: &TestHarness, name: &str, parts: &[(&str, &str)]) -> (Audio, Vec<u64>) {
    let directory = harness.directory.path().join(name);
    std::fs::create_dir(&directory).unwrap();
    let (mut begins, mut list) = (vec![], String::new());
    let mut end_ms = 0;
    for (number, (voice, text)) in parts.iter().enumerate() {
        let script = format!(
            "espeak-ng -v {voice} -s 160 -w {number}.wav '{text}' && ffmpeg -v error -nostdin -i {number}.wav \
             -af apad=pad_dur=1.5 -ar 16000 -ac 1 {number}.flac"
        );
        let made = Command::new("sh").args(["-c", &script]).current_dir(&directory).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        begins.push(end_ms);
        let piece = directory.join(format!("{number}.flac"));
        end_ms += ytcaption_media::plan_chunks(&piece, <_>::default()).await.unwrap().duration_ms;
        list.extend(["file '", &number.to_string(), ".flac'\n"]);
    }
    std::fs::write(directory.join("list"), list).unwrap();
    let script = "ffmpeg -v error -nostdin -f concat -i list -ar 16000 -ac 1 talk.flac";
    let made = Command::new("sh").args(["-c", script]).current_dir(&directory).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let key = BlobKey::new(format!("audio/{name}.flac")).unwrap();
    let info = harness.deps.blobs.put_file(&key, &directory.join("talk.flac")).await.unwrap();
    (Audio { key: key.to_string(), bytes: info.bytes, sha256: info.sha256, duration_ms: end_ms }, begins)
}

#[tokio::test(flavor = "multi_thread")]
async fn all_chunks_are_in_the_language_of_the_media() {
    let mut harness = TestHarness::new().await;
    let english =
        ("en-us", "The harness is white and the dog is black. Please open the window now. We want three red cars.");
    let portuguese = ("pt-br", "A casa é branca e o cão é preto.");
    let (audio, begins) = said(&harness, "mostly-english", &[english, english, english, portuguese]).await;
    let (models, settings) = (models(&harness, &model()), settings(&harness));
    harness.start_relay();
    harness.start(|deps, stop| Box::pin(run(deps, models, settings, stop)));
    let spans = |cuts: &[u64]| -> Vec<Span> {
        let span = |pair: &[u64]| Span { start_ms: pair[0], end_ms: pair[1] };
        cuts.windows(2).map(span).collect()
    };
    let languages = async |audio: &Audio, chunks: Vec<Span>| -> Vec<String> {
        let job = job_with(&harness, audio, chunks).await;
        harness.wait_for(job, |event| matches!(event, JobEvent::JobCompleted { .. })).await;
        let events = harness.events(job).await;
        let events = events.iter().flat_map(|event| event.decode::<JobEvent>().unwrap());
        events
            .filter_map(|event| match event {
                JobEvent::LanguageDetected { language } => Some(format!("all: {language}")),
                JobEvent::ChunkTranscribed { language, .. } => Some(language),
                _ => None,
            })
            .collect()
    };
    let cut = begins[3];
    let shared = languages(&audio, spans(&[0, cut, audio.duration_ms])).await;
    assert!(shared.iter().any(|language| language == "all: en"), "{shared:?}");
    let of_chunks: Vec<_> = shared.iter().filter(|language| !language.starts_with("all")).collect();
    assert_eq!(of_chunks, ["en", "en"], "{shared:?}");
    let alone = languages(&said(&harness, "portuguese", &[portuguese]).await.0, vec![]).await;
    assert_eq!(alone, ["pt"], "the second chunk alone would be detected as another language");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chunk_whose_audio_is_gone_ends_the_job_and_says_so() {
    let mut harness = TestHarness::new().await;
    let audio = talk(&harness).await;
    harness.deps.blobs.delete(&BlobKey::new(audio.key.clone()).unwrap()).await.unwrap();
    let job = job_with(&harness, &audio, vec![Span { start_ms: 0, end_ms: audio.duration_ms }]).await;
    let (models, settings) = (models(&harness, &model()), settings(&harness));
    harness.start_relay();
    harness.start(|deps, stop| Box::pin(run(deps, models, settings, stop)));
    let failure = failure_of(&harness, job).await;
    assert_eq!(failure.code, "audio_missing");
    assert!(failure.message.contains("submit the media again"), "{failure:?}");
    assert_eq!(harness.names(job).await.iter().filter(|name| *name == "ChunkStarted").count(), 1, "not tried again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chunk_whose_audio_is_not_what_was_stored_ends_the_job_and_writes_nothing() {
    let mut harness = TestHarness::new().await;
    let audio = talk(&harness).await;
    let key = BlobKey::new(audio.key.clone()).unwrap();
    let other = harness.directory.path().join("other.flac");
    let whole = std::fs::read(harness.directory.path().join("talk.flac")).unwrap();
    // Sound all the same, and the storage knows its fingerprint: it is not what the job's event says.
    std::fs::write(&other, &whole[..whole.len() / 2]).unwrap();
    harness.deps.blobs.put_file(&key, &other).await.unwrap();
    let job = job_with(&harness, &audio, vec![]).await;
    let (models, settings) = (models(&harness, &model()), settings(&harness));
    harness.start_relay();
    harness.start(|deps, stop| Box::pin(run(deps, models, settings, stop)));
    let failure = failure_of(&harness, job).await;
    assert_eq!(failure.code, "audio_corrupt");
    assert!(failure.message.contains("submit the media again"), "{failure:?}");
    assert!(!harness.names(job).await.contains(&"ChunkTranscribed".to_owned()), "no half of it passes for the whole");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_model_or_language_fails_and_says_what_there_is() {
    let mut harness = TestHarness::new().await;
    let audio = talk(&harness).await;
    let (models, settings) = (models(&harness, &model()), settings(&harness));
    harness.start_relay();
    harness.start(|deps, stop| Box::pin(run(deps, models, settings, stop)));
    let language = TranscriptionOptions { language: "xx".into(), ..TranscriptionOptions::default() };
    let cases = [(with_model("huge"), "unknown_model", "This server has: demo"), (language, "unknown_language", "en")];
    for (transcription, code, said) in cases {
        let failure = failure_of(&harness, job_for(&harness, &audio, transcription).await).await;
        assert_eq!(failure.code, code);
        assert!(failure.message.contains(said), "{failure:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_uses_the_model_that_it_requests_and_a_broken_one_harms_no_other() {
    let mut harness = TestHarness::new().await;
    let audio = talk(&harness).await;
    for (name, weights) in [("second", None), ("broken", Some(&[0_u8; 100]))] {
        let directory = harness.directory.path().join("models").join(name);
        std::fs::create_dir_all(&directory).unwrap();
        for file in ["model.bin", "config.json", "vocabulary.json"] {
            std::fs::copy(model().join(file), directory.join(file)).unwrap();
        }
        if let Some(bytes) = weights {
            std::fs::write(directory.join("model.bin"), bytes).unwrap();
        }
    }
    let retry = RetrySettings { max_attempts: 2, min_delay: Duration::ZERO, max_delay: Duration::ZERO };
    let models = models(&harness, &model());
    let settings = TranscribeSettings { retry, ..settings(&harness) };
    harness.start_relay();
    harness.start(|deps, stop| Box::pin(run(deps, models, settings, stop)));
    let broken = job_for(&harness, &audio, with_model("broken")).await;
    // The default model went by the name of its directory once: jobs of that time go on.
    for (requested, used) in
        [(with_model("second"), "second"), (with_model("model"), "model"), (<_>::default(), "demo")]
    {
        let job = job_for(&harness, &audio, requested).await;
        harness.wait_for(job, |event| matches!(event, JobEvent::JobCompleted { .. })).await;
        let started = harness.wait_for(job, |event| matches!(event, JobEvent::ChunkStarted { .. })).await;
        assert!(matches!(&started, JobEvent::ChunkStarted { model, .. } if model == used), "{started:?}");
    }
    let failure = failure_of(&harness, broken).await;
    assert_eq!(failure.code, "model_unusable");
    assert!(failure.message.contains("Other models: demo, second"), "{failure:?}");
    assert!(!failure.message.contains("model.bin"), "paths of this machine are not for clients: {failure:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_goes_on_with_the_beam_size_it_was_begun_with() {
    let mut harness = TestHarness::new().await;
    let audio = talk(&harness).await;
    let cut = audio.duration_ms - 2200;
    let chunks = vec![Span { start_ms: 0, end_ms: cut }, Span { start_ms: cut, end_ms: audio.duration_ms }];
    let (fresh, begun) = (job_with(&harness, &audio, chunks.clone()).await, job_with(&harness, &audio, chunks).await);
    harness.command(begun, JobCommand::ChooseBeamSize { beam_size: 2 }).await;
    let models = models(&harness, &model());
    let settings = TranscribeSettings { beam_size: 3, ..settings(&harness) };
    harness.start_relay();
    harness.start(|deps, stop| Box::pin(run(deps, models, settings, stop)));
    for (job, beam_size) in [(fresh, 3), (begun, 2)] {
        harness.wait_for(job, |event| matches!(event, JobEvent::JobCompleted { .. })).await;
        assert_eq!(harness.deps.jobs.load(job.0).await.unwrap().0.beam_size, Some(beam_size));
        assert_eq!(harness.names(job).await.iter().filter(|name| *name == "BeamSizeChosen").count(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_begun_with_another_model_waits_for_a_worker_that_has_it() {
    let mut harness = TestHarness::new().await;
    let audio = talk(&harness).await;
    let job = job_with(&harness, &audio, vec![Span { start_ms: 0, end_ms: audio.duration_ms }]).await;
    harness.command(job, JobCommand::StartChunk { chunk: 0, worker: "w".into(), model: "other".into() }).await;
    let (models, settings) = (models(&harness, &model()), settings(&harness));
    harness.start_relay();
    harness.start(|deps, stop| Box::pin(run(deps, models, settings, stop)));
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    assert_eq!(harness.names(job).await.last().unwrap(), "ChunkStarted", "nothing is decided about it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_without_its_model_does_not_start() {
    let harness = TestHarness::new().await;
    let nowhere = harness.directory.path().join("nowhere");
    let ended =
        run(harness.deps.clone(), models(&harness, &nowhere), settings(&harness), CancellationToken::new()).await;
    assert!(ended.as_ref().is_err_and(|error| error.to_string().contains("no model directory at")), "{ended:?}");
}
