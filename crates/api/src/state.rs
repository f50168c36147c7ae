//! What the handlers work with.

use std::sync::Arc;

use ytcaption_blobstore::BlobStore;
use ytcaption_domain::job::Job;
use ytcaption_domain::network::AddressPolicy;
use ytcaption_eventstore::{CommandBus, Database, IdGenerator};
use ytcaption_projections::JobQueries;
use ytcaption_telemetry::metrics::PrometheusHandle;

use crate::{ApiSettings, LookForModels, Streams};

/// Everything a handler may reach. Cheap to clone.
#[derive(Clone)]
pub struct ApiState {
    /// Changes jobs.
    pub jobs: Arc<CommandBus<Job>>,
    /// Reads jobs.
    pub queries: JobQueries,
    /// Keeps uploads.
    pub blobs: Arc<dyn BlobStore>,
    /// Asked whether it is there, and for the first event of a job whose request is repeated.
    pub database: Database,
    /// Asked whether it is there; `None` where this process knows no NATS.
    pub nats: Option<async_nats::Client>,
    /// Which addresses may be submitted.
    pub network: Arc<AddressPolicy>,
    /// Which models there are.
    pub models: LookForModels,
    /// Open streams to clients.
    pub streams: Streams,
    /// Limits.
    pub settings: Arc<ApiSettings>,
    /// Makes job and request ids.
    pub ids: IdGenerator,
    /// What `/metrics` shows.
    pub metrics: PrometheusHandle,
}
