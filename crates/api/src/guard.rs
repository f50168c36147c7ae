//! Protects the interface, and its users, from what browsers do.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, ORIGIN, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::Hosts;
use crate::forwarded::ForwardedUrl;
use crate::problem::ApiError;

/// Longest time a request may take, uploads excepted.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// Answers are data: nothing in them may run, load or be framed.
const POLICY_FOR_DATA: &str = "default-src 'none'; frame-ancestors 'none'";
/// Pages load their own scripts and nothing from elsewhere; Swagger UI sets styles inline and draws from `data:`.
const POLICY_FOR_PAGES: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
                                img-src 'self' data:; font-src 'self' data:; connect-src 'self'; \
                                frame-ancestors 'none'; base-uri 'none'; form-action 'self'";

/// Middleware: headers that keep browsers from guessing, framing and leaking.
pub(crate) async fn security_headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    let is_page = content_type(headers).starts_with("text/html");
    let mut set = |name: HeaderName, value: &'static str| {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    };
    set(CONTENT_SECURITY_POLICY, if is_page { POLICY_FOR_PAGES } else { POLICY_FOR_DATA });
    set(X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(X_FRAME_OPTIONS, "DENY");
    set(REFERRER_POLICY, "no-referrer");
    set(CACHE_CONTROL, "no-store");
    response
}

/// Middleware: refuses requests for a name that is not this server's, see [`crate::Hosts`].
pub(crate) async fn require_allowed_host(
    State(hosts): State<Arc<Hosts>>,
    url: ForwardedUrl,
    request: Request,
    next: Next,
) -> Response {
    match hosts.not_allowed(request.uri(), request.headers(), &url) {
        Some(host) => ApiError::HostNotAllowed { host }.into_response(),
        None => next.run(request).await,
    }
}

/// Middleware: refuses what a browser sends on behalf of another site. Browsers send a form post without asking the
/// server (CORS does not apply), so without sign-in any page could submit jobs to an interface on loopback.
pub(crate) async fn refuse_cross_site(
    State(hosts): State<Arc<Hosts>>,
    url: ForwardedUrl,
    request: Request,
    next: Next,
) -> Response {
    let safe = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    if !safe && is_cross_site(request.headers(), &url, &hosts) {
        return ApiError::CrossSite.into_response();
    }
    next.run(request).await
}

/// By `Sec-Fetch-Site`, which every current browser sends and no page can forge
/// (<https://www.w3.org/TR/fetch-metadata/>), but only to a server that it trusts: over TLS or on loopback. Elsewhere by
/// `Origin`, which every browser sends with such requests. Programs send neither.
fn is_cross_site(headers: &HeaderMap, url: &ForwardedUrl, hosts: &Hosts) -> bool {
    match (headers.get("sec-fetch-site"), headers.get(ORIGIN)) {
        (Some(site), _) => site != "same-origin" && site != "none",
        (None, Some(origin)) => !origin.to_str().is_ok_and(|origin| hosts.is_own_origin(origin, headers, url)),
        (None, None) => false,
    }
}

/// Middleware: ends requests that take too long. Uploads have a limit of their own, on the time without data.
pub(crate) async fn time_limit(request: Request, next: Next) -> Response {
    if content_type(request.headers()).starts_with("multipart/") {
        return next.run(request).await;
    }
    tokio::time::timeout(REQUEST_TIMEOUT, next.run(request))
        .await
        .unwrap_or_else(|_| ApiError::TimedOut { seconds: REQUEST_TIMEOUT.as_secs() }.into_response())
}

fn content_type(headers: &HeaderMap) -> &str {
    headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default()
}
