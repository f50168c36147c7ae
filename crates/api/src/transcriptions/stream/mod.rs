//! `GET /api/v1/transcriptions/{id}/stream`: captions while the job runs, as Server-Sent Events.
//!
//! ```text
//!  append, in any process ─▶ EventListener ─▶ streams: which jobs are newer? ─▶ teller: the job's next events
//!                                        (one question for all)             │ narrator: in which order
//!                                                                           ▼
//!                                                      id: <version>.<chunks>   event: captions   data: {…}
//! ```
//!
//! The event store is read, not a projection, so whatever was promised to a client is in its stream at once. The
//! protocol is the HTML standard's: <https://html.spec.whatwg.org/multipage/server-sent-events.html>.

mod clients;
mod message;
mod narrator;
mod position;
mod streams;
mod teller;

use std::net::SocketAddr;

use axum::extract::{ConnectInfo, State};
use axum::http::header::{CACHE_CONTROL, HeaderName};
use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::Sse;
use axum::response::{IntoResponse, Response};

pub(crate) use message::{
    StreamCancelled, StreamCaptions, StreamCompleted, StreamFailure, StreamProgress, StreamStatus, StreamWarning,
};
pub use streams::Streams;

use super::parameters::JobPath;
use crate::ApiState;
use crate::caller::Caller;
use crate::problem::{ApiError, Fault, Problem};
use narrator::{Narrator, ResumeError};
use position::{NoPosition, Position};

/// What a client that was cut off sends.
const LAST_EVENT_ID: &str = "Last-Event-ID";
/// nginx and its kin would keep events back until a buffer is full.
const NO_PROXY_BUFFER: (HeaderName, &str) = (HeaderName::from_static("x-accel-buffering"), "no");

/// The captions of a job while they are made
///
/// Server-Sent Events, for `EventSource`, `curl -N` and their like. The story of the job is told from its beginning:
///
/// | event | data | when |
/// |---|---|---|
/// | `status` | `StreamStatus` | the job was accepted, is downloading, is being transcribed |
/// | `progress` | `StreamProgress` | a step has come some way |
/// | `warning` | `StreamWarning` | something is wrong with the recording, and the job goes on all the same |
/// | `captions` | `StreamCaptions` | the next part of the text is there; parts come in the order of the recording |
/// | `attempt_failed` | `StreamFailure` | a step failed and is tried again |
/// | `completed` | `StreamCompleted` | all captions were sent; the stream ends |
/// | `failed` | `StreamFailure` | there will be no more; the stream ends |
/// | `cancelled` | `StreamCancelled` | the job was stopped; the stream ends |
///
/// Every event has an `id`. Sent back as `Last-Event-ID` (an `EventSource` does so by itself) it resumes the stream
/// right after that event, at any server of the system: nothing is lost and nothing comes twice. After the last event
/// there is nothing more, and the answer is 204, which tells an `EventSource` to stop. Lines that begin with `:` keep
/// the connection alive.
#[utoipa::path(
    get,
    operation_id = "streamTranscription",
    path = "/api/v1/transcriptions/{id}/stream",
    tag = "transcriptions",
    params(
        ("id" = uuid::Uuid, Path, description = "The job"),
        ("Last-Event-ID" = Option<String>, Header, example = "41.3", description = "`id` of the last event received"),
    ),
    responses(
        (status = 200, description = "The events", body = String, content_type = "text/event-stream",
         example = "id: 9.0\nevent: progress\ndata: {\"step\":\"transcribe\",\"percent\":50}\n\n"),
        (status = 204, description = "The job has ended and `Last-Event-ID` is its last event: there is nothing more"),
        (status = 400, description = "The id is no UUID, or the stream has no such event", body = Problem,
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
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    caller: Caller,
    JobPath(id): JobPath,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let position = last_event_id(&headers).map_err(|error| refusal(&error))?;
    let view = super::find(&state, &caller, id).await?;
    let newest = view.version;
    if position.version > newest {
        return Err(refusal(&ResumeError::NeverThere(position)));
    }
    if view.status.has_ended() && position.version == newest {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let seat = state.streams.take_seat(id, peer.ip())?;
    let pool = state.database.pool().clone();
    let narrator = match Narrator::resume(&pool, id, position).await {
        Ok(narrator) => narrator,
        Err(ResumeError::Unavailable(error)) => return Err(error.into()),
        Err(error @ ResumeError::NeverThere(_)) => return Err(refusal(&error)),
    };
    let events = Sse::new(teller::start(seat, state.database.clone(), id, narrator));
    Ok(([(CACHE_CONTROL, "no-store"), NO_PROXY_BUFFER], events).into_response())
}

/// The place to go on from: the beginning if none is given. An empty one is none, as in the standard.
fn last_event_id(headers: &HeaderMap) -> Result<Position, NoPosition> {
    match headers.get(LAST_EVENT_ID).map(|value| value.to_str()) {
        None | Some(Ok("")) => Ok(Position::default()),
        Some(Ok(text)) => text.parse(),
        Some(Err(_)) => Err(NoPosition("what was sent".to_owned())),
    }
}

fn refusal(error: &impl ToString) -> ApiError {
    ApiError::InvalidParameter(vec![Fault::of_parameter(LAST_EVENT_ID, error.to_string())])
}
