//! A job as clients see it, folded from its events.

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use ytcaption_domain::delivery::{DeliveryEvent, DeliveryStatus};
use ytcaption_domain::job::{Failure, JobEvent, JobOptions, JobResult, JobStatus, MediaSource, Priority, Task};
use ytcaption_domain::step;
use ytcaption_domain::{AccountId, JobId};
use ytcaption_eventstore::RecordedEvent;

use crate::Misfit;

/// Share of the whole work, in percent, that the download counts for; the rest is transcription.
const DOWNLOAD_SHARE_PERCENT: u32 = 30;

/// One job, ready to be shown.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct JobView {
    /// Its id.
    pub job_id: JobId,
    /// Its owner.
    pub account: AccountId,
    /// Where it stands.
    pub status: JobStatus,
    /// `url` or `upload`.
    pub source_kind: String,
    /// The address, or the name of the uploaded file.
    pub source_name: String,
    /// Title of the recording, once known.
    pub title: Option<String>,
    /// Language asked for: ISO 639-1 or `auto`.
    pub language: String,
    /// What the text is to be.
    pub task: Task,
    /// Language heard, once known.
    pub detected_language: Option<String>,
    /// How urgent it is.
    pub priority: Priority,
    /// The model asked for, or the one in use.
    pub model: Option<String>,
    /// Told when the job ends.
    pub webhook_url: Option<String>,
    /// How telling it went: `pending`, `delivered` or `abandoned`.
    pub webhook_status: Option<String>,
    /// Attempts to tell it.
    pub webhook_attempts: i32,
    /// Number of the latest download attempt.
    pub download_attempt: i32,
    /// Share of the media that has arrived, 0 to 100.
    pub download_percent: i16,
    /// Chunks the recording was planned into.
    pub chunks: i32,
    /// Chunks that are transcribed.
    pub chunks_done: i32,
    /// Segments of text so far.
    pub segments: i32,
    /// Length of the recording in milliseconds, once known.
    pub duration_ms: Option<i64>,
    /// What is wrong with the recording although the job goes on.
    pub warning: Option<String>,
    /// Where the latest attempt failed: `download` or `transcribe`.
    pub error_stage: Option<String>,
    /// Stable word for the failure.
    pub error_code: Option<String>,
    /// What happened and what to do next.
    pub error_message: Option<String>,
    /// When the failed step is tried again.
    pub retry_at: Option<DateTime<Utc>>,
    /// When the job was accepted.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
    /// When it ended.
    pub ended_at: Option<DateTime<Utc>>,
    /// Sequence of the job's last event applied.
    pub version: i64,
    /// Sequence of the last event applied of the delivery that tells of its end; 0 before the first.
    pub delivery_version: i64,
}

/// What an event did to a read model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fold {
    /// It changed it.
    Applied,
    /// It had been applied before, and changed nothing.
    Known,
}

impl JobView {
    /// Applies what one recorded event of a job stands for ([`RecordedEvent::decode`]). Events are applied in their
    /// order and without a gap: a job that lacks one stays as it was before it.
    ///
    /// # Errors
    /// It is not the next event of the job.
    pub fn fold(view: &mut Option<Self>, recorded: &RecordedEvent, events: &[JobEvent]) -> Result<Fold, Misfit> {
        let version = view.as_ref().map_or(0, |view| view.version);
        let Some(version) = next(version, recorded)? else { return Ok(Fold::Known) };
        for event in events {
            let view = match view {
                Some(view) => view,
                None => view.insert(Self::created(recorded, event)?),
            };
            view.version = version;
            view.updated_at = recorded.metadata.occurred_at;
            view.apply(event);
        }
        Ok(Fold::Applied)
    }

    fn created(recorded: &RecordedEvent, event: &JobEvent) -> Result<Self, Misfit> {
        let JobEvent::JobCreated { account, source, options, priority, webhook_url } = event else {
            return Err(Misfit::NoBeginning(recorded.event_type.clone()));
        };
        let JobOptions::Transcription(transcription) = options;
        let (source_kind, source_name) = match source {
            MediaSource::Url { url } => ("url", url.to_string()),
            MediaSource::Upload { file_name, .. } => ("upload", file_name.clone()),
        };
        let created_at = recorded.metadata.occurred_at;
        Ok(Self {
            job_id: recorded.aggregate_id.parse().map_err(|_| Misfit::NoJobId)?,
            account: account.clone(),
            status: JobStatus::Pending,
            source_kind: source_kind.to_owned(),
            source_name,
            title: None,
            language: transcription.language.clone(),
            task: transcription.task,
            detected_language: None,
            priority: *priority,
            model: transcription.model.clone(),
            webhook_url: webhook_url.as_ref().map(ToString::to_string),
            webhook_status: webhook_url.as_ref().map(|_| delivery_word(DeliveryStatus::Pending).to_owned()),
            webhook_attempts: 0,
            download_attempt: 0,
            download_percent: 0,
            chunks: 0,
            chunks_done: 0,
            segments: 0,
            duration_ms: None,
            warning: None,
            error_stage: None,
            error_code: None,
            error_message: None,
            retry_at: None,
            created_at,
            updated_at: created_at,
            ended_at: None,
            version: 0,
            delivery_version: 0,
        })
    }

    fn apply(&mut self, event: &JobEvent) {
        match event {
            // Only ever the first event, which `created` reads.
            JobEvent::JobCreated { .. } | JobEvent::ChunkScheduled { .. } | JobEvent::BeamSizeChosen { .. } => {}
            JobEvent::LanguageDetected { language } => self.detected_language = Some(language.clone()),
            JobEvent::DownloadStarted { attempt, .. } => {
                self.status = JobStatus::Downloading;
                self.download_attempt = count(*attempt);
                self.download_percent = 0;
                self.warning = None;
                self.clear_error();
            }
            JobEvent::DownloadProgressed { percent, .. } => self.download_percent = i16::from(*percent),
            JobEvent::DownloadAttemptFailed { failure, retry_in_ms, .. } => {
                self.failed(step::DOWNLOAD.name, failure, *retry_in_ms);
            }
            JobEvent::WarningRaised { warning, .. } => self.warning = Some(warning.message.clone()),
            JobEvent::ChunksPlanned { chunks } => self.chunks = i32::try_from(chunks.len()).unwrap_or(i32::MAX),
            JobEvent::AudioDownloaded { audio, title, .. } => {
                self.status = JobStatus::Transcribing;
                self.download_percent = 100;
                self.duration_ms = i64::try_from(audio.duration_ms).ok();
                self.title.clone_from(title);
                self.clear_error();
            }
            JobEvent::ChunkStarted { model, .. } => {
                self.model = Some(model.clone());
                self.clear_error();
            }
            JobEvent::ChunkAttemptFailed { failure, retry_in_ms, .. } => {
                self.failed(step::TRANSCRIBE.name, failure, *retry_in_ms);
            }
            JobEvent::ChunkTranscribed { segments, .. } => {
                self.chunks_done += 1;
                self.segments += i32::try_from(segments.len()).unwrap_or(i32::MAX);
            }
            JobEvent::JobCompleted { result } => {
                let JobResult::Transcription { language, .. } = result;
                self.detected_language = Some(language.clone());
                self.clear_error();
                self.ended(JobStatus::Completed);
            }
            JobEvent::JobFailed { step, failure } => {
                self.failed(step, failure, None);
                self.ended(JobStatus::Failed);
            }
            JobEvent::JobCancelled { .. } => self.ended(JobStatus::Cancelled),
        }
    }

    /// Applies what one recorded event of the delivery that tells of the job's end stands for, in order and without a
    /// gap as well.
    ///
    /// # Errors
    /// It is not the next event of the delivery.
    pub fn fold_delivery(&mut self, recorded: &RecordedEvent, events: &[DeliveryEvent]) -> Result<Fold, Misfit> {
        let Some(version) = next(self.delivery_version, recorded)? else { return Ok(Fold::Known) };
        self.delivery_version = version;
        for event in events {
            self.apply_delivery(event);
        }
        Ok(Fold::Applied)
    }

    fn apply_delivery(&mut self, event: &DeliveryEvent) {
        match event {
            DeliveryEvent::WebhookDelivered { attempt, .. } => {
                self.webhook_status = Some(delivery_word(DeliveryStatus::Delivered).to_owned());
                self.webhook_attempts = count(*attempt);
            }
            DeliveryEvent::WebhookAttemptFailed { attempt, .. } => self.webhook_attempts = count(*attempt),
            DeliveryEvent::WebhookAbandoned { .. } => {
                self.webhook_status = Some(delivery_word(DeliveryStatus::Abandoned).to_owned());
            }
        }
    }

    /// How much of the whole work is done, 0 to 100.
    pub fn progress_percent(&self) -> u8 {
        if self.status == JobStatus::Completed {
            return 100;
        }
        let downloaded = u32::try_from(self.download_percent).unwrap_or(0) * DOWNLOAD_SHARE_PERCENT / 100;
        let transcribed = match (u32::try_from(self.chunks_done), u32::try_from(self.chunks)) {
            (Ok(done), Ok(chunks)) if chunks > 0 => done * (100 - DOWNLOAD_SHARE_PERCENT) / chunks,
            _ => 0,
        };
        u8::try_from(downloaded + transcribed).unwrap_or(100)
    }

    fn failed(&mut self, step: &str, failure: &Failure, retry_in_ms: Option<u64>) {
        self.error_stage = Some(step.to_owned());
        self.error_code = Some(failure.code.clone());
        self.error_message = Some(failure.message.clone());
        self.retry_at = retry_in_ms
            .and_then(|ms| TimeDelta::try_milliseconds(i64::try_from(ms).ok()?))
            .and_then(|delay| self.updated_at.checked_add_signed(delay));
    }

    fn clear_error(&mut self) {
        self.error_stage = None;
        self.error_code = None;
        self.error_message = None;
        self.retry_at = None;
    }

    fn ended(&mut self, status: JobStatus) {
        self.status = status;
        self.retry_at = None;
        self.ended_at = Some(self.updated_at);
    }
}

/// The version that the event leads to; `None` if it was applied before.
fn next(version: i64, recorded: &RecordedEvent) -> Result<Option<i64>, Misfit> {
    let sequence = i64::try_from(recorded.sequence).unwrap_or(i64::MAX);
    let expected = version.saturating_add(1);
    if sequence > expected {
        return Err(Misfit::Waits { aggregate_type: recorded.aggregate_type.clone(), expected });
    }
    Ok((sequence == expected).then_some(sequence))
}

fn count(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

fn delivery_word(status: DeliveryStatus) -> &'static str {
    match status {
        DeliveryStatus::Pending => "pending",
        DeliveryStatus::Delivered => "delivered",
        DeliveryStatus::Abandoned => "abandoned",
    }
}
