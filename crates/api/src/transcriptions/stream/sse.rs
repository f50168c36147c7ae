//! Progress as Server-Sent Events: `SseWriter` sends one [`StreamEvent`] for each message.

use std::convert::Infallible;
use std::time::Duration;

use axum::response::sse::Event;
use futures::Stream;
use serde::Serialize;
use tokio::sync::mpsc::{self, Sender};
use tokio::time::{sleep, timeout};
use utoipa::ToSchema;
use ytcaption_application::{Progress, ProgressMessage, ProgressStream, StoreError};
use ytcaption_domain::JobId;
use ytcaption_domain::captions::Segment;
use ytcaption_domain::job::{Failure, JobStatus};

use super::permits::StreamPermit;
use crate::base_path::BasePath;

/// A comment is sent after this time without an event: proxies close connections without traffic, and a client that has
/// gone is noticed. The HTML standard advises "every 15 seconds or so".
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// The stream of a client that reads nothing for this long ends; the client may reconnect and resume.
const WRITE_TIMEOUT: Duration = Duration::from_secs(if cfg!(test) { 1 } else { 30 });
/// How soon a client that was cut off reconnects.
const RECONNECT_DELAY: Duration = Duration::from_secs(2);
/// Delay before the database is queried again.
const RETRY_DELAY: Duration = Duration::from_secs(1);

/// `event: status`: the job has a new status.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct StreamStatus {
    status: JobStatus,
    /// Title of the media, once it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<String>,
    /// Length of the media in milliseconds, once it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    duration_ms: Option<u64>,
}

/// `event: progress`: a step has progressed.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct StreamProgress {
    /// `download` or `transcribe`.
    #[schema(example = "transcribe")]
    step: String,
    /// How much of this step is done, 0 to 100.
    #[schema(maximum = 100, example = 42)]
    percent: u32,
}

/// `event: warning`: something is wrong with the media although the job goes on.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct StreamWarning {
    /// What it is and what to do.
    message: String,
}

/// `event: captions`: the text of the next chunk of the media.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct StreamCaptions {
    /// Index of the chunk, from 0.
    chunk: u32,
    /// Code of its language; `und` if it has no speech.
    #[schema(example = "en")]
    language: String,
    /// Its segments in the order of time; none if it has no speech.
    segments: Vec<Segment>,
}

/// `event: attempt_failed`: a step failed; `event: failed`: and is not retried.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct StreamFailure {
    /// `download` or `transcribe`.
    #[schema(example = "download")]
    step: String,
    /// Stable identifier for programs.
    #[schema(example = "http_5xx")]
    code: String,
    /// What happened and what to do next.
    #[schema(example = "The server of the media answered 503.")]
    message: String,
    /// When it is retried, in milliseconds after it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_in_ms: Option<u64>,
}

/// `event: completed`: all captions were sent.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct StreamCompleted {
    /// Code of the main language of the media; `und` if there is no speech.
    #[schema(example = "en")]
    language: String,
    /// Length of the media in milliseconds.
    duration_ms: u64,
    /// How many segments there are.
    segments: u32,
    /// URL of the captions as a file.
    #[schema(example = "/api/v1/transcriptions/0197a2b4-7f3e-7c10-8d2e-5a9b1c3d4e5f/result")]
    result_url: String,
}

/// `event: cancelled`: a client stopped the job.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct StreamCancelled {
    /// Why, in the client's own words.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// One event of the stream.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
enum StreamEvent {
    Status(StreamStatus),
    Progress(StreamProgress),
    Warning(StreamWarning),
    Captions(StreamCaptions),
    AttemptFailed(StreamFailure),
    Completed(StreamCompleted),
    Failed(StreamFailure),
    Cancelled(StreamCancelled),
}

impl StreamEvent {
    fn new(job: JobId, progress: Progress, base: &BasePath) -> Self {
        match progress {
            Progress::StatusChanged { status, title, duration_ms } => {
                Self::Status(StreamStatus { status, title, duration_ms })
            }
            Progress::StepProgressed { step, percent } => Self::Progress(StreamProgress { step, percent }),
            Progress::WarningRaised { warning } => Self::Warning(StreamWarning { message: warning.message }),
            Progress::CaptionsAdded { chunk, language, segments } => {
                Self::Captions(StreamCaptions { chunk, language, segments })
            }
            Progress::AttemptFailed { step, failure, retry_in_ms } => {
                Self::AttemptFailed(StreamFailure::new(step, failure, Some(retry_in_ms)))
            }
            Progress::Completed { language, duration_ms, segments } => {
                Self::Completed(StreamCompleted { language, duration_ms, segments, result_url: base.result(job) })
            }
            Progress::Failed { step, failure } => Self::Failed(StreamFailure::new(step, failure, None)),
            Progress::Cancelled { reason } => Self::Cancelled(StreamCancelled { reason }),
        }
    }

    /// Its name in `event:`. None is `error`: a browser's `EventSource` uses that name for errors of its own.
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
}

impl StreamFailure {
    fn new(step: String, failure: Failure, retry_in_ms: Option<u64>) -> Self {
        Self { step, code: failure.code, message: failure.message, retry_in_ms }
    }
}

/// Begins to write; returns the body of the answer. A client that does not read delays no other: one event waits for it,
/// and what [`ProgressStream`] holds.
pub(super) fn start(
    permit: StreamPermit,
    progress: ProgressStream,
    job: JobId,
    base: BasePath,
) -> impl Stream<Item = Result<Event, Infallible>> + Send {
    let (sender, mut receiver) = mpsc::channel(1);
    tokio::spawn(SseWriter { permit, progress, job, base, sender }.run());
    futures::stream::poll_fn(move |context| receiver.poll_recv(context).map(|event| event.map(Ok)))
}

/// Writes the progress of one job to one client.
struct SseWriter {
    permit: StreamPermit,
    progress: ProgressStream,
    job: JobId,
    base: BasePath,
    sender: Sender<Event>,
}

/// The client has gone or reads nothing, or the server stops.
struct Disconnected;

impl SseWriter {
    /// Runs until the last message was sent, the client has gone or the server stops.
    async fn run(mut self) {
        // However the client has gone, nothing is left to do.
        let _ = self.write().await;
    }

    async fn write(&mut self) -> Result<(), Disconnected> {
        self.send(Event::default().retry(RECONNECT_DELAY)).await?;
        loop {
            let message = tokio::select! {
                () = self.permit.stopped() => return Err(Disconnected),
                () = self.sender.closed() => return Err(Disconnected),
                message = self.progress.next() => message,
                () = sleep(KEEP_ALIVE) => {
                    self.send(Event::default().comment("keep-alive")).await?;
                    continue;
                }
            };
            match message {
                Ok(Some(ProgressMessage { position, progress })) => {
                    let event = StreamEvent::new(self.job, progress, &self.base);
                    match Event::default().event(event.name()).id(position.to_string()).json_data(&event) {
                        Ok(event) => self.send(event).await?,
                        Err(error) => {
                            self.report(&error.to_string());
                            return Ok(());
                        }
                    }
                }
                Ok(None) => return Ok(()),
                Err(StoreError::Unreadable(error) | StoreError::Unstorable(error)) => {
                    self.report(&error);
                    return Ok(());
                }
                Err(StoreError::Unavailable(error)) => {
                    tracing::debug!(error, "a stream waits for the database");
                    tokio::select! {
                        () = self.permit.stopped() => return Err(Disconnected),
                        () = self.sender.closed() => return Err(Disconnected),
                        () = sleep(RETRY_DELAY) => {}
                    }
                }
            }
        }
    }

    fn report(&self, error: &str) {
        tracing::error!(job_id = %self.job, error, "a stream ends before its job: an event cannot be read");
    }

    async fn send(&self, event: Event) -> Result<(), Disconnected> {
        tokio::select! {
            () = self.permit.stopped() => Err(Disconnected),
            sent = timeout(WRITE_TIMEOUT, self.sender.send(event)) => match sent {
                Ok(Ok(())) => Ok(()),
                Ok(Err(_)) | Err(_) => Err(Disconnected),
            },
        }
    }
}
