//! Turns the errors of handlers, of the router and of panics into documents.

use std::any::Any;

use axum::Json;
use axum::extract::Request;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use ytcaption_domain::text;

use super::{ApiError, Problem};
use crate::base_path::BasePath;
use crate::observe::RequestId;

/// Content type of RFC 9457.
const PROBLEM_JSON: &str = "application/problem+json";
/// Longest `instance`, in characters; a client may request any path.
const MAX_INSTANCE_CHARS: usize = 500;
/// Seconds after which a request that may succeed later is worth repeating.
const RETRY_AFTER_SECONDS: u16 = 2;

/// Middleware: gives every error its document and logs it.
pub(crate) async fn render(base: BasePath, request: Request, next: Next) -> Response {
    let path = base.join(request.uri().path());
    let request_id = request.extensions().get::<RequestId>().map(|id| id.0.clone()).unwrap_or_default();
    let mut response = next.run(request).await;
    let Some(error) = response.extensions_mut().remove::<ApiError>().or_else(|| error_of_router(&response)) else {
        return response;
    };
    log(&error);
    let problem_type = error.problem_type();
    let problem = Problem {
        type_uri: base.join(&format!("/problems/{}", problem_type.code)),
        title: problem_type.title.to_owned(),
        status: problem_type.status.as_u16(),
        detail: error.detail(),
        instance: text::clean(&path, MAX_INSTANCE_CHARS),
        request_id,
        extensions: error.extensions().below(&base),
    };
    let (mut parts, body) = (problem_type.status, Json(problem)).into_response().into_parts();
    // Headers that the router has set, such as `Allow`.
    let headers: Vec<_> = response
        .headers()
        .iter()
        .filter(|(name, _)| !parts.headers.contains_key(*name) && !name.as_str().starts_with("content-"))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    parts.headers.extend(headers);
    parts.headers.insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
    if [StatusCode::SERVICE_UNAVAILABLE, StatusCode::TOO_MANY_REQUESTS].contains(&problem_type.status) {
        parts.headers.insert(RETRY_AFTER, HeaderValue::from(RETRY_AFTER_SECONDS));
    }
    Response::from_parts(parts, body)
}

/// The error of a response that the router itself has made, such as for an unknown page of the documentation.
fn error_of_router(response: &Response) -> Option<ApiError> {
    let is_document = response
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.starts_with("application/json"));
    match response.status() {
        _ if is_document => None,
        StatusCode::NOT_FOUND => Some(ApiError::NoSuchPage),
        StatusCode::METHOD_NOT_ALLOWED => Some(ApiError::MethodNotAllowed),
        status if status.is_server_error() => {
            Some(ApiError::Internal { reason: format!("answered {status} without a reason") })
        }
        _ => None,
    }
}

/// The answer when a handler panics: its message goes to the log, not to the client.
#[expect(clippy::needless_pass_by_value, reason = "the signature that CatchPanicLayer calls")]
pub(crate) fn from_panic(panic: Box<dyn Any + Send>) -> Response {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
    ApiError::Internal { reason: format!("a handler panicked: {text}") }.into_response()
}

/// The one place where errors of requests are logged; the span around names the request.
fn log(error: &ApiError) {
    let problem_type = error.problem_type();
    let cause = error.cause();
    if problem_type.status.is_server_error() {
        tracing::error!(problem = problem_type.code, cause, "{error}");
    } else {
        tracing::info!(problem = problem_type.code, cause, "{error}");
    }
}
