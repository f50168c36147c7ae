//! `GET /api/v1/transcriptions/{id}/stream`: captions while the job runs, as Server-Sent Events.
//!
//! The use case [`Subscriptions::progress`](ytcaption_application::Subscriptions::progress) yields what happens to the
//! job as typed messages; `sse` writes them as events; `permits` limits how many streams are open. The protocol is the
//! HTML standard's: <https://html.spec.whatwg.org/multipage/server-sent-events.html>.

mod permits;
mod sse;

use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, HeaderName};
use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::Sse;
use axum::response::{IntoResponse, Response};
use ytcaption_application::{InvalidPosition, ProgressPosition};

use crate::ApiState;
use crate::base_path::BasePath;
use crate::forwarded::ClientAddress;
use crate::parameters::JobPath;
use crate::principal::Authenticated;
use crate::problem::{ApiError, Problem};
pub use permits::StreamPermits;
pub(crate) use sse::{
    StreamCancelled, StreamCaptions, StreamCompleted, StreamFailure, StreamProgress, StreamStatus, StreamWarning,
};

/// Header of a client that was cut off: the id of the last event it received.
const LAST_EVENT_ID: &str = "Last-Event-ID";
/// nginx and similar proxies would hold events back until a buffer is full.
const NO_PROXY_BUFFER: (HeaderName, &str) = (HeaderName::from_static("x-accel-buffering"), "no");

/// The captions of a job while they are made
///
/// Server-Sent Events, for `EventSource`, `curl -N` and similar clients. They begin with the start of the job:
///
/// | event | data | when |
/// |---|---|---|
/// | `status` | `StreamStatus` | the job was accepted, is downloading, is being transcribed |
/// | `progress` | `StreamProgress` | a step has progressed |
/// | `warning` | `StreamWarning` | something is wrong with the media, and the job goes on |
/// | `captions` | `StreamCaptions` | the text of the next chunk; chunks come in the order of the media |
/// | `attempt_failed` | `StreamFailure` | a step failed and is retried |
/// | `completed` | `StreamCompleted` | all captions were sent; the stream ends |
/// | `failed` | `StreamFailure` | there will be no more; the stream ends |
/// | `cancelled` | `StreamCancelled` | the job was stopped; the stream ends |
///
/// Every event has an `id`. Sent back as `Last-Event-ID` (an `EventSource` does so by itself) it resumes the stream
/// right after that event, at any server of the system: nothing is lost and nothing comes twice. After the last event
/// the answer is 204, which makes an `EventSource` stop. Lines that begin with `:` keep the connection alive.
#[utoipa::path(
    get,
    operation_id = "streamTranscription",
    path = "/api/v1/transcriptions/{id}/stream",
    tag = "transcriptions",
    params(
        ("id" = uuid::Uuid, Path, description = "The job"),
        ("Last-Event-ID" = Option<String>, Header, pattern = r"^([0-9]{1,9}\.[0-9]{1,9})?$", example = "41.3", description = "`id` of the last event received"),
    ),
    responses(
        (status = 200, description = "The events", body = String, content_type = "text/event-stream",
         example = "event: progress\nid: 9.0\ndata: {\"step\":\"transcribe\",\"percent\":50}\n\n"),
        (status = 204, description = "The job has ended and `Last-Event-ID` is its last event: there is nothing more"),
        (status = 400, description = "The id is not a UUID, or the stream has no such event", body = Problem,
         content_type = "application/problem+json"),
        (status = 404, description = "There is no such job", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "Too many streams are open from this address", body = Problem,
         content_type = "application/problem+json"),
        (status = 503, description = "The database does not answer, or too many streams are open", body = Problem,
         content_type = "application/problem+json"),
    )
)]
pub(crate) async fn stream(
    State(state): State<ApiState>,
    ClientAddress(client): ClientAddress,
    base: BasePath,
    Authenticated(principal): Authenticated,
    JobPath(id): JobPath,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let position = last_event_id(&headers)?;
    let permit = state.streams.acquire(client)?;
    let Some(progress) = state.subscriptions.progress(&principal, id, position).await? else {
        return Ok(StatusCode::NO_CONTENT.into_response());
    };
    let events = Sse::new(sse::start(permit, progress, id, base));
    Ok(([(CACHE_CONTROL, "no-store"), NO_PROXY_BUFFER], events).into_response())
}

/// The position to resume at: the start if the header is absent or, as in the standard, empty.
fn last_event_id(headers: &HeaderMap) -> Result<ProgressPosition, ApiError> {
    let position = match headers.get(LAST_EVENT_ID).map(|value| value.to_str()) {
        None | Some(Ok("")) => Ok(ProgressPosition::default()),
        Some(Ok(text)) => text.parse(),
        Some(Err(_)) => Err(InvalidPosition("what was sent".to_owned())),
    };
    position.map_err(|error: InvalidPosition| ApiError::invalid_parameter(LAST_EVENT_ID, error.to_string()))
}
