//! Why telemetry could not be started.

use opentelemetry_otlp::ExporterBuildError;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::util::TryInitError;

/// Telemetry that could not be started.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// `log.level` is neither a level nor a filter.
    #[error("log.level {filter:?} is neither a level nor a filter such as \"info,sqlx=warn\": {source}")]
    Filter {
        /// The setting as given.
        filter: String,
        /// What is wrong with it.
        source: ParseError,
    },
    /// The URL of the collector or another OTLP variable cannot be used.
    #[error("traces cannot be exported: {0}")]
    Exporter(#[from] ExporterBuildError),
    /// Exporting needs an asynchronous runtime.
    #[error("traces can only be exported from inside a Tokio runtime")]
    NoRuntime,
    /// This process already has a subscriber.
    #[error("telemetry was already started in this process: {0}")]
    AlreadyStarted(#[from] TryInitError),
}
