//! What the handlers work with.

use std::sync::Arc;

use ytcaption_application::{Commands, Queries, Subscriptions};
use ytcaption_blobstore::BlobStore;
use ytcaption_domain::network::AddressPolicy;
use ytcaption_eventstore::IdGenerator;
use ytcaption_telemetry::metrics::PrometheusHandle;

use crate::{ApiSettings, ModelLister, StreamPermits, TrustedProxies};

/// Everything a handler may reach. Cheap to clone.
#[derive(Clone)]
pub struct ApiState {
    /// Use cases that change jobs.
    pub commands: Commands,
    /// Use cases that read.
    pub queries: Queries,
    /// Use cases that wait for a job.
    pub subscriptions: Subscriptions,
    /// Stores uploads; the readiness probe checks it.
    pub blobs: Arc<dyn BlobStore>,
    /// The readiness probe checks it; `None` where this process uses no NATS.
    pub nats: Option<async_nats::Client>,
    /// Which URLs may be submitted.
    pub network: Arc<AddressPolicy>,
    /// Lists the models of this machine.
    pub models: ModelLister,
    /// Limits the open streams.
    pub streams: StreamPermits,
    /// The proxies whose headers are believed.
    pub proxies: TrustedProxies,
    /// Limits of requests.
    pub settings: Arc<ApiSettings>,
    /// Makes request ids.
    pub ids: IdGenerator,
    /// What `/metrics` shows.
    pub metrics: PrometheusHandle,
}
