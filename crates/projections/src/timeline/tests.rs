//! Timelines of recorded events.

use std::collections::HashMap;

use chrono::TimeDelta;
use cqrs_es::DomainEvent;
use ytcaption_domain::Span;
use ytcaption_domain::captions::Segment;
use ytcaption_domain::delivery::DeliveryEvent;
use ytcaption_domain::job::{
    Audio, Failure, JobEvent, JobOptions, JobResult, MediaSource, Priority, TranscriptionOptions,
};
use ytcaption_domain::{AccountId, Actor, CommandContext, EventMetadata};
use ytcaption_eventstore::Cursor;

use super::*;

/// The job of all tests.
pub(crate) const JOB: JobId = JobId(Uuid::from_u128(1));

/// Records the events of a job one after the other.
pub(crate) struct TestJob {
    pub(crate) events: Vec<RecordedEvent>,
    sequences: HashMap<&'static str, u64>,
}

impl TestJob {
    /// A job that was just submitted by a client.
    pub(crate) fn new() -> Self {
        let mut job = Self { events: vec![], sequences: HashMap::new() };
        let created = JobEvent::JobCreated {
            account: AccountId::local(),
            source: MediaSource::Url { url: "https://example.org/talk".parse().expect("a URL") },
            options: JobOptions::Transcription(TranscriptionOptions::default()),
            priority: Priority::Normal,
            webhook_url: Some("https://hooks.example.org/in?token=secret".parse().expect("a URL")),
            retry_of: None,
        };
        job.job(0, Actor::Client("anonymous".into()), &created);
        job
    }

    /// A time in milliseconds after the job was submitted.
    pub(crate) fn time(ms: i64) -> DateTime<Utc> {
        let began: DateTime<Utc> = "2026-01-31T14:05:00Z".parse().expect("a time");
        began + TimeDelta::milliseconds(ms)
    }

    /// Records an event of the job, by a worker.
    pub(crate) fn then(&mut self, ms: i64, worker: &str, event: &JobEvent) {
        self.job(ms, Actor::Worker(worker.into()), event);
    }

    fn job(&mut self, ms: i64, actor: Actor, event: &JobEvent) {
        self.record(ms, actor, "job", &event.event_type(), &event.event_version(), serde_json::json!(event));
    }

    /// Records an event of the delivery that notifies of the job.
    pub(crate) fn delivery(&mut self, ms: i64, event: &DeliveryEvent) {
        let actor = Actor::Worker("notify@h:1".into());
        self.record(ms, actor, "delivery", &event.event_type(), &event.event_version(), serde_json::json!(event));
    }

    fn record(
        &mut self,
        ms: i64,
        actor: Actor,
        kind: &'static str,
        name: &str,
        version: &str,
        payload: serde_json::Value,
    ) {
        let sequence = self.sequences.entry(kind).or_default();
        *sequence += 1;
        let number = self.events.len() as u64 + 1;
        self.events.push(RecordedEvent {
            cursor: Cursor { transaction_id: number, position: 1 },
            aggregate_type: kind.into(),
            aggregate_id: JOB.to_string(),
            sequence: *sequence,
            event_type: name.into(),
            event_version: version.into(),
            payload,
            metadata: EventMetadata {
                data_key: None,
                event_id: Uuid::from_u128(u128::from(number)),
                occurred_at: Self::time(ms),
                route: "normal".into(),
                context: CommandContext {
                    account: AccountId::local(),
                    actor,
                    correlation_id: Uuid::from_u128(7),
                    causation_id: None,
                    traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into()),
                },
            },
            recorded_at: Self::time(ms),
            erased: false,
            corrupt: None,
        });
    }

    fn timeline(&self) -> Timeline {
        Timeline::from_events(JOB, &self.events)
    }
}

/// Two attempts at the download, two chunks of which the second is taken over by another worker, a webhook that is
/// delivered at the second attempt.
pub(crate) fn long_job() -> TestJob {
    let mut job = TestJob::new();
    let failure = Failure { code: "http_503".into(), message: "The site is busy.".into() };
    let audio = Audio { key: "a".into(), bytes: 1, sha256: "0".into(), duration_ms: 62_000 };
    job.then(40, "download@h:1", &JobEvent::DownloadStarted { attempt: 1, worker: "download@h:1".into() });
    job.then(540, "download@h:1", &JobEvent::DownloadAttemptFailed { attempt: 1, failure, retry_in_ms: Some(2000) });
    job.then(2600, "download@h:2", &JobEvent::DownloadStarted { attempt: 2, worker: "download@h:2".into() });
    job.then(2700, "download@h:2", &JobEvent::DownloadProgressed { attempt: 2, percent: 10 });
    job.then(2800, "download@h:2", &JobEvent::DownloadProgressed { attempt: 2, percent: 90 });
    let title = Some("A talk".into());
    job.then(4600, "download@h:2", &JobEvent::AudioDownloaded { attempt: 2, audio, title });
    job.then(4600, "download@h:2", &JobEvent::ChunksPlanned { chunks: SPANS.to_vec() });
    job.then(4600, "download@h:2", &scheduled(0));
    let attempts = [(4700, 0, 1, "transcribe@h:3"), (6300, 1, 1, "transcribe@h:4"), (35_000, 1, 2, "transcribe@h:3")];
    for (ms, chunk, attempt, worker) in attempts {
        let started = JobEvent::ChunkStarted { chunk, attempt, worker: worker.into(), model: "small".into() };
        job.then(ms, worker, &started);
        if chunk == 0 {
            job.then(ms, worker, &scheduled(1));
        }
        if attempt == 2 || chunk == 0 {
            let done = JobEvent::ChunkTranscribed { chunk, attempt, language: "en".into(), segments: vec![segment()] };
            job.then(ms + 1500, worker, &done);
        }
    }
    let result = JobResult::Transcription { language: "en".into(), duration_ms: 62_000, segments: 2 };
    let completed = JobEvent::JobCompleted { result };
    job.then(36_500, "transcribe@h:3", &completed);
    let host = || "hooks.example.org".to_owned();
    let reason = "it answered 500 Internal Server Error".into();
    job.delivery(
        36_600,
        &DeliveryEvent::WebhookAttemptFailed { job_id: JOB, host: host(), attempt: 1, reason, retry_in_ms: Some(5000) },
    );
    job.delivery(41_700, &DeliveryEvent::WebhookDelivered { job_id: JOB, host: host(), attempt: 2, http_status: 200 });
    job
}

/// The plan of the chunks.
const SPANS: [Span; 2] = [Span { start_ms: 0, end_ms: 30_000 }, Span { start_ms: 30_000, end_ms: 62_000 }];

fn scheduled(chunk: u32) -> JobEvent {
    let span = SPANS[chunk as usize];
    JobEvent::ChunkScheduled { chunk, start_ms: span.start_ms, end_ms: span.end_ms }
}

fn segment() -> Segment {
    Segment {
        start_ms: 0,
        end_ms: 500,
        text: "hello".into(),
        avg_logprob: -0.1,
        no_speech_prob: 0.0,
        compression_ratio: 1.0,
        temperature: 0.0,
        words: vec![],
    }
}

#[test]
fn scheduled_chunks_and_the_language_are_shown_with_the_command_that_led_to_them() {
    let mut job = TestJob::new();
    let (download, worker) = ("download@h:1", "transcribe@h:3");
    let audio = Audio { key: "a".into(), bytes: 1, sha256: "0".into(), duration_ms: 62_000 };
    job.then(40, download, &JobEvent::DownloadStarted { attempt: 1, worker: download.into() });
    job.then(600, download, &JobEvent::AudioDownloaded { attempt: 1, audio, title: None });
    job.then(600, download, &JobEvent::ChunksPlanned { chunks: SPANS.to_vec() });
    job.then(600, download, &scheduled(0));
    let model = || "small".to_owned();
    job.then(700, worker, &JobEvent::ChunkStarted { chunk: 0, attempt: 1, worker: worker.into(), model: model() });
    job.then(700, worker, &scheduled(1));
    job.then(900, worker, &JobEvent::LanguageDetected { language: "en".into() });
    job.then(950, worker, &JobEvent::BeamSizeChosen { beam_size: 5 });
    let timeline = job.timeline();
    let entries: Vec<_> = timeline.entries.iter().skip(3).map(|entry| (entry.command, entry.text.as_str())).collect();
    assert_eq!(
        entries,
        [
            (Some("RecordAudio"), "planned as 2 chunks"),
            (Some("RecordAudio"), "chunk 0 (0:00 to 0:30) waits for a worker"),
            (
                Some("StartChunk"),
                "chunk 0 (0:00 to 0:30), attempt 1, begun by transcribe@h:3 with model small after waiting 100 ms"
            ),
            (Some("StartChunk"), "chunk 1 (0:30 to 1:02) waits for a worker"),
            (Some("RecordLanguage"), "the spoken language is en"),
            (Some("ChooseBeamSize"), "all chunks are decoded with beam size 5"),
        ]
    );
}

#[test]
fn a_timeline_says_what_waited_how_long_and_why_it_was_tried_again() {
    let timeline = long_job().timeline();
    let texts: Vec<&str> = timeline.entries.iter().map(|entry| entry.text.as_str()).collect();
    assert_eq!(
        texts,
        [
            "https://example.org/talk submitted: language auto, priority normal, webhook at hooks.example.org",
            "download, attempt 1, begun by download@h:1 after waiting 40 ms",
            "download, attempt 1, failed in 500 ms: The site is busy (http_503); tried again in 2.0 s",
            "download, attempt 2, begun by download@h:2 after waiting 2.0 s",
            "download at 90 %",
            "downloaded 1 min 02 s of \"A talk\" in 2.0 s",
            "planned as 2 chunks",
            "chunk 0 (0:00 to 0:30) waits for a worker",
            "chunk 0 (0:00 to 0:30), attempt 1, begun by transcribe@h:3 with model small after waiting 100 ms",
            "chunk 1 (0:30 to 1:02) waits for a worker",
            "chunk 0 (0:00 to 0:30) transcribed: 1 segment in en in 1.5 s",
            "chunk 1 (0:30 to 1:02), attempt 1, begun by transcribe@h:4 with model small after waiting 1.6 s",
            "chunk 1 (0:30 to 1:02), attempt 2, begun by transcribe@h:3 with model small; the previous attempt, by \
             transcribe@h:4, has no recorded end",
            "chunk 1 (0:30 to 1:02) transcribed: 1 segment in en in 1.5 s",
            "completed: 2 segments in en, 36.5 s after it was submitted",
            "webhook attempt 1 at hooks.example.org failed: it answered 500 Internal Server Error; tried again in 5.0 s, \
             100 ms after the job's end",
            "webhook attempt 2: hooks.example.org accepted it with HTTP 200, 5.1 s after the previous attempt",
        ]
    );
    assert_eq!((timeline.status, timeline.took_ms), (Some(JobStatus::Completed), Some(36_500)));
    assert_eq!((timeline.download_attempts, timeline.chunk_attempts, timeline.webhook_attempts), (2, 3, 2));
    assert_eq!(timeline.trace_id.as_deref(), Some("0af7651916cd43dd8448eb211c80319c"));
    assert_eq!(timeline.ended_at, Some(TestJob::time(36_500)));
    let all: u32 = timeline.entries.iter().map(|entry| entry.events).sum();
    assert_eq!(all as usize, long_job().events.len(), "every event is in an entry");
    assert!(timeline.entries.is_sorted_by_key(|entry| entry.after_ms));
    assert_eq!(timeline.entries[3].waited_ms, Some(2060));
    assert_eq!((timeline.entries[0].actor.as_str(), timeline.entries[0].command), ("client:anonymous", Some("Create")));
    // The URL of a webhook may carry a secret.
    assert!(!serde_json::json!(timeline).to_string().contains("secret"));
}

#[test]
fn a_job_that_failed_or_was_cancelled_says_why() {
    let mut failed = TestJob::new();
    failed.then(10, "download@h:1", &JobEvent::DownloadStarted { attempt: 1, worker: "download@h:1".into() });
    let failure = Failure { code: "no_audio_track".into(), message: "The media has no sound.".into() };
    let last = JobEvent::DownloadAttemptFailed { attempt: 1, failure: failure.clone(), retry_in_ms: None };
    failed.then(900, "download@h:1", &last);
    failed.then(900, "download@h:1", &JobEvent::JobFailed { step: "download".into(), failure });
    let timeline = failed.timeline();
    assert_eq!(timeline.status, Some(JobStatus::Failed));
    let texts: Vec<&str> = timeline.entries[2..].iter().map(|entry| entry.text.as_str()).collect();
    assert_eq!(
        texts,
        [
            "download, attempt 1, failed in 890 ms: The media has no sound (no_audio_track); not tried again",
            "failed at step download: The media has no sound (no_audio_track), 900 ms after it was submitted",
        ]
    );
    let mut cancelled = TestJob::new();
    cancelled.job(5000, Actor::Client("ana".into()), &JobEvent::JobCancelled { reason: Some("the wrong one".into()) });
    let timeline = cancelled.timeline();
    let last = timeline.entries.last().expect("an end");
    assert_eq!(last.text, "cancelled: \"the wrong one\", 5.0 s after it was submitted");
    assert_eq!((last.actor.as_str(), last.command), ("client:ana", Some("Cancel")));
}

#[test]
fn a_running_job_has_no_end_and_an_unknown_event_does_not_stop_the_timeline() {
    let mut job = TestJob::new();
    job.record(
        50,
        Actor::Worker("x".into()),
        "job",
        "FromTheFuture",
        "1",
        serde_json::json!({ "type": "FromTheFuture" }),
    );
    job.then(70, "download@h:1", &JobEvent::DownloadStarted { attempt: 1, worker: "download@h:1".into() });
    let timeline = job.timeline();
    assert_eq!((timeline.status, timeline.ended_at, timeline.took_ms), (Some(JobStatus::Downloading), None, None));
    assert_eq!((timeline.entries[1].kind, timeline.entries[1].command), (EntryKind::Unknown, None));
    assert!(
        timeline.entries[1]
            .text
            .starts_with("FromTheFuture version 1 cannot be read: this program knows no event of this type")
    );
    assert_eq!(timeline.entries.len(), 3);
}
