//! `POST /api/v1/transcriptions/{id}/cancel`

use axum::Json;
use axum::extract::{Request, State};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use ytcaption_domain::job::JobCommand;

use super::body::{self, MediaType};
use super::fields::Fields;
use super::parameters::JobPath;
use super::view::Receipt;
use crate::ApiState;
use crate::caller::Caller;
use crate::problem::{ApiError, Problem};

/// Longest reason, in characters.
const MAX_REASON_CHARS: usize = 500;

/// Why a job is cancelled.
#[derive(Debug, serde::Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Cancellation {
    /// In the client's own words, at most 500 characters; kept with the job's events.
    #[schema(example = "wrong video", max_length = 500)]
    reason: Option<String>,
}

impl Cancellation {
    fn read(given: Map<String, Value>) -> Result<Self, ApiError> {
        let mut fields = Fields::new(given);
        let reason = fields.text("reason", MAX_REASON_CHARS);
        fields.finish()?;
        Ok(Self { reason })
    }
}

/// Cancel a job
///
/// Work in progress stops within moments. Cancelling a cancelled job changes nothing and is no error. A body is
/// optional.
#[utoipa::path(
    post,
    operation_id = "cancelTranscription",
    path = "/api/v1/transcriptions/{id}/cancel",
    tag = "transcriptions",
    params(("id" = uuid::Uuid, Path, description = "The job")),
    request_body(content = Option<Cancellation>, content_type = "application/json"),
    responses(
        (status = 200, description = "The job is cancelled", body = Receipt),
        (status = 400, description = "The id is no UUID, or the body cannot be read", body = Problem,
         content_type = "application/problem+json"),
        (status = 403, description = "A browser sent it for another site", body = Problem,
         content_type = "application/problem+json"),
        (status = 404, description = "There is no such job", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The job has already ended", body = Problem,
         content_type = "application/problem+json"),
        (status = 413, description = "The body is too large", body = Problem,
         content_type = "application/problem+json"),
        (status = 415, description = "The body is not JSON", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "The body has fields that cannot be used", body = Problem,
         content_type = "application/problem+json"),
        (status = 503, description = "The database does not answer", body = Problem,
         content_type = "application/problem+json"),
    )
)]
pub(crate) async fn cancel(
    State(state): State<ApiState>,
    caller: Caller,
    JobPath(id): JobPath,
    request: Request,
) -> Result<Json<Receipt>, ApiError> {
    let media_type = MediaType::of(request.headers());
    let bytes = body::read(request.into_body(), state.settings.max_body_bytes).await?;
    let reason = match media_type {
        _ if bytes.is_empty() => None,
        MediaType::Json => Cancellation::read(body::json_object(&bytes)?)?.reason,
        other => return Err(other.unsupported()),
    };
    let view = super::find(&state, &caller, id).await?;
    let executed = state
        .jobs
        .execute(id.0, JobCommand::Cancel { reason }, &caller.context(state.ids))
        .await
        .map_err(|error| ApiError::of_command(id, error))?;
    let status = executed.aggregate.status.unwrap_or(view.status);
    Ok(Json(Receipt::new(id, status, view.created_at)))
}
