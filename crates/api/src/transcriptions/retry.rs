//! `POST /api/v1/transcriptions/{id}/retry`

use axum::Json;
use axum::extract::State;
use axum::http::header::LOCATION;
use axum::http::{HeaderMap, HeaderName, StatusCode};

use super::submit::idempotency_key;
use super::view::JobAccepted;
use crate::ApiState;
use crate::base_path::BasePath;
use crate::parameters::JobPath;
use crate::principal::Authenticated;
use crate::problem::{ApiError, Problem};

/// Do a failed or cancelled job once more
///
/// Creates a new job with the same media, options, priority and webhook. The first job stays as it is; the new one names
/// it in `retry_of`. There is no body.
#[utoipa::path(
    post,
    operation_id = "retryTranscription",
    path = "/api/v1/transcriptions/{id}/retry",
    tag = "transcriptions",
    params(
        ("id" = uuid::Uuid, Path, description = "The job that failed or was cancelled"),
        ("Idempotency-Key" = Option<String>, Header, max_length = 255, pattern = "^[!-~]{1,255}$", example = "0c1f2b6e-57c4-4f57-9be4-7a9cf0b2f0a1",
         description = "Names the request; repeat it with the request"),
    ),
    responses(
        (status = 202, description = "The new job is stored and will be worked on; also if it was by an earlier request \
                                      with the same key", body = JobAccepted,
         headers(("Location" = String, description = "The new job"))),
        (status = 400, description = "The id is not a UUID, or the key is not valid", body = Problem,
         content_type = "application/problem+json"),
        (status = 403, description = "A browser sent it for another site", body = Problem,
         content_type = "application/problem+json"),
        (status = 404, description = "There is no such job", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The job is not failed or cancelled", body = Problem,
         content_type = "application/problem+json"),
        (status = 410, description = "The media of the job is gone", body = Problem,
         content_type = "application/problem+json"),
        (status = 422, description = "The key belongs to another request", body = Problem,
         content_type = "application/problem+json"),
        (status = 503, description = "The database or the storage does not answer", body = Problem,
         content_type = "application/problem+json"),
    )
)]
pub(crate) async fn retry(
    State(state): State<ApiState>,
    base: BasePath,
    Authenticated(principal): Authenticated,
    JobPath(id): JobPath,
    headers: HeaderMap,
) -> Result<(StatusCode, [(HeaderName, String); 1], Json<JobAccepted>), ApiError> {
    let key = idempotency_key(&headers)?;
    let accepted = JobAccepted::new(state.commands.retry(&principal, id, key.as_ref()).await?, &base);
    Ok((StatusCode::ACCEPTED, [(LOCATION, accepted.status_url.clone())], Json(accepted)))
}
