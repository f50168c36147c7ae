//! What a stream tells, as JSON in the `data:` of its events.

use axum::response::sse::Event;
use serde::Serialize;
use utoipa::ToSchema;
use ytcaption_domain::captions::Segment;
use ytcaption_domain::job::Failure;

use super::position::Position;
use crate::transcriptions::Status;
use crate::transcriptions::result::SegmentDocument;

/// `event: status`: the job has come to its next step.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct StreamStatus {
    pub(super) status: Status,
    /// Title of the recording, once it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) title: Option<String>,
    /// Length of the recording in milliseconds, once it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) duration_ms: Option<u64>,
}

/// `event: progress`: a step has come some way.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct StreamProgress {
    /// `download` or `transcribe`.
    #[schema(example = "transcribe")]
    pub(super) step: String,
    /// How much of this step is done, 0 to 100.
    #[schema(maximum = 100, example = 42)]
    pub(super) percent: u32,
}

/// `event: warning`: something is wrong with the recording although the job goes on.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct StreamWarning {
    /// What it is and what to do.
    pub(super) message: String,
}

/// `event: captions`: the text of the next part of the recording.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct StreamCaptions {
    /// Number of the part, from 0.
    pub(super) chunk: u32,
    /// Code of the language heard in it; `und` if nobody speaks.
    #[schema(example = "en")]
    pub(super) language: String,
    /// Its segments in the order of time; none if nobody speaks.
    #[schema(value_type = Vec<SegmentDocument>)]
    pub(super) segments: Vec<Segment>,
}

/// `event: attempt_failed`: a step failed; `event: failed`: and is not tried again.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct StreamFailure {
    /// `download` or `transcribe`.
    #[schema(example = "download")]
    pub(super) step: String,
    /// Stable word for programs.
    #[schema(example = "http_5xx")]
    pub(super) code: String,
    /// What happened and what to do next.
    #[schema(example = "The server of the recording answered 503.")]
    pub(super) message: String,
    /// When it is tried again, in milliseconds after it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) retry_in_ms: Option<u64>,
}

/// `event: completed`: all captions were sent.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct StreamCompleted {
    /// Code of the recording's main language; `und` if nobody speaks.
    #[schema(example = "en")]
    pub(super) language: String,
    /// Length of the recording in milliseconds.
    pub(super) duration_ms: u64,
    /// How many segments there are.
    pub(super) segments: u32,
    /// Where the captions are as a file.
    #[schema(example = "/api/v1/transcriptions/0197a2b4-7f3e-7c10-8d2e-5a9b1c3d4e5f/result")]
    pub(super) result_url: String,
}

/// `event: cancelled`: somebody stopped the job.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct StreamCancelled {
    /// In their own words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<String>,
}

/// One event of the stream.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub(super) enum Message {
    Status(StreamStatus),
    Progress(StreamProgress),
    Warning(StreamWarning),
    Captions(StreamCaptions),
    AttemptFailed(StreamFailure),
    Completed(StreamCompleted),
    Failed(StreamFailure),
    Cancelled(StreamCancelled),
}

impl Message {
    /// Its name in `event:`. None is `error`: a browser's `EventSource` calls its own troubles so.
    const fn name(&self) -> &'static str {
        match self {
            Self::Status(_) => "status",
            Self::Progress(_) => "progress",
            Self::Warning(_) => "warning",
            Self::Captions(_) => "captions",
            Self::AttemptFailed(_) => "attempt_failed",
            Self::Completed(_) => "completed",
            Self::Failed(_) => "failed",
            Self::Cancelled(_) => "cancelled",
        }
    }

    /// Whether nothing can follow.
    pub(super) const fn is_last(&self) -> bool {
        matches!(self, Self::Completed(_) | Self::Failed(_) | Self::Cancelled(_))
    }

    /// As it goes over the wire; whoever has it is at `position`.
    pub(super) fn at(&self, position: Position) -> Result<Event, axum::Error> {
        Event::default().event(self.name()).id(position.to_string()).json_data(self)
    }
}

impl StreamFailure {
    pub(super) fn new(step: &str, failure: Failure, retry_in_ms: Option<u64>) -> Self {
        Self { step: step.to_owned(), code: failure.code, message: failure.message, retry_in_ms }
    }
}
