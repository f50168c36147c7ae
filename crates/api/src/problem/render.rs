//! Turns errors into documents, whoever made them: handlers, the router, a panic.

use std::any::Any;

use axum::Json;
use axum::extract::Request;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::{ApiError, Problem};
use crate::observe::RequestId;

/// Content type of RFC 9457.
const PROBLEM_JSON: &str = "application/problem+json";
/// Seconds after which a request that may succeed later is worth repeating.
const RETRY_AFTER_SECONDS: u16 = 2;

/// Middleware: gives every error its document and logs it.
pub(crate) async fn render(request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    let request_id = request.extensions().get::<RequestId>().map(|id| id.0.clone()).unwrap_or_default();
    let mut response = next.run(request).await;
    let Some(error) = response.extensions_mut().remove::<ApiError>().or_else(|| of_router(&response)) else {
        return response;
    };
    log(&error);
    let entry = error.kind().entry();
    let problem = Problem {
        kind: format!("/problems/{}", entry.slug),
        title: entry.title.to_owned(),
        status: entry.status.as_u16(),
        detail: error.to_string(),
        instance: path,
        request_id,
        more: error.extensions(),
    };
    let (mut parts, body) = (entry.status, Json(problem)).into_response().into_parts();
    // What the router has said already, such as `Allow`.
    let said: Vec<_> = response
        .headers()
        .iter()
        .filter(|(name, _)| !parts.headers.contains_key(*name) && !name.as_str().starts_with("content-"))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    parts.headers.extend(said);
    parts.headers.insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
    if [StatusCode::SERVICE_UNAVAILABLE, StatusCode::TOO_MANY_REQUESTS].contains(&entry.status) {
        parts.headers.insert(RETRY_AFTER, HeaderValue::from(RETRY_AFTER_SECONDS));
    }
    Response::from_parts(parts, body)
}

/// What the router itself refuses, such as an unknown page of the documentation.
fn of_router(response: &Response) -> Option<ApiError> {
    let is_document = response
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.starts_with("application/json"));
    match response.status() {
        _ if is_document => None,
        StatusCode::NOT_FOUND => Some(ApiError::NoSuchPage),
        StatusCode::METHOD_NOT_ALLOWED => Some(ApiError::MethodNotAllowed),
        status if status.is_server_error() => Some(ApiError::Internal(format!("answered {status} without a reason"))),
        _ => None,
    }
}

/// The answer when a handler panics: its message goes to the log, not to the client.
#[expect(clippy::needless_pass_by_value, reason = "the signature that CatchPanicLayer calls")]
pub(crate) fn from_panic(panic: Box<dyn Any + Send>) -> Response {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
    ApiError::Internal(format!("a handler panicked: {text}")).into_response()
}

/// The one place where errors of requests are logged; the span around names the request.
fn log(error: &ApiError) {
    let entry = error.kind().entry();
    let cause = error.cause();
    if entry.status.is_server_error() {
        tracing::error!(problem = entry.slug, cause, "{error}");
    } else {
        tracing::info!(problem = entry.slug, cause, "{error}");
    }
}
