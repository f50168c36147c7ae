//! Turns events into sentences, one after the other, remembering what the next one needs.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use cqrs_es::Aggregate;
use ytcaption_domain::delivery::{Delivery, DeliveryEvent};
use ytcaption_domain::job::{Job, JobEvent, JobOptions, JobResult, JobStatus};
use ytcaption_domain::step;
use ytcaption_eventstore::RecordedEvent;

use super::step::{Step, Work, begun, failed, in_time, submitted, unreadable};
use super::words::{count, duration, place, then, unended};
use super::{Entry, Kind, ms_between};

/// What has been heard so far.
#[derive(Debug, Default)]
pub(super) struct Narrator {
    pub(super) entries: Vec<Entry>,
    pub(super) status: Option<JobStatus>,
    pub(super) ended_at: Option<DateTime<Utc>>,
    pub(super) download_attempts: u32,
    pub(super) chunk_attempts: u32,
    pub(super) webhook_attempts: u32,
    began_at: Option<DateTime<Utc>>,
    download: Work,
    chunks: HashMap<u32, Work>,
    spans: HashMap<u32, (u64, u64)>,
    webhook: Work,
}

impl Narrator {
    /// Adds the next event to the story.
    pub(super) fn hear(&mut self, recorded: &RecordedEvent) {
        let began_at = *self.began_at.get_or_insert(recorded.recorded_at);
        let steps: Vec<Step> = match recorded.aggregate_type.as_str() {
            Job::TYPE => match recorded.decode() {
                Ok(events) => events.iter().map(|event| self.of_job(recorded, event)).collect(),
                Err(error) => vec![unreadable(&error)],
            },
            Delivery::TYPE => match recorded.decode() {
                Ok(events) => events.iter().map(|event| self.of_delivery(recorded, event)).collect(),
                Err(error) => vec![unreadable(&error)],
            },
            other => {
                vec![Step::unasked(format!("{} of a {other}, which this program does not know", recorded.event_type))]
            }
        };
        for step in steps {
            self.tell(recorded, began_at, step);
        }
    }

    fn tell(&mut self, recorded: &RecordedEvent, began_at: DateTime<Utc>, step: Step) {
        if self.is_more_of_the_same(recorded) {
            let Some(last) = self.entries.last_mut() else { return };
            last.events += 1;
            last.at = recorded.recorded_at;
            last.after_ms = ms_between(began_at, recorded.recorded_at);
            last.text = step.text;
            return;
        }
        self.entries.push(Entry {
            at: recorded.recorded_at,
            after_ms: ms_between(began_at, recorded.recorded_at),
            kind: step.kind,
            actor: recorded.metadata.context.actor.to_string(),
            command: step.command,
            event_type: recorded.event_type.clone(),
            event_id: recorded.metadata.event_id,
            causation_id: recorded.metadata.context.causation_id,
            events: 1,
            attempt: step.attempt,
            chunk: step.chunk,
            waited_ms: step.waited_ms,
            took_ms: step.took_ms,
            text: step.text,
        });
    }

    /// Progress and the plan come in many events of which only the last says something new.
    fn is_more_of_the_same(&self, recorded: &RecordedEvent) -> bool {
        matches!(recorded.event_type.as_str(), "DownloadProgressed" | "ChunkScheduled")
            && self.entries.last().is_some_and(|last| last.event_type == recorded.event_type)
    }

    fn of_job(&mut self, recorded: &RecordedEvent, event: &JobEvent) -> Step {
        let at = recorded.recorded_at;
        match event {
            JobEvent::JobCreated { source, options, priority, webhook_url, .. } => {
                let JobOptions::Transcription(transcription) = options;
                self.status = Some(JobStatus::Pending);
                self.download.waits_since = Some(at);
                let host = webhook_url.as_ref().and_then(|url| url.host_str());
                let text = submitted(source, transcription, *priority, host);
                Step::new(Kind::Request, "Create", text)
            }
            JobEvent::DownloadStarted { attempt, worker } => {
                self.status = Some(JobStatus::Downloading);
                self.download_attempts = *attempt;
                let (waited, lost) = self.download.begin(at, worker);
                begun("download", *attempt, worker, "", waited, lost, "StartDownload")
            }
            JobEvent::DownloadProgressed { attempt, percent } => Step {
                attempt: Some(*attempt),
                ..Step::new(Kind::Progress, "ReportDownloadProgress", format!("download at {percent} %"))
            },
            JobEvent::DownloadAttemptFailed { attempt, failure, retry_in_ms } => {
                let took = self.download.end(at);
                failed("download", *attempt, failure, *retry_in_ms, took, "RecordDownloadFailure")
            }
            JobEvent::WarningRaised { attempt, warning } => {
                Step { attempt: Some(*attempt), ..Step::new(Kind::Progress, "RaiseWarning", warning.message.clone()) }
            }
            JobEvent::AudioDownloaded { attempt, audio, title } => {
                self.status = Some(JobStatus::Transcribing);
                let took = self.download.end(at);
                let title = title.as_ref().map_or(String::new(), |title| format!(" of {title:?}"));
                let length = duration(audio.duration_ms);
                let text = format!("downloaded {length}{title}{}", in_time(took));
                Step { attempt: Some(*attempt), took_ms: took, ..Step::new(Kind::Done, "RecordAudio", text) }
            }
            JobEvent::ChunksPlanned { chunks } => {
                self.spans = (0..).zip(chunks.iter().map(|span| (span.start_ms, span.end_ms))).collect();
                let text = format!("{} to be transcribed, each in its turn", count(chunks.len(), "chunk"));
                Step::new(Kind::Progress, "RecordAudio", text)
            }
            JobEvent::ChunkScheduled { chunk, start_ms, end_ms } => {
                self.chunks.entry(*chunk).or_default().waits_since = Some(at);
                self.spans.insert(*chunk, (*start_ms, *end_ms));
                let after_start = self.entries.last().is_some_and(|last| last.event_type == "ChunkStarted");
                let command = if after_start { "StartChunk" } else { "RecordAudio" };
                let text = format!("{} waits for a worker", self.name(*chunk));
                Step { chunk: Some(*chunk), ..Step::new(Kind::Progress, command, text) }
            }
            JobEvent::LanguageDetected { language } => {
                Step::new(Kind::Progress, "RecordLanguage", format!("the recording is in {language}"))
            }
            JobEvent::BeamSizeChosen { beam_size } => Step::new(
                Kind::Progress,
                "ChooseBeamSize",
                format!("all chunks are decoded with beam size {beam_size}"),
            ),
            JobEvent::ChunkStarted { chunk, attempt, worker, model } => {
                self.chunk_attempts += 1;
                let (waited, lost) = self.chunks.entry(*chunk).or_default().begin(at, worker);
                let with = format!(" with model {model}");
                let step = begun(&self.name(*chunk), *attempt, worker, &with, waited, lost, "StartChunk");
                Step { chunk: Some(*chunk), ..step }
            }
            JobEvent::ChunkAttemptFailed { chunk, attempt, failure, retry_in_ms } => {
                let took = self.chunks.entry(*chunk).or_default().end(at);
                let name = self.name(*chunk);
                let step = failed(&name, *attempt, failure, *retry_in_ms, took, "RecordChunkFailure");
                Step { chunk: Some(*chunk), ..step }
            }
            JobEvent::ChunkTranscribed { chunk, attempt, language, segments } => {
                let took = self.chunks.entry(*chunk).or_default().end(at);
                let heard = count(segments.len(), "segment");
                let text = format!("{} transcribed: {heard} in {language}{}", self.name(*chunk), in_time(took));
                let step = Step::new(Kind::Done, "RecordChunk", text);
                Step { chunk: Some(*chunk), attempt: Some(*attempt), took_ms: took, ..step }
            }
            JobEvent::JobCompleted { result } => {
                let JobResult::Transcription { language, segments, .. } = result;
                let text = format!("completed: {} in {language}", count(*segments as usize, "segment"));
                self.ended(at, JobStatus::Completed, "RecordChunk", &text)
            }
            JobEvent::JobFailed { step, failure } => {
                let is_download = step == step::DOWNLOAD.name;
                let command = if is_download { "RecordDownloadFailure" } else { "RecordChunkFailure" };
                let text = format!("failed at step {step}: {} ({})", unended(&failure.message), failure.code);
                self.ended(at, JobStatus::Failed, command, &text)
            }
            JobEvent::JobCancelled { reason } => {
                let why = reason.as_ref().map_or("no reason given".to_owned(), |reason| format!("{reason:?}"));
                self.ended(at, JobStatus::Cancelled, "Cancel", &format!("cancelled: {why}"))
            }
        }
    }

    fn of_delivery(&mut self, recorded: &RecordedEvent, event: &DeliveryEvent) -> Step {
        let at = recorded.recorded_at;
        let waited = self.webhook.waits_since.map(|since| ms_between(since, at));
        let step = match event {
            DeliveryEvent::WebhookDelivered { host, attempt, http_status, .. } => {
                self.webhook_attempts = *attempt;
                let text = format!("webhook attempt {attempt}: {host} took it with HTTP {http_status}");
                Step { attempt: Some(*attempt), ..Step::new(Kind::Webhook, "RecordDelivered", text) }
            }
            DeliveryEvent::WebhookAttemptFailed { host, attempt, reason, retry_in_ms, .. } => {
                self.webhook_attempts = *attempt;
                let (why, next) = (unended(reason), then(*retry_in_ms));
                let text = format!("webhook attempt {attempt} at {host} failed: {why}; {next}");
                Step { attempt: Some(*attempt), ..Step::new(Kind::Webhook, "RecordFailure", text) }
            }
            DeliveryEvent::WebhookAbandoned { host, attempts, .. } => {
                let text = format!("webhook at {host} given up after {}", count(*attempts as usize, "attempt"));
                return Step::new(Kind::Webhook, "RecordFailure", text);
            }
        };
        self.webhook.waits_since = Some(at);
        let since = if step.attempt == Some(1) { "the job's end" } else { "the attempt before" };
        let text = waited.map_or(step.text.clone(), |ms| format!("{}, {} after {since}", step.text, duration(ms)));
        Step { waited_ms: waited, text, ..step }
    }

    fn ended(&mut self, at: DateTime<Utc>, status: JobStatus, command: &'static str, how: &str) -> Step {
        self.status = Some(status);
        self.ended_at = Some(at);
        self.webhook.waits_since = Some(at);
        let all = self.began_at.map(|began| ms_between(began, at));
        let after = all.map_or(String::new(), |ms| format!(", {} after it was submitted", duration(ms)));
        let text = format!("{how}{after}");
        Step { took_ms: all, ..Step::new(Kind::End, command, text) }
    }

    /// A chunk with the stretch of the recording that it covers.
    fn name(&self, chunk: u32) -> String {
        match self.spans.get(&chunk) {
            Some((start, end)) => format!("chunk {chunk} ({} to {})", place(*start), place(*end)),
            None => format!("chunk {chunk}"),
        }
    }
}
