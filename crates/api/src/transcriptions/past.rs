//! A job's past: its events, its story, and the job as it was.

use axum::Json;
use axum::extract::State;
use ytcaption_domain::JobId;
use ytcaption_domain::captions::Transcript;
use ytcaption_eventstore::{EventReader, RecordedEvent};
use ytcaption_projections::{AsOf, HistoryError, JobHistory, JobView, QueryError, Timeline};

use super::parameters::JobPath;
use crate::ApiState;
use crate::audit::{EventDocument, TimelineDocument};
use crate::caller::Caller;
use crate::problem::{ApiError, Fault, Problem};

/// Events of one job
///
/// For administrators: everything that was recorded of the job and of telling its webhook, oldest first.
#[utoipa::path(
    get,
    operation_id = "getTranscriptionEvents",
    path = "/api/v1/transcriptions/{id}/events",
    tag = "operations",
    params(("id" = uuid::Uuid, Path, description = "The job")),
    responses(
        (status = 200, description = "The events", body = Vec<EventDocument>),
        (status = 400, description = "The id is no UUID", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such job", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The database does not answer", body = Problem,
         content_type = "application/problem+json"),
    )
)]
pub(crate) async fn events(
    State(state): State<ApiState>,
    caller: Caller,
    JobPath(id): JobPath,
) -> Result<Json<Vec<RecordedEvent>>, ApiError> {
    Ok(Json(history(&state, &caller, id).await?.events().to_vec()))
}

/// The story of one job
///
/// For administrators: one line of time that says who did what, how long it waited and took, what was tried again and
/// why, and how the webhook was told.
#[utoipa::path(
    get,
    operation_id = "explainTranscription",
    path = "/api/v1/transcriptions/{id}/explain",
    tag = "operations",
    params(("id" = uuid::Uuid, Path, description = "The job")),
    responses(
        (status = 200, description = "The story", body = TimelineDocument),
        (status = 400, description = "The id is no UUID", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such job", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The database does not answer", body = Problem,
         content_type = "application/problem+json"),
    )
)]
pub(crate) async fn explain(
    State(state): State<ApiState>,
    caller: Caller,
    JobPath(id): JobPath,
) -> Result<Json<Timeline>, ApiError> {
    Ok(Json(history(&state, &caller, id).await?.timeline()))
}

/// A job as it was at a moment.
pub(super) async fn as_it_was(state: &ApiState, caller: &Caller, id: JobId, moment: AsOf) -> Result<JobView, ApiError> {
    let job = history(state, caller, id).await?.at(moment).map_err(refusal)?;
    Ok(job.view)
}

/// A job as it was at a moment, and its text if it was completed then.
pub(super) async fn text_as_it_was(
    state: &ApiState,
    caller: &Caller,
    id: JobId,
    moment: AsOf,
) -> Result<(JobView, Option<Transcript>), ApiError> {
    let history = history(state, caller, id).await?;
    let view = history.at(moment).map_err(refusal)?.view;
    Ok((view, history.transcript_at(moment).map_err(refusal)?))
}

/// The history of a job of the caller's account.
async fn history(state: &ApiState, caller: &Caller, id: JobId) -> Result<JobHistory, ApiError> {
    tracing::Span::current().record("job_id", tracing::field::display(id));
    let reader = EventReader::new(&state.database);
    JobHistory::load(&reader, &caller.account, id).await.map_err(refusal)
}

fn refusal(error: HistoryError) -> ApiError {
    match error {
        HistoryError::NotFound(id) => ApiError::JobNotFound(id),
        HistoryError::UnknownVersion { .. } | HistoryError::BeforeCreation { .. } => {
            ApiError::InvalidParameter(vec![Fault::of_parameter("at", error.to_string())])
        }
        HistoryError::Unreadable(error) => error.into(),
        HistoryError::Inconsistent(error) => ApiError::Internal(error.to_string()),
        HistoryError::Unavailable(error) => QueryError::from(error).into(),
    }
}
