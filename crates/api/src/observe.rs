//! A span, an id and two metrics for every request.

use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use tracing::field::Empty;
use tracing::{Instrument, Span, info_span};
use ytcaption_telemetry::context::{TRACEPARENT, set_parent, traceparent_of};
use ytcaption_telemetry::metrics;

use crate::ApiState;
use crate::forwarded::ClientAddress;

/// Name of this service in metrics.
const SERVICE: &str = "api";
/// Label of requests without a route: their paths come from clients, and there is no end of them.
const UNMATCHED: &str = "unmatched";
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// A request id from outside that is longer, in bytes, is replaced.
const MAX_REQUEST_ID_BYTES: usize = 128;

/// Names a request in the log, in problems and in the header `x-request-id`.
#[derive(Debug, Clone)]
pub(crate) struct RequestId(pub(crate) String);

impl RequestId {
    /// The client's own id, so that it finds its request in the server's log; a new one if there is none or it is not
    /// valid.
    fn from_headers(headers: &HeaderMap, state: &ApiState) -> Self {
        let is_valid =
            |id: &&str| (1..=MAX_REQUEST_ID_BYTES).contains(&id.len()) && id.chars().all(|c| c.is_ascii_graphic());
        let given = headers.get(&REQUEST_ID).and_then(|value| value.to_str().ok()).filter(is_valid);
        Self(given.map_or_else(|| state.ids.new_id().to_string(), str::to_owned))
    }
}

/// Middleware: opens the request's span within the client's trace, counts and times the answer, and returns the
/// request's id and trace to the client.
pub(crate) async fn observe(State(state): State<ApiState>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let route = request.extensions().get::<MatchedPath>().map_or(UNMATCHED, MatchedPath::as_str).to_owned();
    let id = RequestId::from_headers(request.headers(), &state);
    let span = request_span(&request, &route, &id);
    let traceparent = traceparent_of(&span);
    request.extensions_mut().insert(id.clone());

    let mut response = next.run(request).instrument(span.clone()).await;

    let status = response.status();
    let took = started.elapsed();
    span.record("http.response.status_code", status.as_u16());
    if status.is_server_error() {
        span.record("otel.status_code", "ERROR");
    }
    metrics::http_request(SERVICE, &route, status.as_u16(), took);
    span.in_scope(|| tracing::debug!(status = status.as_u16(), ?took, "answered"));
    let headers = response.headers_mut();
    headers.extend(HeaderValue::try_from(id.0).ok().map(|value| (REQUEST_ID, value)));
    headers.extend(
        traceparent
            .and_then(|text| HeaderValue::try_from(text).ok())
            .map(|value| (HeaderName::from_static(TRACEPARENT), value)),
    );
    response
}

/// Field names follow the OpenTelemetry conventions for HTTP servers:
/// <https://opentelemetry.io/docs/specs/semconv/http/http-spans/>.
fn request_span(request: &Request, route: &str, id: &RequestId) -> Span {
    let method = request.method();
    let span = info_span!(
        "request",
        otel.name = format!("{method} {route}"),
        otel.kind = "server",
        otel.status_code = Empty,
        http.request.method = %method,
        http.route = route,
        http.response.status_code = Empty,
        url.path = request.uri().path(),
        client.address = request.extensions().get::<ClientAddress>().map(|client| tracing::field::display(client.0)),
        request_id = id.0,
        job_id = Empty,
    );
    if let Some(parent) = request.headers().get(TRACEPARENT).and_then(|value| value.to_str().ok()) {
        set_parent(&span, parent);
    }
    span
}
