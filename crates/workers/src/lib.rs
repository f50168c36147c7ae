//! The relay, which publishes events to JetStream, and the workers, which do the work that events trigger.
//!
//! ```text
//! event store ──▶ relay ──▶ stream YTCAPTION_EVENTS ──▶ consumer ──▶ step ──▶ command ──▶ event store
//!                                                                    download
//!                                                                    transcribe
//!                                                                    notify
//! ```
//!
//! The stream is a cache of the store: [`relay`] publishes again what it has lost. So every message may be delivered
//! twice, and work of [`steps`] that is already done is a no-op.

pub mod cloud_event;
pub mod consumer;
pub mod nats;
pub mod network;
pub mod relay;
pub mod steps;
pub mod topology;

mod asyncapi;
mod backoff;
mod breaker;
mod deps;
mod egress;
#[cfg(test)]
mod generated_files_tests;
#[cfg(test)]
mod testing;

pub use asyncapi::asyncapi_json;
pub use deps::{StartError, WorkerDeps};
#[cfg(feature = "transcribe")]
pub use steps::transcribe;
pub use steps::{download, notify};

/// The system's clock.
#[allow(clippy::disallowed_methods, reason = "the one place of this crate where the clock enters")]
pub(crate) fn now() -> chrono::DateTime<chrono::Utc> {
    chrono::Utc::now()
}
