//! Jobs as JSON.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;
use ytcaption_application::{self as application, JobFailure};
use ytcaption_domain::job::JobStatus;
use ytcaption_domain::{shown_media_url, shown_webhook_url};
use ytcaption_projections::JobView;

use crate::base_path::BasePath;

/// Kind of a source that is a URL.
const URL: &str = "url";

/// A job that was accepted or changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct JobAccepted {
    pub(crate) job_id: Uuid,
    pub(crate) status: JobStatus,
    /// URL of the job.
    #[schema(example = "/api/v1/transcriptions/0197a2b4-7f3e-7c10-8d2e-5a9b1c3d4e5f")]
    pub(crate) status_url: String,
    /// When the job was accepted.
    pub(crate) created_at: DateTime<Utc>,
}

impl JobAccepted {
    pub(super) fn new(accepted: application::JobAccepted, base: &BasePath) -> Self {
        let application::JobAccepted { job, status, created_at } = accepted;
        Self { job_id: job.0, status, status_url: base.job(job), created_at }
    }
}

/// A job.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Transcription {
    pub(crate) job_id: Uuid,
    pub(crate) status: JobStatus,
    source: Source,
    /// The failed or cancelled job that this one does once more.
    retry_of: Option<Uuid>,
    /// Title of the media, once known.
    #[schema(example = "How captions came to be")]
    title: Option<String>,
    /// Requested language: `auto` or a code.
    #[schema(example = "auto")]
    language: String,
    /// `transcribe`, or `translate` for an English translation.
    #[schema(example = "transcribe")]
    task: &'static str,
    /// Language of the speech, once detected.
    #[schema(example = "en")]
    detected_language: Option<String>,
    /// `high`, `normal` or `low`.
    #[schema(example = "normal")]
    priority: &'static str,
    /// The requested model, or the one in use.
    #[schema(example = "faster-whisper-small")]
    model: Option<String>,
    progress: Progress,
    /// Length of the media in milliseconds, once known.
    #[schema(example = 93_500)]
    duration_ms: Option<u64>,
    /// What is wrong with the media although the job goes on, such as that its end is missing.
    #[schema(example = "The media is truncated: its header announces 60.0 s of audio, and it has 12.4 s.")]
    warning: Option<String>,
    /// The webhook that receives a POST when the job ends.
    webhook: Option<Webhook>,
    /// Why the latest attempt failed. While the job has not ended, the step is retried at `retry_at`.
    error: Option<JobFailure>,
    /// When the failed step is retried.
    retry_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    /// When the job was completed, failed or was cancelled.
    ended_at: Option<DateTime<Utc>>,
    /// Whether personal content of the job was erased: texts then read `about:erased`, and the captions are empty.
    erased: bool,
    /// Number of events in the life of the job.
    #[schema(example = 7)]
    version: u64,
    /// URL of this resource.
    #[schema(example = "/api/v1/transcriptions/0197a2b4-7f3e-7c10-8d2e-5a9b1c3d4e5f")]
    status_url: String,
    /// URL of the captions, once completed.
    #[schema(example = "/api/v1/transcriptions/0197a2b4-7f3e-7c10-8d2e-5a9b1c3d4e5f/result")]
    result_url: Option<String>,
}

/// Where the media comes from.
#[derive(Debug, Clone, Serialize, ToSchema)]
struct Source {
    /// `url` or `upload`.
    #[schema(example = "url")]
    kind: String,
    /// The URL, or the name of the uploaded file. In a query, values that may give access are shown as `…`.
    #[schema(example = "https://example.org/talk.mp4")]
    name: String,
}

/// Progress of the job.
#[derive(Debug, Clone, Serialize, ToSchema)]
struct Progress {
    /// How much of the whole work is done, 0 to 100.
    #[schema(example = 65, maximum = 100)]
    percent: u8,
    /// Share of the media that has arrived, 0 to 100.
    #[schema(example = 100, maximum = 100)]
    download_percent: u8,
    /// Chunks of the media, once it has arrived.
    #[schema(example = 4)]
    chunks: u32,
    /// Chunks that are transcribed.
    #[schema(example = 2)]
    chunks_done: u32,
    /// Segments of text so far.
    #[schema(example = 31)]
    segments: u32,
}

/// Receives a POST when the job ends.
#[derive(Debug, Clone, Serialize, ToSchema)]
struct Webhook {
    /// Its scheme and host: the rest often has a secret in it.
    #[schema(example = "https://example.org/…")]
    url: String,
    /// `pending`, `delivered` or `abandoned`.
    #[schema(example = "pending")]
    status: Option<String>,
    /// Attempts so far.
    #[schema(example = 0)]
    attempts: u32,
}

impl Transcription {
    pub(super) fn new(view: JobView, base: &BasePath) -> Self {
        let status_url = base.job(view.job_id);
        Self {
            status: view.status,
            progress: Progress {
                percent: view.progress_percent(),
                download_percent: view.download_percent,
                chunks: view.chunks,
                chunks_done: view.chunks_done,
                segments: view.segments,
            },
            error: JobFailure::from_view(&view),
            result_url: (view.status == JobStatus::Completed).then(|| base.result(view.job_id)),
            webhook: view.webhook_url.map(|url| Webhook {
                url: shown_webhook_url(&url),
                status: view.webhook_status,
                attempts: view.webhook_attempts,
            }),
            job_id: view.job_id.0,
            retry_of: view.retry_of.map(|job| job.0),
            source: Source {
                name: if view.source_kind == URL { shown_media_url(&view.source_name) } else { view.source_name },
                kind: view.source_kind,
            },
            title: view.title,
            language: view.language,
            task: view.task.as_str(),
            detected_language: view.detected_language,
            priority: view.priority.as_str(),
            model: view.model,
            duration_ms: view.duration_ms,
            warning: view.warning,
            retry_at: view.retry_at,
            created_at: view.created_at,
            updated_at: view.updated_at,
            ended_at: view.ended_at,
            erased: view.erased,
            version: view.version,
            status_url,
        }
    }
}
