//! What happened to a job and why, as one line of time that a person understands.
//!
//! A pure function of the recorded events: who gave which command, what came of it, how long things waited and took,
//! what was tried again and for what reason. All times are those at which the database recorded the events, so they come
//! from one clock.

mod narrate;
mod step;
#[cfg(test)]
pub(crate) mod tests;
mod words;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;
use ytcaption_domain::JobId;
use ytcaption_domain::job::JobStatus;
use ytcaption_eventstore::RecordedEvent;

use narrate::Narrator;

/// The story of one job.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Timeline {
    /// The job.
    #[schema(value_type = Uuid)]
    pub job_id: JobId,
    /// Where it stands now; absent if its first event cannot be read.
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
    /// Attempts at the download.
    pub download_attempts: u32,
    /// Attempts at chunks, all together.
    pub chunk_attempts: u32,
    /// Attempts to tell the webhook.
    pub webhook_attempts: u32,
    /// What happened, oldest first.
    pub entries: Vec<Entry>,
}

/// What an entry speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = TimelineEntryKind)]
pub enum Kind {
    /// The job was asked for.
    Request,
    /// A worker began something.
    Begin,
    /// Work has come some way.
    Progress,
    /// Work was done.
    Done,
    /// An attempt failed.
    Failure,
    /// The job ended.
    End,
    /// The webhook was told, or not.
    Webhook,
    /// An event that this program does not know.
    Unknown,
}

/// One step: an event, or several that belong together.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = TimelineEntry)]
pub struct Entry {
    /// When it was recorded; of several events the last.
    pub at: DateTime<Utc>,
    /// Milliseconds since the job was recorded.
    pub after_ms: u64,
    /// What it speaks of.
    pub kind: Kind,
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
    /// How many events it stands for.
    #[schema(example = 1)]
    pub events: u32,
    /// Number of the attempt it speaks of, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    /// Chunk it speaks of, from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chunk: Option<u32>,
    /// Milliseconds it waited before it began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waited_ms: Option<u64>,
    /// Milliseconds the work took.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub took_ms: Option<u64>,
    /// The step in words.
    #[schema(example = "download, attempt 1, begun by download@host:4711 after waiting 40 ms")]
    pub text: String,
}

/// The story that these events of a job and its deliveries, oldest first, tell.
pub fn explain(job_id: JobId, events: &[RecordedEvent]) -> Timeline {
    let mut narrator = Narrator::default();
    for event in events {
        narrator.hear(event);
    }
    let first = events.first();
    let began_at = first.map(|event| event.recorded_at);
    let ended_at = narrator.ended_at;
    Timeline {
        job_id,
        status: narrator.status,
        trace_id: first.and_then(|event| trace_id(event.metadata.context.traceparent.as_deref()?)),
        correlation_id: first.map(|event| event.metadata.context.correlation_id),
        began_at,
        ended_at,
        took_ms: began_at.zip(ended_at).map(|(began, ended)| ms_between(began, ended)),
        download_attempts: narrator.download_attempts,
        chunk_attempts: narrator.chunk_attempts,
        webhook_attempts: narrator.webhook_attempts,
        entries: narrator.entries,
    }
}

/// The second field of a W3C `traceparent`.
fn trace_id(traceparent: &str) -> Option<String> {
    traceparent.split('-').nth(1).map(str::to_owned)
}

fn ms_between(from: DateTime<Utc>, to: DateTime<Utc>) -> u64 {
    u64::try_from((to - from).max(TimeDelta::zero()).num_milliseconds()).unwrap_or_default()
}
