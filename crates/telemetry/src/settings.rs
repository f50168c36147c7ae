//! What of logs and traces can be set.

use serde::Deserialize;

/// Settings of logs and traces.
///
/// Traces also honour OpenTelemetry's own variables (`OTEL_EXPORTER_OTLP_…`, `OTEL_SERVICE_NAME`,
/// `OTEL_RESOURCE_ATTRIBUTES`, `OTEL_TRACES_SAMPLER`, `OTEL_BSP_…`, `OTEL_SDK_DISABLED`).
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TelemetrySettings {
    /// How logs look and which are written.
    pub log: LogSettings,
    /// Address of an OTLP gRPC collector, such as `http://localhost:4317`. Left out,
    /// `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT` and `OTEL_EXPORTER_OTLP_ENDPOINT` decide; with
    /// neither, nothing is exported, but trace ids are still made and passed on.
    pub otlp_endpoint: Option<String>,
}

/// How logs look and which are written. They always go to standard error.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogSettings {
    /// One JSON object a line, or text for people.
    pub format: LogFormat,
    /// Which events to log, as `tracing` filter directives: `info`, or `info,sqlx=warn`.
    pub filter: String,
}

impl Default for LogSettings {
    fn default() -> Self {
        Self { format: LogFormat::Json, filter: "info".to_owned() }
    }
}

/// How a log line looks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// One JSON object a line.
    #[default]
    Json,
    /// Text for people.
    Text,
}
