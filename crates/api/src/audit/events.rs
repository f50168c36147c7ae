//! `GET /api/v1/audit/events`

use axum::Json;
use axum::extract::{RawQuery, State};
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use ytcaption_eventstore::{Cursor, EventQuery, EventReader, RecordedEvent};
use ytcaption_projections::{QueryError, cut_page};

use super::EventDocument;
use crate::ApiState;
use crate::problem::{ApiError, Problem};
use crate::transcriptions::parameters::Query;

/// Events on a page when the client does not say.
pub(super) const DEFAULT_LIMIT: u32 = 100;
/// Most events on a page.
const MAX_LIMIT: u32 = 500;

/// A page of events.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EventPage {
    /// Oldest first.
    #[schema(value_type = Vec<EventDocument>)]
    events: Vec<RecordedEvent>,
    /// Give it as `cursor` to get the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "742-1205")]
    next_cursor: Option<String>,
}

/// Events of all jobs, oldest first
///
/// For administrators: events of every account, with everything that stands in them, addresses of webhooks included.
/// As there is no sign-in yet, whoever reaches the interface may ask. Every filter that is given must hold.
#[utoipa::path(
    get,
    operation_id = "listEvents",
    path = "/api/v1/audit/events",
    tag = "operations",
    params(
        ("job" = Option<uuid::Uuid>, Query, description = "Events of this job, and of telling its webhook"),
        ("actor" = Option<String>, Query, example = "worker:download",
         description = "Events of actors whose name begins so"),
        ("type" = Option<String>, Query, example = "DownloadAttemptFailed", description = "Events of this name"),
        ("aggregate" = Option<String>, Query, example = "job", description = "`job` or `delivery`"),
        ("since" = Option<DateTime<Utc>>, Query, description = "Events recorded at this time or later (RFC 3339)"),
        ("until" = Option<DateTime<Utc>>, Query, description = "Events recorded before this time (RFC 3339)"),
        ("correlation" = Option<uuid::Uuid>, Query, description = "Events that followed from one request"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 500, example = 100,
         description = "Most events on a page, 1 to 500; 100 unless given"),
    ),
    responses(
        (status = 200, description = "A page of events; none if no event matches", body = EventPage),
        (status = 400, description = "A parameter cannot be used", body = Problem,
         content_type = "application/problem+json"),
        (status = 503, description = "The database does not answer", body = Problem,
         content_type = "application/problem+json"),
    )
)]
pub(crate) async fn events(
    State(state): State<ApiState>,
    RawQuery(query): RawQuery,
) -> Result<Json<EventPage>, ApiError> {
    let mut query = Query::new(query.as_deref());
    let word = |text: &str| Ok::<_, String>(text.to_owned());
    let filter = EventQuery {
        data_key: query.take("job", |text| text.parse().map_err(|_| "`job` must be the UUID of a job")),
        actor: query.take("actor", word),
        event_type: query.take("type", word),
        aggregate_type: query.take("aggregate", word),
        since: query.take("since", read_time),
        until: query.take("until", read_time),
        correlation_id: query.take("correlation", |text| text.parse().map_err(|_| "`correlation` must be a UUID")),
    };
    let cursor = query.take("cursor", str::parse::<Cursor>).unwrap_or_default();
    let limit = query.take("limit", read_limit).unwrap_or(DEFAULT_LIMIT);
    query.finish()?;

    let reader = EventReader::new(&state.database);
    // One more than asked for tells whether there is a next page.
    let mut events = reader.page(&filter, cursor, limit + 1).await.map_err(QueryError::from)?;
    let next_cursor = cut_page(&mut events, limit, |last| last.cursor.to_string());
    Ok(Json(EventPage { events, next_cursor }))
}

fn read_time(text: &str) -> Result<DateTime<Utc>, String> {
    let time = DateTime::parse_from_rfc3339(text).map(|time| time.to_utc());
    time.map_err(|_| format!("`{text}` is no time; write it as 2026-01-31T14:05:00Z (RFC 3339)"))
}

pub(super) fn read_limit(text: &str) -> Result<u32, String> {
    let limit = text.parse().ok().filter(|limit| (1..=MAX_LIMIT).contains(limit));
    limit.ok_or_else(|| format!("`limit` must be a number from 1 to {MAX_LIMIT}"))
}
