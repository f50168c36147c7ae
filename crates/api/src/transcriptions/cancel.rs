//! `POST /api/v1/transcriptions/{id}/cancel`

use axum::Json;
use axum::extract::{Request, State};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::body::{self, FieldReader, MediaType};
use super::view::JobAccepted;
use crate::ApiState;
use crate::base_path::BasePath;
use crate::parameters::JobPath;
use crate::principal::Authenticated;
use crate::problem::{ApiError, Problem};

/// Why a job is cancelled.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CancelRequest {
    /// In the client's own words, at most 500 characters; stored with the job's events.
    #[schema(example = "wrong video", max_length = 500)]
    reason: Option<String>,
}

impl CancelRequest {
    fn from_fields(given: Map<String, Value>) -> Result<Self, ApiError> {
        let mut fields = FieldReader::new(given);
        let request = Self { reason: fields.text("reason") };
        fields.finish(Ok(request))
    }
}

/// Cancel a job
///
/// Work in progress stops within moments. Cancelling a cancelled job is a no-op. A body is
/// optional.
#[utoipa::path(
    post,
    operation_id = "cancelTranscription",
    path = "/api/v1/transcriptions/{id}/cancel",
    tag = "transcriptions",
    params(("id" = uuid::Uuid, Path, description = "The job")),
    request_body(content = CancelRequest, content_type = "application/json", description = "May be left out"),
    responses(
        (status = 200, description = "The job is cancelled", body = JobAccepted),
        (status = 400, description = "The id is not a UUID, or the body cannot be read", body = Problem,
         content_type = "application/problem+json"),
        (status = 403, description = "A browser sent it for another site", body = Problem,
         content_type = "application/problem+json"),
        (status = 404, description = "There is no such job", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The job has already ended", body = Problem,
         content_type = "application/problem+json"),
        (status = 413, description = "The body is too large", body = Problem,
         content_type = "application/problem+json"),
        (status = 415, description = "The body is not JSON", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "The body has fields that are not valid", body = Problem,
         content_type = "application/problem+json"),
        (status = 503, description = "The database does not answer", body = Problem,
         content_type = "application/problem+json"),
    )
)]
pub(crate) async fn cancel(
    State(state): State<ApiState>,
    base: BasePath,
    Authenticated(principal): Authenticated,
    JobPath(id): JobPath,
    request: Request,
) -> Result<Json<JobAccepted>, ApiError> {
    let media_type = MediaType::from_headers(request.headers());
    let bytes = body::collect(request.into_body(), state.settings.max_body_bytes).await?;
    let reason = match media_type {
        _ if bytes.is_empty() => None,
        MediaType::Json => CancelRequest::from_fields(body::json_object(&bytes)?)?.reason,
        other => return Err(other.unsupported()),
    };
    let cancelled = state.commands.cancel(&principal, id, reason.as_deref()).await?;
    Ok(Json(JobAccepted::new(cancelled, &base)))
}
