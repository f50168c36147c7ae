//! Adds events to the timeline one after the other, remembering what the sentences of later ones need.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use ytcaption_domain::Span;
use ytcaption_domain::delivery::DeliveryEvent;
use ytcaption_domain::job::{JobEvent, JobOptions, JobResult, JobStatus};
use ytcaption_domain::step;
use ytcaption_eventstore::RecordedEvent;

use super::entry::{Attempts, Entry, begun, failed, in_time, submitted};
use super::wording::{count, duration, media_time, retry, without_full_stop};
use super::{EntryKind, TimelineEntry, ms_between};
use crate::ProjectionError;
use crate::event::{EventContent, TypedEvent};

/// The timeline so far.
#[derive(Debug, Default)]
pub(super) struct TimelineBuilder {
    pub(super) entries: Vec<TimelineEntry>,
    pub(super) status: Option<JobStatus>,
    pub(super) ended_at: Option<DateTime<Utc>>,
    pub(super) download_attempts: u32,
    pub(super) chunk_attempts: u32,
    pub(super) webhook_attempts: u32,
    began_at: Option<DateTime<Utc>>,
    download: Attempts,
    chunks: HashMap<u32, Attempts>,
    spans: Vec<Span>,
    /// A chunk was begun by the latest event, so what is scheduled now follows from the same command.
    chunk_just_begun: bool,
    /// When the job ended or, later, the latest attempt to deliver its webhook.
    notified_from: Option<DateTime<Utc>>,
}

impl TimelineBuilder {
    /// Adds the next event.
    pub(super) fn add(&mut self, recorded: &RecordedEvent) {
        let began_at = *self.began_at.get_or_insert(recorded.recorded_at);
        let entries = match TypedEvent::decode(recorded).map(|event| event.content) {
            Ok(EventContent::Job(_, events)) => events.iter().map(|event| self.job_entry(recorded, event)).collect(),
            Ok(EventContent::Delivery(_, events)) => {
                events.iter().map(|event| self.delivery_entry(recorded, event)).collect()
            }
            Err(error) => vec![unknown(recorded, &error)],
        };
        for entry in entries {
            self.push(recorded, began_at, entry);
        }
    }

    fn push(&mut self, recorded: &RecordedEvent, began_at: DateTime<Utc>, entry: Entry) {
        let after_ms = ms_between(began_at, recorded.recorded_at);
        if let Some(last) = self.entries.last_mut()
            && entry.replaces_same
            && last.event_type == recorded.event_type
        {
            last.events += 1;
            (last.at, last.after_ms, last.text) = (recorded.recorded_at, after_ms, entry.text);
            return;
        }
        let context = &recorded.metadata.context;
        self.entries.push(TimelineEntry {
            at: recorded.recorded_at,
            after_ms,
            kind: entry.kind,
            actor: context.actor.to_string(),
            command: entry.command,
            event_type: recorded.event_type.clone(),
            event_id: recorded.metadata.event_id,
            causation_id: context.causation_id,
            events: 1,
            attempt: entry.attempt,
            chunk: entry.chunk,
            waited_ms: entry.waited_ms,
            took_ms: entry.took_ms,
            text: entry.text,
        });
    }

    fn job_entry(&mut self, recorded: &RecordedEvent, event: &JobEvent) -> Entry {
        let at = recorded.recorded_at;
        if let Some(status) = event.status() {
            self.status = Some(status);
            self.ended_at = status.has_ended().then_some(at);
        }
        let follows_chunk_start = std::mem::replace(&mut self.chunk_just_begun, false);
        match event {
            JobEvent::JobCreated { source, options, priority, webhook_url, retry_of, .. } => {
                let JobOptions::Transcription(transcription) = options;
                self.download.queued_at = Some(at);
                let host = webhook_url.as_ref().and_then(|url| url.host_str());
                let once_more = retry_of.map(|first| format!(", once more after job {first}")).unwrap_or_default();
                let text = submitted(source, transcription, *priority, host) + &once_more;
                Entry::new(EntryKind::Request, "Create", text)
            }
            JobEvent::DownloadStarted { attempt, worker } => {
                self.download_attempts = *attempt;
                let start = self.download.begin(at, worker);
                begun("download", *attempt, worker, "", start, "StartDownload")
            }
            JobEvent::DownloadProgressed { attempt, percent } => Entry {
                attempt: Some(*attempt),
                replaces_same: true,
                ..Entry::new(EntryKind::Progress, "ReportDownloadProgress", format!("download at {percent} %"))
            },
            JobEvent::DownloadAttemptFailed { attempt, failure, retry_in_ms } => {
                let took = self.download.end(at);
                failed("download", *attempt, failure, *retry_in_ms, took, "RecordDownloadFailure")
            }
            JobEvent::WarningRaised { attempt, warning } => Entry {
                attempt: Some(*attempt),
                ..Entry::new(EntryKind::Progress, "RaiseWarning", warning.message.clone())
            },
            JobEvent::AudioDownloaded { attempt, audio, title, .. } => {
                let took = self.download.end(at);
                let title = title.as_ref().map_or(String::new(), |title| format!(" of {title:?}"));
                let text = format!("downloaded {}{title}{}", duration(audio.duration_ms), in_time(took));
                Entry { attempt: Some(*attempt), took_ms: took, ..Entry::new(EntryKind::Done, "RecordAudio", text) }
            }
            JobEvent::ChunksPlanned { chunks } => {
                self.spans.clone_from(chunks);
                let text = format!("planned as {}", count(chunks.len(), "chunk"));
                Entry::new(EntryKind::Progress, "RecordAudio", text)
            }
            JobEvent::ChunkScheduled { chunk, .. } => {
                self.chunks.entry(*chunk).or_default().queued_at = Some(at);
                let command = if follows_chunk_start { "StartChunk" } else { "RecordAudio" };
                let text = format!("{} waits for a worker", self.chunk_name(*chunk));
                Entry { chunk: Some(*chunk), ..Entry::new(EntryKind::Progress, command, text) }
            }
            JobEvent::LanguageDetected { language } => {
                Entry::new(EntryKind::Progress, "RecordLanguage", format!("the spoken language is {language}"))
            }
            JobEvent::BeamSizeChosen { beam_size } => Entry::new(
                EntryKind::Progress,
                "ChooseBeamSize",
                format!("all chunks are decoded with beam size {beam_size}"),
            ),
            JobEvent::ChunkStarted { chunk, attempt, worker, model } => {
                self.chunk_attempts += 1;
                self.chunk_just_begun = true;
                let start = self.chunks.entry(*chunk).or_default().begin(at, worker);
                let with = format!(" with model {model}");
                let entry = begun(&self.chunk_name(*chunk), *attempt, worker, &with, start, "StartChunk");
                Entry { chunk: Some(*chunk), ..entry }
            }
            JobEvent::ChunkAttemptFailed { chunk, attempt, failure, retry_in_ms } => {
                let took = self.chunks.entry(*chunk).or_default().end(at);
                let name = self.chunk_name(*chunk);
                let entry = failed(&name, *attempt, failure, *retry_in_ms, took, "RecordChunkFailure");
                Entry { chunk: Some(*chunk), ..entry }
            }
            JobEvent::ChunkTranscribed { chunk, attempt, language, segments } => {
                let took = self.chunks.entry(*chunk).or_default().end(at);
                let (name, segments) = (self.chunk_name(*chunk), count(segments.len(), "segment"));
                let text = format!("{name} transcribed: {segments} in {language}{}", in_time(took));
                let entry = Entry::new(EntryKind::Done, "RecordChunk", text);
                Entry { chunk: Some(*chunk), attempt: Some(*attempt), took_ms: took, ..entry }
            }
            JobEvent::JobCompleted { result } => {
                let JobResult::Transcription { language, segments, .. } = result;
                let text = format!("completed: {} in {language}", count(*segments as usize, "segment"));
                self.end_entry(at, "RecordChunk", &text)
            }
            JobEvent::JobFailed { step, failure } => {
                let is_download = step == step::DOWNLOAD.name;
                let command = if is_download { "RecordDownloadFailure" } else { "RecordChunkFailure" };
                let why = without_full_stop(&failure.message);
                self.end_entry(at, command, &format!("failed at step {step}: {why} ({})", failure.code))
            }
            JobEvent::JobCancelled { reason } => {
                let why = reason.as_ref().map_or("no reason given".to_owned(), |reason| format!("{reason:?}"));
                self.end_entry(at, "Cancel", &format!("cancelled: {why}"))
            }
        }
    }

    fn end_entry(&mut self, at: DateTime<Utc>, command: &'static str, text: &str) -> Entry {
        self.notified_from = Some(at);
        let took_ms = self.began_at.map(|began| ms_between(began, at));
        let after = took_ms.map_or(String::new(), |ms| format!(", {} after it was submitted", duration(ms)));
        Entry { took_ms, ..Entry::new(EntryKind::End, command, format!("{text}{after}")) }
    }

    fn delivery_entry(&mut self, recorded: &RecordedEvent, event: &DeliveryEvent) -> Entry {
        let (attempt, command, text) = match event {
            DeliveryEvent::WebhookDelivered { host, attempt, http_status, .. } => {
                let text = format!("webhook attempt {attempt}: {host} accepted it with HTTP {http_status}");
                (*attempt, "RecordDelivered", text)
            }
            DeliveryEvent::WebhookAttemptFailed { host, attempt, reason, retry_in_ms, .. } => {
                let (why, next) = (without_full_stop(reason), retry(*retry_in_ms));
                (*attempt, "RecordFailure", format!("webhook attempt {attempt} at {host} failed: {why}; {next}"))
            }
            DeliveryEvent::WebhookAbandoned { host, attempts, .. } => {
                let text = format!("webhook at {host} abandoned after {}", count(*attempts as usize, "attempt"));
                return Entry::new(EntryKind::Webhook, "RecordFailure", text);
            }
        };
        self.webhook_attempts = attempt;
        let at = recorded.recorded_at;
        let waited_ms = self.notified_from.replace(at).map(|since| ms_between(since, at));
        let since = if attempt == 1 { "the job's end" } else { "the previous attempt" };
        let waited = waited_ms.map_or(String::new(), |ms| format!(", {} after {since}", duration(ms)));
        let entry = Entry::new(EntryKind::Webhook, command, format!("{text}{waited}"));
        Entry { attempt: Some(attempt), waited_ms, ..entry }
    }

    /// A chunk with the interval of the media that it covers.
    fn chunk_name(&self, chunk: u32) -> String {
        match self.spans.get(chunk as usize) {
            Some(span) => format!("chunk {chunk} ({} to {})", media_time(span.start_ms), media_time(span.end_ms)),
            None => format!("chunk {chunk}"),
        }
    }
}

fn unknown(recorded: &RecordedEvent, error: &ProjectionError) -> Entry {
    let reason = match error {
        // Its own message repeats which event it is.
        ProjectionError::Unreadable(error) => error.source.to_string(),
        ProjectionError::UnknownAggregate(_)
        | ProjectionError::Blocked { .. }
        | ProjectionError::MissingCreation(_)
        | ProjectionError::InvalidJobId
        | ProjectionError::UnknownJob(_)
        | ProjectionError::Rejected(_) => error.to_string(),
    };
    Entry::unknown(format!("{} version {} cannot be read: {reason}", recorded.event_type, recorded.event_version))
}
