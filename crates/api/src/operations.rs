//! For those who run the system: `GET /health/live`, `GET /health/ready` and `GET /metrics`

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde::Serialize;
use utoipa::ToSchema;
use ytcaption_eventstore::LONGEST_RELAY_STALL;
use ytcaption_telemetry::metrics::PrometheusHandle;

use crate::ApiState;

/// A dependency that has not answered after this time counts as down.
const CHECK_TIMEOUT: Duration = Duration::from_secs(2);
/// Subject of JetStream's own API for account information; only a server with JetStream answers.
const JETSTREAM_INFO: &str = "$JS.API.INFO";

/// The process runs.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Liveness {
    /// Always `alive`.
    #[schema(example = "alive")]
    status: &'static str,
    /// Version of the program.
    #[schema(example = "0.1.0")]
    version: &'static str,
}

/// Whether requests can be served.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Readiness {
    /// `ready`, or `unavailable` if any dependency is down.
    #[schema(example = "ready")]
    status: &'static str,
    /// Each dependency by its name: `postgres`, `nats`, `storage`, and `dispatch`, whether
    /// events reach the workers.
    dependencies: BTreeMap<&'static str, DependencyHealth>,
}

/// Health of a dependency.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DependencyHealth {
    /// `up` or `down`.
    #[schema(example = "up")]
    status: &'static str,
    /// Time until it answered or the check timed out, in milliseconds.
    #[schema(example = 1.3)]
    latency_ms: f64,
    /// What is wrong and where to look, if it is down.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

/// Whether the process runs
///
/// Checks nothing else: a restart would not repair a database.
#[utoipa::path(
    get,
    operation_id = "getLiveness",
    path = "/health/live",
    tag = "operations",
    responses((status = 200, description = "It runs", body = Liveness))
)]
pub(crate) async fn live() -> Json<Liveness> {
    Json(Liveness { status: "alive", version: env!("CARGO_PKG_VERSION") })
}

/// Whether requests can be served
///
/// Checks every dependency, all at the same time; each has two seconds to answer.
#[utoipa::path(
    get,
    operation_id = "getReadiness",
    path = "/health/ready",
    tag = "operations",
    responses(
        (status = 200, description = "Every dependency is up", body = Readiness),
        (status = 503, description = "At least one dependency is down", body = Readiness),
    )
)]
pub(crate) async fn ready(State(state): State<ApiState>) -> (StatusCode, Json<Readiness>) {
    let nats = async {
        match &state.nats {
            Some(client) => Some(check(check_nats(client)).await),
            None => None,
        }
    };
    let (postgres, dispatch, nats, storage) = tokio::join!(
        check(async { state.queries.check().await.map_err(|error| down("postgres", &error)) }),
        check(check_dispatch(&state)),
        nats,
        check(async { state.blobs.check().await.map_err(|error| down("storage", &error)) }),
    );
    let mut dependencies = BTreeMap::from([("postgres", postgres), ("dispatch", dispatch), ("storage", storage)]);
    dependencies.extend(nats.map(|nats| ("nats", nats)));
    if dependencies.values().all(|dependency| dependency.detail.is_none()) {
        (StatusCode::OK, Json(Readiness { status: "ready", dependencies }))
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, Json(Readiness { status: "unavailable", dependencies }))
    }
}

async fn check(dependency: impl Future<Output = Result<(), String>>) -> DependencyHealth {
    let started = Instant::now();
    let detail = match tokio::time::timeout(CHECK_TIMEOUT, dependency).await {
        Ok(outcome) => outcome.err(),
        Err(_) => Some(format!("no answer within {} seconds", CHECK_TIMEOUT.as_secs())),
    };
    let latency_ms = (started.elapsed().as_secs_f64() * 1e5).round() / 1e2;
    DependencyHealth { status: if detail.is_none() { "up" } else { "down" }, latency_ms, detail }
}

/// Whether events reach JetStream. A server that cannot write answers every other question.
async fn check_dispatch(state: &ApiState) -> Result<(), String> {
    let stalled = state.queries.dispatch_stalled_for().await.map_err(|error| down("dispatch", &error))?;
    if stalled <= LONGEST_RELAY_STALL {
        return Ok(());
    }
    Err(format!(
        "events have waited for {} s to be published on JetStream: is a relay running, and can nats-server write to its \
         disk? Jobs are accepted and kept meanwhile",
        stalled.as_secs()
    ))
}

async fn check_nats(client: &async_nats::Client) -> Result<(), String> {
    client
        .request(JETSTREAM_INFO, Bytes::new())
        .await
        .map(drop)
        .map_err(|error| format!("{}; is nats-server running with JetStream?", down("nats", &error)))
}

/// Why a dependency is down, which names addresses and directories, is for the log.
fn down(dependency: &str, error: &dyn std::fmt::Display) -> String {
    tracing::warn!(dependency, %error, "a dependency is down");
    "it cannot be used; the log of this server says why".to_owned()
}

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
