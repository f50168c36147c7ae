//! `GET /api/v1/audit/events`

use axum::Json;
use axum::extract::{RawQuery, State};
use serde::Serialize;
use utoipa::ToSchema;
use ytcaption_eventstore::{Cursor, EventDocument, EventQuery};

use super::{DEFAULT_LIMIT, MAX_LIMIT};
use crate::ApiState;
use crate::parameters::{Query, parse_limit, parse_time};
use crate::principal::Authenticated;
use crate::problem::{ApiError, Problem};
use crate::transcriptions::history::shown_event;

/// A page of events.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EventPage {
    /// Oldest first.
    events: Vec<EventDocument>,
    /// Give it as `cursor` to get the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "742-1205")]
    next_cursor: Option<String>,
}

/// Events of all jobs, oldest first
///
/// For operators: events of every account, with what they contain; of URLs, what may give
/// access is shown as `…`. As there is no
/// sign-in yet, everyone who reaches the interface is an operator. Events that match every given filter are listed.
#[utoipa::path(
    get,
    operation_id = "listEvents",
    path = "/api/v1/audit/events",
    tag = "operations",
    params(
        ("job" = Option<uuid::Uuid>, Query, description = "Events of this job, and of the deliveries to its webhook"),
        ("actor" = Option<String>, Query, max_length = 500, pattern = r"^[^\p{Cc}\p{Zl}\p{Zp}]*$", example = "worker:download",
         description = "Events of actors whose name begins with this"),
        ("type" = Option<String>, Query, max_length = 500, pattern = r"^[^\p{Cc}\p{Zl}\p{Zp}]*$", example = "DownloadAttemptFailed", description = "Events of this name"),
        ("aggregate" = Option<String>, Query, max_length = 500, pattern = r"^[^\p{Cc}\p{Zl}\p{Zp}]*$", example = "job", description = "`job` or `delivery`"),
        ("since" = Option<DateTime<Utc>>, Query, description = "Events recorded at this time or later (RFC 3339)"),
        ("until" = Option<DateTime<Utc>>, Query, description = "Events recorded before this time (RFC 3339)"),
        ("correlation" = Option<uuid::Uuid>, Query, description = "Events that followed from one request"),
        ("cursor" = Option<String>, Query, pattern = "^[0-9]{1,18}-[0-9]{1,18}$", description = "`next_cursor` of the page before"),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 500, example = 100,
         description = "Most events on a page, 1 to 500; 100 unless given"),
    ),
    responses(
        (status = 200, description = "A page of events; none if no event matches", body = EventPage),
        (status = 400, description = "A parameter is not valid", body = Problem,
         content_type = "application/problem+json"),
        (status = 503, description = "The database does not answer", body = Problem,
         content_type = "application/problem+json"),
    )
)]
pub(crate) async fn events(
    State(state): State<ApiState>,
    Authenticated(principal): Authenticated,
    RawQuery(query): RawQuery,
) -> Result<Json<EventPage>, ApiError> {
    let mut query = Query::new(query.as_deref());
    let any = |text: &str| Ok::<_, String>(text.to_owned());
    let filter = EventQuery {
        data_key: query.take("job", |text| text.parse().map_err(|_| "`job` must be the UUID of a job")),
        actor: query.take("actor", any),
        event_type: query.take("type", any),
        aggregate_type: query.take("aggregate", any),
        since: query.take("since", parse_time),
        until: query.take("until", parse_time),
        correlation_id: query.take("correlation", |text| text.parse().map_err(|_| "`correlation` must be a UUID")),
    };
    let cursor = query.take("cursor", str::parse::<Cursor>).unwrap_or_default();
    let limit = query.take("limit", parse_limit::<MAX_LIMIT>);
    query.finish()?;

    let page = state.queries.audit_events(&principal, &filter, cursor, limit.unwrap_or(DEFAULT_LIMIT)).await?;
    let next_cursor = page.next.map(|cursor| cursor.to_string());
    Ok(Json(EventPage { events: page.events.iter().map(shown_event).collect(), next_cursor }))
}
