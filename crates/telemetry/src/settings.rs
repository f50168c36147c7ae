//! How logs are written: the section `[log]` of the settings.
#![expect(clippy::doc_markdown, reason = "these texts are comments in ytcaption.toml, which is not Markdown")]

use std::io::IsTerminal as _;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the program logs on standard error. Traces: set OTEL_EXPORTER_OTLP_ENDPOINT.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LogSettings {
    /// A level (error, warn, info, debug, trace) or a filter such as "info,ytcaption_workers=debug".
    pub level: String,
    /// "text" for people, "json" for collectors, "auto": text on a terminal, else json.
    pub format: LogFormat,
}

impl Default for LogSettings {
    fn default() -> Self {
        Self { level: "info,async_nats=warn,sqlx=warn".to_owned(), format: LogFormat::default() }
    }
}

/// The format of a log line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Text if standard error is a terminal, else JSON.
    #[default]
    Auto,
    /// Text for people.
    Text,
    /// One JSON object a line.
    Json,
}

impl LogFormat {
    pub(crate) fn is_text(self) -> bool {
        match self {
            Self::Auto => std::io::stderr().is_terminal(),
            Self::Text => true,
            Self::Json => false,
        }
    }
}
