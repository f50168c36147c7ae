//! `GET /metrics`

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use ytcaption_telemetry::metrics::PrometheusHandle;

use crate::ApiState;

/// Metrics of this process in Prometheus' text format
#[utoipa::path(
    get,
    operation_id = "getMetrics",
    path = "/metrics",
    tag = "operations",
    responses((status = 200, description = "All metrics of this process", body = String, content_type = "text/plain"))
)]
pub(crate) async fn metrics(State(state): State<ApiState>) -> Response {
    ([(CONTENT_TYPE, PrometheusHandle::CONTENT_TYPE)], state.metrics.render()).into_response()
}
