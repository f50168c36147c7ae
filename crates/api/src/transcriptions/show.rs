//! `GET /api/v1/transcriptions/{id}`

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::header::{CACHE_CONTROL, ETAG};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use ytcaption_projections::{AsOf, JobView};

use super::view::Transcription;
use crate::ApiState;
use crate::conditional::{REVALIDATE, is_known};
use crate::parameters::{JobPath, Query};
use crate::principal::Authenticated;
use crate::problem::{ApiError, Problem};

/// One job
///
/// Its status, its progress, and why it failed if it did. Poll with `If-None-Match`: an unchanged job is
/// answered with 304 and no body.
#[utoipa::path(
    get,
    operation_id = "getTranscription",
    path = "/api/v1/transcriptions/{id}",
    tag = "transcriptions",
    params(
        ("id" = uuid::Uuid, Path, description = "The job"),
        ("at" = Option<String>, Query, example = "3",
         description = "The job as it was: right after its event of this number, or at this time (RFC 3339)"),
        ("If-None-Match" = Option<String>, Header, description = "`ETag` of the state that the client knows"),
    ),
    responses(
        (status = 200, description = "The job", body = Transcription,
         headers(("ETag" = String, description = "Version of the job"))),
        (status = 304, description = "The job has not changed since that `ETag`"),
        (status = 400, description = "The id is not a UUID, or the job has no such past", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such job", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The database does not answer", body = Problem,
         content_type = "application/problem+json"),
    )
)]
pub(crate) async fn show(
    State(state): State<ApiState>,
    Authenticated(principal): Authenticated,
    JobPath(id): JobPath,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let mut query = Query::new(query.as_deref());
    let at = query.take("at", str::parse::<AsOf>);
    query.finish()?;
    let view = match at {
        None => state.queries.get(&principal, id).await?,
        Some(moment) => state.queries.at(&principal, id, Some(moment)).await?.view,
    };
    let tag = entity_tag(&view);
    let headers_of_job = [(ETAG, tag.clone()), (CACHE_CONTROL, REVALIDATE.to_owned())];
    if is_known(&headers, &tag) {
        return Ok((StatusCode::NOT_MODIFIED, headers_of_job).into_response());
    }
    Ok((headers_of_job, Json(Transcription::from(view))).into_response())
}

/// The version of the job; deliveries of its webhook are events of their own and count beside it.
fn entity_tag(view: &JobView) -> String {
    match view.webhook_status.as_deref() {
        None => format!("\"{}\"", view.version),
        Some(status) => format!("\"{}.{}.{status}\"", view.version, view.webhook_attempts),
    }
}
