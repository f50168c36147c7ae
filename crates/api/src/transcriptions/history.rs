//! What happened to a job.

use axum::Json;
use axum::extract::State;
use ytcaption_eventstore::{EventDocument, RecordedEvent};
use ytcaption_projections::Timeline;

use crate::ApiState;
use crate::parameters::JobPath;
use crate::principal::Authenticated;
use crate::problem::{ApiError, Problem};

/// Events of one job
///
/// Everything that was recorded of the job and of the deliveries to its webhook, oldest first. Of URLs, what may give access
/// is shown as `…`; `ytcaption events show --reveal` shows all.
#[utoipa::path(
    get,
    operation_id = "getTranscriptionEvents",
    path = "/api/v1/transcriptions/{id}/events",
    tag = "operations",
    params(("id" = uuid::Uuid, Path, description = "The job")),
    responses(
        (status = 200, description = "The events", body = Vec<EventDocument>),
        (status = 400, description = "The id is not a UUID", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such job", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The database does not answer", body = Problem,
         content_type = "application/problem+json"),
    )
)]
pub(crate) async fn events(
    State(state): State<ApiState>,
    Authenticated(principal): Authenticated,
    JobPath(id): JobPath,
) -> Result<Json<Vec<EventDocument>>, ApiError> {
    let events = state.queries.events(&principal, id).await?;
    Ok(Json(events.iter().map(shown_event).collect()))
}

/// The event as JSON; of its URLs what gives access is left out.
pub(crate) fn shown_event(event: &RecordedEvent) -> EventDocument {
    EventDocument::from(&event.with_masked_urls())
}

/// Timeline of one job
///
/// Who did what, how long it waited and took, what was retried and why, and how the deliveries to the webhook went.
#[utoipa::path(
    get,
    operation_id = "explainTranscription",
    path = "/api/v1/transcriptions/{id}/explain",
    tag = "operations",
    params(("id" = uuid::Uuid, Path, description = "The job")),
    responses(
        (status = 200, description = "The timeline", body = Timeline),
        (status = 400, description = "The id is not a UUID", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such job", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The database does not answer", body = Problem,
         content_type = "application/problem+json"),
    )
)]
pub(crate) async fn explain(
    State(state): State<ApiState>,
    Authenticated(principal): Authenticated,
    JobPath(id): JobPath,
) -> Result<Json<Timeline>, ApiError> {
    Ok(Json(state.queries.explain(&principal, id).await?))
}
