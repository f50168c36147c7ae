//! Metrics and health of a process that does not serve the API.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use serde_json::json;
use ytcaption_eventstore::Database;
use ytcaption_telemetry::metrics::PrometheusHandle;
use ytcaption_workers::nats;

struct Probed {
    database: Database,
    nats: async_nats::Client,
    metrics: PrometheusHandle,
}

/// Answers `/metrics`, `/health/live` and `/health/ready`.
pub(crate) fn router(database: Database, nats: async_nats::Client, metrics: PrometheusHandle) -> Router {
    Router::new()
        .route("/metrics", get(render))
        .route("/health/live", get(async || axum::Json(json!({ "status": "alive" }))))
        .route("/health/ready", get(ready))
        .with_state(Arc::new(Probed { database, nats, metrics }))
}

async fn render(State(probed): State<Arc<Probed>>) -> Response {
    ([(CONTENT_TYPE, PrometheusHandle::CONTENT_TYPE)], probed.metrics.render()).into_response()
}

async fn ready(State(probed): State<Arc<Probed>>) -> Response {
    let up_or_down = |up: bool| if up { "up" } else { "down" };
    let postgres = probed.database.check().await.is_ok();
    let nats = nats::is_connected(&probed.nats);
    let (code, status) =
        if postgres && nats { (StatusCode::OK, "ready") } else { (StatusCode::SERVICE_UNAVAILABLE, "unavailable") };
    let dependencies =
        json!({ "postgres": { "status": up_or_down(postgres) }, "nats": { "status": up_or_down(nats) } });
    (code, axum::Json(json!({ "status": status, "dependencies": dependencies }))).into_response()
}
