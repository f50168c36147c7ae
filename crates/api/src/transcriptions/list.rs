//! `GET /api/v1/transcriptions`

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::http::header::LINK;
use serde::Serialize;
use url::form_urlencoded;
use utoipa::ToSchema;
use ytcaption_domain::job::JobStatus;
use ytcaption_projections::PageCursor;

use super::COLLECTION;
use super::view::Transcription;
use crate::ApiState;
use crate::base_path::BasePath;
use crate::parameters::{Query, parse_limit};
use crate::principal::Authenticated;
use crate::problem::{ApiError, Problem};

/// Jobs on a page unless the client says how many.
const DEFAULT_LIMIT: u32 = 20;
/// Most jobs on a page.
const MAX_LIMIT: u32 = 100;

/// A page of jobs.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TranscriptionPage {
    /// Newest first.
    transcriptions: Vec<Transcription>,
    /// Give it as `cursor` to get the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// Jobs, newest first
///
/// A page at a time. The header `Link` leads to the next page, as does `next_cursor`.
#[utoipa::path(
    get,
    operation_id = "listTranscriptions",
    path = "/api/v1/transcriptions",
    tag = "transcriptions",
    params(
        ("status" = Option<JobStatus>, Query, description = "Only jobs with this status"),
        ("cursor" = Option<String>, Query, pattern = "^[0-9a-f]{1,14}-[0-9a-f]{1,32}$", description = "`next_cursor` of the page before"),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 100, example = 20,
         description = "Most jobs on a page, 1 to 100; 20 unless given"),
    ),
    responses(
        (status = 200, description = "A page of jobs", body = TranscriptionPage,
         headers(("Link" = String, description = "The next page, `rel=\"next\"`; absent on the last"))),
        (status = 400, description = "A parameter is not valid", body = Problem,
         content_type = "application/problem+json"),
        (status = 503, description = "The database does not answer", body = Problem,
         content_type = "application/problem+json"),
    )
)]
pub(crate) async fn list(
    State(state): State<ApiState>,
    base: BasePath,
    Authenticated(principal): Authenticated,
    RawQuery(query): RawQuery,
) -> Result<(HeaderMap, Json<TranscriptionPage>), ApiError> {
    let mut query = Query::new(query.as_deref());
    let status = query.take("status", str::parse::<JobStatus>);
    let cursor = query.take("cursor", str::parse::<PageCursor>);
    let limit = query.take("limit", parse_limit::<MAX_LIMIT>);
    query.finish()?;

    let page = state.queries.list(&principal, status, cursor, limit.unwrap_or(DEFAULT_LIMIT)).await?;
    let next_cursor = page.next.map(|cursor| cursor.to_string());
    let mut headers = HeaderMap::new();
    if let Some(next) = &next_cursor {
        headers.extend(next_link(&base, next, status, limit).parse().ok().map(|link| (LINK, link)));
    }
    let transcriptions = page.jobs.into_iter().map(|view| Transcription::new(view, &base)).collect();
    Ok((headers, Json(TranscriptionPage { transcriptions, next_cursor })))
}

/// The next page as RFC 8288 writes it.
fn next_link(base: &BasePath, cursor: &str, status: Option<JobStatus>, limit: Option<u32>) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("cursor", cursor);
    if let Some(status) = status {
        query.append_pair("status", status.as_str());
    }
    if let Some(limit) = limit {
        query.append_pair("limit", &limit.to_string());
    }
    format!("<{}?{}>; rel=\"next\"", base.join(COLLECTION), query.finish())
}
