//! How recorded events and what is told of them look as JSON. The store and the projections write them; these structs
//! describe what they write.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::transcriptions::Status;

/// A recorded event.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what the event store writes; a test compares them")]
pub(crate) struct EventDocument {
    /// Its place among all events.
    #[schema(example = "742-1205")]
    cursor: String,
    /// When it was stored, by the clock of the database.
    recorded_at: DateTime<Utc>,
    /// `job` or `delivery`.
    #[schema(example = "job")]
    aggregate_type: String,
    /// The job, or the delivery that tells of its end.
    aggregate_id: String,
    /// Its place in the life of that job or delivery, from 1.
    #[schema(example = 2)]
    sequence: u64,
    #[schema(example = "DownloadStarted")]
    event_type: String,
    /// Version of the payload's shape.
    #[schema(example = "1")]
    event_version: String,
    /// What happened; its members depend on `event_type`.
    payload: Value,
    /// Who, when and why: event id, actor, account, correlation, causation, trace.
    metadata: HashMap<String, String>,
    /// What is wrong with the metadata, which are then shown as they are stored; absent if nothing is.
    corrupt: Option<String>,
}

/// A recorded event that could not be applied to a read model.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what the projections write; a test compares them")]
pub(crate) struct ParkedEventDocument {
    /// The read model.
    #[schema(example = "jobs")]
    projection: String,
    /// Its place among all events.
    #[schema(example = "742-1205")]
    cursor: String,
    /// `job` or `delivery`.
    #[schema(example = "job")]
    aggregate_type: String,
    /// The job or the delivery.
    aggregate_id: String,
    /// Its place in the life of that job or delivery, from 1.
    #[schema(example = 2)]
    sequence: u64,
    #[schema(example = "DownloadStarted")]
    event_type: String,
    /// Version of the payload's shape.
    #[schema(example = "9")]
    event_version: String,
    /// The event itself is sound: an earlier one of the same job or delivery blocks it.
    blocked: bool,
    /// Why it could not be applied, and what to do.
    #[schema(
        example = "this program knows this event up to version 2; a newer version of the program probably wrote it"
    )]
    error: String,
    /// When that happened first.
    parked_at: DateTime<Utc>,
    /// When it was tried again for the last time.
    retried_at: Option<DateTime<Utc>>,
}

/// The story of a job.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what the projections write; a test compares them")]
pub(crate) struct TimelineDocument {
    job_id: Uuid,
    /// Where it stands.
    status: Option<Status>,
    /// The trace that began with the request.
    #[schema(example = "0af7651916cd43dd8448eb211c80319c")]
    trace_id: Option<String>,
    /// Ties together everything that followed from the request.
    correlation_id: Option<Uuid>,
    began_at: Option<DateTime<Utc>>,
    ended_at: Option<DateTime<Utc>>,
    /// Milliseconds from beginning to end, once it has ended.
    took_ms: Option<u64>,
    download_attempts: u32,
    chunk_attempts: u32,
    webhook_attempts: u32,
    /// What happened, oldest first.
    entries: Vec<EntryDocument>,
}

/// One step: an event, or several that belong together.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what the projections write; a test compares them")]
pub(crate) struct EntryDocument {
    /// When it was recorded; of several events the last.
    at: DateTime<Utc>,
    /// Milliseconds since the job was recorded.
    after_ms: u64,
    /// `request`, `begin`, `progress`, `done`, `failure`, `end`, `webhook` or `unknown`.
    #[schema(example = "begin")]
    kind: String,
    /// Who gave the command.
    #[schema(example = "worker:download@host:4711")]
    actor: String,
    /// The command that led to it.
    #[schema(example = "StartDownload")]
    command: Option<String>,
    #[schema(example = "DownloadStarted")]
    event_type: String,
    event_id: Uuid,
    /// The event that led to the command, if one did.
    causation_id: Option<Uuid>,
    /// How many events it stands for.
    #[schema(example = 1)]
    events: u32,
    /// Number of the attempt, from 1.
    attempt: Option<u32>,
    /// Index of the chunk, from 0.
    chunk: Option<u32>,
    /// Milliseconds it waited before it began.
    waited_ms: Option<u64>,
    /// Milliseconds the work took.
    took_ms: Option<u64>,
    /// The step in words.
    #[schema(example = "download, attempt 1, begun by download@host:4711 after waiting 40 ms")]
    text: String,
}
