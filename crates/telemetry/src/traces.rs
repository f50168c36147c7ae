//! The tracer: under which name this process exports spans, and to which collector.

use opentelemetry::{Key, KeyValue};
use opentelemetry_otlp::tonic_types::transport::ClientTlsConfig;
use opentelemetry_otlp::{SpanExporter, WithExportConfig, WithTonicConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;

use crate::error::TelemetryError;

const SERVICE_NAME: &str = "ytcaption";
/// Resource attribute that distinguishes the roles of one installation.
const ROLE: &str = "ytcaption.role";
/// Variables that name a collector, the more specific first
/// (<https://opentelemetry.io/docs/specs/otel/protocol/exporter/>).
const ENDPOINTS: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"];
/// `true` turns all export off.
const DISABLED: &str = "OTEL_SDK_DISABLED";
/// `none` turns the export of traces off.
const EXPORTER: &str = "OTEL_TRACES_EXPORTER";

/// A tracer provider that exports in batches to the collector at `endpoint`; without one it only makes
/// trace ids so that they can be passed on and logged.
pub(crate) fn provider(endpoint: Option<&str>, role: &str) -> Result<SdkTracerProvider, TelemetryError> {
    let builder = SdkTracerProvider::builder().with_resource(resource(role));
    let Some(endpoint) = endpoint else {
        return Ok(builder.build());
    };
    if tokio::runtime::Handle::try_current().is_err() {
        return Err(TelemetryError::NoRuntime);
    }
    let mut exporter = SpanExporter::builder().with_tonic().with_endpoint(endpoint);
    if endpoint.starts_with("https:") {
        exporter = exporter.with_tls_config(ClientTlsConfig::new().with_enabled_roots());
    }
    Ok(builder.with_batch_exporter(exporter.build()?).build())
}

/// The URL of the collector that the environment names, or `None` when there is none or export is switched off.
pub(crate) fn endpoint(variable: impl Fn(&str) -> Option<String>) -> Option<String> {
    let is = |name: &str, word: &str| variable(name).is_some_and(|v| v.eq_ignore_ascii_case(word));
    if is(DISABLED, "true") || is(EXPORTER, "none") {
        return None;
    }
    ENDPOINTS.into_iter().find_map(|name| variable(name).filter(|value| !value.is_empty()))
}

fn resource(role: &str) -> Resource {
    let name = Key::from_static_str("service.name");
    let detected = Resource::builder().build();
    let named_by_user = detected.get(&name).is_some_and(|n| !n.as_str().starts_with("unknown_service"));
    let mut builder = Resource::builder().with_attributes([
        KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
        KeyValue::new(ROLE, role.to_owned()),
    ]);
    if !named_by_user {
        builder = builder.with_service_name(SERVICE_NAME);
    }
    builder.build()
}

#[cfg(test)]
mod tests {
    use super::endpoint;

    fn with<const N: usize>(variables: [(&str, &str); N]) -> Option<String> {
        endpoint(|name| variables.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn the_more_specific_variable_wins() {
        let general = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://general:4317");
        let traces = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://traces:4317");
        assert_eq!(with([]), None);
        assert_eq!(with([general]).as_deref(), Some("http://general:4317"));
        assert_eq!(with([general, traces]).as_deref(), Some("http://traces:4317"));
        assert_eq!(with([("OTEL_EXPORTER_OTLP_ENDPOINT", "")]), None);
    }

    #[test]
    fn export_can_be_switched_off() {
        let general = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://general:4317");
        assert_eq!(with([general, ("OTEL_SDK_DISABLED", "true")]), None);
        assert_eq!(with([general, ("OTEL_TRACES_EXPORTER", "none")]), None);
    }
}
