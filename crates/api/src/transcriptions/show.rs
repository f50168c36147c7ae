//! `GET /api/v1/transcriptions/{id}`

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::header::{CACHE_CONTROL, ETAG};
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::response::{AppendHeaders, IntoResponse, Response};
use tokio::time::sleep;
use ytcaption_projections::{AsOf, JobView};

use super::view::Transcription;
use crate::ApiState;
use crate::base_path::BasePath;
use crate::conditional::{REVALIDATE, is_known};
use crate::parameters::{JobPath, Query};
use crate::prefer;
use crate::principal::Authenticated;
use crate::problem::{ApiError, Problem};

/// Header with the preferences that were honoured (RFC 7240, section 3).
const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");

/// One job
///
/// Its status, its progress, and why it failed if it did. Poll with `If-None-Match`: an unchanged job is
/// answered with 304 and no body. With `Prefer: wait=20` the answer comes once the job has ended, or after that number
/// of seconds (at most 25) with the job as it then is.
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
        ("Prefer" = Option<String>, Header, example = "wait=20",
         description = "`wait=<seconds>`: answer when the job has ended, or after this time (RFC 7240); not with `at`"),
    ),
    responses(
        (status = 200, description = "The job", body = Transcription,
         headers(("ETag" = String, description = "Version of the job"),
                 ("Preference-Applied" = String, description = "The wait that was granted"))),
        (status = 304, description = "The job has not changed since that `ETag`"),
        (status = 400, description = "The id is not a UUID, or the job has no such past", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such job", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The database does not answer", body = Problem,
         content_type = "application/problem+json"),
    )
)]
pub(crate) async fn show(
    State(state): State<ApiState>,
    base: BasePath,
    Authenticated(principal): Authenticated,
    JobPath(id): JobPath,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let mut query = Query::new(query.as_deref());
    let at = query.take("at", str::parse::<AsOf>);
    query.finish()?;
    // A preference that cannot be met is ignored, as the standard says.
    let wait = prefer::wait(&headers).filter(|_| at.is_none());
    let wait = wait.and_then(|longest| Some((longest, state.streams.acquire_wait()?)));
    let view = match (at, &wait) {
        (Some(moment), _) => state.queries.at(&principal, id, Some(moment)).await?.view,
        (None, None) => state.queries.get(&principal, id).await?,
        (None, Some((longest, permit))) => {
            tokio::select! {
                ended = state.subscriptions.wait_until_ended(&principal, id) => ended?,
                () = sleep(*longest) => state.queries.get(&principal, id).await?,
                () = permit.stopped() => state.queries.get(&principal, id).await?,
            }
        }
    };
    let tag = entity_tag(&view);
    let headers_of_job = [(ETAG, tag.clone()), (CACHE_CONTROL, REVALIDATE.to_owned())];
    let applied = wait.map(|(longest, _)| (PREFERENCE_APPLIED, format!("wait={}", longest.as_secs())));
    let headers_of_job = AppendHeaders(headers_of_job.into_iter().chain(applied));
    if is_known(&headers, &tag) {
        return Ok((StatusCode::NOT_MODIFIED, headers_of_job).into_response());
    }
    Ok((headers_of_job, Json(Transcription::new(view, &base))).into_response())
}

/// The version of the job; deliveries of its webhook are events of their own and count beside it, and an erasure, which adds no event, counts too.
fn entity_tag(view: &JobView) -> String {
    let erased = if view.erased { ".erased" } else { "" };
    match view.webhook_status.as_deref() {
        None => format!("\"{}{erased}\"", view.version),
        Some(status) => format!("\"{}.{}.{status}{erased}\"", view.version, view.webhook_attempts),
    }
}
