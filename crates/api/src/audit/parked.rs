//! `GET /api/v1/audit/parked`

use axum::Json;
use axum::extract::{RawQuery, State};
use serde::Serialize;
use utoipa::ToSchema;
use ytcaption_projections::{ParkedCursor, ParkedEvent};

use super::{DEFAULT_LIMIT, MAX_LIMIT};
use crate::ApiState;
use crate::parameters::{Query, parse_limit};
use crate::principal::Authenticated;
use crate::problem::{ApiError, Problem};

/// A page of parked events.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ParkedPage {
    /// How many are parked, on all pages together.
    #[schema(example = 2)]
    total: u64,
    /// Those with an error of their own first, then those that are blocked by them; each in the order of the feed.
    events: Vec<ParkedEvent>,
    /// Give it as `cursor` to get the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "blocked-742-1205-jobs")]
    next_cursor: Option<String>,
}

/// Events that could not be applied to the read models
///
/// For operators, as `ytcaption replay parked` lists them: events of every account, each with the reason. The job of such
/// an event is shown as it was before it, and its later events are blocked; no other job is affected. Once the reason is gone,
/// usually because a newer version of the program runs, the projector applies them within a minute, or at once with
/// `ytcaption replay retry`.
#[utoipa::path(
    get,
    operation_id = "listParkedEvents",
    path = "/api/v1/audit/parked",
    tag = "operations",
    params(
        ("cursor" = Option<String>, Query, pattern = "^(error|blocked)-[0-9]{1,18}-[0-9]{1,18}-[a-z_]{1,40}$", description = "`next_cursor` of the page before"),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 500, example = 100,
         description = "Most events on a page, 1 to 500; 100 unless given"),
    ),
    responses(
        (status = 200, description = "A page of parked events; none if every event is applied", body = ParkedPage),
        (status = 400, description = "A parameter is not valid", body = Problem,
         content_type = "application/problem+json"),
        (status = 503, description = "The database does not answer", body = Problem,
         content_type = "application/problem+json"),
    )
)]
pub(crate) async fn parked(
    State(state): State<ApiState>,
    Authenticated(principal): Authenticated,
    RawQuery(query): RawQuery,
) -> Result<Json<ParkedPage>, ApiError> {
    let mut query = Query::new(query.as_deref());
    let cursor = query.take("cursor", str::parse::<ParkedCursor>).unwrap_or_default();
    let limit = query.take("limit", parse_limit::<MAX_LIMIT>);
    query.finish()?;

    let page = state.queries.parked_events(&principal, None, cursor, limit.unwrap_or(DEFAULT_LIMIT)).await?;
    let next_cursor = page.next.map(|cursor| cursor.to_string());
    Ok(Json(ParkedPage { total: page.total, events: page.events, next_cursor }))
}
