//! Everything that happens by itself: events go out to JetStream, and workers do what they ask for.
//!
//! ```text
//! event store ──▶ relay ──▶ stream YTCAPTION_EVENTS ──▶ consumer ──▶ stage ──▶ command ──▶ event store
//!                                                                    download
//!                                                                    transcribe
//!                                                                    notify
//! ```
//!
//! The stream is a cache of the store: [`relay`] fills it again when it lost something. So every message may come
//! twice, and a [`stages`] step that is already done decides to nothing.

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
