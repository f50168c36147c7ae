//! A job as clients see it, folded from its events.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use ytcaption_domain::delivery::{DeliveryEvent, DeliveryStatus};
use ytcaption_domain::job::{Failure, JobEvent, JobOptions, JobResult, JobStatus, MediaSource, Priority, Task};
use ytcaption_domain::{AccountId, JobId, step};
use ytcaption_eventstore::RecordedEvent;

use crate::ProjectionError;

/// Share of the whole work, in percent, that the download counts for; the rest is transcription.
const DOWNLOAD_SHARE_PERCENT: u32 = 30;

/// One job, ready to be shown. A new fact is a member here and an arm in [`JobView::apply_one`]; rows that are there
/// already have it after a rebuild, and before that a member that is missing must have a default.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobView {
    /// Its id.
    pub job_id: JobId,
    /// The account that owns it.
    pub account: AccountId,
    /// How far it has come.
    pub status: JobStatus,
    /// `url` or `upload`.
    pub source_kind: String,
    /// The URL, or the name of the uploaded file.
    pub source_name: String,
    /// Title of the media, once known.
    pub title: Option<String>,
    /// Language requested: ISO 639-1 or `auto`.
    pub language: String,
    /// Whether the text is written as spoken or translated.
    pub task: Task,
    /// Language of the speech, once known: ISO 639-1, or `und` if there is no speech.
    pub detected_language: Option<String>,
    /// How urgent it is.
    pub priority: Priority,
    /// Name of the model requested, or of the one in use.
    pub model: Option<String>,
    /// The failed or cancelled job that this one does once more.
    pub retry_of: Option<JobId>,
    /// Called when the job ends.
    pub webhook_url: Option<String>,
    /// State of its delivery: `pending`, `delivered` or `abandoned`; `None` without a webhook.
    pub webhook_status: Option<String>,
    /// Attempts to deliver it.
    pub webhook_attempts: u32,
    /// Number of the latest download attempt; 0 before the first.
    pub download_attempt: u32,
    /// Share of the media that has arrived, 0 to 100.
    pub download_percent: u8,
    /// Chunks into which the media was planned; 0 before that.
    pub chunks: u32,
    /// Chunks that are transcribed.
    pub chunks_done: u32,
    /// Segments of text so far.
    pub segments: u32,
    /// Length of the media in milliseconds, once known.
    pub duration_ms: Option<u64>,
    /// What is wrong with the media although the job goes on, for the client.
    pub warning: Option<String>,
    /// Step whose latest attempt failed, such as `download`; `None` once another one has begun.
    pub error_step: Option<String>,
    /// Code of the failure, for programs: `snake_case`.
    pub error_code: Option<String>,
    /// What happened and what to do next.
    pub error_message: Option<String>,
    /// When the failed step is tried again.
    pub retry_at: Option<DateTime<Utc>>,
    /// When the job was accepted.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
    /// When it was completed, failed or was cancelled.
    pub ended_at: Option<DateTime<Utc>>,
    /// Whether personal content of the job was erased: texts then read `about:erased`, and the captions are empty.
    pub erased: bool,
    /// Sequence of the job's last event applied, from 1.
    pub version: u64,
}

impl JobView {
    /// Applies the typed events of one recorded event of a job ([`RecordedEvent::decode`]). The caller brings the events in
    /// their order and without a gap.
    ///
    /// # Errors
    /// The job does not begin with its creation; the view is as before.
    pub(crate) fn apply(
        view: &mut Option<Self>,
        recorded: &RecordedEvent,
        events: &[JobEvent],
    ) -> Result<(), ProjectionError> {
        for event in events {
            let view = match view {
                Some(view) => view,
                None => view.insert(Self::created(recorded, event)?),
            };
            view.version = recorded.sequence;
            view.updated_at = recorded.metadata.occurred_at;
            view.erased |= recorded.erased;
            view.apply_one(event);
        }
        Ok(())
    }

    fn created(recorded: &RecordedEvent, event: &JobEvent) -> Result<Self, ProjectionError> {
        let JobEvent::JobCreated { account, source, options, priority, webhook_url, retry_of } = event else {
            return Err(ProjectionError::MissingCreation(recorded.event_type.clone()));
        };
        let JobOptions::Transcription(transcription) = options;
        let (source_kind, source_name) = match source {
            MediaSource::Url { url } => ("url", url.to_string()),
            MediaSource::Upload { file_name, .. } => ("upload", file_name.clone()),
        };
        let created_at = recorded.metadata.occurred_at;
        Ok(Self {
            job_id: recorded.aggregate_id.parse().map_err(|_| ProjectionError::InvalidJobId)?,
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
            retry_of: *retry_of,
            webhook_url: webhook_url.as_ref().map(ToString::to_string),
            webhook_status: webhook_url.as_ref().map(|_| delivery_status(DeliveryStatus::Pending)),
            webhook_attempts: 0,
            download_attempt: 0,
            download_percent: 0,
            chunks: 0,
            chunks_done: 0,
            segments: 0,
            duration_ms: None,
            warning: None,
            error_step: None,
            error_code: None,
            error_message: None,
            retry_at: None,
            created_at,
            updated_at: created_at,
            ended_at: None,
            erased: false,
            version: 0,
        })
    }

    fn apply_one(&mut self, event: &JobEvent) {
        if let Some(status) = event.status() {
            self.status = status;
            self.ended_at = status.has_ended().then_some(self.updated_at);
        }
        match event {
            JobEvent::DownloadStarted { attempt, .. } => {
                self.download_attempt = *attempt;
                self.download_percent = 0;
                self.warning = None;
                self.clear_error();
            }
            JobEvent::DownloadProgressed { percent, .. } => self.download_percent = *percent,
            JobEvent::DownloadAttemptFailed { failure, retry_in_ms, .. } => {
                self.set_error(step::DOWNLOAD.name, failure, *retry_in_ms);
            }
            JobEvent::WarningRaised { warning, .. } => {
                let earlier = self.warning.take().map(|earlier| earlier + " ").unwrap_or_default();
                self.warning = Some(earlier + &warning.message);
            }
            JobEvent::AudioDownloaded { audio, title, .. } => {
                self.download_percent = 100;
                self.duration_ms = Some(audio.duration_ms);
                self.title.clone_from(title);
                self.clear_error();
            }
            JobEvent::ChunksPlanned { chunks } => self.chunks = count(chunks),
            JobEvent::ChunkStarted { model, .. } => {
                self.model = Some(model.clone());
                self.clear_error();
            }
            JobEvent::LanguageDetected { language } => self.detected_language = Some(language.clone()),
            JobEvent::ChunkAttemptFailed { failure, retry_in_ms, .. } => {
                self.set_error(step::TRANSCRIBE.name, failure, *retry_in_ms);
            }
            JobEvent::ChunkTranscribed { segments, .. } => {
                self.chunks_done += 1;
                self.segments = self.segments.saturating_add(count(segments));
            }
            JobEvent::JobCompleted { result } => {
                let JobResult::Transcription { language, .. } = result;
                self.detected_language = Some(language.clone());
                self.clear_error();
            }
            JobEvent::JobFailed { step, failure } => self.set_error(step, failure, None),
            JobEvent::JobCancelled { .. } => self.retry_at = None,
            // `created` has read the first; of the chunks only those that are done are shown.
            JobEvent::JobCreated { .. } | JobEvent::ChunkScheduled { .. } | JobEvent::BeamSizeChosen { .. } => {}
        }
    }

    /// Applies the typed events of one recorded event of the delivery that notifies of the job's end, in order as well.
    pub(crate) fn apply_delivery(&mut self, events: &[DeliveryEvent]) {
        for event in events {
            match event {
                DeliveryEvent::WebhookDelivered { attempt, .. } => {
                    self.webhook_status = Some(delivery_status(DeliveryStatus::Delivered));
                    self.webhook_attempts = *attempt;
                }
                DeliveryEvent::WebhookAttemptFailed { attempt, .. } => self.webhook_attempts = *attempt,
                DeliveryEvent::WebhookAbandoned { .. } => {
                    self.webhook_status = Some(delivery_status(DeliveryStatus::Abandoned));
                }
            }
        }
    }

    /// How much of the whole work is done, 0 to 100.
    pub fn progress_percent(&self) -> u8 {
        if self.status == JobStatus::Completed {
            return 100;
        }
        let downloaded = u32::from(self.download_percent) * DOWNLOAD_SHARE_PERCENT / 100;
        let transcribed = (self.chunks_done * (100 - DOWNLOAD_SHARE_PERCENT)).checked_div(self.chunks).unwrap_or(0);
        u8::try_from(downloaded + transcribed).unwrap_or(100)
    }

    fn set_error(&mut self, step: &str, failure: &Failure, retry_in_ms: Option<u64>) {
        self.error_step = Some(step.to_owned());
        self.error_code = Some(failure.code.clone());
        self.error_message = Some(failure.message.clone());
        self.retry_at = retry_in_ms
            .and_then(|ms| TimeDelta::try_milliseconds(i64::try_from(ms).ok()?))
            .and_then(|delay| self.updated_at.checked_add_signed(delay));
    }

    fn clear_error(&mut self) {
        self.error_step = None;
        self.error_code = None;
        self.error_message = None;
        self.retry_at = None;
    }
}

fn count<T>(items: &[T]) -> u32 {
    u32::try_from(items.len()).unwrap_or(u32::MAX)
}

fn delivery_status(status: DeliveryStatus) -> String {
    match status {
        DeliveryStatus::Pending => "pending",
        DeliveryStatus::Delivered => "delivered",
        DeliveryStatus::Abandoned => "abandoned",
    }
    .to_owned()
}
