//! What happened to a job and why, as one timeline that a person understands.
//!
//! A pure function of the recorded events: who gave which command, what followed from it, how long things waited and
//! took, what was tried again and for what reason. All times are those at which the database recorded the events, so they
//! come from one clock.

mod builder;
mod entry;
#[cfg(test)]
pub(crate) mod tests;
mod wording;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;
use ytcaption_domain::JobId;
use ytcaption_domain::job::JobStatus;
use ytcaption_eventstore::RecordedEvent;

use builder::TimelineBuilder;

/// The timeline of one job.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Timeline {
    /// The job.
    #[schema(value_type = Uuid)]
    pub job_id: JobId,
    /// Its status now; absent if its first event cannot be read.
    pub status: Option<JobStatus>,
    /// The trace that began with the request (W3C trace id, 32 hex digits).
    #[schema(example = "0af7651916cd43dd8448eb211c80319c")]
    pub trace_id: Option<String>,
    /// Ties together everything that followed from the request.
    pub correlation_id: Option<Uuid>,
    /// When the job was recorded.
    pub began_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub ended_at: Option<DateTime<Utc>>,
    /// Milliseconds from beginning to end, once it has ended.
    pub took_ms: Option<u64>,
    /// Whether personal content of the job was erased; texts then read `about:erased`.
    pub erased: bool,
    /// Attempts at the download.
    pub download_attempts: u32,
    /// Attempts at chunks, all together.
    pub chunk_attempts: u32,
    /// Attempts to deliver the webhook.
    pub webhook_attempts: u32,
    /// What happened, oldest first.
    pub entries: Vec<TimelineEntry>,
}

/// What an entry is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = TimelineEntryKind)]
pub enum EntryKind {
    /// A client submitted the job.
    Request,
    /// A worker began an attempt.
    Begin,
    /// An attempt goes on, or work is queued.
    Progress,
    /// Work was done.
    Done,
    /// An attempt failed.
    Failure,
    /// The job ended.
    End,
    /// The webhook was delivered, or not.
    Webhook,
    /// This program cannot read the event.
    Unknown,
}

/// One line: an event, or several that belong together.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct TimelineEntry {
    /// When it was recorded; of several events the last.
    pub at: DateTime<Utc>,
    /// Milliseconds since the job was recorded.
    pub after_ms: u64,
    /// What it is about.
    pub kind: EntryKind,
    /// Who gave the command, as `kind:id`.
    #[schema(example = "worker:download@host:4711")]
    pub actor: String,
    /// The command that led to it.
    #[schema(example = "StartDownload")]
    pub command: Option<&'static str>,
    /// Name of the event.
    #[schema(example = "DownloadStarted")]
    pub event_type: String,
    /// Id of the event; of several the first.
    pub event_id: Uuid,
    /// The event that led to the command, if one did.
    pub causation_id: Option<Uuid>,
    /// How many events it summarizes.
    #[schema(example = 1)]
    pub events: u32,
    /// Number of the attempt, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    /// Index of the chunk, from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chunk: Option<u32>,
    /// Milliseconds it waited before it began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waited_ms: Option<u64>,
    /// Milliseconds the work took.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub took_ms: Option<u64>,
    /// What happened, as a sentence.
    #[schema(example = "download, attempt 1, begun by download@host:4711 after waiting 40 ms")]
    pub text: String,
}

impl Timeline {
    /// The timeline of these events of a job and its deliveries, oldest first.
    pub fn from_events(job_id: JobId, events: &[RecordedEvent]) -> Self {
        let mut builder = TimelineBuilder::default();
        for event in events {
            builder.add(event);
        }
        let first = events.first();
        let began_at = first.map(|event| event.recorded_at);
        let ended_at = builder.ended_at;
        Self {
            job_id,
            status: builder.status,
            trace_id: first.and_then(|event| trace_id(event.metadata.context.traceparent.as_deref()?)),
            correlation_id: first.map(|event| event.metadata.context.correlation_id),
            began_at,
            ended_at,
            took_ms: began_at.zip(ended_at).map(|(began, ended)| ms_between(began, ended)),
            erased: events.iter().any(|event| event.erased),
            download_attempts: builder.download_attempts,
            chunk_attempts: builder.chunk_attempts,
            webhook_attempts: builder.webhook_attempts,
            entries: builder.entries,
        }
    }
}

/// The second field of a W3C `traceparent`.
fn trace_id(traceparent: &str) -> Option<String> {
    traceparent.split('-').nth(1).map(str::to_owned)
}

fn ms_between(from: DateTime<Utc>, to: DateTime<Utc>) -> u64 {
    u64::try_from((to - from).max(TimeDelta::zero()).num_milliseconds()).unwrap_or_default()
}
