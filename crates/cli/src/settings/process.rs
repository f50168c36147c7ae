//! How a process logs and ends.

use std::time::Duration;

use super::kind;
use super::reader::Reader;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogFormat {
    /// Text on a terminal, else JSON.
    Auto,
    Text,
    Json,
}

#[derive(Debug, Clone)]
pub(crate) struct Log {
    pub(crate) level: String,
    pub(crate) format: LogFormat,
}

#[derive(Debug, Clone)]
pub(crate) struct Shutdown {
    pub(crate) grace: Duration,
}

pub(super) fn log(r: &mut Reader<'_>) -> Log {
    r.section("log", "What the program says on standard error. Traces: set OTEL_EXPORTER_OTLP_ENDPOINT.");
    Log {
        level: r.value(
            "log.level",
            "A level (error, warn, info, debug, trace) or a filter such as \"info,ytcaption_workers=debug\".",
            "info,async_nats=warn,sqlx=warn".to_owned(),
            kind::text(),
        ),
        format: r.value(
            "log.format",
            "\"text\" for people, \"json\" for collectors, \"auto\": text on a terminal, else json.",
            LogFormat::Auto,
            kind::one_of(&[("auto", LogFormat::Auto), ("text", LogFormat::Text), ("json", LogFormat::Json)]),
        ),
    }
}

pub(super) fn shutdown(r: &mut Reader<'_>) -> Shutdown {
    r.section("shutdown", "What happens on SIGTERM and SIGINT.");
    Shutdown {
        grace: Duration::from_secs(r.value(
            "shutdown.grace_seconds",
            "How long work in progress may take to end before it is dropped; it is then done again elsewhere.",
            30,
            kind::seconds(1..=600),
        )),
    }
}
