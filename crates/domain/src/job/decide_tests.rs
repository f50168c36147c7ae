//! Given these events, when this command comes, then these events follow.

use super::*;
use crate::AccountId;
use crate::job::{JobOptions, MediaSource, Priority, TranscriptionOptions, evolve};

#[path = "decide_properties.rs"]
mod properties;

struct Given(Job);

fn given(events: &[JobEvent]) -> Given {
    let mut job = Job::default();
    for event in events {
        evolve(&mut job, event);
    }
    Given(job)
}

impl Given {
    fn when(&self, command: JobCommand) -> Result<Vec<JobEvent>, JobRejection> {
        decide(&self.0, command)
    }
}

fn source() -> MediaSource {
    MediaSource::Upload { key: "uploads/1".into(), file_name: "a.mp4".into(), bytes: 9, sha256: "00".into() }
}

fn create() -> JobCommand {
    JobCommand::Create {
        account: AccountId::local(),
        source: source(),
        options: JobOptions::Transcription(TranscriptionOptions::default()),
        priority: Priority::Normal,
        webhook_url: None,
        retry_of: None,
    }
}

fn created() -> JobEvent {
    JobEvent::JobCreated {
        account: AccountId::local(),
        source: source(),
        options: JobOptions::Transcription(TranscriptionOptions::default()),
        priority: Priority::Normal,
        webhook_url: None,
        retry_of: None,
    }
}

fn download_started(attempt: u32) -> JobEvent {
    JobEvent::DownloadStarted { attempt, worker: "w".into() }
}

fn audio() -> Audio {
    Audio { key: "audio/1".into(), bytes: 5, sha256: "11".into(), duration_ms: 2000 }
}

fn span(start_ms: u64, end_ms: u64) -> Span {
    Span { start_ms, end_ms }
}

fn record_audio_in(attempt: u32, chunks: Vec<Span>) -> JobCommand {
    JobCommand::RecordAudio { attempt, audio: audio(), title: None, chunks }
}

fn truncated() -> Warning {
    Warning { code: "truncated_media".into(), message: "Its end is missing.".into() }
}

fn raise_warning(attempt: u32) -> JobCommand {
    JobCommand::RaiseWarning { attempt, warning: truncated() }
}

/// A job of two chunks, the audio just downloaded.
fn two_chunks() -> Vec<JobEvent> {
    vec![
        created(),
        download_started(1),
        JobEvent::AudioDownloaded { attempt: 1, audio: audio(), title: None },
        JobEvent::ChunksPlanned { chunks: vec![span(0, 1000), span(1000, 2000)] },
        chunk_scheduled(0),
    ]
}

fn chunk_scheduled(chunk: u32) -> JobEvent {
    let start_ms = u64::from(chunk) * 1000;
    JobEvent::ChunkScheduled { chunk, start_ms, end_ms: start_ms + 1000 }
}

/// The same with both chunks scheduled.
fn two_scheduled_chunks() -> Vec<JobEvent> {
    let mut events = two_chunks();
    events.push(chunk_scheduled(1));
    events
}

fn chunk_started(chunk: u32, attempt: u32) -> JobEvent {
    JobEvent::ChunkStarted { chunk, attempt, worker: "w".into(), model: "demo".into() }
}

fn start_chunk_with(chunk: u32, model: &str) -> JobCommand {
    JobCommand::StartChunk { chunk, worker: "w".into(), model: model.into() }
}

fn segment(start_ms: u64, end_ms: u64) -> Segment {
    Segment {
        start_ms,
        end_ms,
        text: "hello".into(),
        avg_logprob: -0.1,
        no_speech_prob: 0.0,
        compression_ratio: 1.0,
        temperature: 0.0,
        words: vec![],
    }
}

fn record(chunk: u32, attempt: u32, language: &str, segments: Vec<Segment>) -> JobCommand {
    JobCommand::RecordChunk { chunk, attempt, language: language.into(), segments }
}

fn transcribed(chunk: u32, language: &str, segments: Vec<Segment>) -> JobEvent {
    JobEvent::ChunkTranscribed { chunk, attempt: 1, language: language.into(), segments }
}

fn completed(language: &str, segments: u32) -> JobEvent {
    JobEvent::JobCompleted {
        result: JobResult::Transcription { language: language.into(), duration_ms: 2000, segments },
    }
}

fn failure() -> Failure {
    Failure { code: "http_503".into(), message: "The site is busy.".into() }
}

#[test]
fn a_new_job_is_created_once() {
    assert_eq!(given(&[]).when(create()), Ok(vec![created()]));
    assert_eq!(given(&[created()]).when(create()), Err(JobRejection::AlreadyExists));
}

#[test]
fn a_job_that_does_not_exist_rejects_commands() {
    assert_eq!(given(&[]).when(JobCommand::Cancel { reason: None }), Err(JobRejection::NotFound));
}

#[test]
fn each_download_attempt_gets_the_next_number() {
    let start = || JobCommand::StartDownload { worker: "w".into() };
    assert_eq!(given(&[created()]).when(start()), Ok(vec![download_started(1)]));
    assert_eq!(given(&[created(), download_started(1)]).when(start()), Ok(vec![download_started(2)]));
    assert_eq!(given(&two_chunks()).when(start()), Ok(vec![]));
}

#[test]
fn the_audio_is_planned_and_its_first_chunk_scheduled() {
    let events = given(&[created(), download_started(1)])
        .when(record_audio_in(1, vec![span(0, 1000), span(1000, 2000)]))
        .expect("the plan is valid");
    assert_eq!(events, two_chunks()[2..]);
}

#[test]
fn one_chunk_waits_at_a_time_and_a_start_schedules_the_next() {
    let spans = (0..4).map(|n| span(n * 1000, (n + 1) * 1000)).collect();
    let mut events = vec![created(), download_started(1)];
    events.extend(given(&events).when(record_audio_in(1, spans)).expect("the plan is valid"));
    for chunk in 0..4 {
        let started = given(&events).when(start_chunk_with(chunk, "demo")).expect("it is scheduled");
        let next = (chunk < 3).then(|| chunk_scheduled(chunk + 1));
        assert_eq!(started, std::iter::once(chunk_started(chunk, 1)).chain(next).collect::<Vec<_>>());
        let too_early = given(&events).when(start_chunk_with(chunk + 1, "demo"));
        assert_eq!(too_early, Err(JobRejection::UnknownChunk(chunk + 1)));
        events.extend(started);
        let again = given(&events).when(start_chunk_with(chunk, "demo"));
        assert_eq!(again, Ok(vec![chunk_started(chunk, 2)]), "a second attempt schedules no further chunk");
    }
}

#[test]
fn the_first_worker_fixes_the_beam_size_of_all_chunks() {
    let choose = |beam_size| JobCommand::ChooseBeamSize { beam_size };
    let chosen = JobEvent::BeamSizeChosen { beam_size: 5 };
    let mut events = two_chunks();
    assert_eq!(given(&events).when(choose(5)), Ok(vec![chosen.clone()]));
    events.push(chosen);
    assert_eq!(given(&events).when(choose(1)), Ok(vec![]));
    assert_eq!(given(&events).0.beam_size, Some(5));
}

#[test]
fn the_first_detected_language_is_that_of_all_chunks() {
    let detect = |language: &str| JobCommand::RecordLanguage { language: language.into() };
    let detected = JobEvent::LanguageDetected { language: "pt".into() };
    let mut events = two_chunks();
    assert_eq!(given(&events).when(detect("pt")), Ok(vec![detected.clone()]));
    events.push(detected);
    assert_eq!(given(&events).when(detect("en")), Ok(vec![]));
    assert_eq!(given(&events).0.language(), Some("pt"));

    let mut events = two_chunks();
    events.extend([chunk_started(0, 1), transcribed(0, UNDETERMINED, vec![])]);
    assert_eq!(given(&events).0.language(), None, "there was no speech");
    events.extend([chunk_scheduled(1), chunk_started(1, 1), transcribed(1, "en", vec![])]);
    assert_eq!(given(&events).0.language(), Some("en"));

    let options = TranscriptionOptions { language: "fr".into(), ..TranscriptionOptions::default() };
    let mut events = two_chunks();
    if let JobEvent::JobCreated { options: of_job, .. } = &mut events[0] {
        *of_job = JobOptions::Transcription(options);
    }
    assert_eq!(given(&events).when(detect("en")), Ok(vec![]), "one was requested");
    assert_eq!(given(&events).0.language(), Some("fr"));
}

#[test]
fn a_plan_with_gaps_or_without_chunks_is_rejected() {
    let job = given(&[created(), download_started(1)]);
    for plan in [vec![], vec![span(0, 0)], vec![span(0, 10), span(11, 20)]] {
        assert_eq!(job.when(record_audio_in(1, plan)), Err(JobRejection::InvalidPlan));
    }
}

#[test]
fn a_superseded_attempt_is_a_no_op() {
    let job = given(&[created(), download_started(1), download_started(2)]);
    assert_eq!(job.when(record_audio_in(1, vec![span(0, 1)])), Ok(vec![]));
    let late = JobCommand::RecordDownloadFailure { attempt: 1, failure: failure(), retry_in_ms: None };
    assert_eq!(job.when(late), Ok(vec![]));
    assert_eq!(job.when(JobCommand::ReportDownloadProgress { attempt: 1, percent: 50 }), Ok(vec![]));
}

#[test]
fn a_late_failure_of_a_chunk_is_a_no_op() {
    let fail = |attempt| JobCommand::RecordChunkFailure { chunk: 0, attempt, failure: failure(), retry_in_ms: None };
    let mut events = two_scheduled_chunks();
    events.extend([chunk_started(0, 1), chunk_started(0, 2)]);
    assert_eq!(given(&events).when(fail(1)), Ok(vec![]), "attempt 1 is superseded");
    events.push(JobEvent::ChunkTranscribed { chunk: 0, attempt: 2, language: "en".into(), segments: vec![] });
    assert_eq!(given(&events).when(fail(2)), Ok(vec![]), "the chunk has its text");
}

#[test]
fn a_warning_is_raised_once_an_attempt_and_not_by_a_superseded_one() {
    let raised = |attempt| JobEvent::WarningRaised { attempt, warning: truncated() };
    assert_eq!(given(&[created(), download_started(1)]).when(raise_warning(1)), Ok(vec![raised(1)]));
    assert_eq!(given(&[created(), download_started(1), raised(1)]).when(raise_warning(1)), Ok(vec![]));
    let again = given(&[created(), download_started(1), raised(1), download_started(2)]);
    assert_eq!((again.when(raise_warning(1)), again.when(raise_warning(2))), (Ok(vec![]), Ok(vec![raised(2)])));
    assert_eq!(given(&two_chunks()).when(raise_warning(1)), Ok(vec![]));
}

#[test]
fn progress_only_moves_forward() {
    let progress = |percent| JobCommand::ReportDownloadProgress { attempt: 1, percent };
    let progressed = |percent| JobEvent::DownloadProgressed { attempt: 1, percent };
    let job = given(&[created(), download_started(1), progressed(40)]);
    assert_eq!(job.when(progress(40)), Ok(vec![]));
    assert_eq!(job.when(progress(200)), Ok(vec![progressed(100)]));
}

#[test]
fn a_failure_without_a_retry_ends_the_job() {
    let events = given(&[created(), download_started(1)]).when(JobCommand::RecordDownloadFailure {
        attempt: 1,
        failure: failure(),
        retry_in_ms: None,
    });
    assert_eq!(
        events,
        Ok(vec![
            JobEvent::DownloadAttemptFailed { attempt: 1, failure: failure(), retry_in_ms: None },
            JobEvent::JobFailed { step: "download".into(), failure: failure() },
        ])
    );
}

#[test]
fn a_failure_with_a_retry_leaves_the_job_open() {
    let mut events = two_chunks();
    events.push(chunk_started(0, 1));
    let decided = given(&events).when(JobCommand::RecordChunkFailure {
        chunk: 0,
        attempt: 1,
        failure: failure(),
        retry_in_ms: Some(500),
    });
    assert_eq!(
        decided,
        Ok(vec![JobEvent::ChunkAttemptFailed { chunk: 0, attempt: 1, failure: failure(), retry_in_ms: Some(500) }])
    );
}

#[test]
fn the_last_chunk_completes_the_job_in_the_same_decision() {
    let mut events = two_scheduled_chunks();
    events.extend([chunk_started(0, 1), chunk_started(1, 1)]);
    events.push(transcribed(1, "pt", vec![segment(1000, 1900)]));
    let decided = given(&events).when(record(0, 1, "en", vec![segment(0, 500)]));
    assert_eq!(decided, Ok(vec![transcribed(0, "en", vec![segment(0, 500)]), completed("pt", 2),]));
}

#[test]
fn a_result_without_words_says_why() {
    let mut events = two_scheduled_chunks();
    events.extend([chunk_started(0, 1), chunk_started(1, 1), transcribed(1, "und", vec![])]);
    let last = || record(0, 1, "und", vec![]);
    let warning = JobEvent::WarningRaised { attempt: 1, warning: no_words_found() };
    let decided = given(&events).when(last());
    assert_eq!(decided, Ok(vec![transcribed(0, "und", vec![]), warning, completed("und", 0)]));
    let silent = Warning { code: SILENT_AUDIO.into(), message: "The audio is silent.".into() };
    events.insert(2, JobEvent::WarningRaised { attempt: 1, warning: silent });
    let decided = given(&events).when(last());
    assert_eq!(decided, Ok(vec![transcribed(0, "und", vec![]), completed("und", 0)]), "it is explained already");
}

#[test]
fn a_chunk_transcribed_twice_counts_once() {
    let mut events = two_chunks();
    events.extend([chunk_started(0, 1), transcribed(0, "en", vec![])]);
    let job = given(&events);
    assert_eq!(job.when(record(0, 1, "en", vec![])), Ok(vec![]));
    assert_eq!(job.when(start_chunk_with(0, "demo")), Ok(vec![]));
}

#[test]
fn silent_media_has_an_undetermined_language() {
    let mut events = two_scheduled_chunks();
    events.extend([chunk_started(0, 1), chunk_started(1, 1), transcribed(1, UNDETERMINED, vec![])]);
    let decided = given(&events).when(record(0, 1, UNDETERMINED, vec![])).expect("silence is a result");
    assert_eq!(decided.last(), Some(&completed(UNDETERMINED, 0)));
}

#[test]
fn the_model_cannot_change_within_a_job() {
    let mut events = two_scheduled_chunks();
    events.push(chunk_started(0, 1));
    assert_eq!(
        given(&events).when(start_chunk_with(1, "other")),
        Err(JobRejection::ModelChanged { started_with: "demo".into(), offered: "other".into() })
    );
}

#[test]
fn a_segment_may_be_empty_and_not_end_before_it_starts() {
    let mut events = two_scheduled_chunks();
    events.push(chunk_started(0, 1));
    let recorded = |start_ms, end_ms| given(&events).when(record(0, 1, "en", vec![segment(start_ms, end_ms)]));
    assert_eq!(recorded(5, 5), Ok(vec![transcribed(0, "en", vec![segment(5, 5)])]));
    assert_eq!(recorded(5, 4), Err(JobRejection::InvalidSegment(0)));
}

#[test]
fn impossible_times_and_chunks_are_rejected() {
    let mut events = two_chunks();
    events.push(chunk_started(0, 1));
    let job = given(&events);
    assert_eq!(job.when(record(0, 1, "en", vec![segment(9, 8)])), Err(JobRejection::InvalidSegment(0)));
    assert_eq!(job.when(record(7, 1, "en", vec![])), Err(JobRejection::UnknownChunk(7)));
}

#[test]
fn cancelling_stops_an_open_job_and_only_that() {
    let cancel = || JobCommand::Cancel { reason: None };
    let cancelled = JobEvent::JobCancelled { reason: None };
    assert_eq!(given(&two_chunks()).when(cancel()), Ok(vec![cancelled.clone()]));
    let mut events = two_chunks();
    events.push(cancelled);
    assert_eq!(given(&events).when(cancel()), Ok(vec![]));
    assert_eq!(given(&events).when(start_chunk_with(0, "demo")), Ok(vec![]));
    events.push(JobEvent::JobFailed { step: "download".into(), failure: failure() });
    assert_eq!(given(&events).when(cancel()), Err(JobRejection::AlreadyEnded(JobStatus::Failed)));
}
