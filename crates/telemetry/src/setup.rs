//! Starting logs and traces, and stopping them without losing the last spans.

use std::time::Duration;

use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::level_filters::LevelFilter;
use tracing::{Level, Subscriber};
use tracing_subscriber::filter::{FilterExt, filter_fn};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry};

use crate::error::TelemetryError;
use crate::json_lines::JsonLines;
use crate::settings::LogSettings;
use crate::traces;

/// The name under which traces and log records of this program are found.
const SCOPE: &str = "ytcaption";
/// How long the last spans may take to reach the collector when the process ends.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(5);
/// Spans below this level are neither exported nor consulted for a line's `job_id`. It does not
/// depend on the log filter: with `filter = "warn"` a warning still names its job and trace.
const SPAN_LEVEL: Level = Level::INFO;

/// Keeps traces flowing; the last ones are sent by [`Self::shutdown`].
#[derive(Debug)]
#[must_use = "dropping the guard stops the export of traces"]
pub struct TelemetryGuard {
    provider: Option<SdkTracerProvider>,
}

impl TelemetryGuard {
    pub(crate) fn new(provider: SdkTracerProvider) -> Self {
        Self { provider: Some(provider) }
    }

    /// Sends the spans not yet exported, waiting at most five seconds for the collector.
    pub async fn shutdown(mut self) {
        if let Some(provider) = self.provider.take() {
            // Blocks its thread while the exporter's connection needs the runtime.
            let flushing = tokio::task::spawn_blocking(move || flush(&provider));
            if let Err(error) = flushing.await {
                tracing::warn!(%error, "the last spans were not sent");
            }
        }
    }
}

impl Drop for TelemetryGuard {
    /// The last resort of an early return; it blocks the thread, so prefer [`Self::shutdown`].
    fn drop(&mut self) {
        if let Some(provider) = self.provider.take() {
            flush(&provider);
        }
    }
}

fn flush(provider: &SdkTracerProvider) {
    if let Err(error) = provider.shutdown_with_timeout(FLUSH_TIMEOUT) {
        tracing::warn!(%error, "the last spans were not sent");
    }
}

/// Starts logs on standard error and traces for this process, once. `role` says which part of the
/// system it is (`up`, `serve`, `worker-download`, …) in every log line and in the trace resource.
///
/// Traces are configured by OpenTelemetry's own variables only: `OTEL_EXPORTER_OTLP_ENDPOINT` (a gRPC collector such as
/// `http://localhost:4317`; without it nothing is exported, but trace ids are still made and passed on),
/// `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`, `OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES`, `OTEL_TRACES_SAMPLER`,
/// `OTEL_BSP_…`, `OTEL_SDK_DISABLED`.
///
/// # Errors
/// [`TelemetryError`]: the log filter or the URL of the collector cannot be used, or telemetry was started before.
pub fn init(settings: &LogSettings, role: &str) -> Result<TelemetryGuard, TelemetryError> {
    let provider = traces::provider(traces::endpoint(|name| std::env::var(name).ok()).as_deref(), role)?;
    subscriber(settings, role, &provider, std::io::stderr)?.try_init()?;
    Ok(TelemetryGuard::new(provider))
}

/// The subscriber of all spans and events, which writes logs to `writer`.
pub(crate) fn subscriber<W>(
    settings: &LogSettings,
    role: &str,
    provider: &SdkTracerProvider,
    writer: W,
) -> Result<impl Subscriber + Send + Sync + for<'a> tracing_subscriber::registry::LookupSpan<'a>, TelemetryError>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let filter = EnvFilter::builder()
        .parse(&settings.level)
        .map_err(|source| TelemetryError::Filter { filter: settings.level.clone(), source })?;
    // Without the hint every level would count as possibly wanted, and a library that queries the older `log` facade
    // (`log::log_enabled!`, as sqlx does for each query) would swallow the next event of its
    // thread: filters of single layers remember a refusal until an event comes.
    let spans = filter_fn(|about| about.is_span() && *about.level() <= SPAN_LEVEL)
        .with_max_level_hint(LevelFilter::from_level(SPAN_LEVEL));
    let filter = filter.or(spans);
    let logs: Box<dyn Layer<Registry> + Send + Sync> = if settings.format.is_text() {
        tracing_subscriber::fmt::layer().with_writer(writer).with_filter(filter).boxed()
    } else {
        JsonLines::new(role, writer).with_filter(filter).boxed()
    };
    let traces = tracing_opentelemetry::layer()
        .with_tracer(provider.tracer(SCOPE))
        .with_threads(false)
        .with_filter(LevelFilter::from_level(SPAN_LEVEL));
    Ok(Registry::default().with(logs).with(traces))
}

#[cfg(test)]
mod tests;
