//! Logs and traces of this process.

use std::io::IsTerminal as _;

use ytcaption_telemetry::{LogSettings, TelemetryError, TelemetryGuard, TelemetrySettings};

use crate::settings::{LogFormat, Settings};

/// Starts logs and traces for the role `name`.
///
/// # Errors
/// The log filter or the collector's address cannot be used.
pub(crate) fn start(settings: &Settings, name: &str) -> Result<TelemetryGuard, TelemetryError> {
    let format = match settings.log.format {
        LogFormat::Text => ytcaption_telemetry::LogFormat::Text,
        LogFormat::Auto if std::io::stderr().is_terminal() => ytcaption_telemetry::LogFormat::Text,
        LogFormat::Auto | LogFormat::Json => ytcaption_telemetry::LogFormat::Json,
    };
    let log = LogSettings { format, filter: settings.log.level.clone() };
    ytcaption_telemetry::init(&TelemetrySettings { log, otlp_endpoint: None }, name)
}
