//! `GET /api/v1/usage`

use axum::Json;
use axum::extract::{RawQuery, State};
use chrono::NaiveDate;
use serde::Serialize;
use utoipa::ToSchema;
use ytcaption_projections::UsageDay;

use crate::ApiState;
use crate::parameters::Query;
use crate::principal::Authenticated;
use crate::problem::{ApiError, Problem, RequestError};

/// What the account has used.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Usage {
    /// Oldest first. Days without any usage are left out.
    days: Vec<UsageDay>,
}

/// What the account has used, by day
///
/// Jobs created, completed, failed and cancelled, and the length of the media of completed jobs. A job counts on the day
/// (UTC) of each of these events. The newest events are counted within seconds.
#[utoipa::path(
    get,
    operation_id = "getUsage",
    path = "/api/v1/usage",
    tag = "transcriptions",
    params(
        ("from" = NaiveDate, Query, example = "2026-01-01", description = "First day (UTC)"),
        ("to" = NaiveDate, Query, example = "2026-01-31", description = "Last day (UTC), at most 365 days later"),
    ),
    responses(
        (status = 200, description = "The usage of each day", body = Usage),
        (status = 400, description = "A parameter is missing or not valid", body = Problem,
         content_type = "application/problem+json"),
        (status = 503, description = "The database does not answer", body = Problem,
         content_type = "application/problem+json"),
    )
)]
pub(crate) async fn usage(
    State(state): State<ApiState>,
    Authenticated(principal): Authenticated,
    RawQuery(query): RawQuery,
) -> Result<Json<Usage>, ApiError> {
    let mut query = Query::new(query.as_deref());
    let (from, to) = (query.take("from", parse_day), query.take("to", parse_day));
    query.finish()?;
    let (Some(from), Some(to)) = (from, to) else {
        let missing = [("from", from), ("to", to)].into_iter().filter(|(_, day)| day.is_none());
        let errors = missing.map(|(name, _)| {
            RequestError::in_parameter(name, format!("`{name}` is missing; give a day such as 2026-01-31"))
        });
        return Err(ApiError::InvalidParameter { errors: errors.collect() });
    };
    let days = state.queries.usage(&principal, from, to).await?;
    Ok(Json(Usage { days }))
}

fn parse_day(text: &str) -> Result<NaiveDate, String> {
    text.parse().map_err(|_| format!("`{text}` is not a valid day; write it as 2026-01-31"))
}
