//! What every worker role works with.

use std::sync::Arc;
use std::time::Duration;

use ytcaption_blobstore::BlobStore;
use ytcaption_domain::delivery::Delivery;
use ytcaption_domain::job::Job;
use ytcaption_domain::network::AddressPolicy;
use ytcaption_domain::step::Step;
use ytcaption_domain::{Actor, CommandContext};
use ytcaption_eventstore::{CommandBus, Database};
use ytcaption_telemetry::context;
#[cfg(feature = "transcribe")]
use ytcaption_whisper::CacheError;

use crate::cloud_event::CloudEvent;
use crate::topology::TopologyError;

/// What the worker of every step works with. Cheap to clone.
#[derive(Clone)]
pub struct WorkerDeps {
    /// The event store's database, for reading.
    pub database: Database,
    /// The connection to NATS, see [`crate::nats::connect`].
    pub nats: async_nats::Client,
    /// Commands to jobs.
    pub jobs: Arc<CommandBus<Job>>,
    /// Commands to deliveries.
    pub deliveries: Arc<CommandBus<Delivery>>,
    /// Uploads and audio.
    pub blobs: Arc<dyn BlobStore>,
    /// Which addresses may be connected to.
    pub network: AddressPolicy,
    /// Name of this process, for example `host:4711`; the name of the step is put before it.
    pub worker: String,
    /// How long running work may continue after the shutdown began. Less than the process's own grace period, so that
    /// unfinished work can still be released for other workers.
    pub grace: Duration,
    /// The steps whose consumers exist; [`ytcaption_domain::step::STEPS`].
    pub steps: &'static [Step],
}

impl WorkerDeps {
    /// The name of this worker in a step, as events show it.
    pub(crate) fn worker_of(&self, step: &str) -> String {
        format!("{step}@{}", self.worker)
    }

    /// The context of a command that follows from an event.
    pub(crate) fn context(&self, step: &str, event: &CloudEvent) -> CommandContext {
        CommandContext {
            account: event.account.clone(),
            actor: Actor::Worker(self.worker_of(step)),
            correlation_id: event.correlationid,
            causation_id: Some(event.id),
            traceparent: context::current_traceparent().or_else(|| event.traceparent.clone()),
        }
    }
}

/// Why a worker role could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// NATS cannot be used.
    #[error(transparent)]
    Topology(#[from] TopologyError),
    /// The speech model cannot be used.
    #[cfg(feature = "transcribe")]
    #[error("the transcription worker cannot start: {0}")]
    Model(#[from] CacheError),
    /// The webhook secret is not one.
    #[error("webhook.secret is not `whsec_` followed by base64; generate one with `openssl rand -base64 32`")]
    Secret,
    /// Something of the system is missing.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The HTTP client could not be set up.
    #[error("the HTTP client cannot be set up: {0}")]
    Http(#[from] reqwest::Error),
}
